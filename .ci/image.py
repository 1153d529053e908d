"""Builds the image's last stage, and runs it from the development overlay.

The program and its licences replace the build stage (`buildah --build-context build=...`), because this script uses no
image registry; everything else is built as deploy/Containerfile says. `podman kube play` gets the overlay's Deployment
and ConfigMap, with these changes:

  image         the image that was built
  network       the host's network, because container networks do not work everywhere; therefore also free ports
  probes        removed: podman would run them in the container, which has no curl. This script runs them instead

Then the image runs once with only the system calls that deploy/systemd/detente.service allows. Needs root, buildah,
podman, runc and catatonit. If they cannot run here, the script prints the reason and exits with 77.
"""

import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

import running
from deployed import (
    CALL_SECONDS,
    DEPLOY,
    DEVELOPMENT,
    ROOT,
    SERVING,
    Checks,
    Failure,
    build,
    cargo_version,
    channel,
    container,
    environment,
    evaluate,
    find,
    free_port,
    health,
    must,
    pod_spec,
    port_of,
    probe,
    run,
    skip,
    wait_until,
)

SIZE_MOST = 25 * 1024 * 1024
IMAGE, TRIAL = "localhost/detente:development", "localhost/detente-trial:1"
NEEDED = ("buildah", "podman", "runc")
# The runtime is runc, because crun needs kernel features that some sandboxes lack. The limits are low enough
# to be set without special privileges, which such sandboxes may lack as well.
CONTAINERS_CONF = """
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[containers]
default_ulimits = ["nofile=16384:16384", "nproc=8192:8192"]
"""


class Machine:
    """Images and containers in a folder of their own, which is removed at the end."""

    def __init__(self, home):
        self.home = home
        (home / "containers.conf").write_text(CONTAINERS_CONF)
        os.environ["CONTAINERS_CONF"] = str(home / "containers.conf")
        self.use("overlay")

    def use(self, driver):
        storage = self.home / "storage.conf"
        storage.write_text(
            f'[storage]\ndriver = "{driver}"\n'
            f'graphroot = "{self.home}/{driver}"\nrunroot = "{self.home}/run-{driver}"\n'
        )
        os.environ["CONTAINERS_STORAGE_CONF"] = str(storage)

    def try_out(self, binary):
        """Builds and runs a minimal image. Returns the storage driver that works, or skips with the last error."""
        if os.geteuid() != 0:
            skip("containers need root here")
        missing = [name for name in NEEDED if shutil.which(name) is None]
        if missing:
            skip(f"{', '.join(missing)} not found")
        context = self.home / "trial"
        context.mkdir()
        shutil.copy(binary, context / "program")
        (context / "Containerfile").write_text(
            'FROM scratch\nCOPY program /program\nENTRYPOINT ["/program", "--version"]\n'
        )
        for driver in ("overlay", "vfs"):
            self.use(driver)
            try:
                run("buildah", "bud", "--quiet", "--tag", TRIAL, context)
                run("podman", "run", "--rm", "--network=host", "--read-only", TRIAL)
                return driver
            except Failure as failure:
                said = str(failure)
        skip(f"containers cannot run here: {said}")

    def clear(self):
        for command in (("podman", "pod", "rm", "--all", "--force"), ("podman", "rm", "--all", "--force")):
            subprocess.run(command, capture_output=True)
        subprocess.run(["podman", "volume", "rm", "--all", "--force"], capture_output=True)
        subprocess.run(["podman", "rmi", "--all", "--force"], capture_output=True)


def check_static(binary):
    headers = run("readelf", "--program-headers", binary)
    must("INTERP" not in headers, "the program is not statically linked, and an image from scratch has no libraries")


def check_builds(binary, licences, home):
    context = home / "binary"
    context.mkdir()
    shutil.copy(binary, context / "detente")
    shutil.copy(licences, context / "THIRD-PARTY-LICENSES.txt")
    revision = run("git", "rev-parse", "HEAD", cwd=ROOT).strip() if (ROOT / ".git").exists() else "unknown"
    run(
        "buildah",
        "bud",
        "--file",
        DEPLOY / "Containerfile",
        "--build-context",
        f"build={context}",
        "--build-arg",
        f"REVISION={revision}",
        "--timestamp",
        "0",
        "--tag",
        IMAGE,
        ROOT,
    )


def inspect(what, *options):
    return json.loads(run("podman", *options, "inspect", what))[0]


