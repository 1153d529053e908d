"""The attacks of attacks.py with files that the server reads or writes, and with the limits of the system.

The hostile files are the most expensive kinds of tests/support/hostile_files.rs; each has almost the permitted 4 MiB.
"""

import json

from attack_list import EVALUATE, PROPOSAL
from attackers import DIRECT, MEBIBYTE, Attack
from calls import evaluate_request
from http2 import message

FILE_BYTES = 4 * MEBIBYTE - 64
# The red lines of the heaviest file that the server accepts. With 100 more heavy ones, the compiled conditions exceed
# the memory that they may take (max_compiled_bytes); with 5,000 more in all, the values exceed theirs (max_nodes).
HEAVY_LINES, LINES = 200, 15_000
FLAGS = 400
HEAD = """\
scenario: hostile
title: T
covers: {from: 2000-01-01, to: 2099-12-31}
as_of: 2025-06-30
sources: [{id: s, title: T, publisher: P}]
parties: [{id: p, name: P, role: principal}]
"""


def filled(head, tail, part):
    """A file that repeats the text that `part` makes, up to the permitted size."""
    parts, size, number = [head], len(head) + len(tail), 0
    while True:
        text = part(number)
        size += len(text)
        if size > FILE_BYTES:
            return "".join(parts) + tail
        parts.append(text)
        number += 1


def flag(number):
    return f"f{number % FLAGS}"


def pairs(count, first):
    """A condition that is short, and that has 2 to the power of `count` cases once it is compiled."""
    return " && ".join(f"({flag(first + 2 * at)} || {flag(first + 2 * at + 1)})" for at in range(count))


def red_lines(most, condition):
    """A file with up to so many red lines, which a comment fills up to the permitted size."""
    flags = "".join(f"- {{id: f{number}, title: T, question: Q, kind: flag}}\n" for number in range(FLAGS))
    evidence = "evidence: [{source: s, kind: assessed, speaker: S, statement: S}]"
    lines = [f"{HEAD}issues:\n{flags}red_lines:\n"]
    size = len(lines[0])
    for number in range(most):
        rejects = json.dumps(condition(number))
        line = f"- {{id: r{number}, party: p, title: T, rejects: {rejects}, firmness: firm, "
        line += f"held: [{{from: 2025-01-01}}], {evidence}}}\n"
        if size + len(line) > FILE_BYTES:
            break
        lines.append(line)
        size += len(line)
    return "".join(lines) + "#" + "x" * (FILE_BYTES - size)


def heaviest():
    """The file that takes the most work of those that the server accepts."""
    return red_lines(LINES, lambda number: pairs(8, number) if number < HEAVY_LINES else flag(number))


def hostile():
    """Files that are rejected late, and those that load."""
    return [
        filled("", "", lambda number: f"k{number}:\n"),
        filled("a: [", "]", lambda _: "1,"),
        filled("", "", lambda number: f"a{number}: &a{number} 1\nb{number}: *a{number}\n"),
        'a: "' + "\\L" * (FILE_BYTES // 2 - 4) + '"',
        filled("", "", lambda number: f'k{number}: "{"x" * 65_000}"\n'),
        filled(f"{HEAD}red_lines: [", "]", lambda number: f"{{id: r{number}}},"),
        red_lines(LINES, lambda number: pairs(9, number)),
        red_lines(LINES, lambda number: f"nothing{number}"),
        red_lines(LINES, flag),
        heaviest(),
    ]


def heavy():
    return [heaviest()]


def pipes():
    """A named pipe, which blocks whoever opens it to read, and a file."""
    return [None, heaviest()]


def hostile_files():
    """A scenario file that changes twice a second: ten hostile files of almost 4 MiB take turns."""
    return Attack(connections=0, files=hostile, ways=DIRECT, item="5")


def heavy_files():
    """The heaviest scenario file that the server accepts, changed all the time. A token that is revoked meanwhile must
    be refused within 5 s."""
    return Attack(connections=0, files=heavy, beside=("revocation",), ways=DIRECT, item="14")


def pipes_for_files():
    """Named pipes in the place of a scenario file and of the tokens. A token that is revoked after them must be
    refused within 5 s."""
    beside = ("revocation_after_pipe",)
    return Attack(connections=0, files=pipes, file_seconds=0.2, beside=beside, ways=DIRECT, item="14")


def full_disk():
    """64 calls at a time to a server whose decision log is on a full disk."""
    call = message(evaluate_request(PROPOSAL))
    return Attack(EVALUATE, call, connections=4, calls=16, has_full_disk=True, ways=DIRECT, item="also")


def few_files():
    """1,100 connections to a server that may open only the files that its 256 connections need. Probes must be
    answered."""
    return Attack(
        connections=1_100,
        calls=0,
        addresses=8,
        calls_a_connection=10,
        beside=("probes",),
        options=("--max-connections", "256"),
        most_files=256 + 128,
        ways=DIRECT,
        item="also",
    )


def no_files():
    """New connections to a server that cannot open any file (EMFILE), because the limit was lowered while it ran. It
    must answer on the connections that it has, and probes as soon as it can open files again."""
    return Attack(connections=64, closes=True, addresses=8, beside=("no_files",), ways=DIRECT, item="also")


ON_THE_HOST = (hostile_files, heavy_files, pipes_for_files, full_disk, few_files, no_files)
