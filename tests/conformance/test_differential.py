"""The same streams to this package, `wsproto` and `websockets`: the same messages and verdicts.

Where they differ, the RFC allows both or one of them breaks it: each difference stands here with
the section that it is about, and its test fails if it goes away.
"""

import itertools
import struct
import zlib

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from tests.conftest import BINARY, CLOSE, PING, PONG, TEXT, frame

from .readers import Deflate, websockets_reader, wsclient, wsproto_reader

CONTINUATION = 0
RSV1 = 4
TAIL = b"\x00\x00\xff\xff"
PEERS = {"wsproto": wsproto_reader, "websockets": websockets_reader}
PLAIN = None

deflates = st.builds(Deflate, st.integers(9, 15), st.booleans())
controls = st.builds(frame, st.sampled_from([PING, PONG]), st.binary(max_size=125))
# IANA has registered 1012 to 1014 since RFC 6455.
codes = st.sampled_from([1000, 1001, 1002, 1003, *range(1007, 1014), 3000, 3999, 4000, 4999])
closes = st.builds(
    lambda code, reason: frame(CLOSE, code and struct.pack("!H", code) + reason.encode()),
    st.one_of(st.just(b""), codes),
    st.text(max_size=30),
)
parts = st.one_of(st.text(max_size=30), st.just('{"price":"64000.5"}'), st.just("x" * 200))
texts = st.lists(parts, max_size=3).map("".join)


class Compressor:
    """What a server does, whose messages may refer to earlier ones."""

    def __init__(self, deflate):
        self._deflate = deflate
        self._zlib = None

    def payload(self, message):
        if self._zlib is None or self._deflate.server_alone:
            self._zlib = zlib.compressobj(6, zlib.DEFLATED, -self._deflate.server_bits)
        payload = self._zlib.compress(message) + self._zlib.flush(zlib.Z_SYNC_FLUSH)
        return payload.removesuffix(TAIL) or b"\x00"


@st.composite
def messages(draw, compressor, *, interrupted=True):
    """One message's frames, with control frames between them unless told otherwise."""
    text = draw(st.booleans())
    payload = draw(texts).encode() if text else draw(st.binary(max_size=300))
    rsv = 0
    if compressor and draw(st.booleans()):
        payload, rsv = compressor.payload(payload), RSV1
    cuts = sorted(draw(st.lists(st.integers(0, len(payload)), max_size=3)))
    edges = list(itertools.pairwise([0, *cuts, len(payload)]))
    opcode, wire = TEXT if text else BINARY, b""
    for number, (start, end) in enumerate(edges):
        last = number == len(edges) - 1
        wire += frame(opcode, payload[start:end], fin=last, rsv=rsv)
        between = draw(st.lists(controls, max_size=1))
        if interrupted or last:
            wire += b"".join(between)
        opcode, rsv = CONTINUATION, 0
    return wire


@st.composite
def streams(draw, deflate, **options):
    """What a good server may send; perhaps up to its close frame."""
    compressor = Compressor(deflate) if deflate else None
    wire = b""
    for _ in range(draw(st.integers(0, 4))):
        wire += draw(st.one_of(messages(compressor, **options), controls))
    return wire


def cut(stream, marks):
    edges = [0, *sorted(min(mark, len(stream)) for mark in marks), len(stream)]
    return [stream[a:b] for a, b in itertools.pairwise(edges)]


def verdict(outcome):
    return outcome.messages, outcome.code


cuts = st.lists(st.integers(0, 1500), max_size=5)


@given(st.data(), st.one_of(st.none(), deflates), cuts, st.one_of(st.just(b""), closes))
@pytest.mark.parametrize("peer", PEERS)
def test_what_is_valid_is_the_same_to_all(peer, data, deflate, marks, close):
    # wsproto takes a control frame for the end of a compressed message; see below.
    interrupted = not (deflate and peer == "wsproto")
    stream = data.draw(streams(deflate, interrupted=interrupted)) + close
    outcome = wsclient(cut(stream, marks), deflate)
    assert outcome.code is None, outcome.said
    assert verdict(PEERS[peer](cut(stream, marks), deflate)) == verdict(outcome)