def check_contents(licences, home):
    """The program, its licences, and the labels and settings of the image."""
    image = inspect(IMAGE, "image")
    must(image["Size"] < SIZE_MOST, f"{image['Size']} bytes, more than {SIZE_MOST}")
    settings = image["Config"]
    must(settings["User"] == "65532:65532", f"user {settings['User']}")
    must(settings["Entrypoint"] == ["/detente"] and settings["Cmd"] == ["serve"], f"{settings}")
    must(settings["StopSignal"] in ("SIGTERM", "15"), f"StopSignal {settings['StopSignal']}")
    must(set(settings["ExposedPorts"]) == {"50051/tcp", "50052/tcp"}, f"{settings['ExposedPorts']}")
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in settings["Labels"].items()}
    for name in ("title", "description", "licenses", "version", "revision", "created"):
        must(labels.get(name), f"the image has no label {name}")
    must(labels["version"] == cargo_version(), f"version {labels['version']}")
    run("podman", "create", "--name", "contents", "--network=host", IMAGE)
    run("podman", "export", "--output", home / "contents.tar", "contents")
    run("podman", "rm", "contents")
    # Ignore the folders, which are mount points that podman adds.
    listed = run("tar", "--list", "--file", home / "contents.tar").split()
    files = [name for name in listed if not name.endswith("/")]
    must(
        sorted(files) == ["LICENSE", "THIRD-PARTY-LICENSES.txt", "detente"],
        f"the program and its licences are expected in it, and nothing else: {listed}",
    )
    for name, source in (("LICENSE", ROOT / "LICENSE"), ("THIRD-PARTY-LICENSES.txt", licences)):
        run("tar", "--extract", "--file", home / "contents.tar", "--directory", home, name)
        must((home / name).read_bytes() == source.read_bytes(), f"{name} is not {source}")
    print(f"      image: {image['Size'] / 2**20:.1f} MiB")


def adapted(objects, ports):
    """The objects for `podman kube play`, with the changes listed at the top of this file."""
    deployment = find(objects, "Deployment")
    only, spec = container(objects), pod_spec(objects)
    for each in only["env"]:
        if each["name"] in ports:
            host = each["value"].rsplit(":", 1)[0]
            each["value"] = f"{host}:{ports[each['name']]}"
    spec["hostNetwork"] = True
    only["image"] = IMAGE
    for name in ("ports", "startupProbe", "readinessProbe", "livenessProbe"):
        only.pop(name, None)
    return [find(objects, "ConfigMap", "detente-scenarios"), deployment]


class Played:
    """The overlay's pod, run by podman."""

    def __init__(self, home):
        self.home = home
        objects = build(DEVELOPMENT)
        self.only, self.settings = json.loads(json.dumps(container(objects))), environment(objects)
        self.grace = pod_spec(objects)["terminationGracePeriodSeconds"]
        self.real = {name: free_port() for name in ("DETENTE_LISTEN", "DETENTE_ADMIN_LISTEN")}
        self.manifest = home / "development.yaml"
        self.manifest.write_text(yaml.safe_dump_all(adapted(objects, self.real)))
        admin = self.real["DETENTE_ADMIN_LISTEN"]
        self.ports = {"admin": admin, port_of(self.settings["DETENTE_ADMIN_LISTEN"]): admin}
        self.name = self.pod = None

    def start(self):
        run("podman", "kube", "play", self.manifest)
        listed = json.loads(run("podman", "ps", "--all", "--format", "json"))
        (self.name,) = (each["Names"][0] for each in listed if each["Image"] == IMAGE)
        self.pod = inspect(self.name, "container")["Pod"]

        def serving():
            state = inspect(self.name, "container")["State"]
            must(state["Running"], f"the container ended with {state['ExitCode']}\n{self.log()}")
            return health(self.ports["admin"]) == SERVING

        wait_until(serving, "SERVING on the admin port")

    def log(self):
        done = subprocess.run(["podman", "logs", self.name], capture_output=True, text=True)
        return done.stdout + done.stderr

    def probes(self):
        for name in ("startupProbe", "readinessProbe", "livenessProbe"):
            probe(self.only[name], self.ports)

    def evaluate(self):
        with channel(self.real["DETENTE_LISTEN"]) as to:
            return evaluate(to)

    def confined(self):
        """Checks the confinement in /proc, which shows what is in effect, not what was requested."""
        state = inspect(self.name, "container")
        status = Path(f"/proc/{state['State']['Pid']}/status").read_text()
        for line in (
            r"Uid:\t65532\t65532\t65532\t65532",
            r"Gid:\t65532\t65532\t65532\t65532",
            r"CapEff:\t0+",
            r"CapBnd:\t0+",
            r"NoNewPrivs:\t1",
            r"Seccomp:\t2",
        ):
            must(re.search(rf"(?m)^{line}$", status), f"no line {line} in\n{status}")
        must(state["HostConfig"]["ReadonlyRootfs"], "the root file system is writable")
        must(state["HostConfig"]["Memory"] == 512 * 1024 * 1024, f"memory limit {state['HostConfig']['Memory']}")

    def no_shell(self):
        done = subprocess.run(["podman", "exec", self.name, "/bin/sh", "-c", "true"], capture_output=True, text=True)
        must(done.returncode != 0, "the image contains a shell")

    def reloads(self):
        """Edits the ConfigMap's files. podman mounts plain files, not links as a kubelet does."""
        before = self.evaluate()
        (mount,) = (
            each for each in inspect(self.name, "container")["Mounts"] if each["Destination"].endswith("scenarios")
        )
        file = Path(mount["Source"]) / "ukraine-2025.yaml"
        file.write_text(re.sub(r"(?m)^title: .*$", "title: Another title", file.read_text(), count=1))
        wait_until(lambda: self.evaluate() != before, "another revision")

    def ends(self):
        started = time.monotonic()
        run("podman", "pod", "stop", "--time", self.grace, self.pod)
        state = inspect(self.name, "container")["State"]
        must(state["ExitCode"] == 0, f"exit code {state['ExitCode']}\n{self.log()}")
        must(time.monotonic() - started < self.grace, "the shutdown took the whole grace period")


