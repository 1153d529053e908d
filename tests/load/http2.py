"""An HTTP/2 client that decides itself which frames it sends and what it reads, and that is cheap in large numbers.

A usual client keeps to what the protocol intends: it reads, ends its requests, and gives windows. A `Connection` does
so only as far as it is told. It knows no more of HTTP/2 than attacks need.
"""

import asyncio
import socket
import struct
from collections import deque

import hpack

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS = 1, 1, 4
HEADER_TABLE_SIZE, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE = 1, 3, 4
ERRORS = ("NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED")
ERRORS += ("FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM")
FRAME_BYTES, DEFAULT_WINDOW, MAX_WINDOW = 16_384, 65_535, 2**31 - 1
HEAD_BYTES = 9
IP_BIND_ADDRESS_NO_PORT = 24
CONNECT_SECONDS = 10
# The window of the connection is refilled when half of it is used.
READING_WINDOW = 16 * 1024 * 1024


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def setting(*pairs):
    return b"".join(struct.pack(">HI", number, value) for number, value in pairs)


def header_block(headers):
    """Headers as literals that are not indexed, so that each call of a connection can use the same block."""

    def text(value):
        value = value.encode()
        prefix, rest = (len(value), b"") if len(value) < 127 else (127, b"")
        if prefix == 127:
            left = len(value) - 127
            while left >= 128:
                rest += bytes((left & 127 | 128,))
                left >>= 7
            rest += bytes((left,))
        return bytes((prefix,)) + rest + value

    return b"".join(b"\0" + text(name) + text(value) for name, value in headers)


def call_headers(path, authority="127.0.0.1", scheme="http", more=()):
    """The header block of a gRPC call."""
    pairs = [(":method", "POST"), (":scheme", scheme), (":authority", authority), (":path", path)]
    return header_block([*pairs, ("content-type", "application/grpc"), ("te", "trailers"), *more])


def message(data, compressed=False):
    """A gRPC message: a flag, the length and the bytes."""
    return struct.pack(">BI", compressed, len(data)) + data


class Stream:
    """A call, and what of its request is not sent yet."""

    __slots__ = ("number", "window", "unsent", "ends", "frame_bytes")

    def __init__(self, number, window, unsent, ends, frame_bytes):
        self.number, self.window, self.ends, self.frame_bytes = number, window, ends, frame_bytes
        self.unsent = memoryview(unsent)


