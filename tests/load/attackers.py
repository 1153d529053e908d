"""The attacks of attacks.py: what each one sends, and the process that sends it.

An attack keeps a number of connections open, and a number of calls on each of them: when the server ends a call or a
connection, the attacker begins another. Each attack is a function whose first paragraph says what the client does, and
what the server would suffer if it let it.
"""

import asyncio
import gzip
import logging
import multiprocessing
import os
import signal
import ssl
import time
from collections import Counter
from dataclasses import dataclass, field

import zstandard

from calls import evaluate_request
from http2 import FRAME_BYTES, PING, Connection, call_headers, frame, message
from processes import allow_files, ends_with_parent

EVALUATE = "/detente.v1.RedLineService/EvaluateProposal"
BATCH = "/detente.v1.RedLineService/BatchEvaluateProposals"
STREAM = "/detente.v1.RedLineService/StreamEvaluateProposals"
COMPARE = "/detente.v1.RedLineService/CompareProposals"
PACKAGES = "/detente.v1.AnalysisService/FindPackages"
AMEND = "/detente.v1.AnalysisService/SuggestAmendments"
CHECK, WATCH = "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"
REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
PROPOSAL = "scenarios/ukraine-2025/proposals/european-force"
MEBIBYTE = 1024 * 1024
# The limits of the server. An attacker knows them, too.
REQUEST_BYTES, BATCH_ITEMS = MEBIBYTE, 1_000
ALL_STREAMS = 100_000
FULL_VIEW = b"\x48\x02"
# How the attacker reads: everything; headers only, because it gives answers no window; or nothing at all, although it
# has given windows without end.
READS, NO_WINDOW, NO_SOCKET = "reads", "no window", "reads nothing"
# Between attempts to open connections that were refused or lost, and between rounds of calls.
RETRY_SECONDS, ROUND_SECONDS, PING_SECONDS = 0.2, 0.02, 1.0
NICE = 10
# The receive buffer of a client that reads nothing.
SMALL_BUFFER = 4_096


@dataclass
class Attack:
    """What an attacker does."""

    path: str
    body: bytes = b""
    # Further paths and bodies, which take turns with the first ones.
    others: list = field(default_factory=list)
    connections: int = 1
    # Calls at a time on each connection; ALL_STREAMS for as many as the server permits.
    calls: int = ALL_STREAMS
    ends: bool = True
    reads: str = READS
    frame_bytes: int = FRAME_BYTES
    headers: tuple = ()
    # Whether every call of the attacker must be answered, because it does nothing wrong.
    is_well_behaved: bool = False
    # Whether the server also serves a scenario whose analyses take very long (retry_load.py).
    has_hard_scenario: bool = False
    # The item of the requirements.
    item: str = ""


def length(size):
    encoded = b""
    while size >= 128:
        encoded += bytes((size & 127 | 128,))
        size >>= 7
    return encoded + bytes((size,))


def part(number, data):
    """A field of a protobuf message: bytes, a text or a message."""
    return bytes((number << 3 | 2,)) + length(len(data)) + data


def large_batch(items=210):
    """A batch whose answer has almost 4 MiB, the most that is permitted, with all details of each evaluation."""
    return message(part(2, evaluate_request(PROPOSAL) + FULL_VIEW) * items)


EMPTY_MESSAGES = part(2, b"") * 524_000
ZSTD = zstandard.ZstdCompressor(level=3)


def empty_messages():
    """64 CompareProposals and batches at a time, of 524,000 empty messages each: 1 MiB on the wire, and hundreds of MiB
    once it is decoded."""
    body = message(EMPTY_MESSAGES)
    return Attack(COMPARE, body, [(BATCH, body)], connections=4, calls=16, item="2")


def empty_messages_gzip():
    """The same messages, compressed with gzip to about 1 KiB, so that the attack costs the client nothing."""
    body = message(gzip.compress(EMPTY_MESSAGES, 9), True)
    headers = (("grpc-encoding", "gzip"),)
    return Attack(COMPARE, body, [(BATCH, body)], connections=4, calls=16, headers=headers, item="2")


def empty_messages_zstd():
    """The same messages, compressed with zstd to about 100 bytes."""
    body = message(ZSTD.compress(EMPTY_MESSAGES), True)
    headers = (("grpc-encoding", "zstd"),)
    return Attack(COMPARE, body, [(BATCH, body)], connections=4, calls=16, headers=headers, item="2")


