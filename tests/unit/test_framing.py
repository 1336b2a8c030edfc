"""`wsclient.framing` against naive references and against the `websockets` package."""

import array
import itertools
import re
import struct

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from websockets import frames as peer
from websockets.exceptions import PayloadTooBig, ProtocolError
from websockets.streams import StreamReader

from wsclient import WebSocketError, framing

DATA_OPCODES = (0, 1, 2)
CONTROL_OPCODES = (8, 9, 10)
OPCODES = DATA_OPCODES + CONTROL_OPCODES

keys = st.binary(min_size=4, max_size=4)
# Sizes around each border between the three encodings of a length (RFC 6455 §5.2).
payloads = st.binary(max_size=300) | st.sampled_from(
    [bytes(size) for size in (125, 126, 127, 65535, 65536)]
)


def naive_frame(opcode, payload, *, fin, rsv, key):
    first = fin << 7 | rsv << 4 | opcode
    masked = 0x80 if key is not None else 0
    if len(payload) < 126:
        header = struct.pack(">BB", first, masked | len(payload))
    elif len(payload) < 65536:
        header = struct.pack(">BBH", first, masked | 126, len(payload))
    else:
        header = struct.pack(">BBQ", first, masked | 127, len(payload))
    return header + (payload if key is None else key + naive_mask(payload, key))


def naive_mask(data, key):
    return bytes(byte ^ key[index % 4] for index, byte in enumerate(data))


def naive_is_utf8(data):
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def peer_parse(data, max_size=None):
    """What `websockets` reads from the start of `data`: a frame, and what is left."""
    reader = StreamReader()
    reader.feed_data(data)
    mask = bool(data[1] & 0x80)
    with pytest.raises(StopIteration) as done:
        next(peer.Frame.parse(reader.read_exact, mask=mask, max_size=max_size))
    return done.value.value, bytes(reader.buffer)


@st.composite
def frames(draw):
    opcode = draw(st.sampled_from(OPCODES))
    control = opcode in CONTROL_OPCODES
    return {
        "opcode": opcode,
        "payload": draw(st.binary(max_size=125) if control else payloads),
        "fin": control or draw(st.booleans()),
        "rsv": draw(st.integers(0, 7)),
        "key": draw(st.none() | keys),
    }


@given(frames(), st.binary(max_size=20))
def test_frames_are_what_they_should_be_and_parse_again(spec, rest):
    options = {"fin": spec["fin"], "rsv": spec["rsv"]}
    mask = False if spec["key"] is None else spec["key"]
    encoded = framing.encode_frame(spec["opcode"], spec["payload"], mask=mask, **options)
    assert encoded == naive_frame(**spec)
    parsed, size = framing.parse_frame(encoded + rest)
    assert size == len(encoded)
    assert (parsed.opcode, parsed.payload) == (spec["opcode"], spec["payload"])
    assert (parsed.fin, parsed.rsv) == (spec["fin"], spec["rsv"])
    assert parsed.masked is (spec["key"] is not None)


@given(frames(), st.binary(max_size=20))
def test_websockets_reads_the_frames(spec, rest):
    mask = spec["key"] is not None
    encoded = framing.encode_frame(spec["opcode"], spec["payload"], fin=spec["fin"], mask=mask)
    parsed, left = peer_parse(encoded + rest)
    assert left == rest
    assert (parsed.opcode, parsed.fin) == (spec["opcode"], spec["fin"])
    assert bytes(parsed.data) == spec["payload"]


@given(frames())
def test_frames_of_websockets_can_be_read(spec):
    made = peer.Frame(peer.Opcode(spec["opcode"]), spec["payload"], spec["fin"])
    encoded = made.serialize(mask=spec["key"] is not None)
    parsed, size = framing.parse_frame(encoded)
    assert size == len(encoded)
    assert (parsed.opcode, parsed.payload) == (spec["opcode"], spec["payload"])


@given(frames(), st.data())
def test_a_cut_frame_is_no_frame_yet(spec, data):
    encoded = naive_frame(**spec)
    cut = data.draw(st.integers(0, len(encoded) - 1))
    assert framing.parse_frame(encoded[:cut]) is None


def is_minimal(header):
    """Whether a length is encoded in the fewest bytes (RFC 6455 §5.2)."""
    match header[1] & 0x7F:
        case 126:
            return header[2:4] >= struct.pack(">H", 126)
        case 127:
            return header[2:10] >= struct.pack(">Q", 65536)
    return True


def outcome(parse, stream):
    """The frame at the start of a stream, or None if it is refused."""
    try:
        parsed, _ = parse(stream, max_size=1000)
    except (WebSocketError, ProtocolError, PayloadTooBig):
        return None
    payload = parsed.data if isinstance(parsed, peer.Frame) else parsed.payload
    return parsed.opcode, parsed.fin, bytes(payload)