# One breach each, in frames that are complete: name, bytes, close code.
BREACHES = {
    "masked": (bytes([0x82, 0x81, 1, 2, 3, 4, 5]), 1002),
    "reserved-bit-1": (frame(TEXT, b"a", rsv=4), 1002),
    "reserved-bit-2": (frame(TEXT, b"a", rsv=2), 1002),
    "reserved-bit-3": (frame(PING, b"a", rsv=1), 1002),
    "reserved-data-opcode": (bytes([0x83, 0]), 1002),
    "reserved-control-opcode": (bytes([0x8B, 0]), 1002),
    "fragmented-ping": (bytes([PING, 0]), 1002),
    "fragmented-close": (bytes([CLOSE, 0]), 1002),
    "long-pong": (bytes([0x80 | PONG, 126, 0, 126]) + bytes(126), 1002),
    "nothing-to-continue": (frame(CONTINUATION, b"a"), 1002),
    "interleaved": (frame(TEXT, b"a", fin=False) + frame(BINARY, b"a"), 1002),
    "text": (frame(TEXT, b"\xc0\xaf"), 1007),
    "text-in-fragments": (frame(TEXT, b"\xed", fin=False) + frame(CONTINUATION, b"\xa0\x80"), 1007),
    "half-a-character": (frame(TEXT, b"ab\xe2\x82"), 1007),
    "close-of-1-byte": (frame(CLOSE, b"\x03"), 1002),
    "close-999": (frame(CLOSE, struct.pack("!H", 999)), 1002),
    "close-1004": (frame(CLOSE, struct.pack("!H", 1004)), 1002),
    "close-1005": (frame(CLOSE, struct.pack("!H", 1005)), 1002),
    "close-1006": (frame(CLOSE, struct.pack("!H", 1006)), 1002),
    "close-1015": (frame(CLOSE, struct.pack("!H", 1015)), 1002),
    "close-1016": (frame(CLOSE, struct.pack("!H", 1016)), 1002),
    "close-2999": (frame(CLOSE, struct.pack("!H", 2999)), 1002),
    "close-5000": (frame(CLOSE, struct.pack("!H", 5000)), 1002),
    "close-reason": (frame(CLOSE, struct.pack("!H", 1000) + b"\xff"), 1007),
}


@given(st.data(), cuts)
@settings(max_examples=25)
@pytest.mark.parametrize("name", BREACHES)
def test_a_breach_is_the_same_to_all(name, data, marks):
    """What comes before it arrives, the same close code answers it, and what comes behind does not
    count.
    """
    breach, code = BREACHES[name]
    stream = data.draw(streams(PLAIN)) + breach + data.draw(streams(PLAIN))
    pieces = cut(stream, marks)
    outcome = wsclient(pieces)
    assert outcome.code == code
    for peer in PEERS.values():
        assert verdict(peer(pieces)) == verdict(outcome)


LIMIT = 100


