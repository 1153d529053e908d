"""Attackers: what an attack consists of, and the process that carries it out.

An attacker keeps a number of connections open, and a number of calls on each of them: when the server ends a call or a
connection, the attacker begins another. attack_list.py has the attacks.
"""

import asyncio
import logging
import multiprocessing
import os
import signal
import ssl
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

from http2 import FRAME_BYTES, PING, Connection, call_headers, frame
from processes import allow_files, ends_with_parent

MEBIBYTE = 1024 * 1024
ALL_STREAMS = 100_000
# How the attacker reads: everything; headers only, because it gives answers no window; or nothing at all, although it
# has given windows without end.
READS, NO_WINDOW, NO_SOCKET = "reads", "no window", "reads nothing"
# Between attempts to open connections that were refused or lost, and between rounds of calls.
RETRY_SECONDS, ROUND_SECONDS, PING_SECONDS = 0.2, 0.02, 1.0
NICE = 10
# More connections than resume TLS sessions at a time.
MOST_AT_ONCE = 100
# The receive buffer of a client that reads nothing.
SMALL_BUFFER = 4_096
# The file that attacks replace in the folder of scenarios.
HOSTILE_FILE = "hostile.yaml"
# How the client and the attacker differ (attacks.py).
WAYS = ("address", "token", "nginx", "production")
# The ways in which the attacker can have several addresses, or no part of the attack goes through the network.
DIRECT = ("address", "production")


@dataclass
class Attack:
    """What an attacker does."""

    path: str = ""
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
    # Whether connections begin HTTP/2, and whether they are closed as soon as they have.
    speaks: bool = True
    closes: bool = False
    # Whether they resume the TLS session of an earlier connection.
    resumes: bool = False
    # The loopback addresses from which the attacker comes, where it may have several.
    addresses: int = 1
    # Makes the contents that take turns as a file of the server, each for so many seconds. None is a named pipe.
    files: Callable | None = None
    file_seconds: float = 0.5
    # How often the client connects anew, in calls.
    calls_a_connection: int = 0
    # What the script does beside the attack, and checks (beside.py).
    beside: tuple = ()
    # Options of the server.
    options: tuple = ()
    # Whether the decision log of the server is on a full disk.
    has_full_disk: bool = False
    # The hard limit of open files of the server.
    most_files: int = 8_192
    ways: tuple = WAYS
    # The item of the requirements.
    item: str = ""


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
    # The folder of the scenarios of the server, for attacks with files.
    folder: Path | None = None


class ResumingContext(ssl.SSLContext):
    """Resumes the session of an earlier connection, in every handshake of asyncio."""

    def __init__(self, _):
        self.counts, self.earlier = Counter(), deque()
        self.check_hostname, self.verify_mode = False, ssl.CERT_NONE

    def wrap_bio(self, *arguments, **options):
        session = None
        # The session of a connection arrives after its handshake, and these connections are at most as many as there
        # are clients.
        if len(self.earlier) > MOST_AT_ONCE:
            ended = self.earlier.popleft()
            session = ended.session
            self.counts["TLS sessions offered"] += session is not None
            self.counts["TLS sessions resumed"] += bool(ended.session_reused)
        self.earlier.append(super().wrap_bio(*arguments, session=session, **options))
        return self.earlier[-1]


class Attacker:
    """Keeps connections and calls open, and replaces files."""

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
            if attack.resumes:
                self.tls = ResumingContext(ssl.PROTOCOL_TLS_CLIENT)
                self.tls.counts = self.counts
            else:
                self.tls = ssl._create_unverified_context()
            self.tls.set_alpn_protocols(["h2"])
        self.number = 0
        self.contents = attack.files() if attack.files else []

    async def run(self, until):
        keepers = [asyncio.create_task(self.keep(number)) for number in range(self.attack.connections)]
        if self.contents:
            keepers.append(asyncio.create_task(self.replace_files()))
        await until
        for keeper in keepers:
            keeper.cancel()
        if keepers:
            await asyncio.wait(keepers)
        for connection in list(self.connections):
            connection.abort()

    async def replace_files(self):
        """Puts one content after another in the place of a file, each with one rename."""
        path, new = self.target.folder / HOSTILE_FILE, self.target.folder / ".new"
        for number, content in enumerate(cycle(self.contents)):
            if content is None:
                os.mkfifo(new)
            else:
                # Never the same content twice, because the server does not load a file that it knows.
                new.write_text(f"{content}\n# {number}\n")
            new.rename(path)
            self.counts["files"] += 1
            await asyncio.sleep(self.attack.file_seconds)

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
                    speaks=self.attack.speaks,
                )
            except (OSError, asyncio.TimeoutError) as error:
                self.counts[f"not connected: {type(error).__name__}"] += 1
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if self.attack.closes:
                connection.abort()
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
            if self.attack.speaks and time.monotonic() - pinged > PING_SECONDS:
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
        while attack.speaks and len(connection.streams) < attack.calls and connection.has_place():
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

    def __init__(self, attack, target):
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, attack, target), daemon=True)
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
