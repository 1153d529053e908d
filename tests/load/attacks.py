"""Attacks a server, and checks its memory, a well-behaved client beside the attack, and that the server can still end.

For each attack of attackers.py, a new server runs on one processor. A client calls EvaluateProposal at a fixed rate,
first alone, then beside the attacker. At the end the server gets SIGTERM while the attack goes on. With --from, the
client is

- address: at another address than the attacker, both without credentials;
- token: at the same address, with another token;
- nginx: behind nginx with deploy/nginx.conf, like the attacker, and both claim an address in X-Forwarded-For.

What must hold: the memory of the server peaks (VmHWM) at most 256 MiB above what it is before the attack; no call of
the client fails; its p99 is at most three times that without the attack or 5 ms more, whichever is more; and the server
ends within its drain timeout. The last output is the table for docs/operations.md.

Needs: Python 3.11 with grpcio, hpack and zstandard; Linux; for --from nginx, nginx and openssl.
"""

import argparse
import base64
import hashlib
import os
import re
import shutil
import signal
import subprocess
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from attackers import ATTACKS, AttackerProcess, Target
from calls import Callers, Offer, evaluate_request
from processes import ROOT, Server, find_binary, free_ports, main, must, stage
from proxies import NAME, Nginx
from report import MEBIBYTE, Progress, line, machine, mebibytes, percentile, title, verdict
from retry_load import hard_scenario

PROPOSALS = ("european-force", "jeddah-ceasefire", "chinese-un-force", "withdrawal-first")
WAYS = ("address", "token", "nginx")
MOST_ADDED = 256 * MEBIBYTE
P99_FACTOR, P99_SECONDS = 3, 0.005
WARM_SECONDS, SAMPLE_SECONDS = 1.5, 0.05
# The default --drain-pause and --drain-timeout, and a second for the rest.
DRAIN_SECONDS = 0.5 + 10 + 1.5
# Forged by the clients of nginx: the server must believe nginx, not them.
FORGED = "203.0.113.7"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="ATTACK", help=f"attacks (all): {', '.join(ATTACKS)}")
    parser.add_argument("--binary", type=Path, default=Path("target/dist/detente"))
    parser.add_argument("--from", dest="ways", action="append", choices=WAYS, help="repeat for several (address)")
    parser.add_argument("--seconds", type=float, default=8, help="length of an attack (%(default)s)")
    parser.add_argument("--before", type=float, default=4, help="seconds of calls before it (%(default)s)")
    parser.add_argument("--rate", type=float, default=100, help="calls a second of the client (%(default)s)")
    parser.add_argument("--attackers", type=int, default=1, help="addresses of the attacker (%(default)s)")
    parser.add_argument("--set", action="append", default=[], help="option of the server, like --set=--max-calls=64")
    parser.add_argument("--nice", type=int, default=0, help="priority, negative beside other programs (%(default)s)")
    options = parser.parse_args()
    unknown = set(options.names) - set(ATTACKS)
    if unknown:
        parser.error(f"no such attack: {', '.join(sorted(unknown))}; expected some of {', '.join(ATTACKS)}")
    return options