def allowed_calls():
    """A seccomp profile of the system calls that the unit's filters allow. All others fail with EPERM."""

    def expand(name):
        lines = run("systemd-analyze", "syscall-filter", name).splitlines()[1:]
        words = [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]
        return {call for word in words for call in (expand(word) if word.startswith("@") else {word})}

    allowed = set()
    for each in running.unit()["Service"]["SystemCallFilter"]:
        sets = [call for name in each.lstrip("~").split() for call in expand(name)]
        allowed = allowed - set(sets) if each.startswith("~") else allowed | set(sets)
    # runc itself makes these system calls after it has installed the filter and before it starts the program.
    allowed |= {"capset", "capget", "setgroups", "setgid", "setuid", "setresuid", "setresgid"}
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "architectures": ["SCMP_ARCH_X86_64"] if os.uname().machine == "x86_64" else ["SCMP_ARCH_AARCH64"],
        "syscalls": [{"names": sorted(allowed), "action": "SCMP_ACT_ALLOW"}],
    }


def check_system_calls(home):
    """Runs under the unit's filter, with a collector given by name: a static program must resolve names itself."""
    profile = home / "seccomp.json"
    profile.write_text(json.dumps(allowed_calls()))
    port, admin = free_port(), free_port()
    with socket.create_server(("127.0.0.1", 0)) as collector:
        collector.settimeout(10)
        command = [
            "podman",
            "run",
            "--rm",
            "--name",
            "filtered",
            "--network=host",
            "--read-only",
            "--cap-drop=all",
            "--security-opt",
            f"seccomp={profile}",
            "--security-opt",
            "no-new-privileges",
            "--env",
            "DETENTE_OTLP_INTERVAL=1s",
            IMAGE,
            "serve",
            "--listen",
            f"127.0.0.1:{port}",
            "--admin-listen",
            f"127.0.0.1:{admin}",
            "--otlp-endpoint",
            f"http://localhost:{collector.getsockname()[1]}",
        ]
        with (home / "filtered.log").open("w") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:

            def serving():
                must(process.poll() is None, f"exited with {process.returncode}\n{(home / 'filtered.log').read_text()}")
                return health(admin) == SERVING

            wait_until(serving, "SERVING")
            with channel(port) as to:
                evaluate(to)
            try:
                collector.accept()[0].close()
            except TimeoutError:
                raise Failure("the program has not connected to the collector at http://localhost") from None
            process.send_signal(signal.SIGTERM)
            must(process.wait(CALL_SECONDS * 4) == 0, f"exit code {process.returncode}")
        finally:
            subprocess.run(["podman", "rm", "--force", "filtered"], capture_output=True)
            process.wait(CALL_SECONDS)


def check_all(checks, binary, licences, home):
    checks.check("static", check_static, binary)
    checks.check("builds", check_builds, binary, licences, home)
    checks.check("contents", check_contents, licences, home)
    played = Played(home)
    before = checks.failed
    checks.check("kube play", played.start)
    if checks.failed == before:
        for check in (played.probes, played.evaluate, played.confined, played.no_shell, played.reloads, played.ends):
            checks.check(check.__name__, check)
    if shutil.which("systemd-analyze"):
        checks.check("system calls of the unit", check_system_calls, home)
    else:
        print("not checked: the unit's system calls, because systemd-analyze is not installed")


def main():
    parser = argparse.ArgumentParser(description="Builds the image and runs it.")
    parser.add_argument("--binary", type=Path, default=ROOT / "target/release/detente")
    parser.add_argument("--licences", type=Path, required=True, help="the file that deploy/licences.sh wrote")
    options = parser.parse_args()
    binary, licences = options.binary.resolve(), options.licences.resolve()
    checks = Checks("image")
    with tempfile.TemporaryDirectory(prefix="detente-image-", ignore_cleanup_errors=True) as name:
        home = Path(name)
        machine = Machine(home)
        print(f"storage: {machine.try_out(binary)}")
        try:
            check_all(checks, binary, licences, home)
        finally:
            machine.clear()
    sys.exit(checks.end())


if __name__ == "__main__":
    main()