def streamed_messages():
    """64 streams of evaluations, each with 1,000 messages that have about 2 KiB on the wire and 1 MiB decompressed, and
    whose answers are not read."""
    body = message(gzip.compress(part(2, part(4, b"")) * 200_000, 9), True) * 1_000
    headers = (("grpc-encoding", "gzip"),)
    return Attack(STREAM, body, connections=8, calls=8, headers=headers, ends=False, reads=NO_WINDOW, item="2")


def unread_small_answers():
    """64 connections with as many calls as permitted, whose answers have a few KiB each and get no window."""
    body = message(evaluate_request(PROPOSAL))
    return Attack(EVALUATE, body, connections=64, reads=NO_WINDOW, item="3a")


def unread_small_answers_socket():
    """The same calls with windows without end, and a client that does not read its sockets."""
    body = message(evaluate_request(PROPOSAL))
    return Attack(EVALUATE, body, connections=64, reads=NO_SOCKET, item="3a")


def unread_large_answers():
    """8 connections with 16 large batches each, whose answers of up to 4 MiB get no window."""
    return Attack(BATCH, large_batch(), connections=8, calls=16, reads=NO_WINDOW, item="3a")


def unread_large_answers_socket():
    """The same batches with windows without end, and a client that does not read its sockets."""
    return Attack(BATCH, large_batch(), connections=8, calls=16, reads=NO_SOCKET, item="3a")


def unread_packages():
    """1,024 FindPackages at a time, whose packages are not read."""
    body = message(b"\x30\xe8\x07")
    return Attack(PACKAGES, body, connections=8, calls=128, reads=NO_WINDOW, item="3b")


def batches_read():
    """128 large batches at a time, by a client that reads their answers."""
    return Attack(BATCH, large_batch(), connections=8, calls=16, item="3c")


def batches_unread():
    """128 large batches at a time on one connection, whose answers are not read."""
    return Attack(BATCH, large_batch(), connections=1, calls=128, reads=NO_WINDOW, item="3c")


def unread_streams():
    """Streams of evaluations, 8 on each of 128 connections, with 500 messages each, whose answers are not read."""
    body = message(part(2, evaluate_request(PROPOSAL) + FULL_VIEW)) * 500
    return Attack(STREAM, body, connections=128, calls=8, ends=False, reads=NO_WINDOW, item="3d")


def batches_of_a_good_client():
    """A client that reads, with 8 large batches at a time. None may fail."""
    return Attack(BATCH, large_batch(), connections=1, calls=8, is_well_behaved=True, item="3e")


def unended_bodies():
    """255 calls on 4 connections, each with a request of almost 1 MiB that never ends."""
    body = message(b"\0" * (REQUEST_BYTES - 64))[:-1]
    return Attack(BATCH, body, connections=4, calls=64, ends=False, item="4")


def unended_health():
    """64 connections full of Check calls that have sent their headers only."""
    return Attack(CHECK, connections=64, ends=False, item="8")


def unended_evaluations():
    """64 connections full of EvaluateProposal calls that have sent their headers only."""
    return Attack(EVALUATE, connections=64, ends=False, item="8")


def unended_unknown():
    """64 connections full of calls to paths that do not exist, without a body."""
    return Attack("/no.such.Service/Method", others=[("/x", b"")], connections=64, ends=False, item="8")


def unread_refusals():
    """64 connections that read nothing: half of the calls are evaluations, which fill the buffers of the sockets, and
    half are refused, so that the refusals pile up behind them."""
    evaluate = message(evaluate_request(PROPOSAL) + FULL_VIEW)
    return Attack(EVALUATE, evaluate, [("/no.such.Service/Method", b"")], connections=64, reads=NO_SOCKET, item="8")


def large_headers():
    """64 connections full of calls with headers of 15 KiB and nothing else."""
    return Attack(EVALUATE, connections=64, ends=False, headers=(("x-filler", "a" * 15_000),), item="8")


def large_headers_everywhere():
    """The same calls on 512 connections, which all send at the same time."""
    headers = (("x-filler", "a" * 15_000),)
    return Attack(EVALUATE, connections=512, ends=False, headers=headers, item="8")


def watches():
    """512 connections full of Watch calls, which stay open."""
    return Attack(WATCH, message(b""), connections=512, calls=16, item="8")


def unread_reflection():
    """64 connections full of reflection streams, each with 100 requests for files, whose answers are not read."""
    body = message(part(4, b"detente.v1.RedLineService")) * 100
    return Attack(REFLECTION, body, connections=64, ends=False, reads=NO_WINDOW, item="8")


