"""Reloads scenarios a thousand times under load: no call fails, no answer is from a wrong or outdated revision (a hash
of a scenario's content), and nothing leaks.

The server runs with `--scenarios DIR --reload-interval 0s` on a folder with three scenarios, so it notices changes by
file events only. One scenario is a plain file, which a rename replaces. The other two are links through the link
`..data`, as Kubernetes mounts a ConfigMap, and one rename of `..data` replaces both. The first two scenarios take
turns: each change writes a new title and a new first day, which ListScenarios must then show. Every 50th change first
writes a broken file: /metrics must report it, and the last valid content must stay in use. Every 100th change removes
the third scenario and adds it again.

Meanwhile clients send 1,000 calls a second for the first two scenarios. Every answer must have a revision that was
written, and no call may be answered from a revision whose successor ListScenarios had shown before the call began.
Memory, open files and threads at the end are compared with those after a tenth of the reloads. By then, the server
keeps as many past revisions as it may, so none of these numbers should grow any more.

Needs: Python 3.11 with grpcio, Linux.
"""

import argparse
import re
import time
from pathlib import Path

import grpc

from calls import Callers, Offer, evaluate_request, fields
from processes import ROOT, Server, find_binary, free_ports, http_get, main, must, require_flags, stage, wait_until
from report import MEBIBYTE, Progress, latencies, line, machine, mebibytes, percentile, title, verdict

PROPOSALS = ("european-force", "jeddah-ceasefire", "chinese-un-force", "withdrawal-first")
SCENARIO = ROOT / "scenarios/ukraine-2025.yaml"
PLAIN, LINKED, FLEETING = "plain-file", "linked-file", "fleeting-file"
BROKEN_EVERY, REMOVED_EVERY, LOOK_EVERY = 50, 100, 100
NOTICE_SECONDS = 15
MOST_GROWTH = 20 * MEBIBYTE
# A connection to /metrics that is still closing may hold a file descriptor.
SPARE_FILES = 2
RATE_SHARE = 0.98
# A small cache, because it keeps answers of past revisions until it is full.
CACHE = "4MiB"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, default=Path("target/dist/detente"))
    parser.add_argument("--reloads", type=int, default=1000, help="(%(default)s)")
    parser.add_argument("--rate", type=float, default=1000, help="calls a second (%(default)s)")
    parser.add_argument("--clients", type=int, default=2, help="client processes (%(default)s)")
    return parser.parse_args()


class Folder:
    """The folder of the scenario files."""

    def __init__(self, path):
        self.path, self.versions = path, 0
        self.text = SCENARIO.read_text()
        self.linked = {}
        path.mkdir()

    def scenario(self, name, heading, day):
        text = re.sub(r"(?m)^scenario: .*$", f"scenario: {name}", self.text, count=1)
        text = re.sub(r"(?m)^title: .*$", f"title: {heading}", text, count=1)
        return re.sub(r"(?m)^covers: \{from: [-0-9]+", f"covers: {{from: {day}", text, count=1)

    def rename(self, name, text):
        """Replaces a plain file by a rename, as editors and tools do."""
        new = self.path / f".{name}.new"
        new.write_text(text)
        new.rename(self.path / f"{name}.yaml")

    def swap(self, name, text):
        """Replaces all linked files as a kubelet does: writes the new versions, replaces the link to them, adds links
        to new files, and removes old links. If `text` is None, the file is removed."""
        before = self.path / f"..version_{self.versions}"
        self.versions += 1
        if text is None:
            self.linked.pop(name)
        else:
            self.linked[name] = text
        version = self.path / f"..version_{self.versions}"
        version.mkdir()
        for each, content in self.linked.items():
            (version / f"{each}.yaml").write_text(content)
        link = self.path / "..data_tmp"
        link.symlink_to(version.name)
        link.rename(self.path / "..data")
        shown = self.path / f"{name}.yaml"
        if text is None:
            shown.unlink()
        elif not shown.is_symlink():
            shown.symlink_to(f"..data/{name}.yaml")
        if before.exists():
            for file in before.iterdir():
                file.unlink()
            before.rmdir()

    def write(self, name, text):
        (self.rename if name == PLAIN else self.swap)(name, text)


