"""Checks that ten thousand idle connections take little memory and do not slow other clients.

A client sends 500 calls a second, first without the idle connections, then beside 10,000 HTTP/2 connections that have
completed their handshake and send no request. Separate processes hold these connections from several loopback
addresses, and answer the server's pings.

The script prints the server's memory without and with the connections (VmRSS and Pss), the memory per connection, and
the latencies of the calls. At the end every connection must still answer a ping. With --tls, everything runs over TLS.

Needs: Python 3.11 with grpcio; a limit of at least 10,500 open files (`ulimit -Hn`); for --tls openssl, and 1 GiB of
memory for the client ends of the connections.
"""

import argparse
import time
from pathlib import Path

from calls import Callers, Offer, evaluate_request
from connections import Holders
from processes import (
    Server,
    find_binary,
    free_ports,
    main,
    make_certificate,
    must,
    require_files,
    require_flags,
    stage,
    wait_until,
)
from report import MEBIBYTE, Progress, latencies, line, machine, mebibytes, percentile, title, verdict

PROPOSALS = ("european-force", "jeddah-ceasefire", "chinese-un-force", "withdrawal-first")
WARM_SECONDS = 3
OPEN_SECONDS = 300
# The keys, buffers and state of TLS take about 10 KiB per connection.
MOST_ADDED, MOST_ADDED_BY_TLS = 200 * MEBIBYTE, 300 * MEBIBYTE
# The permitted increase allows for noise from other programs: a factor, and an absolute margin.
P50_FACTOR, P99_FACTOR, MARGIN_SECONDS = 1.5, 2, 0.001


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, default=Path("target/dist/detente"))
    parser.add_argument("--connections", type=int, default=10_000, help="number of idle connections (%(default)s)")
    parser.add_argument("--hold", type=float, default=20, help="seconds of calls beside the connections (%(default)s)")
    parser.add_argument("--before", type=float, default=20, help="seconds of calls without them (%(default)s)")
    parser.add_argument("--rate", type=float, default=500, help="calls a second (%(default)s)")
    parser.add_argument("--processes", type=int, default=4, help="processes that hold the connections (%(default)s)")
    parser.add_argument("--tls", action="store_true")
    return parser.parse_args()


def test(options, folder):
    binary, (port,) = find_binary(options.binary), free_ports(1)
    most = options.connections * 3 // 2
    settings = ["--max-connections", str(most), "--log", "warn"]
    # The connections come from few addresses.
    settings += ["--max-connections-per-address", str(most)]
    certificate = None
    if options.tls:
        require_flags(binary, "--tls-cert", "--tls-key")
        certificate, key = make_certificate(folder, "IP:127.0.0.1")
        settings += ["--tls-cert", str(certificate), "--tls-key", str(key)]
    server = Server(binary, folder, "server", port, settings, certificate)
    server.most_files = options.connections + 500
    require_files(server.most_files)
    title(f"{options.connections} idle connections{', over TLS' if options.tls else ''}")
    machine()
    offer = Offer(
        target=f"ipv4:127.0.0.1:{port}",
        rate=options.rate,
        requests=[evaluate_request(f"scenarios/ukraine-2025/proposals/{name}") for name in PROPOSALS],
        certificate=certificate.read_bytes() if certificate else b"",
    )
    with server:
        server.start()
        with Callers(offer, 1) as callers:
            return measure(options, server, callers)


def measure(options, server, callers):
    progress = Progress()

    def rest(seconds, what):
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            calls, failed = callers.counted()
            progress.show(f"{what}, {left:.0f} s to go; {calls} calls, {failed} failed")
            time.sleep(min(0.1, left))

    callers.begin()
    rest(WARM_SECONDS, "warming up")
    callers.take()
    spent = [server.processor_seconds()]
    rest(options.before, "without them")
    before, memory_before = callers.take(), server.memory()
    spent.append(server.processor_seconds())
    with Holders(server.port, options.connections, options.processes, options.tls) as holders:

        def are_open():
            progress.show(f"opening: {sum(holders.opened)} of {options.connections}")
            return holders.are_open()

        try:
            opening_took = wait_until(are_open, "all connections open", OPEN_SECONDS)
        except ConnectionError as error:
            must(False, f"cannot open a connection: {error}")
        opening = callers.take()
        spent.append(server.processor_seconds())
        rest(options.hold, "with them")
        held, memory_held = callers.take(), server.memory()
        spent.append(server.processor_seconds())
        alive, lost = holders.alive()
    callers.take()
    rest(WARM_SECONDS, "after them")
    memory_after = server.memory()
    after = callers.stop()
    progress.clear()
    added = [held - before for before, held in zip(memory_before, memory_held)]
    title("                                           before      with them         added   a connection   after them")
    for number, name in enumerate(("VmRSS", "Pss")):
        each = f"{added[number] / options.connections / 1024:.1f} KiB"
        figures = (memory_before[number], memory_held[number], added[number])
        line(name, *map(mebibytes, figures), each, mebibytes(memory_after[number]))
    title("Latency of calls                             p50           p99         p99.9       longest         calls")
    for name, figures in (("before", before), ("while they are opened", opening), ("with them", held)):
        line(name, *latencies(figures.latencies), figures.calls)
    title("Other figures")
    line("opened in", f"{opening_took:.1f} s")
    line("alive at the end", alive)
    for why in sorted(set(lost)):
        line(f"  lost: {why}", lost.count(why))
    windows = zip(("before", "while they are opened", "with them"), (before, opening, held), spent, spent[1:])
    for name, figures, begun, ended in windows:
        line(f"processor, {name}", f"{100 * (ended - begun) / (figures.ended - figures.began):.1f} %")
    all_figures = (before, opening, held, after)
    late, failed = (sum(getattr(each, what) for each in all_figures) for what in ("late", "failed"))
    line("calls failed, sent late", failed, late)

    def slower(share, factor):
        with_them, alone = (percentile(sorted(each.latencies), share) for each in (held, before))
        return with_them > alone * factor + MARGIN_SECONDS

    most = MOST_ADDED_BY_TLS if options.tls else MOST_ADDED
    return verdict(
        [
            (added[0] < most, f"the connections take less than {mebibytes(most)} in total"),
            (not slower(0.5, P50_FACTOR), f"p50 is at most {P50_FACTOR} times p50 without them, plus 1 ms"),
            (not slower(0.99, P99_FACTOR), f"p99 is at most {P99_FACTOR} times p99 without them, plus 1 ms"),
            (alive == options.connections, "all connections are still alive"),
            (failed == 0, "no call failed"),
        ]
    )


def run():
    options = arguments()
    with stage("idle") as folder:
        return test(options, folder)


if __name__ == "__main__":
    main(run)
