"""The scene of an attack: a server of its own on one processor, and what the client and the attacker are to it.

The ways in which the client differs from the attacker:

- address: it has another address, and neither has credentials;
- token: it has the same address, and another token;
- nginx: both are behind nginx with deploy/nginx.conf, have different addresses there, and claim another one in
  X-Forwarded-For;
- production: the server has TLS, tokens and the settings of deploy/kubernetes/overlays/production, the client has
  another token and another address.
"""

import base64
import ctypes
import hashlib
import os
import re
import resource
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

import grpc

from attackers import DIRECT, Target
from calls import Offer, evaluate_request
from processes import ROOT, Server, free_ports, make_certificate, must
from proxies import NAME, Nginx
from retry_load import hard_scenario

PROPOSALS = ("european-force", "jeddah-ceasefire", "chinese-un-force", "withdrawal-first")
# Forged by the clients of nginx: the server must believe nginx, not them.
FORGED = "203.0.113.7"
KUBERNETES = ROOT / "deploy/kubernetes"
# Settings of the manifests that name what a test has its own of.
OWN_SETTINGS = re.compile("DETENTE_(ADMIN_)?LISTEN|DETENTE_DRAIN_.*|DETENTE_SCENARIOS|DETENTE_T(LS|OKENS).*")
DISK_BYTES = b"size=1m"
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 0x40000


def production_settings():
    """The settings of the production overlay, as options."""
    text = "".join((KUBERNETES / path / "deployment.yaml").read_text() for path in ("base", "overlays/production"))
    found = dict(re.findall(r'\{name: (DETENTE_\w+), value: "?([^"}]+)"?\}', text))
    must("DETENTE_CALLER_RATE" in found, "the production overlay sets no --caller-rate")
    options = []
    for name, value in found.items():
        if not OWN_SETTINGS.fullmatch(name):
            options += ["--" + name.removeprefix("DETENTE_").lower().replace("_", "-"), value]
    return options


def can_mount():
    """Whether this user may mount a file system for one process."""
    return os.geteuid() == 0 and subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode == 0


