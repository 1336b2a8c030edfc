"""Servers that misuse permessage-deflate: in the handshake, in frames, in what they compress."""

import struct
import zlib

import pytest
from tests.conftest import BINARY, CLOSE, PING, PONG, TEXT, frame

from wsclient import MsgType, PerMessageDeflate, WebSocketError, ws_connect
from wsclient.exceptions import WSServerHandshakeError

from .violations import CONTINUATION, FIN, INVALID_TEXT, LIMIT, PROTOCOL_ERROR, TOO_BIG, header

ACCEPTED = "permessage-deflate"
RSV1, RSV1_BIT = 4, 0x40
HELLO = b"\xf2\x48\xcd\xc9\xc9\x07\x00"  # RFC 7692 §7.2.3.1
HELLO_AGAIN = b"\xf2\x00\x11\x00\x00"  # §7.2.3.2
NOT_DEFLATE = "compressed message is not valid DEFLATE data"


def compressed(message):
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    payload = deflate.compress(message) + deflate.flush(zlib.Z_SYNC_FLUSH)
    return payload.removesuffix(b"\x00\x00\xff\xff")


def refusing(*frames):
    """A script that sends frames, and returns when the client has answered by a close frame."""
    seen = []

    async def script(wire):
        await wire.send(*frames)
        while (received := await wire.receive()).opcode != CLOSE:
            assert received.opcode == PONG
        seen.append(received.payload)
        wire.transport.write_eof()
        await wire.end()

    return script, seen


async def refused(scripted, *frames, extensions=ACCEPTED, compress=15):
    """Let the client read frames that break the protocol, behind one that does not."""
    script, seen = refusing(frame(TEXT, b"before"), *frames)
    url = await scripted(script, extensions=extensions)
    ws = await ws_connect(url, compress=compress, max_msg_size=LIMIT)
    assert await ws.receive() == (MsgType.text, "before", "")
    kind, error, _ = await ws.receive()
    assert (kind, type(error)) == (MsgType.error, WebSocketError)
    assert await ws.receive() == (MsgType.closed, error.code, str(error))
    await ws.close()
    assert seen == [struct.pack("!H", error.code) + str(error).encode()]
    return error


@pytest.mark.parametrize("offered", [0, 15], ids=["not-offered", "declined"])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
async def test_cve_2026_59881_rsv1_that_was_not_negotiated(scripted, offered, opcode):
    """It is refused by its first byte; nothing is decompressed."""
    bomb = bytes([FIN | RSV1_BIT | opcode])
    error = await refused(scripted, bomb, extensions=None, compress=offered)
    assert (error.code, "reserved bits 100 set" in str(error)) == (PROTOCOL_ERROR, True)


@pytest.mark.parametrize("first", [b"", frame(TEXT, HELLO, fin=False, rsv=RSV1)])
@pytest.mark.parametrize("opcode", [CONTINUATION, CLOSE, PING, PONG])
async def test_rsv1_where_no_message_begins(scripted, first, opcode):
    error = await refused(scripted, first, bytes([FIN | RSV1_BIT | opcode]))
    assert (error.code, "reserved bits 100 set" in str(error)) == (PROTOCOL_ERROR, True)


@pytest.mark.parametrize("rsv", [1, 2, 3, 5, 6, 7])
async def test_other_reserved_bits(scripted, rsv):
    error = await refused(scripted, bytes([FIN | rsv << 4 | TEXT]))
    assert (error.code, f"reserved bits {rsv:03b} set" in str(error)) == (PROTOCOL_ERROR, True)


async def test_a_compressed_message_inside_another(scripted):
    plain = frame(TEXT, b"a", fin=False)
    error = await refused(scripted, plain, frame(TEXT, HELLO, rsv=RSV1))
    assert error.code == PROTOCOL_ERROR
    assert "text frame inside a fragmented message" in str(error)


OVER = compressed(b"a" * (LIMIT + 1))
HUGE = compressed(bytes(1_000_000))


@pytest.mark.parametrize(
    "frames",
    [
        [frame(BINARY, OVER, rsv=RSV1)],
        [frame(TEXT, OVER, rsv=RSV1)],
        [frame(BINARY, HUGE, fin=False, rsv=RSV1)],
        [frame(BINARY, HUGE[:9], fin=False, rsv=RSV1), frame(CONTINUATION, HUGE[9:])],
        [frame(BINARY, b"", fin=False, rsv=RSV1), frame(PING), frame(CONTINUATION, OVER)],
    ],
    ids=["one-byte", "text", "first-fragment", "later-fragment", "after-an-empty-one"],
)
async def test_a_message_that_decompresses_past_the_limit(scripted, frames):
    error = await refused(scripted, *frames)
    assert error.code == TOO_BIG
    said = f"message of at least {LIMIT + 1} bytes exceeds the limit of {LIMIT} bytes"
    assert str(error) == said