class Connection(asyncio.Protocol):
    """One connection. `counts` counts what happens on it; connections may share it.

    `window` is what the client permits for each answer. With 0, the server can send headers only. A connection that
    does not speak sends nothing at all, not even the handshake of TLS.
    """

    def __init__(self, counts, window=READING_WINDOW, on_end=None, speaks=True):
        self.counts, self.own_window, self.on_end, self.speaks = counts, window, on_end, speaks
        self.transport = None
        self.ready = asyncio.get_running_loop().create_future()
        self.lost = asyncio.get_running_loop().create_future()
        self.received = bytearray()
        self.decoder = hpack.Decoder()
        self.block, self.block_ends = b"", False
        self.window, self.stream_window = DEFAULT_WINDOW, DEFAULT_WINDOW
        self.read_since_update = 0
        self.max_streams = 100
        self.streams, self.waiting = {}, deque()
        self.next_number = 1
        self.closing = False

    @classmethod
    async def open(cls, address, counts, source=None, tls=None, name=None, receive_buffer=0, **options):
        """Connects from a loopback address. A small `receive_buffer` makes the server keep what is not read."""
        loop = asyncio.get_running_loop()
        used = socket.socket()
        try:
            used.setblocking(False)
            # Leave the choice of the port to connect(), which can reuse ports that bind() cannot.
            used.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            if receive_buffer:
                used.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            if source:
                used.bind((source, 0))
            await asyncio.wait_for(loop.sock_connect(used, address), CONNECT_SECONDS)
            if not options.get("speaks", True):
                tls = None
            _, connection = await loop.create_connection(
                lambda: cls(counts, **options), sock=used, ssl=tls, server_hostname=name if tls else None
            )
        except BaseException:
            used.close()
            raise
        await asyncio.wait_for(asyncio.shield(connection.ready), CONNECT_SECONDS)
        return connection

    def connection_made(self, transport):
        self.transport = transport
        transport.set_write_buffer_limits(high=2**20)
        self.counts["connections"] += 1
        if not self.speaks:
            self.ready.set_result(None)
            return
        first = setting((HEADER_TABLE_SIZE, 4096), (INITIAL_WINDOW_SIZE, self.own_window))
        self.send(PREFACE + frame(SETTINGS, 0, 0, first))
        self.widen(0, READING_WINDOW - DEFAULT_WINDOW)

    def send(self, data):
        self.counts["bytes"] += len(data)
        self.transport.write(data)

    def widen(self, stream, by):
        self.send(frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", by)))

    def open_windows(self):
        """Permits the server to send everything that it has."""
        self.send(frame(SETTINGS, 0, 0, setting((INITIAL_WINDOW_SIZE, MAX_WINDOW))))
        self.widen(0, MAX_WINDOW - READING_WINDOW)

    def stop_reading(self):
        self.transport.pause_reading()

    def has_place(self):
        return not self.closing and len(self.streams) < self.max_streams and self.next_number < 2**31 - 1

    def call(self, headers, body=b"", ends=True, frame_bytes=FRAME_BYTES):
        """Begins a call, and sends its body as the server permits."""
        stream = Stream(self.next_number, self.stream_window, body, ends, frame_bytes)
        self.next_number += 2
        self.streams[stream.number] = stream
        self.counts["calls"] += 1
        self.send(frame(HEADERS, END_HEADERS | (END_STREAM if ends and not body else 0), stream.number, headers))
        if body:
            self.waiting.append(stream)
            self.flush()
        return stream

    def reset(self, stream):
        """Cancels a call."""
        self.streams.pop(stream.number, None)
        self.counts["calls cancelled"] += 1
        self.send(frame(RST_STREAM, 0, stream.number, struct.pack(">I", ERRORS.index("CANCEL"))))

    def has_sent_all(self):
        return not self.waiting

    def flush(self):
        """Sends what the windows permit of the requests, in turns."""
        stuck = 0
        while self.waiting and self.window > 0 and stuck < len(self.waiting):
            stream = self.waiting.popleft()
            if stream.number not in self.streams:
                continue
            frames, budget = [], 64 * 1024
            while stream.unsent and budget > 0:
                size = min(len(stream.unsent), stream.window, self.window, stream.frame_bytes)
                if size <= 0:
                    break
                part, stream.unsent = stream.unsent[:size], stream.unsent[size:]
                last = stream.ends and not stream.unsent
                frames.append(frame(DATA, END_STREAM if last else 0, stream.number, bytes(part)))
                stream.window -= size
                self.window -= size
                budget -= size + HEAD_BYTES
            if frames:
                self.send(b"".join(frames))
                stuck = 0
            else:
                stuck += 1
            if stream.unsent:
                self.waiting.append(stream)

    def data_received(self, data):
        received = self.received
        received += data
        at, size = 0, len(received)
        while size - at >= HEAD_BYTES:
            length = int.from_bytes(received[at : at + 3], "big")
            if size - at < HEAD_BYTES + length:
                break
            kind, flags = received[at + 3], received[at + 4]
            number = int.from_bytes(received[at + 5 : at + 9], "big")
            begin = at + HEAD_BYTES
            at = begin + length
            if kind == DATA:
                self.counts["bytes read"] += length
                self.take(number, length, flags & END_STREAM)
            else:
                self.take_frame(kind, flags, number, bytes(received[begin:at]))
        del received[:at]

    def take(self, number, length, ends):
        self.read_since_update += length
        if self.read_since_update > READING_WINDOW // 2:
            self.widen(0, self.read_since_update)
            self.read_since_update = 0
        # The window of a stream is larger than any answer but those of streams.
        if length and self.own_window and not ends and number in self.streams:
            self.widen(number, length)
        if ends:
            self.end(number, "ended without a status")

    def take_frame(self, kind, flags, number, payload):
        if kind in (HEADERS, CONTINUATION):
            # The server pads nothing and gives no priorities.
            self.block += payload
            self.block_ends = self.block_ends or (kind == HEADERS and bool(flags & END_STREAM))
            if flags & END_HEADERS:
                block, ends, self.block, self.block_ends = self.block, self.block_ends, b"", False
                found = dict(self.decoder.decode(block))
                if ends:
                    status = found.get(":status", "200")
                    self.end(number, f"status {found.get('grpc-status')}" if status == "200" else f"HTTP {status}")
        elif kind == RST_STREAM:
            code = int.from_bytes(payload, "big")
            # After its answer, the server asks a client that has not ended its request to stop, which is no error.
            if number in self.streams:
                self.end(number, f"reset {ERRORS[code] if code < len(ERRORS) else code}")
        elif kind == SETTINGS and not flags & ACK:
            for name, value in struct.iter_unpack(">HI", payload):
                if name == MAX_CONCURRENT_STREAMS:
                    self.max_streams = value
                elif name == INITIAL_WINDOW_SIZE:
                    for stream in self.streams.values():
                        stream.window += value - self.stream_window
                    self.stream_window = value
            self.send(frame(SETTINGS, ACK, 0))
            if not self.ready.done():
                self.ready.set_result(None)
        elif kind == PING and not flags & ACK:
            self.send(frame(PING, ACK, 0, payload))
        elif kind == WINDOW_UPDATE:
            by = int.from_bytes(payload, "big")
            if number == 0:
                self.window += by
            elif number in self.streams:
                self.streams[number].window += by
            self.flush()
        elif kind == GOAWAY:
            code = int.from_bytes(payload[4:8], "big")
            self.counts[f"GOAWAY {ERRORS[code] if code < len(ERRORS) else code}"] += 1
            self.closing = True

    def end(self, number, how):
        if self.streams.pop(number, None) is None:
            return
        self.counts[how] += 1
        if self.on_end:
            self.on_end(self)

    def connection_lost(self, error):
        self.closing = True
        self.counts["connections lost"] += 1
        self.counts["calls lost with their connection"] += len(self.streams)
        self.streams.clear()
        self.waiting.clear()
        for future in (self.ready, self.lost):
            if not future.done():
                future.set_result(None)

    def abort(self):
        self.transport.abort()
