"""Attacks a server as a stranger would, with a well-behaved client beside the attack.

- `resets` begins calls and resets them at once, on one connection after another (rapid reset);
- `credentials` sends calls with tokens that are wrong, each a different one;
- `connections` opens connections from 8 addresses and keeps them: some say nothing, the others begin HTTP/2.

The well-behaved client has a token, and connects anew for every tenth call. The script prints what the attack did, the
processor time and memory of the server, the bytes of its log, and the latencies and failures of the client. The promises
are that the client has no failures, and that the log grows by at most 64 KiB in a second.

Needs: Python 3.11 with grpcio; Linux, because it uses several addresses of 127.0.0.0/8.
"""

import argparse
import hashlib
import multiprocessing
import re
import socket
import struct
import time
from pathlib import Path

import grpc

from processes import Server, ends_with_parent, find_binary, free_ports, http_get, main, must, stage
from report import latencies, line, machine, title, verdict

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
LIST = "/detente.v1.RedLineService/ListScenarios"
TOKEN = "the-token-of-the-well-behaved-client"
HEADERS, RST_STREAM, END_HEADERS, END_STREAM, CANCEL = 1, 3, 4, 1, 8
BATCH = 50
CALLS_A_SECOND, CALLS_A_CONNECTION, CALL_SECONDS = 20, 10, 5
ADDRESSES = [f"127.0.0.{number}" for number in range(10, 18)]
MAX_LOG_BYTES_A_SECOND = 64 * 1024


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("attack", choices=list(ATTACKS), nargs="+")
    parser.add_argument("--binary", type=Path, default=Path("target/dist/detente"))
    parser.add_argument("--seconds", type=float, default=10, help="length of each attack (%(default)s)")
    return parser.parse_args()


def frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    """A header as a literal that is not indexed, in the encoding of HPACK."""
    return b"\0" + b"".join(bytes([len(text)]) + text for text in (name.encode(), value.encode()))


def headers(token):
    fixed = b"\x83\x86" + literal(":path", LIST) + literal(":authority", "x")
    return fixed + literal("content-type", "application/grpc") + literal("authorization", f"Bearer {token}")


def connect(port, address):
    client = socket.socket()
    client.bind((address, 0))
    client.settimeout(2)
    client.connect(("127.0.0.1", port))
    return client


def drop_input(client):
    """Reads and drops what has arrived."""
    client.setblocking(False)
    try:
        while client.recv(65536):
            pass
        raise ConnectionError("closed")
    except BlockingIOError:
        pass
    finally:
        client.setblocking(True)
        client.settimeout(2)


def send_resets(port, until, count):
    block = headers(TOKEN)
    while time.monotonic() < until:
        try:
            with connect(port, ADDRESSES[0]) as client:
                client.sendall(PREFACE)
                stream = 1
                while time.monotonic() < until:
                    batch = []
                    for _ in range(BATCH):
                        batch.append(frame(HEADERS, END_HEADERS, stream, block))
                        batch.append(frame(RST_STREAM, 0, stream, struct.pack(">I", CANCEL)))
                        stream += 2
                    client.sendall(b"".join(batch))
                    count.value += BATCH
                    drop_input(client)
        except OSError:
            continue


def send_credentials(port, until, count):
    number = 0
    while time.monotonic() < until:
        try:
            with connect(port, ADDRESSES[0]) as client:
                client.sendall(PREFACE)
                stream = 1
                while time.monotonic() < until and stream < 2**30:
                    batch = []
                    for _ in range(BATCH):
                        number += 1
                        batch.append(frame(HEADERS, END_HEADERS | END_STREAM, stream, headers(f"wrong-{number}")))
                        stream += 2
                    client.sendall(b"".join(batch))
                    count.value += BATCH
                    # Each refusal is one frame of headers; the streams must end before the next batch.
                    client.recv(65536)
        except OSError:
            continue


def open_connections(port, until, count):
    held = []
    while time.monotonic() < until:
        for number, address in enumerate(ADDRESSES):
            try:
                client = connect(port, address)
                if number % 2:
                    client.sendall(PREFACE)
                held.append(client)
                count.value += 1
            except OSError:
                pass
        time.sleep(0.01)
        if len(held) > 4_000:
            for client in held[:2_000]:
                client.close()
            del held[:2_000]