class PinnedServer(Server):
    """A server on one processor; the script and its other processes have the others."""

    processor = None

    def prepare(self):
        super().prepare()
        if self.processor is not None:
            os.sched_setaffinity(0, {self.processor})

    def forget_peak(self):
        """Makes the peak of the memory what the memory is now, and returns it."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")
        return self.of("status", "VmRSS")


@dataclass
class Result:
    """What an attack came to."""

    name: str
    way: str
    attack: object
    base: int
    peak: int = 0
    sampled: int = 0
    # The kernel's memory of the server's sockets at the end, which a cgroup counts, too.
    sockets: int = 0
    # Bytes of the log.
    logged: int = 0
    seconds: float = 0
    processor: float = 0
    counts: object = None
    connections: int = 0
    calls: int = 0
    before: object = None
    beside: object = None
    drain: float = float("nan")
    code: int | None = None

    def p99(self, figures):
        return percentile(sorted(figures.latencies), 0.99)

    def outcomes(self):
        """How calls and connections of the attacker ended."""
        kinds = ("bytes", "bytes read", "calls", "connections")
        return {kind: count for kind, count in self.counts.most_common() if kind not in kinds}

    def promises(self):
        alone, beside = self.p99(self.before), self.p99(self.beside)
        most = max(alone * P99_FACTOR, alone + P99_SECONDS)
        added = self.peak - self.base
        found = [
            (added <= MOST_ADDED, f"memory: {mebibytes(added)} above the base of {mebibytes(self.base)}"),
            (self.beside.failed == 0, f"the client: {self.beside.failed} of {self.beside.calls} calls failed"),
            (beside <= most, f"the client: p99 {alone * 1000:.1f} ms, beside the attack {beside * 1000:.1f} ms"),
            (self.drain <= DRAIN_SECONDS, f"SIGTERM during the attack: ended after {self.drain:.1f} s"),
        ]
        if self.attack.is_well_behaved:
            failed = {kind: count for kind, count in self.outcomes().items() if kind != "status 0"}
            answered = self.counts["status 0"]
            sentence = f"calls of the attacker: {answered} answered, {failed or 'none'} failed"
            found.append((answered > 0 and not failed, sentence))
        return [(holds, f"{self.name}, {self.way}: {sentence}") for holds, sentence in found]

    def row(self):
        alone, beside = self.p99(self.before), self.p99(self.beside)
        holds = all(holds for holds, _ in self.promises())
        count, sent = self.counts["calls"] / self.seconds, self.counts["bytes"] / self.seconds / MEBIBYTE
        cells = [
            f"`{self.name}` ({self.attack.item})",
            self.way,
            f"{self.connections}, {self.calls}",
            f"{count:,.0f}, {sent:.1f} MiB",
            f"{(self.peak - self.base) / MEBIBYTE:.0f}, {(self.sampled - self.base) / MEBIBYTE:.0f} MiB",
            f"{100 * self.processor / self.seconds:.0f} %",
            f"{self.beside.failed} of {self.beside.calls}",
            f"{alone * 1000:.1f}, {beside * 1000:.1f} ms",
            f"{self.drain:.1f} s",
            "yes" if holds else "**no**",
        ]
        return "| " + " | ".join(cells) + " |"


HEADINGS = (
    "attack (item)",
    "client from another",
    "connections, calls open",
    "calls, bytes a second",
    "memory above the base: peak, sampled",
    "processor",
    "failures of the client",
    "p99 alone, beside it",
    "ended after SIGTERM",
    "holds",
)


def make_tokens(folder):
    """Writes a tokens file with two callers, and returns their tokens."""
    tokens, entries = [], []
    for caller in ("attacker", "client"):
        token = base64.b64encode(os.urandom(32)).decode()
        digest = hashlib.sha256(token.encode()).hexdigest()
        entries.append(f"  - caller: {caller}\n    sha256: {digest}\n    role: analyst\n    scenarios: all\n")
        tokens.append(token)
    path = folder / "tokens.yaml"
    path.write_text("tokens:\n" + "".join(entries))
    return path, tokens


def attack(options, binary, folder, processor, name, way, progress):
    """Runs one attack, and returns its result."""
    number = len(list(folder.iterdir()))
    folder = folder / f"{number}-{name}-{way}"
    folder.mkdir()
    folder.chmod(0o755)
    port, proxy_port = free_ports(2)
    settings, metadata, token, headers = [], (), "", ()
    # The client, which is gRPC's, cannot choose its address, so the attacker has the other ones.
    sources = [f"127.0.0.{2 + number}" for number in range(options.attackers)]
    if way == "token":
        path, (token, other) = make_tokens(folder)
        settings += ["--tokens", str(path)]
        metadata = (("authorization", f"Bearer {other}"),)
        sources = ["127.0.0.1"]
    elif way == "nginx":
        settings += ["--trusted-proxies", "127.0.0.1/32"]
        headers = (("x-forwarded-for", FORGED),)
        metadata = (("x-forwarded-for", FORGED),)
    if ATTACKS[name]().has_hard_scenario:
        scenarios = folder / "scenarios"
        scenarios.mkdir()
        (scenarios / "pigeons.yaml").write_text(hard_scenario())
        shutil.copy(ROOT / "scenarios/ukraine-2025.yaml", scenarios)
        settings += ["--scenarios", str(scenarios), "--default-scenario", "ukraine-2025"]
    for setting in options.set:
        settings += setting.split("=", 1)
    with ExitStack() as running:
        server = PinnedServer(binary, folder, "server", port, settings)
        server.processor = processor
        server.most_files = 8_192
        running.enter_context(server)
        server.start()
        offer = Offer(
            target=f"ipv4:127.0.0.1:{port}",
            rate=options.rate,
            requests=[evaluate_request(f"scenarios/ukraine-2025/proposals/{proposal}") for proposal in PROPOSALS],
            metadata=metadata,
        )
        target = Target(port, sources, token, headers=headers)
        if way == "nginx":
            proxy = running.enter_context(Nginx(folder, proxy_port, [server] * 3))
            offer.target = f"ipv4:127.0.0.1:{proxy_port}"
            offer.certificate = proxy.certificate.read_bytes()
            offer.options = [("grpc.ssl_target_name_override", NAME), ("grpc.default_authority", NAME)]
            target.port, target.name = proxy_port, NAME
        callers = running.enter_context(Callers(offer, 1))
        callers.begin()
        rest(callers, WARM_SECONDS, f"{name}: warming up", progress)
        callers.take()
        rest(callers, options.before, f"{name}: without the attack", progress)
        before = callers.take()
        result = Result(name, way, ATTACKS[name](), server.forget_peak(), before=before)
        logged = server.log.stat().st_size
        spent, began = server.processor_seconds(), time.monotonic()
        attacker = running.enter_context(AttackerProcess(name, target))
        until = began + options.seconds
        while time.monotonic() < until:
            must(server.process.poll() is None, f"{name}: the server has ended:\n{server.log.read_text()[-2000:]}")
            result.sampled = max(result.sampled, server.of("status", "VmRSS"))
            rest(callers, SAMPLE_SECONDS, f"{name}: {mebibytes(result.sampled)}", progress)
        result.connections, result.calls, result.counts = attacker.count()
        result.sockets = socket_memory(server)
        result.seconds = time.monotonic() - began
        result.processor = server.processor_seconds() - spent
        result.logged = server.log.stat().st_size - logged
        result.beside = callers.stop()
        result.peak = server.of("status", "VmHWM")
        result.drain, result.code = drain(server)
        return result


def socket_memory(server):
    """What the kernel holds for the server's sockets: sent and unread, and received and unread."""
    command = ["ss", "-tmnH", f"sport = :{server.port}"]
    try:
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return 0
    return sum(int(read) + int(unsent) for read, unsent in re.findall(r"skmem:\(r(\d+),.*?,w(\d+),", output))


