"""Counts the efficient points of an outcome space: the utilities of two parties that no other outcome improves for one
party without a loss for the other. An outcome has one option of each issue; a party's utility is the sum of the values
of these options. Computes the utilities of every outcome by broadcasting, then sorts and scans.

Reads {"tables": [[[value of each option], ... for each issue of party 1], [... of party 2]]} from standard input, as
integers. Prints the number of points and the seconds that the best of three runs took.
"""

import json
import sys
import time

import numpy


def utilities(tables):
    total = numpy.zeros(1, dtype=numpy.int64)
    for table in tables:
        total = (total[:, None] + numpy.array(table, dtype=numpy.int64)[None, :]).ravel()
    return total


def points(first, second):
    order = numpy.lexsort((second, first))[::-1]
    first, second = first[order], second[order]
    best_before = numpy.concatenate(([numpy.iinfo(numpy.int64).min], numpy.maximum.accumulate(second)[:-1]))
    return int(numpy.count_nonzero(second > best_before))


tables = json.load(sys.stdin)["tables"]
seconds = []
for _ in range(3):
    begun = time.perf_counter()
    found = points(*(utilities(party) for party in tables))
    seconds.append(time.perf_counter() - begun)
print(json.dumps({"points": found, "seconds": min(seconds), "numpy": numpy.__version__}))
