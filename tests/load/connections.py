"""Opens idle HTTP/2 connections from separate processes, keeps them alive, and counts the lost ones."""

import multiprocessing
import selectors
import socket
import ssl
import struct
import time

from processes import allow_files, ends_with_parent

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA_HEAD = 9
SETTINGS, PING, GOAWAY = 4, 6, 7
ACK = 1
ANSWER_SECONDS = 10
# One address has about 28,000 ports. Several addresses leave enough ports for other programs.
SOURCES = [f"127.0.0.{number}" for number in range(2, 10)]


def frame(kind, flags=0, payload=b""):
    return struct.pack(">IBBI", len(payload) << 8 | kind, flags, 0, 0)[0:5] + b"\0\0\0\0" + payload


class Idle:
    """One idle connection."""

    def __init__(self, port, source, context):
        self.socket = socket.socket()
        # Leave the choice of the port to connect(), which can reuse ports that bind() cannot.
        self.socket.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
        self.socket.bind((source, 0))
        self.socket.settimeout(ANSWER_SECONDS)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context:
            self.socket = context.wrap_socket(self.socket, server_hostname="127.0.0.1")
        self.unread = b""
        self.answers = 0
        self.socket.sendall(PREFACE + frame(SETTINGS))
        kinds = set()
        while kinds != {(SETTINGS, 0), (SETTINGS, ACK)}:
            kinds |= {(kind, flags) for kind, flags in self.read() if kind == SETTINGS}

    def read(self):
        """The kinds and flags of the received frames. Answers SETTINGS and PING frames."""
        data = self.socket.recv(16 * 1024)
        if not data:
            raise ConnectionError("closed")
        self.unread += data
        found = []
        while len(self.unread) >= DATA_HEAD:
            size = int.from_bytes(self.unread[:3], "big")
            if len(self.unread) < DATA_HEAD + size:
                break
            kind, flags = self.unread[3], self.unread[4]
            payload, self.unread = self.unread[DATA_HEAD : DATA_HEAD + size], self.unread[DATA_HEAD + size :]
            if kind == GOAWAY:
                raise ConnectionError("GOAWAY")
            if kind == SETTINGS and not flags & ACK:
                self.socket.sendall(frame(SETTINGS, ACK))
            if kind == PING and flags & ACK:
                self.answers += 1
            elif kind == PING:
                self.socket.sendall(frame(PING, ACK, payload))
            found.append((kind, flags & ACK))
        return found


def hold(pipe, port, count, encrypted):
    """The work of one process: opens connections and holds them until `end`. Replies to `ping` with the number of
    connections that are alive."""
    ends_with_parent()
    allow_files(count + 200)
    context = None
    if encrypted:
        # The identity of the server is irrelevant here.
        context = ssl._create_unverified_context()
        context.set_alpn_protocols(["h2"])
    try:
        connections = selectors.DefaultSelector()
        for number in range(count):
            idle = Idle(port, SOURCES[number % len(SOURCES)], context)
            connections.register(idle.socket, selectors.EVENT_READ, idle)
            if number % 100 == 99:
                pipe.send(("opened", number + 1))
        pipe.send(("all", None))
        keep(pipe, connections)
    except (OSError, EOFError, KeyboardInterrupt) as error:
        try:
            pipe.send(("failed", f"{type(error).__name__}: {error}"))
        except OSError:  # the parent process has ended
            pass


def keep(pipe, connections):
    lost = []
    while True:
        attend(connections, lost, 0.1)
        if not pipe.poll():
            continue
        if pipe.recv() == "end":
            return
        alive = [key.data for key in connections.get_map().values()]
        for idle in alive:
            idle.answers = 0
            idle.socket.sendall(frame(PING, 0, b"alive?!\n"))
        give_up = time.monotonic() + ANSWER_SECONDS
        while any(not idle.answers for idle in alive) and time.monotonic() < give_up:
            attend(connections, lost, 0.05)
        pipe.send(("alive", (sum(bool(idle.answers) for idle in alive), lost)))


def attend(connections, lost, patience):
    for key, _ in connections.select(patience):
        try:
            key.data.read()
            while isinstance(key.data.socket, ssl.SSLSocket) and key.data.socket.pending():
                key.data.read()
        except OSError as error:
            lost.append(str(error))
            connections.unregister(key.fileobj)
            key.fileobj.close()


class Holders:
    """The processes that hold the connections."""

    def __init__(self, port, count, processes, encrypted):
        context = multiprocessing.get_context("spawn")
        self.pipes, self.processes, self.opened = [], [], [0] * processes
        self.waiting = set(range(processes))
        for number in range(processes):
            ours, theirs = context.Pipe()
            share = count // processes + (number < count % processes)
            process = context.Process(target=hold, args=(theirs, port, share, encrypted), daemon=True)
            process.start()
            theirs.close()
            self.pipes.append(ours)
            self.processes.append(process)

    def are_open(self):
        for number in list(self.waiting):
            while self.pipes[number].poll():
                word, what = self.receive(self.pipes[number])
                if word == "opened":
                    self.opened[number] = what
                else:
                    self.waiting.discard(number)
        return not self.waiting

    def receive(self, pipe):
        try:
            word, what = pipe.recv()
        except EOFError:
            word, what = "failed", "a process with connections has died"
        if word == "failed":
            raise ConnectionError(what)
        return word, what

    def alive(self):
        """The number of connections that answer a ping, and the reasons for which the others were lost."""
        for pipe in self.pipes:
            pipe.send("ping")
        found = [self.receive(pipe)[1] for pipe in self.pipes]
        return sum(alive for alive, _ in found), [why for _, lost in found for why in lost]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.join()
