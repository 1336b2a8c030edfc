"""`framing.MessageParser`: the client's reading side without I/O."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import BINARY, CLOSE, PING, PONG, TEXT, frame

from wsclient import WebSocketError, framing

CONTINUATION = 0
MAX = 4 * 1024 * 1024

controls = st.tuples(st.sampled_from([PING, PONG]), st.binary(max_size=125))


@st.composite
def fragmented(draw):
    """A message in fragments with control frames between: its frames, and what they mean."""
    text = draw(st.booleans())
    payload = draw(st.text(max_size=200)).encode() if text else draw(st.binary(max_size=200))
    cuts = sorted(draw(st.lists(st.integers(0, len(payload)), max_size=4)))
    pieces = list(itertools.pairwise([0, *cuts, len(payload)]))
    opcode = TEXT if text else BINARY
    wire, meaning = [], []
    for number, (start, end) in enumerate(pieces):
        last = number == len(pieces) - 1
        piece = payload[start:end]
        wire.append(frame(opcode if number == 0 else CONTINUATION, piece, fin=last))
        if last:
            meaning.append((opcode, payload))
        for control in draw(st.lists(controls, max_size=2)):
            wire.append(frame(*control))
            meaning.append(control)
    return b"".join(wire), meaning


@given(st.lists(fragmented(), max_size=4), st.lists(st.integers(0, 2000), max_size=10))
def test_any_stream_cut_anywhere(messages, cuts):
    stream = b"".join(wire for wire, _ in messages)
    cuts = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    parser = framing.MessageParser()
    received = []
    for start, end in itertools.pairwise(cuts):
        received += parser.feed(stream[start:end])
    assert received == [item for _, meaning in messages for item in meaning]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 1_000_000])
def test_sizes(size):
    stream = frame(BINARY, bytes(size)) + frame(TEXT, b"a" * size)
    assert framing.MessageParser().feed(stream) == [(BINARY, bytes(size)), (TEXT, b"a" * size)]


def test_nothing_is_read_after_a_close_frame():
    parser = framing.MessageParser()
    close = framing.encode_close(1000, "bye")
    assert parser.feed(frame(CLOSE, close) + frame(TEXT, b"late")) == [(CLOSE, close)]
    assert parser.feed(frame(TEXT, b"later") + b"\x83") == []


@pytest.mark.parametrize(
    ("bad", "code", "text"),
    [
        (b"\xc1", 1002, "reserved bits 100 set"),
        (b"\x83\x00", 1002, "reserved opcode 0x3"),
        (b"\x81\x80", 1002, "masked frame from a server"),
        (b"\x09\x00", 1002, "fragmented ping frame"),
        (b"\x8a\x7e", 1002, "pong frame with a payload over 125 bytes"),
        (b"\x80\x00", 1002, "continuation frame, but no message was begun"),
        (b"\x01\x00\x82\x00", 1002, "binary frame inside a fragmented message"),
        (b"\x88\x01\x03", 1002, "close frame with a payload of 1 byte"),
        (b"\x88\x02\x03\xed", 1002, "close code 1005 must not be sent"),
        (b"\x81\x7e\x00\x7d", 1002, "not encoded in the fewest bytes"),
        (b"\x81\x7f\x80" + bytes(7), 1002, "most significant bit set"),
        (b"\x81\x05ab\xff", 1007, "text is not UTF-8 at byte 2"),
        (b"\x81\x01\xe2", 1007, "text is not UTF-8"),
        (b"\x88\x03\x03\xe8\xff", 1007, "close reason is not UTF-8"),
    ],
)
def test_violations(bad, code, text):
    parser = framing.MessageParser()
    assert parser.feed(frame(TEXT, b"good") + bad) == [(TEXT, b"good")]
    for _ in range(2):
        with pytest.raises(WebSocketError, match=text) as caught:
            parser.feed(frame(TEXT, b"late"))
        assert caught.value.code == code

    at_once = framing.MessageParser()
    with pytest.raises(WebSocketError, match=text):
        at_once.feed(bad)


@pytest.mark.parametrize("limit", [1, 126, MAX])
def test_the_largest_message(limit):
    options = {} if limit == MAX else {"max_size": limit}
    parser = framing.MessageParser(**options)
    assert parser.feed(frame(BINARY, bytes(limit))) == [(BINARY, bytes(limit))]
    header = frame(BINARY, bytes(limit + 1))[: -limit - 1]
    with pytest.raises(WebSocketError, match=f"exceeds the limit of {limit} bytes") as caught:
        parser.feed(header)
    assert caught.value.code == 1009


def test_the_limit_holds_for_all_fragments_together():
    parser = framing.MessageParser(max_size=3)
    whole = frame(TEXT, b"ab", fin=False) + frame(PING, b"not counted") + frame(CONTINUATION, b"c")
    assert parser.feed(whole) == [(PING, b"not counted"), (TEXT, b"abc")]
    assert parser.feed(frame(TEXT, b"ab", fin=False)) == []
    with pytest.raises(WebSocketError, match="exceeds the limit of 3 bytes"):
        parser.feed(frame(CONTINUATION, b"cd")[:2])


def test_a_limit_of_zero_is_none():
    message = bytes(MAX + 1)
    parser = framing.MessageParser(max_size=0)
    assert parser.feed(frame(BINARY, message)) == [(BINARY, message)]
