"""What attacks.py does beside some attacks as an operator or as the client, and what must come of it.

Each function gets the scene (attack_scene.py), takes at most a few seconds, and returns promises: whether they hold,
and a sentence with the figure.
"""

import os
import resource
import time
from contextlib import suppress

import grpc

from attack_list import AMEND, PROPOSAL, part
from calls import METHOD, evaluate_request
from processes import http_get

CALL_SECONDS = 15
# An analysis of a few milliseconds; the number of amendments makes each one another question.
SMALL_ANALYSES, SMALL_ANALYSES_SECONDS = 10, 2
REVOKED_SECONDS = 5
PROBES, PROBE_SECONDS = 5, 1
# For how long a pipe is in the place of the tokens file, and for how long the server cannot open files.
PIPE_SECONDS, NO_FILES_SECONDS = 1, 2


def small_analyses(scene):
    """Ten small analyses of the client at a time."""
    with scene.channel() as channel:
        amend = channel.unary_unary(AMEND)
        began = time.monotonic()
        calls = []
        for number in range(SMALL_ANALYSES):
            request = part(3, PROPOSAL.encode()) + bytes((10 << 3, number + 1))
            calls.append(amend.future(request, timeout=CALL_SECONDS, metadata=scene.offer.metadata))
        failures = [call.exception() for call in calls]
        took = time.monotonic() - began
    failed = [failure for failure in failures if failure]
    why = f" ({failed[0].code().name}: {failed[0].details()[:60]})" if failed else ""
    sentence = f"{SMALL_ANALYSES} small analyses of the client: {len(failed)} failed{why}, all took {took:.2f} s"
    return [(not failed and took <= SMALL_ANALYSES_SECONDS, sentence)]


def revocation(scene):
    """Revokes a token by renaming a new file to the tokens file."""
    token = scene.tokens["revoked"]
    with scene.channel() as channel:
        evaluate = channel.unary_unary(METHOD)

        def code():
            try:
                evaluate(evaluate_request(PROPOSAL), timeout=5, metadata=(("authorization", f"Bearer {token}"),))
            except grpc.RpcError as error:
                return error.code().name
            return "OK"

        before = code()
        scene.write_tokens(without="revoked")
        began = time.monotonic()
        while (now := code()) != "UNAUTHENTICATED" and time.monotonic() - began < 3 * REVOKED_SECONDS:
            time.sleep(0.02)
        took = time.monotonic() - began
    holds = before == "OK" and now == "UNAUTHENTICATED" and took <= REVOKED_SECONDS
    return [(holds, f"the token got {before}, and {now} {took:.1f} s after it was revoked")]


def revocation_after_pipe(scene):
    """Revokes a token after a named pipe was in the place of the tokens file."""
    new = scene.folder / ".pipe"
    os.mkfifo(new)
    new.rename(scene.tokens_path)
    time.sleep(PIPE_SECONDS)
    return revocation(scene)


def probes(scene):
    """Asks the admin listener whether the server is ready."""
    longest, failures = 0.0, []
    for _ in range(PROBES):
        began = time.monotonic()
        try:
            http_get(scene.admin_port, "/readyz")
        except OSError as error:
            failures.append(str(error))
        longest = max(longest, time.monotonic() - began)
        time.sleep(0.2)
    why = f" ({failures[0]})" if failures else ""
    sentence = f"probes: {len(failures)} of {PROBES} failed{why}, the longest took {longest:.2f} s"
    return [(not failures and longest <= PROBE_SECONDS, sentence)]


def no_files(scene):
    """Lowers the limit of open files below what the server has open, for a time; then the server must recover."""
    process = scene.server.process.pid
    soft, hard = resource.prlimit(process, resource.RLIMIT_NOFILE)
    resource.prlimit(process, resource.RLIMIT_NOFILE, (1, hard))
    spent, began = scene.server.processor_seconds(), time.monotonic()
    with suppress(OSError):
        http_get(scene.admin_port, "/readyz", 1)
    time.sleep(NO_FILES_SECONDS)
    share = (scene.server.processor_seconds() - spent) / (time.monotonic() - began)
    resource.prlimit(process, resource.RLIMIT_NOFILE, (soft, hard))
    time.sleep(PROBE_SECONDS)
    return [*probes(scene), (share < 0.5, f"the processor without files: {100 * share:.0f} %")]
