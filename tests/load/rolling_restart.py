"""Replaces every replica, one after the other, under load: no call may fail.

Client processes (Python grpcio, asyncio) send EvaluateProposal calls at a fixed total rate to three replicas, with
deploy/service-config.json. Each replica in turn gets SIGTERM, exits, is started again, and reports SERVING before the
next one is replaced. Every replica is replaced twice. By default the clients connect over TLS to nginx with
deploy/nginx.conf; with --direct they balance the load over the three addresses themselves.

The script prints the calls that failed for the application (which must be none), the failed attempts that a retry (of
gRPC or of nginx) repaired, the latencies, and the duration of each restart.

Needs: Python 3.11 with grpcio; without --direct, nginx 1.19.10 or later and openssl (Debian: nginx-light).
"""

import argparse
import shutil
import signal
import time
from pathlib import Path

from calls import Callers, Offer, evaluate_request
from processes import ROOT, Server, find_binary, free_ports, main, must, stage
from proxies import NAME, Nginx
from report import Progress, latencies, line, machine, title, verdict

PROPOSALS = ("european-force", "jeddah-ceasefire", "chinese-un-force", "withdrawal-first")
SERVICE_CONFIG = ROOT / "deploy/service-config.json"
WARM_SECONDS = 3
# By default, gRPC waits one second before it reconnects to a replica that refused a connection. After further refusals,
# it waits longer, up to two minutes.
RECONNECT = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 2000)]
# The rate may fall slightly short, because more processes are busy than there are processors.
RATE_SHARE = 0.98


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, default=Path("target/dist/detente"))
    parser.add_argument("--direct", action="store_true", help="without nginx: the clients balance the load")
    parser.add_argument("--rate", type=float, default=2000, help="calls a second, in all (%(default)s)")
    parser.add_argument("--clients", type=int, default=4, help="client processes (%(default)s)")
    parser.add_argument("--rounds", type=int, default=2, help="how often each replica is replaced (%(default)s)")
    parser.add_argument("--settle", type=float, default=0, help="seconds from ready to the next restart (%(default)s)")
    parser.add_argument("--drain-pause", default="500ms", help="--drain-pause of the replicas (%(default)s)")
    parser.add_argument("--kill", action="store_true", help="end replicas with SIGKILL, to test retries after a crash")
    parser.add_argument("--no-retries", action="store_true", help="disable the retries of gRPC")
    parser.add_argument("--keep", type=Path, help="copy logs to this folder at the end")
    return parser.parse_args()


def restart_all(replicas, options, callers, progress, start):
    """Restarts each replica. Returns name, time, durations and exit code of each restart."""
    restarts = []
    for turn in range(options.rounds):
        for replica in replicas:
            at = time.monotonic() - start
            progress.show(progress_line(callers, f"round {turn + 1}, {replica.name}: ending"), now=True)
            took, code = replica.kill() if options.kill else replica.stop()
            progress.show(progress_line(callers, f"round {turn + 1}, {replica.name}: starting"), now=True)
            until_ready = replica.start()
            restarts.append((replica.name, at, took, code, until_ready))
            rest(options.settle, callers, progress, f"round {turn + 1}, {replica.name}: back")
    return restarts


def rest(seconds, callers, progress, what):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        progress.show(progress_line(callers, what))
        time.sleep(min(0.1, seconds))


def progress_line(callers, what):
    calls, failed = callers.counted()
    return f"{what}; {calls} calls, {failed} failed"


