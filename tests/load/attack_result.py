"""What an attack came to: its figures, whether its promises hold, and its row in the table of docs/operations.md."""

import re
from array import array
from dataclasses import dataclass, field

from report import MEBIBYTE, line, mebibytes, percentile, title

MOST_ADDED = 256 * MEBIBYTE
P99_FACTOR, P99_SECONDS = 3, 0.005
# What the log may grow by: each kind of refusal is logged once in a while, however often it happens.
MOST_LOGGED_A_SECOND = 64 * 1024
# The default --drain-pause, and a second for the rest.
DRAIN_MARGIN = 0.5 + 1.5
HEADINGS = (
    "attack (item)",
    "client from another",
    "connections, calls open",
    "calls, bytes a second",
    "memory above the base: peak, sampled",
    "processor",
    "failures of the client",
    "p50 alone, beside it",
    "p99 alone, beside it",
    "ended after SIGTERM",
    "holds",
)


@dataclass
class Result:
    """What an attack came to."""

    name: str
    way: str
    attack: object
    base: int
    most_drain: float
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
    # The latencies of the client without an attack, in all runs of this way.
    alone: array = field(default_factory=lambda: array("d"))
    beside: object = None
    # What beside.py found.
    found: list = field(default_factory=list)
    drain: float = float("nan")
    code: int | None = None

    def latencies(self, share):
        """A percentile of the client's latencies without the attack, and beside it."""
        return percentile(sorted(self.alone), share), percentile(sorted(self.beside.latencies), share)

    def outcomes(self):
        """How calls and connections of the attacker ended."""
        kinds = ("bytes", "bytes read", "calls", "connections", "files")
        return {kind: count for kind, count in self.counts.most_common() if kind not in kinds}

    def promises(self):
        alone, beside = self.latencies(0.99)
        most = max(alone * P99_FACTOR, alone + P99_SECONDS)
        added, logged = self.peak - self.base, self.logged / self.seconds
        found = [
            (added <= MOST_ADDED, f"memory: {mebibytes(added)} above the base of {mebibytes(self.base)}"),
            (self.beside.failed == 0, f"the client: {self.beside.failed} of {self.beside.calls} calls failed"),
            (beside <= most, f"the client: p99 {alone * 1000:.1f} ms, beside the attack {beside * 1000:.1f} ms"),
            (logged <= MOST_LOGGED_A_SECOND, f"log: {logged / 1024:.1f} KiB a second"),
            (self.drain <= self.most_drain, f"SIGTERM during the attack: ended after {self.drain:.1f} s"),
            *self.found,
        ]
        # A quota refuses even a client that does nothing wrong.
        if self.attack.is_well_behaved and self.way != "production":
            failed = {kind: count for kind, count in self.outcomes().items() if kind != "status 0"}
            answered = self.counts["status 0"]
            sentence = f"calls of the attacker: {answered} answered, {failed or 'none'} failed"
            found.append((answered > 0 and not failed, sentence))
        return [(holds, f"{self.name}, {self.way}: {sentence}") for holds, sentence in found]

    def row(self):
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
            *(", ".join(f"{each * 1000:.1f}" for each in self.latencies(share)) + " ms" for share in (0.5, 0.99)),
            f"{self.drain:.1f} s",
            "yes" if holds else "**no**",
        ]
        return "| " + " | ".join(cells) + " |"

    def tell(self, says):
        """Prints the figures. `says` is what the attack says about itself."""
        title(f"{self.name} ({self.way}), item {self.attack.item}")
        print("  " + re.sub(r"\s+", " ", says), flush=True)
        line("connections, calls open at the end", self.connections, self.calls)
        rate, sent = self.counts["calls"] / self.seconds, self.counts["bytes"] / self.seconds / MEBIBYTE
        line("attack", f"{rate:,.0f} calls/s", f"{sent:.2f} MiB/s")
        rates = [f"{self.counts[kind] / self.seconds:,.0f}/s" for kind in ("connections", "files")]
        line("  connections, files", *rates)
        for kind, count in list(self.outcomes().items())[:12]:
            line(f"  {kind}", count)
        line("memory: base, peak, sampled", *map(mebibytes, (self.base, self.peak, self.sampled)))
        line("kernel's memory of its sockets", mebibytes(self.sockets))
        line("log", f"{self.logged / self.seconds / 1024:.1f} KiB/s")
        line("processor", f"{100 * self.processor / self.seconds:.0f} %")
        line("client: calls, failed, late", self.beside.calls, self.beside.failed, self.beside.late)
        told = {(code, details[:80]) for _, code, details, _ in self.beside.failures}
        for code, details in sorted(told)[:4]:
            line(f"  {code}", details, width=4)
        for name, figures in (("alone", self.before), ("beside it", self.beside)):
            shares = [f"{percentile(sorted(figures.latencies), share) * 1000:.1f} ms" for share in (0.5, 0.99, 1)]
            line(f"client {name}: p50, p99, longest", *shares)
        for holds, sentence in self.found:
            print(f"  {'ok  ' if holds else 'FAIL'}  {sentence}", flush=True)
        line("SIGTERM: seconds, exit code", f"{self.drain:.1f}", str(self.code))


def table(results):
    """Prints the table for docs/operations.md."""
    title("| " + " | ".join(HEADINGS) + " |")
    print("|" + "---|" * len(HEADINGS))
    for result in results:
        print(result.row(), flush=True)