@given(st.binary(min_size=2, max_size=20).map(lambda data: bytes([data[0] & 0x8F]) + data[1:]))
@example(b"\x81\x7f\x80")
@example(b"\x09\x00")
@example(b"\x89\x7e\x00\x7e")
@example(b"\x83\x00")
@example(b"\x82\xff\x00\x00\x00\x00\x00\x01\x00\x00")
def test_garbage_is_read_or_refused_as_websockets_does(garbage):
    """But for reserved bits, which a caller may want, and lengths that could be shorter."""
    stream = garbage + bytes(1010)
    assume(is_minimal(stream))
    assert outcome(framing.parse_frame, stream) == outcome(peer_parse, stream)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\x83\x00", "reserved opcode 0x3"),
        (b"\x8b\x00", "reserved opcode 0xb"),
        (b"\x09\x00", "fragmented ping frame"),
        (b"\x88\x7e", "close frame with a payload over 125 bytes"),
        (b"\x82\x7e\x00\x7d", "payload length 125 is not encoded in the fewest bytes"),
        (b"\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff", "not encoded in the fewest bytes"),
        (b"\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00", "most significant bit set"),
    ],
)
def test_bad_headers_are_refused(data, text):
    with pytest.raises(WebSocketError, match=text) as caught:
        framing.parse_frame(data)
    assert caught.value.code == 1002


@pytest.mark.parametrize("limit", [0, 1, 125, 126, 65536])
def test_the_largest_size_of_a_frame(limit):
    fits = naive_frame(2, bytes(limit), fin=True, rsv=0, key=None)
    assert framing.parse_frame(fits, max_size=limit)[0].payload == bytes(limit)
    header = naive_frame(2, bytes(limit + 1), fin=True, rsv=0, key=None)[: -limit - 1]
    assert framing.parse_frame(header) is None
    with pytest.raises(WebSocketError, match=f"exceeds the limit of {limit} bytes") as caught:
        framing.parse_frame(header, max_size=limit)
    assert caught.value.code == 1009


def test_a_frame_is_read_only_and_says_what_it_is():
    frame, _ = framing.parse_frame(b"\x42\x81\x00\x00\x00\x01\x00")
    assert repr(frame) == "Frame(opcode=2, payload=b'\\x00', fin=False, rsv=4, masked=True)"
    with pytest.raises(AttributeError):
        frame.opcode = 1


