"""A server's stream, cut at each byte: what was whole before the cut arrives, and no more."""

import asyncio
import socket
import struct

import pytest
from tests.conftest import BINARY, CLOSE, PING, PONG, TEXT, frame

from wsclient import MsgType, ws_connect
from wsclient.exceptions import ClientConnectionResetError, ServerDisconnectedError

CONTINUATION = 0

TEXT_126 = "é" * 63
FRAMES = [
    (frame(TEXT, b"whole"), (MsgType.text, "whole", "")),
    (frame(BINARY, b"\x00fr", fin=False), None),
    (frame(PING, b"hi"), None),
    (frame(CONTINUATION, b"ag", fin=False), None),
    (frame(CONTINUATION, b"mented"), (MsgType.binary, b"\x00fragmented", "")),
    (frame(TEXT, TEXT_126.encode()), (MsgType.text, TEXT_126, "")),
    (frame(CLOSE, struct.pack("!H", 4000) + b"bye"), None),
]
STREAM = b"".join(sent for sent, _ in FRAMES)
PONGED = len(FRAMES[0][0] + FRAMES[1][0] + FRAMES[2][0])
CUTS = range(len(STREAM) + 1)


def messages(cut):
    """The messages that are whole after `cut` bytes."""
    found, end = [], 0
    for sent, message in FRAMES:
        end += len(sent)
        if message and end <= cut:
            found.append(message)
    return found


def closed(cut):
    code, reason = (4000, "bye") if cut == len(STREAM) else (1006, "")
    return MsgType.closed, code, reason


def replies(cut):
    """What the client sends by itself."""
    pong = [(PONG, b"hi")] if cut >= PONGED else []
    return pong + ([(CLOSE, struct.pack("!H", 4000))] if cut == len(STREAM) else [])


async def receive_all(ws):
    """All up to `closed`, which stays; then what became of the WebSocket."""
    received = []
    while (message := await ws.receive()).tp is not MsgType.closed:
        received.append(message)
    assert await ws.receive() == message
    assert (ws.closed, ws.close_code, ws.close_reason) == (True, message.data, message.extra)
    return received, message, ws.exception()


def is_lost(error, kind, cut):
    return error is None if cut == len(STREAM) else isinstance(error, kind)


class Cutter:
    """For each connection, sends the stream up to the next cut.

    Attributes:
        replies: What the client sent by itself, for each connection that has ended.
    """

    def __init__(self, asked):
        self.replies = asyncio.Queue()
        self._cuts = iter(CUTS)
        self._asked = asked

    async def play(self, wire):
        if self._asked:
            assert (await wire.receive()).payload == b"go"
        await wire.send(STREAM[: next(self._cuts)])
        wire.transport.write_eof()
        replied = []
        while (received := await wire.receive()) is not None:
            replied.append((received.opcode, received.payload))
        self.replies.put_nowait(replied)


@pytest.mark.parametrize("asked", [False, True], ids=["behind-the-handshake", "later"])
async def test_end_of_stream(scripted, no_leak, asked):
    cutter = Cutter(asked)
    url = await scripted(cutter.play)
    async with no_leak():
        for cut in CUTS:
            ws = await ws_connect(url)
            if asked:
                await ws.send_str("go")
            received, end, error = await receive_all(ws)
            assert (cut, received, end) == (cut, messages(cut), closed(cut))
            assert is_lost(error, ServerDisconnectedError, cut), cut
            assert await ws.close() is False
            async with asyncio.timeout(10):
                assert (cut, await cutter.replies.get()) == (cut, replies(cut))


def reset(wire):
    """End the connection with RST instead of FIN."""
    sock = wire.transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.reset()


class Resetter:
    """For each connection, sends the stream up to the next cut, and resets when told to.

    Attributes:
        delivered: Set when the client has what it can have.
    """

    def __init__(self):
        self._cuts = iter(CUTS)
        self.delivered = asyncio.Event()

    async def play(self, wire):
        await wire.send(STREAM[: next(self._cuts)])
        await self.delivered.wait()
        self.delivered.clear()
        reset(wire)


async def test_reset(scripted, no_leak):
    resetter = Resetter()
    url = await scripted(resetter.play)
    async with no_leak():
        for cut in CUTS:
            ws = await ws_connect(url)
            received = [await ws.receive() for _ in messages(cut)]
            resetter.delivered.set()
            rest, end, error = await receive_all(ws)
            assert (cut, received + rest, end) == (cut, messages(cut), closed(cut))
            assert is_lost(error, ClientConnectionResetError, cut), cut
            if error is not None:
                assert isinstance(error.__cause__, ConnectionResetError)