async def test_cve_2026_54274_an_incomplete_frame_past_the_limit(scripted):
    """It is refused as soon as what is there of it is too much."""
    begun = header(FIN | RSV1_BIT | BINARY, 1 << 30) + HUGE
    assert (await refused(scripted, begun)).code == TOO_BIG


async def test_a_message_of_just_the_limit(scripted):
    stored = b"\x00" + struct.pack("<HH", LIMIT, LIMIT ^ 0xFFFF) + b"a" * LIMIT + b"\x00"
    assert len(stored) > LIMIT
    script, _ = refusing(
        frame(TEXT, stored, rsv=RSV1),
        frame(TEXT, compressed(b"a" * LIMIT), rsv=RSV1),
        frame(CLOSE, struct.pack("!H", 1000)),
    )
    ws = await ws_connect(
        await scripted(script, extensions=f"{ACCEPTED}; server_no_context_takeover"),
        compress=15,
        max_msg_size=LIMIT,
    )
    assert [(await ws.receive()).data for _ in range(3)] == ["a" * LIMIT, "a" * LIMIT, 1000]


@pytest.mark.parametrize(
    "frames",
    [
        [frame(TEXT, compressed(b"abc\xff"), rsv=RSV1)],
        [header(FIN | RSV1_BIT | TEXT, 90) + compressed(b"abc\xff and so on")],
        [frame(TEXT, compressed(b"abc\xc1" * 20), fin=False, rsv=RSV1)],
        [frame(TEXT, compressed(b"abc\xe2\x82"), rsv=RSV1)],
    ],
    ids=["whole", "before-the-frame-is-complete", "first-fragment", "half-a-character"],
)
async def test_text_that_is_not_utf8_when_decompressed(scripted, frames):
    error = await refused(scripted, *frames)
    assert (error.code, str(error)) == (INVALID_TEXT, "text is not UTF-8 at byte 3")


@pytest.mark.parametrize(
    "payload",
    [b"\x07", b"\x00\x05\x00\x05\x00", b"uncompressed", HELLO_AGAIN],
    ids=["block-type", "stored-length", "plain", "before-the-first"],
)
async def test_what_cannot_be_decompressed(scripted, payload):
    error = await refused(scripted, frame(BINARY, payload, rsv=RSV1))
    assert (error.code, str(error)) == (INVALID_TEXT, NOT_DEFLATE)


async def test_a_reference_to_an_earlier_message_that_was_ruled_out(scripted):
    script, _ = refusing(frame(TEXT, HELLO, rsv=RSV1), frame(TEXT, HELLO_AGAIN, rsv=RSV1))
    url = await scripted(script, extensions=f"{ACCEPTED}; server_no_context_takeover")
    ws = await ws_connect(url, compress=15)
    assert (await ws.receive()).data == "Hello"
    error = (await ws.receive()).data
    assert (error.code, str(error)) == (INVALID_TEXT, NOT_DEFLATE)
    await ws.close()


BAD_ANSWERS = {
    "not-offered": (0, ACCEPTED, "offered was nothing"),
    "another": (15, "x-webkit-deflate-frame", "extension 'x-webkit-deflate-frame', offered was"),
    "twice": (15, f"{ACCEPTED}, {ACCEPTED}", "more than once"),
    "unknown": (15, f"{ACCEPTED}; level=9", "an unknown parameter 'level'"),
    "duplicate": (15, f"{ACCEPTED}; server_max_window_bits=9; server_max_window_bits=9", "once"),
    "out-of-range": (15, f"{ACCEPTED}; server_max_window_bits=16", "'16' as server_max_window"),
    "no-value": (15, f"{ACCEPTED}; client_max_window_bits", "no value as client_max_window_bits"),
    "leading-zero": (15, f"{ACCEPTED}; client_max_window_bits=09", "'09' as client_max_window"),
    "more-than-offered": (10, f"{ACCEPTED}; server_max_window_bits=11", "11 as server_max_window"),
    "ignored": (10, ACCEPTED, "no server_max_window_bits, at most 10"),
    "hint-not-given": (
        PerMessageDeflate(client_max_window_bits=None),
        f"{ACCEPTED}; client_max_window_bits=10",
        "client_max_window_bits, which was not offered",
    ),
}


@pytest.mark.parametrize(("compress", "answer", "said"), BAD_ANSWERS.values(), ids=BAD_ANSWERS)
async def test_answers_that_fail_the_handshake(scripted, no_leak, compress, answer, said):
    async def script(wire):
        await wire.end()

    url = await scripted(script, extensions=answer)
    async with no_leak():
        with pytest.raises(WSServerHandshakeError, match="server's 101 has extension") as caught:
            await ws_connect(url, compress=compress)
    assert said in str(caught.value)
    assert caught.value.headers["Sec-WebSocket-Extensions"] == answer
    assert caught.value.status == 101