class Soak:
    """The server, the changes that were written, and the revisions that it has shown."""

    def __init__(self, server, admin, folder, channel):
        self.server, self.admin, self.folder = server, admin, folder
        self.list = channel.unary_unary("/detente.v1.RedLineService/ListScenarios")
        self.turn = 0
        # The revisions of each scenario in order, with the time at which each was first seen.
        self.shown = {name: [] for name in (PLAIN, LINKED, FLEETING)}
        self.took, self.broken, self.removed = [], 0, 0
        self.looks = []

    def listed(self):
        """The revision and the title of each scenario."""
        found = {}
        for number, scenario in fields(self.list(b"", timeout=5)):
            if number == 1:
                values = dict(reversed([pair for pair in fields(scenario) if pair[0] <= 3]))
                name = values[1].decode().removeprefix("scenarios/")
                found[name] = values[2].decode(), values[3].decode()
        return found

    def faulty(self):
        matched = re.search(r'(?m)^detente_faulty_files\{[^}]*what="scenarios"[^}]*\} (\S+)', self.metrics())
        must(matched, "/metrics has no detente_faulty_files of scenarios")
        return float(matched[1])

    def metrics(self):
        return http_get(self.admin, "/metrics")

    def new_text(self, name):
        self.turn += 1
        heading = f"Turn {self.turn} of {name}"
        return heading, self.folder.scenario(name, heading, f"2022-02-{20 + self.turn % 5}")

    def expect(self, name, heading):
        """Waits until ListScenarios shows the title, and returns the seconds that it took."""
        current = {}

        def is_shown():
            current.update(self.listed())
            return current.get(name, ("", ""))[1] == heading

        took = wait_until(is_shown, f"`{heading}` in ListScenarios", NOTICE_SECONDS)
        revision = current[name][0]
        must(all(revision != known for known, _ in self.shown[name]), f"`{heading}` has an earlier revision")
        self.shown[name].append((revision, time.monotonic()))
        return took

    def change(self, name):
        heading, text = self.new_text(name)
        self.folder.write(name, text)
        self.took.append(self.expect(name, heading))

    def break_file(self, name):
        """Writes a broken file: the last valid content stays in use, and /metrics reports the file."""
        before = self.listed()[name]
        self.folder.write(name, self.new_text(name)[1].replace("\nparties:", "\nparties: {[", 1))
        wait_until(lambda: self.faulty() == 1, f"the broken file of {name} in /metrics", NOTICE_SECONDS)
        must(self.listed()[name] == before, f"{name} is not served as it was before its file was broken")
        self.broken += 1
        self.change(name)
        wait_until(lambda: self.faulty() == 0, f"the fixed file of {name} in /metrics", NOTICE_SECONDS)

    def remove(self):
        self.folder.swap(FLEETING, None)
        wait_until(lambda: FLEETING not in self.listed(), f"{FLEETING} gone", NOTICE_SECONDS)
        self.removed += 1
        self.change(FLEETING)

    def look(self, number):
        # Wait until connections to /metrics are closed.
        time.sleep(0.1)
        rss, _ = self.server.memory()
        self.looks.append((number, rss, self.server.files(), self.server.threads()))