def drain(server):
    """Ends the server with SIGTERM. Returns the seconds that it took, which are infinite if it had to be killed."""
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    try:
        code = server.process.wait(3 * DRAIN_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        return float("inf"), None
    return time.monotonic() - began, code


def rest(callers, seconds, what, progress):
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        calls, failed = callers.counted()
        progress.show(f"{what}; {calls} calls, {failed} failed")
        time.sleep(min(0.1, left))


def tell(result):
    title(f"{result.name} ({result.way}), item {result.attack.item}")
    print("  " + re.sub(r"\s+", " ", ATTACKS[result.name].__doc__), flush=True)
    line("connections, calls open at the end", result.connections, result.calls)
    rate = result.counts["calls"] / result.seconds
    line("attack", f"{rate:,.0f} calls/s", f"{result.counts['bytes'] / result.seconds / MEBIBYTE:.2f} MiB/s")
    for kind, count in list(result.outcomes().items())[:12]:
        line(f"  {kind}", count)
    line("memory: base, peak, sampled", *map(mebibytes, (result.base, result.peak, result.sampled)))
    line("kernel's memory of its sockets", mebibytes(result.sockets))
    line("log", f"{result.logged / result.seconds / MEBIBYTE:.2f} MiB/s")
    line("processor", f"{100 * result.processor / result.seconds:.0f} %")
    line("client: calls, failed, late", result.beside.calls, result.beside.failed, result.beside.late)
    told = {(code, details[:80]) for _, code, details, _ in result.beside.failures}
    for code, details in sorted(told)[:4]:
        line(f"  {code}", details, width=4)
    for name, figures in (("alone", result.before), ("beside it", result.beside)):
        shares = [f"{percentile(sorted(figures.latencies), share) * 1000:.1f} ms" for share in (0.5, 0.99, 1)]
        line(f"client {name}: p50, p99, longest", *shares)
    line("SIGTERM: seconds, exit code", f"{result.drain:.1f}", str(result.code))


def take_priority(nice):
    """Puts this script and its children before other programs, which otherwise distort the latencies."""
    with suppress(PermissionError):
        # Linux groups the processes of a session, and compares groups by a value of their own.
        os.setsid()
    os.nice(nice)
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(nice))


def test(options, folder):
    binary = find_binary(options.binary)
    processors = sorted(os.sched_getaffinity(0))
    processor = None
    if len(processors) > 1:
        processor = processors[0]
        os.sched_setaffinity(0, set(processors[1:]))
    if options.nice:
        take_priority(options.nice)
    title("Attacks")
    machine()
    line("processor of the server", "any" if processor is None else processor)
    results, progress = [], Progress()
    for way in options.ways or WAYS[:1]:
        for name in options.names or ATTACKS:
            result = attack(options, binary, folder, processor, name, way, progress)
            progress.clear()
            tell(result)
            results.append(result)
    title("| " + " | ".join(HEADINGS) + " |")
    print("|" + "---|" * len(HEADINGS))
    for result in results:
        print(result.row(), flush=True)
    return verdict([promise for result in results for promise in result.promises()])


def run():
    options = arguments()
    with stage("attacks") as folder:
        return test(options, folder)


if __name__ == "__main__":
    main(run)