@pytest.mark.parametrize(
    ("arguments", "options", "text"),
    [
        ((3,), {}, "opcode 3 does not exist"),
        ((15,), {}, "opcode 15 does not exist"),
        ((-1,), {}, "opcode -1 does not exist"),
        ((256,), {}, "opcode 256 does not exist"),
        ((1,), {"rsv": 8}, "rsv is 8, expected 0 to 7"),
        ((1,), {"rsv": -1}, "rsv is -1, expected 0 to 7"),
        ((9,), {"fin": False}, "ping frame must have fin set"),
        ((8, bytes(126)), {}, "at most 125 bytes"),
        ((1,), {"mask": b"abc"}, "masking key is 3 bytes long, expected 4"),
        ((1,), {"mask": b""}, "masking key is 0 bytes long, expected 4"),
    ],
)
def test_frames_that_must_not_be_are_not_built(arguments, options, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        framing.encode_frame(*arguments, **options)


@pytest.mark.parametrize("payload", ["text", 1, [1], array.array("B", [1])])
def test_payloads_are_bytes(payload):
    for function in (
        lambda: framing.encode_frame(1, payload),
        lambda: framing.parse_frame(payload),
        lambda: framing.apply_mask(payload, b"abcd"),
        lambda: framing.is_utf8(payload),
        lambda: framing.Utf8Validator().feed(payload),
        lambda: framing.parse_close(payload),
        lambda: framing.MessageParser().feed(payload),
    ):
        with pytest.raises(TypeError, match="must be bytes, bytearray or memoryview"):
            function()


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_all_bytes_are_taken(kind):
    frame = framing.encode_frame(1, kind(b"hi"), mask=kind(b"\x00\x00\x00\x00"))
    assert frame == b"\x81\x82\x00\x00\x00\x00hi"
    assert framing.parse_frame(kind(frame))[0].payload == b"hi"
    assert framing.apply_mask(kind(b"hi"), kind(b"\x00\x01\x00\x00")) == b"hh"
    assert framing.is_utf8(kind(b"hi"))
    assert framing.Utf8Validator().feed(kind(b"hi"))
    assert framing.parse_close(kind(b"\x03\xe8hi")) == (1000, "hi")
    assert framing.MessageParser().feed(kind(b"\x81\x02hi")) == [(1, b"hi")]


def test_frames_are_masked_unless_told_otherwise():
    frames = [framing.encode_frame(2, bytes(4)) for _ in range(100)]
    assert all(frame[:2] == b"\x82\x84" for frame in frames)
    assert len({frame[2:6] for frame in frames}) > 95
    assert framing.encode_frame(2, b"", mask=True)[:2] == b"\x82\x80"
    assert framing.encode_frame(2) != framing.encode_frame(2, mask=False) == b"\x82\x00"


@given(st.binary(max_size=600), keys)
def test_masking(data, key):
    masked = framing.apply_mask(data, key)
    assert masked == naive_mask(data, key)
    assert framing.apply_mask(masked, key) == data


@given(st.binary(min_size=1, max_size=600), keys, st.integers(0, 16))
def test_masking_at_any_alignment(data, key, offset):
    view = memoryview(bytes(offset) + data)[offset:]
    assert framing.apply_mask(view, key) == naive_mask(data, key)


@pytest.mark.parametrize("key", [b"", b"abc", b"abcde"])
def test_a_masking_key_has_four_bytes(key):
    with pytest.raises(ValueError, match=f"masking key is {len(key)} bytes long, expected 4"):
        framing.apply_mask(b"data", key)


almost_text = st.binary(max_size=40) | st.builds(
    lambda text, junk, at: text.encode()[:at] + junk + text.encode()[at:],
    st.text(max_size=20),
    st.binary(max_size=3),
    st.integers(0, 40),
)


@given(almost_text)
@example(b"\xc0\x80")
@example(b"\xed\xa0\x80")
@example(b"\xf4\x90\x80\x80")
@example(b"\xf0\x80\x80\x80")
@example("a" * 64 + "\U0010ffff")
def test_utf8(data):
    data = data.encode() if isinstance(data, str) else data
    assert framing.is_utf8(data) is naive_is_utf8(data)


@given(almost_text, st.lists(st.integers(0, 50), max_size=8))
def test_utf8_in_pieces(data, cuts):
    cuts = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    validator = framing.Utf8Validator()
    good = all(validator.feed(data[start:end]) for start, end in itertools.pairwise(cuts))
    assert (good and validator.finish()) is naive_is_utf8(data)


def test_utf8_fails_at_the_first_byte_that_cannot_be_right():
    validator = framing.Utf8Validator()
    assert validator.feed(b"ab\xe2")
    assert not validator.finish()
    assert not validator.feed(b"\xff")
    assert not validator.feed(b"ab")
    assert not validator.finish()


codes = st.integers(1000, 1003) | st.integers(1007, 1014) | st.integers(3000, 4999)


@given(codes, st.text(max_size=123))
def test_close_payloads(code, reason):
    assume(len(reason.encode()) <= 123)
    payload = framing.encode_close(code, reason)
    assert payload == struct.pack(">H", code) + reason.encode()
    assert framing.parse_close(payload) == (code, reason)
    assert peer.Close.parse(payload) == peer.Close(code, reason)


@given(st.binary(max_size=125))
@example(b"")
def test_a_close_payload_is_read_as_websockets_reads_it(payload):
    try:
        expected = peer.Close.parse(payload)
    except (ProtocolError, UnicodeDecodeError):
        with pytest.raises(WebSocketError):
            framing.parse_close(payload)
    else:
        code, reason = framing.parse_close(payload)
        assert (code or 1005, reason) == (expected.code, expected.reason)


@pytest.mark.parametrize("code", [-1, 0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65536])
def test_close_codes_that_must_not_be_sent(code):
    with pytest.raises(ValueError, match=f"close code {code} must not be sent"):
        framing.encode_close(code)


def test_close_reasons_that_do_not_fit():
    assert len(framing.encode_close(1000, "é" * 61 + "a")) == 125
    with pytest.raises(ValueError, match="close reason is 124 bytes long, expected at most 123"):
        framing.encode_close(1000, "é" * 62)
    with pytest.raises(UnicodeEncodeError):
        framing.encode_close(1000, "\ud800")


@pytest.mark.parametrize(
    ("payload", "code", "text"),
    [
        (b"\x03", 1002, "payload of 1 byte"),
        (b"\x03\xed", 1002, "close code 1005 must not be sent"),
        (b"\x00\x00", 1002, "close code 0 must not be sent"),
        (b"\x03\xe8\xff", 1007, "close reason is not UTF-8"),
    ],
)
def test_bad_close_payloads_are_refused(payload, code, text):
    with pytest.raises(WebSocketError, match=text) as caught:
        framing.parse_close(payload)
    assert caught.value.code == code
