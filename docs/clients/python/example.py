"""A client of Détente: one function for each of eight things that every client needs.

Détente evaluates proposals in a recorded negotiation, the scenario. A red line is a
condition that a party sets for any deal. An evaluation has a finding for each red line
that the proposal crosses or may cross, a stance for each party, and a verdict on the
whole proposal.

Start a server, then: python example.py [HOST:PORT]
"""

import json
import sys
import threading
from collections.abc import Callable, Iterator

import grpc
from google.protobuf.any_pb2 import Any
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from detente.v1 import evaluation_pb2, hypothesis_pb2, scenario_pb2, term_pb2
from detente.v1 import red_line_service_pb2 as api
from detente.v1.red_line_service_pb2_grpc import RedLineServiceStub

SCENARIO = "scenarios/ukraine-2025"

# In seconds. Without a deadline, a call to a server that hangs waits for ever.
# Evaluations take microseconds; two seconds leave time for the network.
TIMEOUT = 2

# Retries are safe, because every method only reads. UNAVAILABLE means that no server
# answered, or that the server is shutting down; a retry after any other code would
# fail again. round_robin spreads the calls over all addresses of the name; the default
# policy uses only the first address that answers.
SERVICE_CONFIG = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [
        {
            "name": [{"service": "detente.v1.RedLineService"}],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.1s",
                "maxBackoff": "2s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
}


def main() -> None:
    address = sys.argv[1] if len(sys.argv) > 1 else "localhost:50051"
    # One channel for the whole program: opening a channel takes time, and any number of
    # threads can share it.
    options = [("grpc.service_config", json.dumps(SERVICE_CONFIG))]
    with grpc.insecure_channel(address, options) as channel:
        service = RedLineServiceStub(channel)
        connect_with_retries(service)
        evaluate_a_reference_proposal(service)
        evaluate_an_own_proposal(service)
        list_in_pages(service)
        evaluate_a_stream(service)
        read_errors(service)
        run_out_of_time(service)
        pin_a_revision(service)


def connect_with_retries(service: RedLineServiceStub) -> None:
    title(1, "Connect with retries")
    # With wait_for_ready, the call waits for a server that is still starting, up to the
    # deadline. Without it, a refused connection is UNAVAILABLE, and the call fails
    # after a few quick retries. Use it for a program's first call, rarely for a call
    # that a user waits for. A call that is lost on the network is retried silently, as
    # configured above.
    answer = service.ListScenarios(
        api.ListScenariosRequest(), timeout=30, wait_for_ready=True
    )
    line("held", ", ".join(scenario.name for scenario in answer.scenarios))


def evaluate_a_reference_proposal(service: RedLineServiceStub) -> None:
    title(2, "Evaluate a reference proposal")
    request = api.EvaluateProposalRequest(
        proposal_name=f"{SCENARIO}/proposals/european-force"
    )
    evaluation = service.EvaluateProposal(request, timeout=TIMEOUT).evaluation
    line("verdict", evaluation_pb2.Verdict.Name(evaluation.verdict))
    for stance in evaluation.stances:
        # A party without a crossed red line has not consented: never print "agrees".
        if stance.stance != evaluation_pb2.STANCE_NO_STATED_OBJECTION:
            line(stance.party, evaluation_pb2.Stance.Name(stance.stance))
    for finding in evaluation.findings:
        # The basic view, which is the default, contains the crossed red lines and the
        # undetermined ones, which depend on what the proposal leaves open.
        if finding.status == evaluation_pb2.RED_LINE_STATUS_CROSSED:
            firmness = scenario_pb2.Firmness.Name(finding.firmness)
            line(short(finding.red_line), firmness)
            # Each reason alone crosses the red line: to clear it, remove all of them.
            for reason in finding.reasons:
                line("  because", reason.text)


def evaluate_an_own_proposal(service: RedLineServiceStub) -> None:
    title(3, "Evaluate a proposal of one's own")
    request = api.EvaluateProposalRequest(
        scenario=SCENARIO,
        # Issues without a term stay at the status quo.
        proposal=scenario_pb2.Proposal(
            terms=[
                term_pb2.Term(issue="ceasefire_scope", choice="all_fronts"),
                term_pb2.Term(
                    issue="force_contributors",
                    members=term_pb2.Members(values=["china"]),
                ),
                # A bracket: the draft leaves this issue open. The answer covers every
                # way to settle it.
                term_pb2.Term(
                    issue="force_mandate",
                    any_of=term_pb2.AnyOf(values=["none", "un"]),
                ),
                term_pb2.Term(
                    issue="ceasefire_days", range=term_pb2.Range(min=30, max=90)
                ),
            ]
        ),
        # What the caller assumes about a fact that no deal settles.
        circumstances=[term_pb2.Term(issue="guarantors_willing", flag=True)],
        # A hypothesis holds for this call only. The server does not store it.
        hypotheses=[hypothesis_pb2.Hypothesis(drop_red_line="ru-sanctions-lifted")],
    )
    evaluation = service.EvaluateProposal(request, timeout=TIMEOUT).evaluation
    line("verdict", evaluation_pb2.Verdict.Name(evaluation.verdict))
    # The verdict if everything open, brackets included, turns out for the worst.
    line("could become", evaluation_pb2.Verdict.Name(evaluation.could_become))
    for supposition in evaluation.suppositions:
        line("supposed", supposition)
    for open_input in evaluation.unsettled:
        names = ", ".join(short(name) for name in open_input.red_lines)
        line("unsettled", f"{open_input.input}: {names}")


def list_in_pages(service: RedLineServiceStub) -> None:
    title(4, "List red lines in pages")
    request = api.ListRedLinesRequest(
        parent=SCENARIO,
        filter=api.RedLineFilter(party="russia"),
        page_size=5,
    )
    names: list[str] = []
    pages = 0
    while True:
        page = service.ListRedLines(request, timeout=TIMEOUT)
        pages += 1
        names += [red_line.name for red_line in page.red_lines]
        # Only an empty token marks the last page: any page may be shorter than asked
        # for. Keep the other fields: a token is valid only for the same request.
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    line("pages", str(pages))
    line("red lines", f"{len(names)} of {page.total_size}")
    line("first", short(names[0]))
    expect(len(names) == page.total_size, "all red lines were listed")


def evaluate_a_stream(service: RedLineServiceStub) -> None:
    title(5, "Evaluate a stream of proposals")
    # For hundreds of drafts, one stream is much faster than hundreds of calls. The
    # server stops reading while its answers are unread. A client that writes all
    # requests before it reads would block, and the server would reset its call after a
    # minute. Here, grpc takes requests from the generator in a separate thread, each
    # when the transport has space for it, while the loop below reads. The limit on
    # unanswered requests bounds the buffers, and the number of requests to send again
    # if the stream breaks.
    free = threading.Semaphore(100)
    unanswered: dict[str, int] = {}

    def requests() -> Iterator[api.StreamEvaluateProposalsRequest]:
        for days in range(1, 301):
            free.acquire()
            # One request is faulty: the option does not exist.
            scope = "all_frnts" if days == 200 else "all_fronts"
            terms = [
                term_pb2.Term(issue="ceasefire_scope", choice=scope),
                term_pb2.Term(issue="ceasefire_days", quantity=days),
            ]
            unanswered[f"days-{days}"] = days
            yield api.StreamEvaluateProposalsRequest(
                id=f"days-{days}",
                request=api.EvaluateProposalRequest(
                    proposal=scenario_pb2.Proposal(terms=terms)
                ),
            )

    counts: dict[str, int] = {}
    # This deadline is for the whole stream.
    for answer in service.StreamEvaluateProposals(requests(), timeout=30):
        # Match answers to requests by the id that the caller chose, not by counting.
        days = unanswered.pop(answer.id)
        free.release()
        if answer.WhichOneof("result") == "error":
            # A faulty item fails alone, and the stream continues.
            line("item error", f"{answer.id} ({days})")
            print_status(answer.error)
        else:
            verdict = evaluation_pb2.Verdict.Name(answer.evaluation.verdict)
            counts[verdict] = counts.get(verdict, 0) + 1
    for verdict, count in sorted(counts.items()):
        line("answers", f"{count} {verdict}")
    # If the stream fails (the server shuts down, or received no request for a minute),
    # send the unanswered requests in a new stream. gRPC does not retry a stream after
    # its first answer.
    line("unanswered", str(len(unanswered)))
    expect(not unanswered, "every request of the stream was answered")


def read_errors(service: RedLineServiceStub) -> None:
    title(6, "Read errors")
    faulty = api.EvaluateProposalRequest(
        proposal=scenario_pb2.Proposal(
            terms=[
                term_pb2.Term(issue="sanctions", choice="lfit"),
                term_pb2.Term(issue="ceasefire_day", quantity=30),
            ]
        )
    )
    # The server's log contains this id: quote it when you ask about a call.
    metadata = (("x-request-id", "example-6"),)
    error = refused(
        lambda: service.EvaluateProposal(faulty, timeout=TIMEOUT, metadata=metadata)
    )
    print_error(error)
    line("request id", dict(error.trailing_metadata())["x-request-id"])
    unknown = api.GetProposalRequest(name=f"{SCENARIO}/proposals/european-forces")
    print_error(refused(lambda: service.GetProposal(unknown, timeout=TIMEOUT)))


def run_out_of_time(service: RedLineServiceStub) -> None:
    title(7, "Run out of time")
    request = api.EvaluateProposalRequest(
        proposal_name=f"{SCENARIO}/proposals/european-force"
    )
    # A negative timeout is a deadline that has passed. A timeout of a microsecond would
    # not expire: grpc rounds it up to a millisecond, and the answer takes less.
    error = refused(lambda: service.EvaluateProposal(request, timeout=-1))
    line("code", error.code().name)
    # Usually the client itself ends such a call, without google.rpc details, so rely on
    # the code alone. The error says nothing about the proposal. Retry with more time.
    line("details", "none" if rpc_status.from_call(error) is None else "some")
    expect(error.code() == grpc.StatusCode.DEADLINE_EXCEEDED, "the deadline passed")


def pin_a_revision(service: RedLineServiceStub) -> None:
    title(8, "Pin a revision")
    name = f"{SCENARIO}/proposals/jeddah-ceasefire"
    first = service.EvaluateProposal(
        api.EvaluateProposalRequest(proposal_name=name), timeout=TIMEOUT
    ).evaluation
    # A revision is a hash of the scenario's content. Answers that you compare must come
    # from one revision, even if the server loads a new file between the calls.
    pinned = api.EvaluateProposalRequest(
        proposal_name=name,
        cleared_issues=["guarantee_talks"],
        revision=first.revision,
    )
    second = service.EvaluateProposal(pinned, timeout=TIMEOUT).evaluation
    line("same revision", "yes" if second.revision == first.revision else "no")
    expect(second.revision == first.revision, "the revisions are equal")
    # FAILED_PRECONDITION: this server does not hold the revision, or no longer holds
    # it. A retry fails again. Start over with the first call, without the pin.
    pinned.revision = "0" * 32
    print_error(refused(lambda: service.EvaluateProposal(pinned, timeout=TIMEOUT)))


def print_error(error: grpc.RpcError) -> None:
    line("code", error.code().name)
    # None for errors of the transport, which have only a code and a message.
    status = rpc_status.from_call(error)
    expect(status is not None, "the service's errors have details")
    print_status(status)


def print_status(status: Status) -> None:
    """Prints the google.rpc.Status of a failed call or of a failed item of a stream."""
    for detail in status.details:
        print_detail(detail)


def print_detail(detail: Any) -> None:
    if detail.Is(ErrorInfo.DESCRIPTOR):
        info = ErrorInfo()
        detail.Unpack(info)
        # Programs should use the reason. Messages are for people and may change.
        line("reason", f"{info.reason} of {info.domain}")
        if "nearest" in info.metadata:
            line("nearest", info.metadata["nearest"])
    elif detail.Is(BadRequest.DESCRIPTOR):
        bad = BadRequest()
        detail.Unpack(bad)
        # All faults of the request, each with its field path.
        for violation in bad.field_violations:
            line(violation.field, violation.description)


def refused(call: Callable[[], object]) -> grpc.RpcError:
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise SystemExit("expected an error, but the call was answered")


def expect(holds: bool, what: str) -> None:
    if not holds:
        raise SystemExit(f"expected that {what}")


def short(name: str) -> str:
    return name.rpartition("/")[2]


def title(number: int, text: str) -> None:
    print(f"{number}. {text}")


def line(key: str, value: str) -> None:
    print(f"   {key:<26} {value}")


if __name__ == "__main__":
    main()
