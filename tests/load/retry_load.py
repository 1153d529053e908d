"""Sends calls with retries to an overloaded server: retries must not raise its load by more than half.

64 clients (Python grpcio, one channel each) call EvaluateProposal with deploy/service-config.json, which allows 4
attempts for a call. Long analyses hold the permits of the server (`--max-calls`): all of them, so that it refuses every
call, or all but one. In some rounds the service config has no `retryThrottling`, so that only the server limits the
retries.

The script prints the calls that the clients made and the attempts that the server counted (detente_call_duration in its
metrics). The attempts must be at most 1.5 times the calls.

Needs: Python 3.11 with grpcio.
"""

import argparse
import json
import re
import shutil
import threading
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from pathlib import Path

import grpc

from calls import METHOD, evaluate_request, text_field
from processes import ROOT, Server, find_binary, free_ports, http_get, main, must, stage, wait_until
from report import line, machine, title, verdict

SERVICE_CONFIG = ROOT / "deploy/service-config.json"
PROPOSAL = "scenarios/ukraine-2025/proposals/european-force"
AMEND = "/detente.v1.AnalysisService/SuggestAmendments"
# The analyses that hold permits; they end with the server.
HOLDERS = 2
ISSUES, OPTIONS = 10, 9
HOLD_SECONDS = 120
CALL_SECONDS, READY_SECONDS = 20, 20
MAX_ATTEMPTS_A_CALL = 1.5


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, default=Path("target/dist/detente"))
    parser.add_argument("--clients", type=int, default=64, help="clients, each with a channel of its own (%(default)s)")
    return parser.parse_args()


def without_throttling(config):
    changed = json.loads(config)
    must(changed.pop("retryThrottling", None), f"{SERVICE_CONFIG} has no retryThrottling")
    return json.dumps(changed)