ATTACKS = {"resets": send_resets, "credentials": send_credentials, "connections": open_connections}


def attack(name, port, seconds, count):
    ends_with_parent()
    ATTACKS[name](port, time.monotonic() + seconds, count)


class Client:
    """The well-behaved client."""

    def __init__(self, address):
        self.address, self.took, self.failures = address, [], []
        self.channel = None

    def call(self, number):
        if number % CALLS_A_CONNECTION == 0:
            if self.channel:
                self.channel.close()
            # A pool of its own gives each channel a connection of its own.
            options = [("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)]
            self.channel = grpc.insecure_channel(self.address, options)
        began = time.monotonic()
        try:
            list_scenarios = self.channel.unary_unary(LIST)
            list_scenarios(b"", timeout=CALL_SECONDS, metadata=[("authorization", f"Bearer {TOKEN}")])
            self.took.append(time.monotonic() - began)
        except grpc.RpcError as error:
            self.failures.append(f"{error.code().name}: {error.details()}")

    def run(self, seconds):
        begin = time.monotonic()
        for number in range(int(seconds * CALLS_A_SECOND)):
            time.sleep(max(0, begin + number / CALLS_A_SECOND - time.monotonic()))
            self.call(number)


def ended_calls(admin):
    metrics = http_get(admin, "/metrics")
    return sum(float(value) for value in re.findall(r"(?m)^detente_call_duration_seconds_count\S* (\S+)$", metrics))


def try_attack(name, binary, folder, seconds):
    port, admin = free_ports(2)
    tokens = folder / "tokens.yaml"
    sha256 = hashlib.sha256(TOKEN.encode()).hexdigest()
    tokens.write_text(f"tokens:\n  - {{caller: client, sha256: {sha256}, role: reader, scenarios: all}}\n")
    options = ["--admin-listen", f"127.0.0.1:{admin}", "--tokens", str(tokens)]
    with Server(binary, folder, name, port, options) as server:
        server.start()
        unloaded = Client(server.address)
        unloaded.run(3)
        before = server.processor_seconds(), server.log.stat().st_size, ended_calls(admin), server.memory()[0]
        count = multiprocessing.Value("l", 0, lock=False)
        attacker = multiprocessing.Process(target=attack, args=(name, port, seconds, count))
        attacker.start()
        client = Client(server.address)
        began = time.monotonic()
        client.run(seconds)
        attacker.join(seconds + 30)
        took = time.monotonic() - began
        processor, logged, ended = (
            server.processor_seconds() - before[0],
            server.log.stat().st_size - before[1],
            ended_calls(admin) - before[2] - len(client.took),
        )
        peak = server.of("status", "VmHWM")
        title(name)
        machine()
        line("attack, in all and per second", count.value, f"{count.value / took:.0f}")
        line("calls of it that the server ended", f"{ended:.0f}")
        line("processor time, share of a core", f"{processor:.2f} s", f"{processor / took:.1%}")
        if ended > 0:
            line("processor time per such call", f"{processor / ended * 1e6:.0f} us")
        line("memory before, peak", f"{before[3] / 2**20:.0f} MiB", f"{peak / 2**20:.0f} MiB")
        line("log, per second", f"{logged / took / 1024:.1f} KiB")
        line("latency: p50, p99, p99.9, most", *latencies(client.took))
        line("without the attack", *latencies(unloaded.took))
        line("failures of the client", len(client.failures), *client.failures[:1])
        server.stop()
    return [
        (not client.failures, f"{name}: the well-behaved client has no failures"),
        (logged / took < MAX_LOG_BYTES_A_SECOND, f"{name}: the log grows by less than 64 KiB a second"),
    ]


def run():
    options = arguments()
    binary = find_binary(options.binary)
    must(options.seconds > 0, "--seconds must be above 0")
    promises = []
    with stage("strangers") as folder:
        for name in options.attack:
            promises += try_attack(name, binary, folder, options.seconds)
    return verdict(promises)


if __name__ == "__main__":
    main(run)
