"""Sends calls at a fixed rate from separate processes, independently of the server's responses.

The load is open: each call has a due time, and its latency counts from that time, even if the call is sent late. A
stalled server thus gets as many calls as before, and the stall delays every call that was due.
"""

import asyncio
import json
import multiprocessing
import os
import sys
import time
from array import array
from collections import Counter
from dataclasses import dataclass, field

import grpc

from processes import ends_with_parent

METHOD = "/detente.v1.RedLineService/EvaluateProposal"
CALL_SECONDS = 5
LATE_SECONDS = 0.02
REPORT_SECONDS = 0.5
MAX_FAILURES_TOLD = 1_000


def text_field(number, text):
    """An encoded text field of a protobuf message."""
    data = text.encode()
    assert len(data) < 128, "a length of one byte"
    return bytes((number << 3 | 2, len(data))) + data


def evaluate_request(name):
    """An EvaluateProposalRequest for the proposal with this name."""
    return text_field(3, name)


def fields(data):
    """The numbers and values of the fields of a protobuf message."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        key = varint()
        kind = key & 7
        if kind == 0:
            yield key >> 3, varint()
        elif kind in (1, 2, 5):
            length = {1: 8, 5: 4}.get(kind) or varint()
            yield key >> 3, data[at : at + length]
            at += length
        else:
            raise ValueError(f"a field of kind {kind}")


def answered(response):
    """The scenario and the revision of an EvaluateProposalResponse."""
    number, evaluation = next(fields(response))
    if number != 1:
        raise ValueError("no evaluation")
    found = fields(evaluation)
    (first, scenario), (second, revision) = next(found), next(found)
    if (first, second) != (1, 2):
        raise ValueError("an evaluation without scenario or revision")
    return scenario.decode(), revision.decode()


@dataclass
class Offer:
    """The load to send: the requests, their target, and their rate in calls per second."""

    target: str
    rate: float
    requests: list
    service_config: str = ""
    certificate: bytes = b""
    options: list = field(default_factory=list)
    metadata: tuple = ()
    # After so many calls, the client connects anew; with 0, it never does.
    calls_a_connection: int = 0


@dataclass
class Figures:
    """The results of the calls."""

    began: float = field(default_factory=time.monotonic)
    ended: float = 0.0
    latencies: array = field(default_factory=lambda: array("d"))
    late: int = 0
    most_at_a_time: int = 0
    codes: Counter = field(default_factory=Counter)
    # For each failed call: end (monotonic clock), code, details, duration in seconds.
    failures: list = field(default_factory=list)
    # For each scenario and revision: the number of answers, and the time at which the last call with one began.
    revisions: dict = field(default_factory=dict)
    # For each address: the number of attempts that gRPC has started, and of those that failed. None if gRPC does not
    # report them.
    attempts: dict | None = field(default_factory=dict)

    @property
    def calls(self):
        return sum(self.codes.values())

    @property
    def failed(self):
        return self.calls - self.codes["OK"]

    @property
    def rate(self):
        return self.calls / (self.ended - self.began)

    def add(self, other):
        self.began, self.ended = min(self.began, other.began), max(self.ended, other.ended)
        self.latencies.extend(other.latencies)
        self.late += other.late
        self.most_at_a_time += other.most_at_a_time
        self.codes += other.codes
        self.failures += other.failures
        for key, (count, last) in other.revisions.items():
            had, until = self.revisions.get(key, (0, 0.0))
            self.revisions[key] = had + count, max(until, last)
        if self.attempts is None or other.attempts is None:
            self.attempts = None
            return
        for address, counts in other.attempts.items():
            had = self.attempts.get(address, (0, 0))
            self.attempts[address] = had[0] + counts[0], had[1] + counts[1]


class Caller:
    """The part of the load that one process sends."""

    def __init__(self, pipe, offer):
        self.pipe, self.offer = pipe, offer
        self.figures = Figures()
        self.under_way = 0
        self.subchannels = {}
        self.stopping = False

    async def run(self):
        self.channel = self.open_channel()
        await asyncio.wait_for(self.channel.channel_ready(), 30)
        self.pipe.send(("ready", None))
        begin = await self.heard()
        reporting = asyncio.create_task(self.report())
        await self.offer_calls(begin)
        while self.under_way:
            await asyncio.sleep(0.01)
        reporting.cancel()
        await self.channel.close()
        self.take("stopped")

    def open_channel(self):
        options = [("grpc.enable_http_proxy", 0), ("grpc.enable_channelz", 1), *self.offer.options]
        if self.offer.calls_a_connection:
            # A pool of its own gives each channel a connection of its own.
            options.append(("grpc.use_local_subchannel_pool", 1))
        if self.offer.service_config:
            options.append(("grpc.service_config", self.offer.service_config))
        if self.offer.certificate:
            trusted = grpc.ssl_channel_credentials(self.offer.certificate)
            return grpc.aio.secure_channel(self.offer.target, trusted, options)
        return grpc.aio.insecure_channel(self.offer.target, options)

    async def heard(self):
        while not self.pipe.poll():
            await asyncio.sleep(0.002)
        return self.pipe.recv()

    async def offer_calls(self, begin):
        self.figures.began = begin
        method = self.channel.unary_unary(METHOD)
        tasks, number, interval = set(), 0, 1 / self.offer.rate
        requests = self.offer.requests
        while not self.stopping:
            due = begin + number * interval
            now = time.monotonic()
            if due > now:
                await asyncio.sleep(due - now)
                continue
            if now - due > LATE_SECONDS:
                self.figures.late += 1
            if number and self.offer.calls_a_connection and number % self.offer.calls_a_connection == 0:
                # The calls in progress on the old connection may end.
                closing = asyncio.create_task(self.channel.close(CALL_SECONDS))
                tasks.add(closing)
                closing.add_done_callback(tasks.discard)
                self.channel = self.open_channel()
                method = self.channel.unary_unary(METHOD)
            task = asyncio.create_task(self.call(method, requests[number % len(requests)], due))
            # asyncio holds only weak references to tasks.
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            number += 1
            if number % 64 == 0:
                # Yield even if the next call is late, so that responses are read.
                await asyncio.sleep(0)
        if tasks:
            await asyncio.wait(tasks)

    async def call(self, method, request, due):
        self.under_way += 1
        begun = time.monotonic()
        self.figures.most_at_a_time = max(self.figures.most_at_a_time, self.under_way)
        try:
            response = await method(request, timeout=CALL_SECONDS, metadata=self.offer.metadata)
            code, details, who = "OK", "", answered(response)
        except grpc.RpcError as error:
            code, details = error.code().name, error.details() or ""
        except (ValueError, IndexError, StopIteration) as error:
            code, details = "WRONG_ANSWER", str(error)
        ended = time.monotonic()
        figures = self.figures
        figures.codes[code] += 1
        figures.latencies.append(ended - due)
        if code == "OK":
            had, last = figures.revisions.get(who, (0, 0.0))
            figures.revisions[who] = had + 1, max(last, begun)
        elif len(figures.failures) < MAX_FAILURES_TOLD:
            figures.failures.append((ended, code, details, ended - due))
        self.under_way -= 1

    async def report(self):
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            self.count_attempts()
            self.pipe.send(("count", (self.figures.calls, self.figures.failed)))
            while self.pipe.poll():
                command = self.pipe.recv()
                if command == "take":
                    self.take("taken")
                elif command == "stop":
                    self.stopping = True

    def take(self, word):
        self.count_attempts()
        figures, self.figures = self.figures, Figures()
        figures.ended = self.figures.began
        figures.attempts = None if self.subchannels is None else {}
        for address, begun, failed in (self.subchannels or {}).values():
            had = figures.attempts.get(address, (0, 0))
            figures.attempts[address] = had[0] + begun, had[1] + failed
        self.pipe.send((word, figures))

    def count_attempts(self):
        """Reads the attempts since the start from gRPC's channelz, which counts them per subchannel. This private
        module is the only way to read channelz within the process. Without it, attempts are not reported."""
        if self.subchannels is None:
            return
        try:
            from grpc._cython import cygrpc

            for channel in json.loads(cygrpc.channelz_get_top_channels(0)).get("channel", []):
                for reference in channel.get("subchannelRef", []):
                    number = reference["subchannelId"]
                    data = json.loads(cygrpc.channelz_get_subchannel(int(number)))["subchannel"]["data"]
                    counts = int(data.get("callsStarted", 0)), int(data.get("callsFailed", 0))
                    self.subchannels[number] = data["target"], *counts
        except (ImportError, AttributeError, KeyError, TypeError, ValueError):
            self.subchannels = None


def work(pipe, offer):
    ends_with_parent()
    # The test closes connections on purpose, so gRPC's messages about them are not of interest.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    try:
        asyncio.run(Caller(pipe, offer).run())
    except (BrokenPipeError, EOFError, KeyboardInterrupt):
        pass


class Callers:
    """The processes that together send a load."""

    def __init__(self, offer, processes):
        # gRPC does not work after a fork.
        context = multiprocessing.get_context("spawn")
        self.pipes, self.processes, self.counts = [], [], [(0, 0)] * processes
        each = Offer(**{**vars(offer), "rate": offer.rate / processes})
        for number in range(processes):
            ours, theirs = context.Pipe()
            # Each process starts with a different request.
            turned = each.requests[number % len(each.requests) :] + each.requests[: number % len(each.requests)]
            arguments = (theirs, Offer(**{**vars(each), "requests": turned}))
            process = context.Process(target=work, args=arguments, daemon=True)
            process.start()
            theirs.close()
            self.pipes.append(ours)
            self.processes.append(process)

    def begin(self):
        self.collect("ready")
        # The start times are spread, so that the processes do not send at the same moment.
        start = time.monotonic() + 0.1
        for number, pipe in enumerate(self.pipes):
            pipe.send(start + number * 0.001)
        return start

    def collect(self, word):
        """Waits for a message with this word from each process, and returns the contents."""
        found = []
        for number, pipe in enumerate(self.pipes):
            while True:
                try:
                    said, what = pipe.recv()
                except EOFError:
                    raise RuntimeError("a client process has died") from None
                if said == word:
                    found.append(what)
                    break
                self.counts[number] = what
        return found

    def counted(self):
        """The numbers of calls and failures since the figures were last taken."""
        for number, pipe in enumerate(self.pipes):
            while pipe.poll():
                _, self.counts[number] = pipe.recv()
        return tuple(map(sum, zip(*self.counts)))

    def take(self, word="taken", command="take"):
        """The figures since they were last taken, except for attempts, which count from the start."""
        for pipe in self.pipes:
            pipe.send(command)
        first, *others = self.collect(word)
        for other in others:
            first.add(other)
        self.counts = [(0, 0)] * len(self.pipes)
        return first

    def stop(self):
        figures = self.take("stopped", "stop")
        for process in self.processes:
            process.join(10)
        return figures

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            if process.is_alive():
                process.kill()
            process.join()
