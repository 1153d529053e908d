"""The output of a test: a line of progress on terminals, aligned figures, and whether each promise holds."""

import os
import sys
import time

MEBIBYTE = 1024 * 1024


class Progress:
    """A line of progress that is overwritten. It is shown on terminals only."""

    def __init__(self):
        self.shown = sys.stdout.isatty()
        self.last = 0.0

    def show(self, text, now=False):
        if self.shown and (now or time.monotonic() - self.last > 0.2):
            self.last = time.monotonic()
            print(f"\r\033[K{text}", end="", flush=True)

    def clear(self):
        if self.shown:
            print("\r\033[K", end="", flush=True)


def line(key, *values, width=14):
    print(f"  {key:<34}" + "".join(f"{value:>{width}}" for value in values), flush=True)


def title(text):
    print(f"\n{text}", flush=True)


def machine():
    """Prints the processors and the load of the machine, without which the figures mean little."""
    load = os.getloadavg()[0]
    count = len(os.sched_getaffinity(0))
    line("processors, load before", f"{count}, {load:.1f}")


def verdict(promises):
    """Prints whether each promise holds, and returns whether all do."""
    print()
    for holds, sentence in promises:
        print(f"{'ok  ' if holds else 'FAIL'}  {sentence}", flush=True)
    return all(holds for holds, _ in promises)


def percentile(ordered, share):
    """The percentile of sorted values: the smallest value that is not below the given share of them."""
    if not ordered:
        return float("nan")
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


def latencies(values):
    """The p50, p99, p99.9 and maximum of durations in seconds, as texts in milliseconds."""
    ordered = sorted(values)
    return [f"{percentile(ordered, share) * 1000:.2f} ms" for share in (0.5, 0.99, 0.999, 1)]


def mebibytes(size):
    return f"{size / MEBIBYTE:.1f} MiB"