class PinnedServer(Server):
    """A server on one processor; the script and its other processes have the others."""

    processor = None
    most_hard_files = 8_192
    # A folder on which this process alone finds a file system of 1 MiB.
    disk = None

    def prepare(self):
        super().prepare()
        resource.setrlimit(resource.RLIMIT_NOFILE, (self.most_hard_files, self.most_hard_files))
        if self.processor is not None:
            os.sched_setaffinity(0, {self.processor})
        if self.disk is not None:
            # In a namespace of its own, so that the mount ends with the process.
            libc = ctypes.CDLL(None)
            libc.unshare(CLONE_NEWNS)
            libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None)
            libc.mount(b"tmpfs", str(self.disk).encode(), b"tmpfs", 0, DISK_BYTES)

    def forget_peak(self):
        """Makes the peak of the memory what the memory is now, and returns it."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")
        return self.of("status", "VmRSS")


class Scene:
    """A server, and how the client and the attacker reach it."""

    def __init__(self, options, attack, binary, folder, way, processor):
        self.attack, self.folder, self.way = attack, folder, way
        self.port, self.proxy_port, self.admin_port = free_ports(3)
        self.tokens, self.tokens_path = {}, folder / "tokens.yaml"
        self.certificate = None
        self.settings = ["--admin-listen", f"127.0.0.1:{self.admin_port}"]
        self.settings += ["--drain-timeout", f"{options.drain}s", *attack.options]
        # The client, which is gRPC's, cannot choose its address, so the attacker has the other ones.
        count = max(options.attackers, attack.addresses) if way in DIRECT else options.attackers
        sources = [f"127.0.0.{2 + number}" for number in range(count)]
        self.target = Target(self.port, ["127.0.0.1"] if way == "token" else sources)
        self.offer = Offer(
            target=f"ipv4:127.0.0.1:{self.port}",
            rate=options.rate,
            requests=[evaluate_request(f"scenarios/ukraine-2025/proposals/{proposal}") for proposal in PROPOSALS],
            # Nothing but their addresses distinguishes connections that have not sent anything, so a client at the
            # address of the attacker can only keep the connection that it has.
            calls_a_connection=0 if way == "token" else attack.calls_a_connection,
        )
        self.set_the_way(way)
        self.set_files()
        for setting in options.set:
            self.settings += setting.split("=", 1)
        self.server = PinnedServer(binary, folder, "server", self.port, self.settings, self.certificate)
        self.server.processor, self.server.most_hard_files = processor, attack.most_files
        if attack.has_full_disk:
            self.fill_disk()

    def set_the_way(self, way):
        if way in ("token", "production") or "revocation" in "".join(self.attack.beside):
            names = ("attacker", "client", "revoked")
            self.tokens = {name: base64.b64encode(os.urandom(32)).decode() for name in names}
            self.write_tokens()
            self.settings += ["--tokens", str(self.tokens_path)]
            self.target.token = self.tokens["attacker"]
            self.offer.metadata = (("authorization", f"Bearer {self.tokens['client']}"),)
        if way == "nginx":
            self.settings += ["--trusted-proxies", "127.0.0.1/32"]
            self.target.headers = (("x-forwarded-for", FORGED),)
            self.offer.metadata += (("x-forwarded-for", FORGED),)
        elif way == "production":
            self.certificate, key = make_certificate(self.folder, f"DNS:{NAME},IP:127.0.0.1")
            self.settings += ["--tls-cert", str(self.certificate), "--tls-key", str(key), *production_settings()]
            self.offer.certificate = self.certificate.read_bytes()
            self.target.name = NAME

    def set_files(self):
        if not (self.attack.has_hard_scenario or self.attack.files):
            return
        self.target.folder = self.folder / "scenarios"
        self.target.folder.mkdir()
        shutil.copy(ROOT / "scenarios/ukraine-2025.yaml", self.target.folder)
        if self.attack.has_hard_scenario:
            (self.target.folder / "pigeons.yaml").write_text(hard_scenario())
        self.settings += ["--scenarios", str(self.target.folder), "--default-scenario", "ukraine-2025"]

    def fill_disk(self):
        """Puts the decision log on a disk that is soon full, or on the device that is always full."""
        path = Path("/dev/full")
        if can_mount():
            disk = self.folder / "disk"
            disk.mkdir()
            self.server.disk, path = disk, disk / "decisions.jsonl"
        self.server.options += ["--decision-log", str(path)]

    def write_tokens(self, without=None):
        entries = [
            f"  - caller: {caller}\n    sha256: {hashlib.sha256(token.encode()).hexdigest()}\n"
            f"    role: analyst\n    scenarios: all\n"
            for caller, token in self.tokens.items()
            if caller != without
        ]
        new = self.folder / ".tokens"
        new.write_text("tokens:\n" + "".join(entries))
        new.rename(self.tokens_path)

    @contextmanager
    def running(self):
        """Runs the server, and the proxy in front of it."""
        with self.server:
            self.server.start()
            if self.way != "nginx":
                yield
                return
            with Nginx(self.folder, self.proxy_port, [self.server] * 3) as proxy:
                self.offer.target = f"ipv4:127.0.0.1:{self.proxy_port}"
                self.offer.certificate = proxy.certificate.read_bytes()
                self.offer.options = [("grpc.ssl_target_name_override", NAME), ("grpc.default_authority", NAME)]
                self.target.port, self.target.name = self.proxy_port, NAME
                yield

    def channel(self):
        """A channel of the client."""
        options = [("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1), *self.offer.options]
        if not self.offer.certificate:
            return grpc.insecure_channel(self.offer.target, options)
        trusted = grpc.ssl_channel_credentials(self.offer.certificate)
        return grpc.secure_channel(self.offer.target, trusted, options)
