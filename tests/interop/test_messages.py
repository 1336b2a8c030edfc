"""Messages of all kinds and sizes, to real servers and back."""

import pytest

from wsclient import MsgType

MEBIBYTE = 1024 * 1024
SIZES = [0, 125, 126, 65535, 65536, 16 * MEBIBYTE]

KINDS = {
    "ascii": lambda size: "wxyz"[: size % 4] + "abcd" * (size // 4),
    "text": lambda size: "x" * (size % 3) + "\u20ac" * (size // 3),
    "binary": lambda size: bytes(range(256)) * (size // 256) + b"\x00" * (size % 256),
}


def encoded(message):
    return message.encode() if isinstance(message, str) else message


def differ(received, sent):
    """Whether two messages differ; no assertion, whose report would spell them out."""
    return type(received) is not type(sent) or received != sent


@pytest.mark.parametrize("kind", KINDS)
async def test_echo_of_each_size(link, kind):
    async def script(peer):
        for size in SIZES:
            message = await peer.receive()
            assert len(encoded(message)) == size
            await peer.send(message)

    async with link(script, max_msg_size=0) as ws:
        for size in SIZES:
            sent = KINDS[kind](size)
            await (ws.send_bytes(sent) if kind == "binary" else ws.send_str(sent))
            message = await ws.receive()
            assert message.tp is (MsgType.binary if kind == "binary" else MsgType.text)
            assert not differ(message.data, sent), size


@pytest.mark.parametrize(
    "parts",
    [
        [b"a", b"b", b"c"],
        [b"", b"\xe2", b"", b"\x82\xac", b""],
        [b"x"] * 1000,
        ["\u20ac\U0001f600".encode() * MEBIBYTE],
        ["\U0001f600".encode() * 125, "\u20ac".encode() * 65536, b"end"],
    ],
    ids=["three", "inside-a-character", "many", "one", "growing"],
)
@pytest.mark.parametrize("text", [True, False], ids=["text", "binary"])
async def test_fragments(link, parts, text):
    async def script(peer):
        await peer.send_fragments(*parts, text=text)
        await peer.send("behind")
        assert await peer.receive() == "done"

    async with link(script, max_msg_size=0) as ws:
        whole = b"".join(parts)
        message = await ws.receive()
        assert message.tp is (MsgType.text if text else MsgType.binary)
        assert not differ(message.data, whole.decode() if text else whole)
        assert (await ws.receive()).data == "behind"
        await ws.send_str("done")


async def test_all_kinds_of_bytes(link):
    async def script(peer):
        for _ in range(3):
            await peer.send(await peer.receive())

    async with link(script) as ws:
        sent = bytes(range(256))
        for data in (sent, bytearray(sent), memoryview(sent)):
            await ws.send_bytes(data)
            assert await ws.receive_bytes() == sent


async def test_json(link):
    async def script(peer):
        await peer.send(await peer.receive())

    async with link(script) as ws:
        await ws.send_json({"price": 1.5, "pair": "\u20ac/\u00a5"})
        assert await ws.receive_json() == {"price": 1.5, "pair": "\u20ac/\u00a5"}


async def test_text_as_bytes(link):
    async def script(peer):
        await peer.send("\u20ac")
        await peer.receive()

    async with link(script, decode_text=False) as ws:
        assert await ws.receive() == (MsgType.text, "\u20ac".encode(), "")
        await ws.send_str("done")


@pytest.mark.parametrize("payload", [b"", b"p", bytes(range(125))], ids=len)
async def test_ping_from_the_server(link, payload):
    """It is answered though nobody receives, and nobody sees it."""

    async def script(peer):
        await peer.ping(payload)
        await peer.send("answered")
        assert await peer.receive() == "done"

    async with link(script) as ws:
        assert await ws.receive() == (MsgType.text, "answered", "")
        await ws.send_str("done")


async def test_ping_from_the_client(link):
    async def script(peer):
        assert await peer.receive() == "after the ping"
        await peer.send("after the pong")
        assert await peer.receive() == "done"

    async with link(script) as ws:
        assert ws.latency is None
        await ws.ping("alive?")
        await ws.send_str("after the ping")
        assert await ws.receive() == (MsgType.text, "after the pong", "")
        assert ws.latency > 0
        await ws.send_str("done")


async def test_pings_by_hand(link):
    async def script(peer):
        assert await peer.receive() == "go"
        await peer.ping(b"server's")
        assert await peer.receive() == "done"

    async with link(script, autoping=False) as ws:
        await ws.ping(b"client's")
        await ws.send_str("go")
        assert await ws.receive() == (MsgType.pong, b"client's", "")
        assert await ws.receive() == (MsgType.ping, b"server's", "")
        await ws.pong(b"server's")
        await ws.send_str("done")