def channel(address, *options):
    # A pool of its own gives each channel a connection of its own.
    return grpc.insecure_channel(
        address, [("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1), *options]
    )


def hard_scenario():
    """A scenario whose red lines reject equal answers to any two issues, of which there are more than options.

    Every deal crosses a red line, and to prove that (the pigeonhole principle) takes a solver very long.
    """
    towns = [f"town_{number}" for number in range(OPTIONS)]
    issues = [f"i{number}" for number in range(ISSUES)]
    evidence = [{"source": "nowhere", "kind": "reported", "speaker": "S", "statement": "S"}]
    lines = [
        {
            "id": f"{one}-{other}-{at}",
            "party": "owner",
            "title": "T",
            "rejects": f'{one} == "{town}" && {other} == "{town}"',
            "firmness": "firm",
            "held": [{"from": "2025-01-01"}],
            "evidence": evidence,
        }
        for number, one in enumerate(issues)
        for other in issues[number + 1 :]
        for at, town in enumerate(towns)
    ]
    scenario = {
        "scenario": "pigeons",
        "title": "Pigeons",
        "covers": {"from": "2025-01-01", "to": "2025-12-31"},
        "as_of": "2025-06-01",
        "sources": [{"id": "nowhere", "title": "None", "publisher": "Nobody"}],
        "parties": [{"id": "owner", "name": "Owner", "role": "principal"}],
        "issues": [{"id": id, "title": "T", "question": "Q", "kind": "choice", "options": towns} for id in issues],
        "red_lines": lines,
    }
    # JSON is YAML.
    return json.dumps(scenario)


@contextmanager
def hold(address):
    """Keeps an analysis open, which holds a permit."""
    with channel(address, ("grpc.enable_retries", 0)) as used:
        request = text_field(1, "scenarios/pigeons") + text_field(2, "")
        analysis = used.unary_unary(AMEND).future(request, timeout=HOLD_SECONDS)
        yield
        analysis.cancel()


def is_refused(address):
    """Whether the server refuses a call."""
    with channel(address, ("grpc.enable_retries", 0)) as used:
        try:
            used.unary_unary(METHOD)(evaluate_request(PROPOSAL), timeout=CALL_SECONDS)
        except grpc.RpcError as error:
            return error.code() == grpc.StatusCode.UNAVAILABLE
    return False


class Client:
    """A client that makes calls with retries."""

    def __init__(self, number, port, config):
        # gRPC's C core counts failures for `retryThrottling` by address for the whole process. With an address of its
        # own, each channel is throttled by itself, as in a process of its own.
        address = f"127.0.{1 + number // 200}.{1 + number % 200}:{port}"
        self.channel = channel(address, ("grpc.service_config", config))
        self.call = self.channel.unary_unary(METHOD)
        self.codes = Counter()

    def run(self, begin, calls):
        grpc.channel_ready_future(self.channel).result(READY_SECONDS)
        request = evaluate_request(PROPOSAL)
        begin.wait()
        for _ in range(calls):
            try:
                self.call(request, timeout=CALL_SECONDS)
                self.codes["OK"] += 1
            except grpc.RpcError as error:
                self.codes[error.code().name] += 1


def attempts(admin_port):
    """The attempts that the server has counted, by code."""
    method = re.escape(METHOD.removeprefix("/"))
    labels = rf'detente_call_duration_seconds_count\{{code="(\w+)",method="{method}"\}} (\d+)'
    return Counter({code: int(count) for code, count in re.findall(labels, http_get(admin_port, "/metrics"))})


def calls_in_flight(admin_port):
    return int(re.search(r"(?m)^detente_calls_in_flight (\d+)", http_get(admin_port, "/metrics"))[1])


def overload(options, binary, folder, name, config, calls, permits):
    """Makes calls to a server with this number of free permits. Returns the calls and the attempts by code."""
    port, admin_port = free_ports(2)
    settings = ["--scenarios", str(folder / "scenarios"), "--allow-plaintext", "--allow-anonymous", "--cache", "0"]
    settings += ["--max-calls", str(HOLDERS + permits), "--analysis-time", f"{HOLD_SECONDS}s"]
    settings += ["--admin-listen", f"127.0.0.1:{admin_port}"]
    # All clients have one address, and each has a connection besides those of the analyses and of the script.
    settings += ["--max-connections-per-address", "256"]
    with ExitStack() as running:
        server = running.enter_context(Server(binary, folder, name, port, settings, host="0.0.0.0"))
        server.start()
        for number in range(HOLDERS):
            running.enter_context(hold(server.address))
            # Before any other call, which could take the permit.
            wait_until(lambda: calls_in_flight(admin_port) > number, "an analysis holds a permit")
        if permits == 0:
            wait_until(lambda: is_refused(server.address), "the server is overloaded")
        clients = [Client(number, port, config) for number in range(options.clients)]
        begin = threading.Barrier(len(clients))
        threads = [threading.Thread(target=client.run, args=(begin, calls), daemon=True) for client in clients]
        before, began = attempts(admin_port), time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.monotonic() - began
        for client in clients:
            client.channel.close()
        seen = attempts(admin_port) - before
    codes = sum((client.codes for client in clients), Counter())
    made, sent = codes.total(), seen.total()
    # A client that could not make its calls must not pass for one that made no retries.
    must(made == options.clients * calls, f"{name}: {made} calls were made instead of {options.clients * calls}")
    title(f"{name}: {options.clients} clients with {calls} calls each")
    line("calls", made, f"{codes['OK']} OK", f"{took:.1f} s")
    line("attempts", sent, f"{seen['OK']} OK", f"{seen['UNAVAILABLE']} refused")
    line("attempts per call", f"{sent / made:.2f}")
    return made, seen


def test(options, folder):
    binary, config = find_binary(options.binary), SERVICE_CONFIG.read_text()
    scenarios = folder / "scenarios"
    scenarios.mkdir()
    (scenarios / "pigeons.yaml").write_text(hard_scenario())
    shutil.copy(ROOT / "scenarios/ukraine-2025.yaml", scenarios)
    title("Retries on an overloaded server")
    machine()
    promises, own = [], without_throttling(config)
    for name, used, calls, permits in [
        ("every call refused", config, 1, 0),
        ("every call refused", config, 10, 0),
        ("every call refused, no throttling", own, 10, 0),
        ("one permit", config, 10, 1),
        ("one permit, no throttling", own, 10, 1),
    ]:
        made, seen = overload(options, binary, folder, name, used, calls, permits)
        overloaded = seen["UNAVAILABLE"] > 0 and (permits or not seen["OK"])
        promises.append((overloaded, f"{name}: the server was overloaded"))
        holds = made <= seen.total() <= MAX_ATTEMPTS_A_CALL * made
        promises.append((holds, f"{name}, {calls} calls each: at most {MAX_ATTEMPTS_A_CALL} attempts per call"))
    return verdict(promises)


def run():
    options = arguments()
    with stage("retries") as folder:
        return test(options, folder)


if __name__ == "__main__":
    main(run)