def idle_connections():
    """1,100 connections, more than the server permits, without a call."""
    return Attack(CHECK, connections=1_100, calls=0, item="9")


def hard_analysis(day):
    """A SuggestAmendments request that takes the server very long. Requests for different days are not the same."""
    date = b"\x08\xe9\x0f\x10" + bytes((1 + day // 28,)) + b"\x18" + bytes((1 + day % 28,))
    return message(part(1, b"scenarios/pigeons") + part(2, b"") + part(6, date))


def analyses():
    """70 different analyses at a time of one caller, each of which takes as long as the server permits."""
    first, *others = [(AMEND, hard_analysis(day)) for day in range(70)]
    return Attack(*first, others, connections=1, calls=70, has_hard_scenario=True, item="10")


def equal_analyses():
    """1,024 calls that ask for the same long analysis and wait for its end."""
    return Attack(AMEND, hard_analysis(1), connections=8, calls=128, has_hard_scenario=True, item="10")


def cancels():
    """A flood of calls that are reset as soon as they have begun (rapid reset), on 8 connections."""
    return Attack(EVALUATE, message(evaluate_request(PROPOSAL)), connections=8, calls=-20, item="11")


def refused_credentials():
    """64 connections with calls whose token is wrong (only with --from token are there credentials to refuse)."""
    headers = (("authorization", "Bearer " + "x" * 40),)
    return Attack(EVALUATE, message(evaluate_request(PROPOSAL)), connections=64, calls=16, headers=headers, item="12")


def zstd_windows():
    """64 small requests at a time whose zstd frames declare a window of 128 MiB."""
    parameters = zstandard.ZstdCompressionParameters(window_log=27, compression_level=3)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    data = compressor.compress(evaluate_request(PROPOSAL) * 64) + compressor.flush()
    headers = (("grpc-encoding", "zstd"),)
    return Attack(EVALUATE, message(data, True), connections=4, calls=16, headers=headers, item="also")


def gzip_members():
    """64 requests at a time whose gzip data is followed by 50,000 further members, up to 1 MiB."""
    data = gzip.compress(evaluate_request(PROPOSAL))
    data += gzip.compress(b"") * ((REQUEST_BYTES - 100 - len(data)) // len(gzip.compress(b"")))
    headers = (("grpc-encoding", "gzip"),)
    return Attack(EVALUATE, message(data, True), connections=4, calls=16, headers=headers, item="also")


def compressed_answers():
    """64 large batches at a time, whose answers are to be compressed."""
    headers = (("grpc-accept-encoding", "zstd,gzip"), ("grpc-encoding", "zstd"))
    return Attack(BATCH, large_batch(), connections=8, calls=8, headers=headers, item="also")


def one_byte_frames():
    """16 connections that send requests of 64 KiB in DATA frames of one byte each."""
    body = message(part(2, evaluate_request(PROPOSAL)) * 1_000)
    return Attack(BATCH, body, connections=16, calls=4, frame_bytes=1, item="also")


ATTACKS = {
    function.__name__.replace("_", "-"): function
    for function in (
        empty_messages,
        empty_messages_gzip,
        empty_messages_zstd,
        streamed_messages,
        unread_small_answers,
        unread_small_answers_socket,
        unread_large_answers,
        unread_large_answers_socket,
        unread_packages,
        batches_read,
        batches_unread,
        unread_streams,
        batches_of_a_good_client,
        unended_bodies,
        unended_health,
        unended_evaluations,
        unended_unknown,
        unread_refusals,
        large_headers,
        large_headers_everywhere,
        watches,
        unread_reflection,
        idle_connections,
        analyses,
        equal_analyses,
        cancels,
        refused_credentials,
        zstd_windows,
        gzip_members,
        compressed_answers,
        one_byte_frames,
    )
}


@dataclass
class Target:
    """Whom to attack, and as whom."""

    port: int
    # The loopback addresses from which the attacker comes.
    sources: list
    token: str = ""
    # The name of the server if it uses TLS.
    name: str = ""
    headers: tuple = ()


class Attacker:
    """Keeps connections and calls open."""

    def __init__(self, attack, target):
        self.attack, self.target = attack, target
        self.counts = Counter()
        self.connections = set()
        more = [*attack.headers, *target.headers]
        if target.token and "authorization" not in dict(attack.headers):
            more.append(("authorization", f"Bearer {target.token}"))
        name, scheme = target.name or "127.0.0.1", "https" if target.name else "http"
        requests = [(attack.path, attack.body), *attack.others]
        self.requests = [(call_headers(path, name, scheme, more), body) for path, body in requests]
        self.tls = None
        if target.name:
            # The identity of the server is irrelevant here.
            self.tls = ssl._create_unverified_context()
            self.tls.set_alpn_protocols(["h2"])
        self.number = 0

    async def run(self, until):
        keepers = [asyncio.create_task(self.keep(number)) for number in range(self.attack.connections)]
        await until
        for keeper in keepers:
            keeper.cancel()
        await asyncio.wait(keepers)
        for connection in list(self.connections):
            connection.abort()

    async def keep(self, number):
        """Keeps one connection open, and its calls."""
        source = self.target.sources[number % len(self.target.sources)]
        window = 0 if self.attack.reads != READS else 16 * MEBIBYTE
        # Not all at the same moment.
        await asyncio.sleep(number * 0.002)
        while True:
            try:
                address = "127.0.0.1", self.target.port
                connection = await Connection.open(
                    address,
                    self.counts,
                    source,
                    self.tls,
                    self.target.name,
                    SMALL_BUFFER if self.attack.reads == NO_SOCKET else 0,
                    window=window,
                )
            except (OSError, asyncio.TimeoutError) as error:
                self.counts[f"not connected: {type(error).__name__}"] += 1
                await asyncio.sleep(RETRY_SECONDS)
                continue
            self.connections.add(connection)
            try:
                await self.use(connection)
            finally:
                self.connections.discard(connection)
                connection.abort()
            await asyncio.sleep(RETRY_SECONDS)

    async def use(self, connection):
        """Makes calls until the connection ends."""
        pinged = time.monotonic()
        is_reading = True
        while not connection.lost.done():
            self.fill(connection)
            if is_reading and self.attack.reads == NO_SOCKET and connection.streams and connection.has_sent_all():
                # Everything is sent: let the server answer as much as it likes, and read nothing of it.
                connection.open_windows()
                connection.stop_reading()
                is_reading = False
            if time.monotonic() - pinged > PING_SECONDS:
                # Notices that the server has closed the connection, even if nothing is read.
                pinged = time.monotonic()
                connection.send(frame(PING, 0, 0, b"attacks!"))
            if connection.closing and not connection.streams:
                return
            await asyncio.wait({connection.lost}, timeout=ROUND_SECONDS)

    def fill(self, connection):
        attack = self.attack
        if attack.calls < 0:
            # A flood of resets: so many calls a round.
            for _ in range(-attack.calls):
                if connection.closing:
                    return
                self.call(connection, reset=True)
            return
        while len(connection.streams) < attack.calls and connection.has_place():
            self.call(connection)
            if connection.transport.get_write_buffer_size() > MEBIBYTE:
                return

    def call(self, connection, reset=False):
        headers, body = self.requests[self.number % len(self.requests)]
        self.number += 1
        stream = connection.call(headers, body, self.attack.ends, self.attack.frame_bytes)
        if reset:
            connection.reset(stream)


def work(pipe, attack, target):
    """The work of the attacker's process: attacks until it is told to stop, and replies with the counts."""
    ends_with_parent()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # The well-behaved client runs on the same processor, and must not be measured waiting for it.
    os.nice(NICE)
    allow_files(8_192)
    # Writing to connections that the server has closed is part of attacks.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)

    async def attacks():
        loop = asyncio.get_running_loop()
        # The end of connections is counted, and not told.
        loop.set_exception_handler(lambda *_: None)
        stop = loop.create_future()
        attacker = Attacker(attack(), target)

        def hear():
            try:
                word = pipe.recv()
            except (EOFError, OSError):
                word = "stop"
            if word == "count":
                pipe.send((len(attacker.connections), open_calls(attacker), attacker.counts))
            elif not stop.done():
                loop.remove_reader(pipe.fileno())
                stop.set_result(None)

        loop.add_reader(pipe.fileno(), hear)
        pipe.send("ready")
        await attacker.run(stop)

    asyncio.run(attacks())


def open_calls(attacker):
    return sum(len(connection.streams) for connection in attacker.connections)


class AttackerProcess:
    """The process of an attacker."""

    def __init__(self, name, target):
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, ATTACKS[name], target), daemon=True)
        self.process.start()
        theirs.close()
        self.pipe.recv()

    def count(self):
        """The open connections, the open calls, and what was counted so far."""
        self.pipe.send("count")
        return self.pipe.recv()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.is_alive():
            self.process.kill()
        self.process.join()
