"""Attacks a server, and checks its memory, a well-behaved client beside the attack, and that the server can still end.

For each attack of attack_list.py and attacks_on_the_host.py, a new server runs on one processor. A client calls
EvaluateProposal at a fixed rate, first alone, then beside the attacker. At the end the server gets SIGTERM while the
attack goes on. With --from, the client differs from the attacker by its address, by its token, by its address behind
nginx, or by both under the settings of production (attack_scene.py). --all runs all attacks in all ways in which they
make sense, and retry_load.py, and chooses the length of the attacks so that everything ends within --minutes.

What must hold: the memory of the server peaks (VmHWM) at most 256 MiB above what it is before the attack; no call of
the client fails; its p99 is at most three times that without the attack in all runs of the same way, or 5 ms more,
whichever is more; the log grows by at most 64 KiB a second; the server ends within its drain timeout; and what
beside.py checks. The last output is the table for docs/operations.md.

Needs: Python 3.11 with grpcio, hpack and zstandard; Linux; for nginx and production openssl, and nginx for the former.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import time
from array import array
from contextlib import ExitStack, suppress
from pathlib import Path

import beside
from attack_list import ON_CALLS
from attack_result import DRAIN_MARGIN, Result, table
from attack_scene import Scene
from attackers import WAYS, AttackerProcess
from attacks_on_the_host import ON_THE_HOST
from calls import Callers
from processes import find_binary, main, must, stage
from report import Progress, line, machine, mebibytes, title, verdict

ATTACKS = {function.__name__.replace("_", "-"): function for function in (*ON_CALLS, *ON_THE_HOST)}
SAMPLE_SECONDS = 0.05
# For --all: what a run takes besides the attack, at most, and the lengths of attacks that it may choose.
OVERHEAD_SECONDS, LEAST_SECONDS, MOST_SECONDS = 4, 2, 8
RETRIES_SECONDS = 30
SHORT_DRAIN, SHORT_BEFORE, SHORT_WARM = 1, 1, 0.5


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="ATTACK", help=f"attacks (all): {', '.join(ATTACKS)}")
    parser.add_argument("--binary", type=Path, default=Path("target/dist/detente"))
    parser.add_argument("--from", dest="ways", action="append", choices=WAYS, help="repeat for several (address)")
    parser.add_argument("--all", action="store_true", help="all attacks in all ways, and retry_load.py")
    parser.add_argument("--minutes", type=float, default=20, help="time for --all (%(default)s)")
    parser.add_argument("--seconds", type=float, default=8, help="length of an attack (%(default)s)")
    parser.add_argument("--before", type=float, default=4, help="seconds of calls before it (%(default)s)")
    parser.add_argument("--warm", type=float, default=1.5, help="seconds of calls before these (%(default)s)")
    parser.add_argument("--drain", type=int, default=10, help="--drain-timeout of the server (%(default)s)")
    parser.add_argument("--rate", type=float, default=100, help="calls a second of the client (%(default)s)")
    parser.add_argument("--attackers", type=int, default=1, help="addresses of the attacker (%(default)s)")
    parser.add_argument("--set", action="append", default=[], help="option of the server, like --set=--max-calls=64")
    parser.add_argument("--nice", type=int, default=0, help="priority, negative beside other programs (%(default)s)")
    options = parser.parse_args()
    unknown = set(options.names) - set(ATTACKS)
    if unknown:
        parser.error(f"no such attack: {', '.join(sorted(unknown))}; expected some of {', '.join(ATTACKS)}")
    return options


def plan(options):
    """The attacks to run and their ways. With --all, also sets the times so that they fit."""
    ways = options.ways or (WAYS if options.all else WAYS[:1])
    runs = [(name, way) for way in ways for name in options.names or ATTACKS if way in ATTACKS[name]().ways]
    if options.all:
        left = options.minutes * 60 - RETRIES_SECONDS - OVERHEAD_SECONDS * len(runs)
        options.seconds = min(MOST_SECONDS, left / len(runs))
        must(options.seconds >= LEAST_SECONDS, f"{len(runs)} attacks need more than {options.minutes:g} minutes")
        options.drain, options.before, options.warm = SHORT_DRAIN, SHORT_BEFORE, SHORT_WARM
    return runs


def attack(options, binary, folder, processor, name, way, progress):
    """Runs one attack, and returns its result."""
    kind = ATTACKS[name]()
    folder = folder / f"{len(list(folder.iterdir()))}-{name}-{way}"
    folder.mkdir()
    folder.chmod(0o755)
    with ExitStack() as running:
        scene = Scene(options, kind, binary, folder, way, processor)
        running.enter_context(scene.running())
        server = scene.server
        callers = running.enter_context(Callers(scene.offer, 1))
        callers.begin()
        rest(callers, options.warm, f"{name}: warming up", progress)
        callers.take()
        rest(callers, options.before, f"{name}: without the attack", progress)
        before = callers.take()
        result = Result(name, way, kind, server.forget_peak(), DRAIN_MARGIN + options.drain, before=before)
        attacker = running.enter_context(AttackerProcess(ATTACKS[name], scene.target))
        logged, spent, began = server.log.stat().st_size, server.processor_seconds(), time.monotonic()

        def watch(until):
            while time.monotonic() < until:
                must(server.process.poll() is None, f"{name}: the server has ended:\n{server.log.read_text()[-2000:]}")
                result.sampled = max(result.sampled, server.of("status", "VmRSS"))
                rest(callers, SAMPLE_SECONDS, f"{name}: {mebibytes(result.sampled)}", progress)

        watch(began + options.seconds / 2)
        for what in kind.beside:
            result.found += getattr(beside, what)(scene)
        watch(began + options.seconds)
        result.connections, result.calls, result.counts = attacker.count()
        result.sockets = socket_memory(server)
        result.seconds = time.monotonic() - began
        result.processor = server.processor_seconds() - spent
        result.logged = server.log.stat().st_size - logged
        result.beside = callers.stop()
        result.peak = server.of("status", "VmHWM")
        result.drain, result.code = drain(server, result.most_drain)
        return result


def socket_memory(server):
    """What the kernel holds for the server's sockets: sent and unread, and received and unread."""
    command = ["ss", "-tmnH", f"sport = :{server.port}"]
    try:
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return 0
    return sum(int(read) + int(unsent) for read, unsent in re.findall(r"skmem:\(r(\d+),.*?,w(\d+),", output))