async def test_a_reset_at_once_leaves_a_prefix(scripted):
    """What the client's kernel discards is not told apart from what was never sent."""
    resetter = Resetter()
    url = await scripted(resetter.play)
    for cut in CUTS:
        resetter.delivered.set()
        try:
            ws = await ws_connect(url)
        except ServerDisconnectedError:
            continue
        received, end, _ = await receive_all(ws)
        assert (cut, received) == (cut, messages(cut)[: len(received)])
        assert end in {closed(cut), closed(0)}


@pytest.mark.parametrize("end", ["eof", "reset"])
async def test_messages_that_nobody_has_received_outlive_the_connection(scripted, end):
    async def script(wire):
        await wire.send(STREAM[:-1])
        while (await wire.receive()).payload != b"hi":
            pass
        if end == "reset":
            reset(wire)

    whole = messages(len(STREAM))
    ws = await ws_connect(await scripted(script))
    async with asyncio.timeout(10):
        # Nothing wakes who does not receive.
        while ws.close_code is None:  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert not ws.closed
    received, last, error = await receive_all(ws)
    assert (received, last) == (whole, closed(0))
    assert is_lost(error, Exception, 0)


async def test_a_close_frame_is_answered_though_nothing_was_received_before_the_end(scripted):
    async def script(wire):
        await wire.send(STREAM)
        wire.transport.write_eof()
        replied = [await wire.receive(), await wire.receive()]
        ended.set_result([reply and (reply.opcode, reply.payload) for reply in replied])

    ended = asyncio.get_running_loop().create_future()
    ws = await ws_connect(await scripted(script))
    assert await ended == replies(len(STREAM))
    received, end, error = await receive_all(ws)
    assert (received, end, error) == (messages(len(STREAM)), closed(len(STREAM)), None)


async def test_nothing_can_be_sent_after_the_cut(scripted):
    async def script(wire):
        await wire.send(STREAM[:5])

    ws = await ws_connect(await scripted(script))
    assert await ws.receive() == closed(0)
    for send, data in ((ws.send_str, "x"), (ws.send_bytes, b"x"), (ws.ping, b"x")):
        with pytest.raises(ClientConnectionResetError, match="cannot send"):
            send(data)


async def test_async_for_ends_at_the_cut(scripted):
    async def script(wire):
        await wire.send(STREAM[:-1])

    ws = await ws_connect(await scripted(script))
    assert [message async for message in ws] == messages(len(STREAM))
    assert isinstance(ws.exception(), ServerDisconnectedError)


async def lead_client():
    """Let the client, which shares the loop, read what was sent so far."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_one_byte_at_a_time(scripted):
    async def script(wire):
        assert (await wire.receive()).payload == b"go"
        for at in range(len(STREAM)):
            await wire.send(STREAM[at : at + 1])
            await lead_client()
        replied.append(await wire.receive())
        replied.append(await wire.receive())

    replied = []
    ws = await ws_connect(await scripted(script))
    await ws.send_str("go")
    received, end, error = await receive_all(ws)
    assert (received, end, error) == (messages(len(STREAM)), closed(len(STREAM)), None)
    assert [(reply.opcode, reply.payload) for reply in replied] == replies(len(STREAM))


async def test_in_two_parts(scripted):
    async def script(wire):
        assert (await wire.receive()).payload == b"go"
        cut = next(cuts)
        await wire.send(STREAM[:cut])
        await lead_client()
        await wire.send(STREAM[cut:])
        assert (await wire.receive()).opcode == PONG
        assert (await wire.receive()).opcode == CLOSE

    cuts = iter(CUTS)
    url = await scripted(script)
    for cut in CUTS:
        ws = await ws_connect(url)
        await ws.send_str("go")
        received, end, error = await receive_all(ws)
        assert (cut, received) == (cut, messages(len(STREAM)))
        assert (cut, end, error) == (cut, closed(len(STREAM)), None)


async def test_messages_are_delivered_as_soon_as_they_are_whole(scripted):
    """Each message comes though the byte behind it has not been sent."""

    async def script(wire):
        at = 0
        for sent, message in FRAMES[:-1]:
            await wire.send(sent)
            at += len(sent)
            while message and (await wire.receive()).opcode == PONG:
                pass
        await wire.answer_close()

    async with ws_connect(await scripted(script)) as ws:
        for message in messages(len(STREAM)):
            assert await ws.receive() == message
            await ws.send_str("got it")