def test(options, folder):
    must(SERVICE_CONFIG.exists(), f"there is no {SERVICE_CONFIG}")
    binary, progress = find_binary(options.binary), Progress()
    *ports, front = free_ports(4)
    title(f"Rolling restart, {'clients balance themselves' if options.direct else 'behind nginx'}")
    machine()
    settings = ["--drain-pause", options.drain_pause, "--log", "info"]
    replicas = [Server(binary, folder, f"replica {n}", port, settings) for n, port in enumerate(ports, 1)]
    offer = Offer(
        target=f"ipv4:127.0.0.1:{front}",
        rate=options.rate,
        requests=[evaluate_request(f"scenarios/ukraine-2025/proposals/{name}") for name in PROPOSALS],
        service_config=SERVICE_CONFIG.read_text(),
        # Without this, gRPC sends the list of addresses as the authority, which is invalid.
        options=[("grpc.default_authority", NAME), *RECONNECT],
    )
    if options.no_retries:
        offer.options.append(("grpc.enable_retries", 0))
    with replicas[0], replicas[1], replicas[2]:
        for replica in replicas:
            replica.start()
        if options.direct:
            offer.target = "ipv4:" + ",".join(replica.address for replica in replicas)
            return under_load(options, offer, replicas, None, progress, folder)
        nginx = Nginx(folder, front, replicas)
        offer.certificate = nginx.certificate.read_bytes()
        with nginx:
            return under_load(options, offer, replicas, nginx, progress, folder)


def under_load(options, offer, replicas, nginx, progress, folder):
    with Callers(offer, options.clients) as callers:
        start = callers.begin()
        rest(WARM_SECONDS, callers, progress, "all are up")
        restarts = restart_all(replicas, options, callers, progress, start)
        rest(WARM_SECONDS, callers, progress, "all were replaced")
        figures = callers.stop()
    progress.clear()
    if nginx:
        # nginx flushes its log every second.
        time.sleep(1.5)
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
        for log in folder.glob("*.log"):
            shutil.copy(log, options.keep)
    return print_report(options, figures, restarts, nginx, start)


def print_report(options, figures, restarts, nginx, start):
    title("Restarts          at    SIGTERM to end   exit code   start to SERVING")
    for name, at, took, code, until_ready in restarts:
        print(f"  {name}  {at:7.1f} s  {took:12.2f} s  {code:10}  {until_ready:15.2f} s")
    title("Calls")
    line("rate, offered and reached", f"{options.rate:.0f}/s", f"{figures.rate:.0f}/s")
    line("calls", figures.calls)
    line("sent more than 20 ms late", figures.late)
    line("most calls at a time", figures.most_at_a_time)
    line("failed", figures.failed)
    for code, count in sorted(figures.codes.items()):
        line(f"  {code}", count)
    for ended, code, details, took in sorted(figures.failures)[:10]:
        print(f"    at {ended - start:.3f} s, after {took * 1000:.0f} ms: {code}: {details[:200]}")
    title("Attempts")
    if figures.attempts is None:
        line("by gRPC", "not reported")
    else:
        begun, failed = map(sum, zip(*figures.attempts.values()))
        line("by gRPC: started, failed", begun, failed)
        for address, (some, bad) in sorted(figures.attempts.items()):
            line(f"  {address}", some, bad)
    if nginx:
        calls, passed, met, codes = nginx.attempts()
        line("calls through nginx", calls)
        line("passed on to another replica", passed)
        for statuses, count in met.most_common(5):
            line(f"  statuses {statuses}", count)
        for code, count in codes.most_common():
            line(f"  {code}", count)
        for what, count in nginx.errors().most_common(8):
            print(f"    {count} times {what[:160]}")
    title("Latency                                      p50           p99         p99.9       longest")
    line("since the call was due", *latencies(figures.latencies))
    expected = -int(signal.SIGKILL) if options.kill else 0
    return verdict(
        [
            (figures.failed == 0, "no call failed"),
            (all(code == expected for _, _, _, code, _ in restarts), f"every replica ended with {expected}"),
            (figures.rate > RATE_SHARE * options.rate, "the rate was reached"),
            (len(figures.revisions) == 1, "every answer has the same revision"),
        ]
    )


def run():
    options = arguments()
    with stage("rolling") as folder:
        return test(options, folder)


if __name__ == "__main__":
    main(run)