def drain(server, most):
    """Ends the server with SIGTERM. Returns the seconds that it took, which are infinite if it had to be killed."""
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    try:
        code = server.process.wait(2 * most)
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


def retries(binary, processors):
    """The promises of retry_load.py, which attacks with retries (item 13)."""
    command = [sys.executable, Path(__file__).with_name("retry_load.py"), "--binary", binary]
    # Its clients must be faster than its server, and therefore need all processors.
    done = subprocess.run(
        command, capture_output=True, text=True, preexec_fn=lambda: os.sched_setaffinity(0, processors)
    )
    print(done.stdout, done.stderr, sep="\n", flush=True)
    return [(done.returncode == 0, "retry_load.py: its promises hold")]


def take_priority(nice):
    """Puts this script and its children before other programs, which otherwise distort the latencies."""
    with suppress(PermissionError):
        # Linux groups the processes of a session, and compares groups by a value of their own.
        os.setsid()
    os.nice(nice)
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(nice))


def share_alone(results):
    """Gives each result the latencies without an attack in all runs of its way: those of one run are few."""
    alone = {way: array("d") for way in WAYS}
    for result in results:
        alone[result.way].extend(result.before.latencies)
    for result in results:
        result.alone = alone[result.way]


def test(options, folder):
    binary = find_binary(options.binary)
    runs = plan(options)
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
    line("attacks, seconds each", len(runs), f"{options.seconds:.1f}")
    results, progress, began = [], Progress(), time.monotonic()
    for name, way in runs:
        result = attack(options, binary, folder, processor, name, way, progress)
        progress.clear()
        result.tell(ATTACKS[name].__doc__)
        results.append(result)
    promises = retries(binary, processors) if options.all else []
    share_alone(results)
    table(results)
    line("minutes", f"{(time.monotonic() - began) / 60:.1f}")
    return verdict([promise for result in results for promise in result.promises()] + promises)


def run():
    options = arguments()
    with stage("attacks") as folder:
        return test(options, folder)


if __name__ == "__main__":
    main(run)