@given(st.data(), st.one_of(st.none(), deflates), st.integers(0, LIMIT + 20), cuts)
def test_the_limit_is_the_same(data, deflate, size, marks):
    """wsproto has none. Fragments count together; a compressed message when decompressed."""
    compressor = Compressor(deflate) if deflate else None
    payload, rsv = b"\xe2\x82\xac." * (size // 4) + b"x" * (size % 4), 0
    if compressor:
        payload, rsv = compressor.payload(payload), RSV1
    # websockets takes what a compressed frame announces for its size, see below.
    assume(not deflate or len(payload) <= LIMIT)
    middle = 0 if deflate else data.draw(st.integers(0, len(payload)))
    stream = frame(TEXT, payload[:middle], fin=False, rsv=rsv)
    stream += frame(CONTINUATION, payload[middle:])
    outcome = wsclient(cut(stream, marks), deflate, LIMIT)
    assert outcome.code == (1009 if size > LIMIT else None)
    theirs = websockets_reader(cut(stream, marks), deflate, LIMIT)
    assert verdict(theirs) == verdict(outcome)


MESSAGE = (TEXT, b"Hello")
HELLO = frame(*MESSAGE)
DEFLATE = Deflate(15, server_alone=False)
PACKED = b"\xf2\x48\xcd\xc9\xc9\x07\x00"  # RFC 7692 §7.2.3.1

STORED = b"\x00\x64\x00\x9b\xff" + b"x" * LIMIT + b"\x00"

# Peer, what it reads, what was negotiated, what this package makes of it, what the peer does, why.
DIFFERENCES = {
    "a length that is not minimal": (
        "websockets",
        bytes([0x81, 126, 0, 5]) + b"Hello" + HELLO,
        PLAIN,
        ([], 1002),
        ([MESSAGE, MESSAGE], None),
        "RFC 6455 §5.2: the minimal number of bytes MUST be used to encode the length",
    ),
    "a length with its most significant bit set": (
        "websockets",
        bytes([0x82, 127, 0x80]) + bytes(7) + HELLO,
        PLAIN,
        ([], 1002),
        ([], 1009),
        "RFC 6455 §5.2: the most significant bit MUST be 0; websockets takes it for a length",
    ),
    "a frame that is wrong from its first byte, and not complete": (
        "websockets",
        bytes([0xA2, 5]),
        PLAIN,
        ([], 1002),
        ([], None),
        "RFC 6455 §5.2 says that it fails the connection, not when; websockets reads it first",
    ),
    "text that cannot become valid, in a message that is not complete": (
        "websockets",
        frame(TEXT, b"\xff", fin=False) + frame(PING),
        PLAIN,
        ([], 1007),
        ([(PING, b"")], None),
        "RFC 6455 §8.1 says that it fails the connection, not when; websockets reads it first",
    ),
    "a close frame inside a fragmented message": (
        "websockets",
        frame(TEXT, b"a", fin=False) + frame(CLOSE, b"\x03\xe8"),
        PLAIN,
        ([(CLOSE, b"\x03\xe8")], None),
        ([], 1002),
        "RFC 6455 §5.4: control frames MAY be injected in the middle of a fragmented message",
    ),
    "a close frame with a bad code and a bad reason": (
        "websockets",
        frame(CLOSE, b"\x00\x00\xff"),
        PLAIN,
        ([], 1002),
        ([], 1007),
        "RFC 6455 §7.4 and §5.5.1 are both broken; which to report is open",
    ),
    "the close code 1014": (
        "wsproto",
        frame(CLOSE, struct.pack("!H", 1014)),
        PLAIN,
        ([(CLOSE, struct.pack("!H", 1014))], None),
        ([], 1002),
        "RFC 6455 §7.4.2 leaves 1000-2999 to its revisions and registry, which has 1014 now",
    ),
    "a ping inside a compressed message": (
        "wsproto",
        frame(BINARY, PACKED[:3], fin=False, rsv=RSV1)
        + frame(PING)
        + frame(CONTINUATION, PACKED[3:]),
        DEFLATE,
        ([(PING, b""), (BINARY, b"Hello")], None),
        ([(PING, b""), (BINARY, b"He\xc9\xc9\x07\x00")], None),
        "RFC 7692 §6: RSV1 of the first fragment is about the whole message",
    ),
    "a compressed message that is not DEFLATE": (
        "websockets",
        frame(BINARY, b"\x07", rsv=RSV1),
        DEFLATE,
        ([], 1007),
        ([], 1002),
        "RFC 7692 names no code; RFC 6455 §7.4.1: 1007 is for data that its type does not fit",
    ),
    "a compressed message that is longer than the limit before it is decompressed": (
        "websockets",
        frame(BINARY, STORED, rsv=RSV1),
        DEFLATE,
        ([(BINARY, b"x" * LIMIT)], None),
        ([], 1009),
        "RFC 6455 §10.4 leaves limits to the receiver; this one is on messages",
    ),
    "a block with BFINAL, to websockets": (
        "websockets",
        frame(BINARY, b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", rsv=RSV1) * 2,
        DEFLATE,
        ([(BINARY, b"Hello")] * 2, None),
        ([(BINARY, b"Hello"), (BINARY, b"")], None),
        "RFC 7692 §7.2.3.4: more blocks may follow",
    ),
    "a block with BFINAL, to wsproto": (
        "wsproto",
        frame(BINARY, b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", rsv=RSV1) * 2,
        DEFLATE,
        ([(BINARY, b"Hello")] * 2, None),
        ([(BINARY, b"Hello")], 1007),
        "RFC 7692 §7.2.3.4: more blocks may follow",
    ),
    "a compressed message without a byte": (
        "websockets",
        frame(BINARY, b"", rsv=RSV1) + frame(BINARY, PACKED, rsv=RSV1),
        DEFLATE,
        ([(BINARY, b""), (BINARY, b"Hello")], None),
        ([(BINARY, b"")], 1002),
        "RFC 7692 §7.2.3.6 wants one byte; who sends none has nothing to decompress",
    ),
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_difference(name):
    peer, stream, deflate, ours, theirs, why = DIFFERENCES[name]
    assert why.startswith("RFC ")
    limit = LIMIT if peer == "websockets" else None
    assert verdict(wsclient([stream], deflate, limit)) == ours
    assert verdict(PEERS[peer]([stream], deflate, limit)) == theirs


def explained(peer, ours, theirs):
    """Tell whether two readers differ about noise in a way that stands above."""
    common = min(len(ours.messages), len(theirs.messages))
    if ours.messages[:common] != theirs.messages[:common]:
        return False
    less, more = ours.messages[common:], theirs.messages[common:]
    if less:
        # A close frame that the peer refuses, for its code or for its place.
        ((opcode, payload),) = less
        code_1014 = peer == "wsproto" and payload[:2] == struct.pack("!H", 1014)
        inside = theirs.said == "incomplete fragmented message"
        return opcode == CLOSE and ours.code is None and (code_1014 or inside)
    # The frame, or with wsproto the header, is not complete.
    waiting = not more and ours.code == 1002 and theirs.code is None
    if peer == "wsproto":
        return waiting
    return (
        waiting
        or "fewest bytes" in ours.said
        or ("UTF-8 at" in ours.said and all(opcode >= CLOSE for opcode, _ in more))
        or ("must not be sent" in ours.said and not more and theirs.code == 1007)
    )


@st.composite
def noise(draw):
    """A valid stream of which some bits are wrong, or no stream at all."""
    stream = bytearray(draw(st.one_of(streams(PLAIN), st.binary(max_size=30))))
    stream += draw(st.one_of(st.just(b""), closes))
    flips = draw(st.lists(st.tuples(st.integers(0), st.integers(0, 7)), max_size=3))
    for place, bit in flips if stream else ():
        stream[place % len(stream)] ^= 1 << bit
    return bytes(stream)


@given(noise(), cuts)
@example(b"\x81\x7e\x00\x05Hello", [])
@example(b"\x88\x02\x03\xf6", [])
@pytest.mark.parametrize("peer", PEERS)
def test_noise(peer, stream, marks):
    ours = wsclient(cut(stream, marks))
    theirs = PEERS[peer](cut(stream, marks))
    assert verdict(ours) == verdict(theirs) or explained(peer, ours, theirs), (ours, theirs)


def inflate(payload):
    """The message of a compressed payload by Python's zlib; None if it has an error."""
    message, data = b"", payload + TAIL
    decompress = zlib.decompressobj(-15)
    while data:
        try:
            message += decompress.decompress(data)
        except zlib.error:
            return None
        data = decompress.unused_data
        # RFC 7692 §7.2.3.4: behind BFINAL, more blocks may follow; but the tail is none.
        decompress = zlib.decompressobj(-15)
        if data == TAIL:
            return message
    return message


@st.composite
def payloads(draw):
    """Noise, or a compressed message of which some bits are wrong."""
    payload = bytearray(draw(st.binary(max_size=40)))
    if draw(st.booleans()):
        level = draw(st.integers(0, 9))
        deflate = zlib.compressobj(level, zlib.DEFLATED, -15)
        message = draw(st.lists(st.binary(max_size=60), max_size=4).map(b"ab".join)) * 3
        final = draw(st.sampled_from([zlib.Z_SYNC_FLUSH, zlib.Z_FINISH]))
        payload = bytearray(deflate.compress(message) + deflate.flush(final))
    flips = draw(st.lists(st.tuples(st.integers(0), st.integers(0, 7)), max_size=3))
    for place, bit in flips if payload else ():
        payload[place % len(payload)] ^= 1 << bit
    return bytes(payload)


@given(payloads(), cuts)
@example(b"", [])
@example(b"\x00", [])
def test_decompressing_is_the_same_to_zlib(payload, marks):
    ours = wsclient(cut(frame(BINARY, payload, rsv=RSV1), marks), DEFLATE)
    expected = inflate(payload) if payload else b""
    if expected is None:
        assert verdict(ours) == ([], 1007)
    else:
        assert verdict(ours) == ([(BINARY, expected)], None)