def test(options, home):
    binary, progress = find_binary(options.binary), Progress()
    require_flags(binary, "--scenarios", "--reload-interval", "--admin-listen")
    port, admin = free_ports(2)
    title(f"{options.reloads} reloads")
    machine()
    folder = Folder(home / "scenarios")
    settings = ["--scenarios", str(folder.path), "--reload-interval", "0s", "--cache", CACHE, "--log", "error"]
    server = Server(binary, home, "server", port, [*settings, "--admin-listen", f"127.0.0.1:{admin}"])
    target = f"ipv4:127.0.0.1:{port}"
    names = [f"scenarios/{scenario}/proposals/{each}" for each in PROPOSALS for scenario in (PLAIN, LINKED)]
    offer = Offer(target=target, rate=options.rate, requests=[evaluate_request(name) for name in names])
    with server, grpc.insecure_channel(target, [("grpc.enable_http_proxy", 0)]) as channel:
        soak = Soak(server, admin, folder, channel)
        headings = {}
        for name in (PLAIN, LINKED, FLEETING):
            headings[name], text = soak.new_text(name)
            folder.write(name, text)
        server.start()
        for name, heading in headings.items():
            soak.expect(name, heading)
        with Callers(offer, options.clients) as callers:
            callers.begin()
            began = time.monotonic()
            for number in range(1, options.reloads + 1):
                one(soak, number)
                calls, failed = callers.counted()
                progress.show(f"{number} of {options.reloads} reloads; {calls} calls, {failed} failed")
                if number % LOOK_EVERY == 0 or number in (max(1, options.reloads // 10), options.reloads):
                    soak.look(number)
            seconds = time.monotonic() - began
            figures = callers.stop()
        progress.clear()
        return print_report(options, soak, figures, seconds)


def one(soak, number):
    if number % REMOVED_EVERY == 0:
        soak.remove()
    elif number % BROKEN_EVERY == BROKEN_EVERY // 2:
        soak.break_file((PLAIN, LINKED)[number // BROKEN_EVERY % 2])
    else:
        soak.change((PLAIN, LINKED)[number % 2])


def unknown_and_stale(soak, figures):
    """The number of answers with unknown revisions; and, for each revision that still answered after its successor was
    shown, the seconds in between."""
    unknown, stale = 0, []
    for (scenario, revision), (count, last) in figures.revisions.items():
        shown = soak.shown[scenario.removeprefix("scenarios/")]
        places = [place for place, (known, _) in enumerate(shown) if known == revision]
        if not places:
            unknown += count
        elif places[0] + 1 < len(shown) and last > shown[places[0] + 1][1]:
            stale.append(last - shown[places[0] + 1][1])
    return unknown, stale


def print_report(options, soak, figures, seconds):
    unknown, stale = unknown_and_stale(soak, figures)
    title("Reloads")
    line("changes shown", len(soak.took))
    line("broken and fixed files", soak.broken)
    line("removed and restored files", soak.removed)
    line("total time", f"{seconds:.0f} s")
    ordered = sorted(soak.took)
    shares = [f"{percentile(ordered, share) * 1000:.0f} ms" for share in (0.5, 0.99, 1)]
    line("until shown: p50, p99, longest", *shares)
    title("Calls")
    line("rate, offered and reached", f"{options.rate:.0f}/s", f"{figures.rate:.0f}/s")
    line("calls, failed, sent late", figures.calls, figures.failed, figures.late)
    for code, count in sorted(figures.codes.items()):
        line(f"  {code}", count)
    for _, code, details, took in sorted(figures.failures)[:10]:
        print(f"    after {took * 1000:.0f} ms: {code}: {details[:200]}")
    line("revisions that answered", len(figures.revisions))
    line("answers from unknown revisions", unknown)
    line("outdated revisions that answered", len(stale))
    line("latency: p50, p99, p99.9, longest", *latencies(figures.latencies))
    title("The server                                 VmRSS         files       threads")
    for number, rss, files, threads in soak.looks:
        line(f"after {number} reloads", mebibytes(rss), files, threads)
    warm = next(look for look in soak.looks if look[0] >= options.reloads // 10)
    _, rss, files, threads = soak.looks[-1]
    most_threads = max(look[3] for look in soak.looks if look[0] <= max(warm[0], options.reloads // 2))
    growth = mebibytes(rss - warm[1])
    return verdict(
        [
            (figures.failed == 0, "no call failed"),
            (unknown == 0, "every answer has a revision that was written"),
            (not stale, "no call was answered from a revision that was outdated when the call began"),
            (rss - warm[1] < MOST_GROWTH, f"memory grew by {growth}, less than {mebibytes(MOST_GROWTH)}"),
            (files <= warm[2] + SPARE_FILES, "no additional file is open"),
            (threads <= most_threads, "no additional thread remains"),
            (figures.rate > RATE_SHARE * options.rate, "the rate was reached"),
        ]
    )


def run():
    options = arguments()
    with stage("reload") as folder:
        return test(options, folder)


if __name__ == "__main__":
    main(run)
