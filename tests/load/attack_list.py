"""The attacks of attacks.py on connections and calls; those on files and on the limits of the system are in
attacks_on_the_host.py.

Each attack is a function whose first paragraph says what the client does, and what the server would suffer if it let
it.
"""

import gzip

import zstandard

from attackers import DIRECT, MEBIBYTE, NO_SOCKET, NO_WINDOW, Attack
from calls import evaluate_request
from http2 import message

EVALUATE = "/detente.v1.RedLineService/EvaluateProposal"
BATCH = "/detente.v1.RedLineService/BatchEvaluateProposals"
STREAM = "/detente.v1.RedLineService/StreamEvaluateProposals"
COMPARE = "/detente.v1.RedLineService/CompareProposals"
PACKAGES = "/detente.v1.AnalysisService/FindPackages"
AMEND = "/detente.v1.AnalysisService/SuggestAmendments"
CHECK, WATCH = "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"
REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
PROPOSAL = "scenarios/ukraine-2025/proposals/european-force"
# The limit of the server. An attacker knows it, too.
REQUEST_BYTES = MEBIBYTE
FULL_VIEW = b"\x48\x02"


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
    """1,100 connections of one address, more than the server permits, without a call."""
    return Attack(connections=1_100, calls=0, calls_a_connection=10, item="9")


def idle_connections_of_8():
    """The same connections, from 8 addresses, which together may have all places."""
    return Attack(connections=1_100, calls=0, addresses=8, calls_a_connection=10, ways=DIRECT, item="9")


def silent_connections():
    """1,100 connections of one address that send nothing, not even the handshake of TLS."""
    return Attack(connections=1_100, speaks=False, calls_a_connection=10, item="9")


def silent_connections_of_8():
    """The same connections, from 8 addresses."""
    return Attack(connections=1_100, speaks=False, addresses=8, calls_a_connection=10, ways=DIRECT, item="9")


def new_connections():
    """64 clients of one address that connect, begin HTTP/2, and close the connection at once, again and again."""
    return Attack(connections=64, closes=True, calls_a_connection=10, item="9")


def new_connections_of_8():
    """The same clients, from 8 addresses."""
    return Attack(connections=64, closes=True, addresses=8, calls_a_connection=10, ways=DIRECT, item="9")


def resumed_connections():
    """64 clients of one address that connect, resume the TLS session of an earlier connection, and close the connection,
    again and again."""
    return Attack(
        connections=64, closes=True, resumes=True, calls_a_connection=10, ways=("production",), item="also"
    )


def hard_analysis(day):
    """A SuggestAmendments request that takes the server very long. Requests for different days are not the same."""
    date = b"\x08\xe9\x0f\x10" + bytes((1 + day // 28,)) + b"\x18" + bytes((1 + day % 28,))
    return message(part(1, b"scenarios/pigeons") + part(2, b"") + part(6, date))


def analyses():
    """70 different analyses at a time of one caller, each of which takes as long as the server permits. Ten small ones
    of the client must be answered beside them."""
    first, *others = [(AMEND, hard_analysis(day)) for day in range(70)]
    beside = ("small_analyses",)
    return Attack(*first, others, connections=1, calls=70, has_hard_scenario=True, beside=beside, item="10")


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


def one_byte_frames_paused():
    """8 connections with 8 streams of evaluations each, which send DATA frames of one byte and do not read the
    answers, so that the streams are paused and the frames pile up."""
    body = message(part(2, evaluate_request(PROPOSAL) + FULL_VIEW)) * 500
    return Attack(STREAM, body, connections=8, calls=8, ends=False, reads=NO_WINDOW, frame_bytes=1, item="also")


ON_CALLS = (
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
    idle_connections_of_8,
    silent_connections,
    silent_connections_of_8,
    new_connections,
    new_connections_of_8,
    resumed_connections,
    analyses,
    equal_analyses,
    cancels,
    refused_credentials,
    zstd_windows,
    gzip_members,
    compressed_answers,
    one_byte_frames,
    one_byte_frames_paused,
)
