"""What a client makes of a server that breaks the protocol, and of one that almost does."""

import asyncio
import struct

import pytest
from tests.conftest import BINARY, CLOSE, PING, PONG, TEXT, frame

from wsclient import Message, MsgType, WebSocketError, ws_connect
from wsclient.exceptions import ClientConnectionResetError

from .violations import (
    CONTINUATION,
    FIN,
    LIMIT,
    MASK,
    PROTOCOL_ERROR,
    Violation,
    fragment,
    violations,
)

RESERVED_OPCODE = bytes([FIN | 3, 0])

each = pytest.mark.parametrize(
    "violation", [pytest.param(Violation(*row), id=name) for name, *row in violations()]
)


class Server:
    """Sends some messages and a violation, and keeps the client's close frame.

    Attributes:
        closing: The payload of the close frame.
    """

    def __init__(self, *frames, behind=b""):
        self.closing = None
        self._frames = frames
        self._behind = behind

    async def play(self, wire):
        await wire.send(*self._frames, self._behind)
        while (received := await wire.receive()).opcode != CLOSE:
            assert received.opcode == PONG
        self.closing = received.payload
        # Without an answer: who fails a connection need not wait for one (§7.1.7).
        await wire.send(frame(TEXT, b"ignored"), frame(PING, b"ignored"))
        wire.transport.write_eof()
        assert await wire.receive() is None


BEFORE = [frame(TEXT, b"first"), fragment(BINARY, b"sec"), frame(CONTINUATION, b"ond")]
DELIVERED = [(MsgType.text, "first", ""), (MsgType.binary, b"second", "")]


@each
@pytest.mark.parametrize("behind", [b"", frame(TEXT, b"ignored")], ids=["", "more-behind"])
async def test_violation(scripted, no_leak, violation, behind):
    sent, code, said = violation
    server = Server(*BEFORE, sent, behind=behind)
    url = await scripted(server.play)
    async with no_leak():
        ws = await ws_connect(url, max_msg_size=LIMIT)
        assert [await ws.receive(), await ws.receive()] == DELIVERED
        kind, error, extra = await ws.receive()
        assert (kind, type(error), extra) == (MsgType.error, WebSocketError, "")
        assert error.code == code
        assert said in str(error)
        for send in (ws.send_str, ws.send_bytes, ws.ping, ws.pong):
            with pytest.raises(ClientConnectionResetError, match="cannot send"):
                send("x" if send == ws.send_str else b"x")
        for _ in range(3):
            assert await ws.receive() == Message(MsgType.closed, code, str(error))
        assert ws.exception() is error
        assert (ws.closed, ws.close_code, ws.close_reason) == (True, code, str(error))
        assert await ws.close() is False
    assert server.closing == struct.pack("!H", code) + str(error).encode()


@each
async def test_a_receive_that_waits_is_told(scripted, violation):
    async def script(wire):
        assert (await wire.receive()).payload == b"go"
        await server.play(wire)

    server = Server(violation.sent)
    async with ws_connect(await scripted(script), max_msg_size=LIMIT) as ws:
        waiting = asyncio.create_task(ws.receive())
        await ws.send_str("go")
        message = await waiting
        assert (message.tp, message.data.code) == (MsgType.error, violation.code)
        assert violation.said in str(message.data)
        assert (await ws.receive()).tp is MsgType.closed


async def test_messages_before_are_for_async_for_and_so_is_the_error(scripted):
    server = Server(*BEFORE, RESERVED_OPCODE)
    ws = await ws_connect(await scripted(server.play))
    kinds = [message.tp async for message in ws]
    assert kinds == [MsgType.text, MsgType.binary, MsgType.error]
    assert [message async for message in ws] == []


async def test_messages_before_are_in_one_batch_with_the_error(scripted):
    server = Server(*BEFORE, RESERVED_OPCODE)
    ws = await ws_connect(await scripted(server.play))
    batch = await ws.receive_many()
    assert [message.tp for message in batch] == [MsgType.text, MsgType.binary, MsgType.error]
    assert [message.tp for message in await ws.receive_many()] == [MsgType.closed]


ENDS = [RESERVED_OPCODE, frame(CLOSE, struct.pack("!H", 1000))]


@pytest.mark.parametrize("end", ENDS, ids=["violation", "close"])
@pytest.mark.parametrize("asked", [False, True], ids=["behind-the-handshake", "later"])
async def test_messages_before_the_end_can_be_answered(scripted, end, asked):
    """A bot that answers each message answers all, though the end is known already."""
    answers = []

    async def script(wire):
        if asked:
            assert (await wire.receive()).payload == b"go"
        await wire.send(*BEFORE, end)
        while (received := await wire.receive()).opcode != CLOSE:
            answers.append(received.payload)

    ws = await ws_connect(await scripted(script))
    answered = asyncio.create_task(answer_all(ws))
    if asked:
        await ws.send_str("go")
    await answered
    assert answers == [b"first", b"second"]


async def test_the_close_frame_comes_though_nobody_receives(scripted):
    async def script(wire):
        await wire.send(*BEFORE, RESERVED_OPCODE)
        closing.set_result((await wire.receive()).opcode)

    closing = asyncio.get_running_loop().create_future()
    ws = await ws_connect(await scripted(script))
    assert await closing == CLOSE
    assert [(await ws.receive()).tp for _ in range(2)] == [MsgType.text, MsgType.binary]
    assert await ws.close() is False


async def answer_all(ws):
    async for message in ws:
        if message.tp is MsgType.text:
            await ws.send_str(message.data)
        elif message.tp is MsgType.binary:
            await ws.send_bytes(message.data)


async def test_a_ping_before_is_answered_before_the_close_frame(scripted):
    frames = []

    async def script(wire):
        await wire.send(frame(PING, b"alive?"), RESERVED_OPCODE)
        while (received := await wire.receive()) is not None:
            frames.append((received.opcode, received.payload))
            if received.opcode == CLOSE:
                wire.transport.write_eof()

    ws = await ws_connect(await scripted(script))
    assert (await ws.receive()).tp is MsgType.error
    await ws.close()
    reason = str(ws.exception()).encode()
    assert frames == [(PONG, b"alive?"), (CLOSE, struct.pack("!H", PROTOCOL_ERROR) + reason)]


async def test_a_violation_while_closing(scripted):
    async def script(wire):
        assert (await wire.receive()).payload == struct.pack("!H", 1000)
        await wire.send(bytes([FIN | BINARY, MASK]))
        wire.transport.write_eof()
        assert await wire.receive() is None

    ws = await ws_connect(await scripted(script))
    assert await ws.close() is True
    assert isinstance(ws.exception(), WebSocketError)
    assert ws.close_code == PROTOCOL_ERROR
    assert await ws.receive() == (MsgType.closed, PROTOCOL_ERROR, str(ws.exception()))


async def test_closing_before_the_error_was_received(scripted):
    """The server is told what it did, whatever the user has to say."""
    server = Server(*BEFORE, RESERVED_OPCODE)
    ws = await ws_connect(await scripted(server.play))
    assert await ws.receive() == DELIVERED[0]
    await ws.close(code=4000)
    assert isinstance(ws.exception(), WebSocketError)
    assert server.closing[:2] == struct.pack("!H", PROTOCOL_ERROR)
    assert ws.close_code == PROTOCOL_ERROR


async def test_the_second_close_frame_of_a_server_is_ignored(scripted):
    async def script(wire):
        await wire.send(frame(CLOSE, struct.pack("!H", 1001)), frame(CLOSE, b"\x00"))
        assert (await wire.receive()).payload == struct.pack("!H", 1001)
        wire.transport.write_eof()
        assert await wire.receive() is None

    ws = await ws_connect(await scripted(script))
    assert await ws.receive() == (MsgType.closed, 1001, "")
    assert ws.exception() is None


@pytest.mark.parametrize("options", [{"autoclose": False}, {"autoping": False}])
async def test_options_change_nothing(scripted, options):
    server = Server(frame(TEXT, b"first"), frame(CLOSE, b"\x03"))
    ws = await ws_connect(await scripted(server.play), **options)
    assert [(await ws.receive()).tp for _ in range(3)] == [
        MsgType.text,
        MsgType.error,
        MsgType.closed,
    ]
    assert server.closing[:2] == struct.pack("!H", PROTOCOL_ERROR)


VALID_CODES = [1000, 1001, 1002, 1003, *range(1007, 1015), 3000, 3999, 4000, 4999]


@pytest.mark.parametrize("code", VALID_CODES)
async def test_close_codes_that_may_be_sent(scripted, code):
    async def script(wire):
        await wire.send(frame(CLOSE, struct.pack("!H", code) + "größer".encode()))
        assert (await wire.receive()).payload == struct.pack("!H", code)

    ws = await ws_connect(await scripted(script))
    assert await ws.receive() == (MsgType.closed, code, "größer")
    assert ws.exception() is None


@pytest.mark.parametrize(
    "parts",
    [[LIMIT], [60, 40], [1] * LIMIT, [0, 0, LIMIT, 0]],
    ids=["whole", "two", "many", "empty-ones"],
)
async def test_a_message_of_just_the_limit(scripted, parts):
    async def script(wire):
        opcodes = [BINARY] + [CONTINUATION] * len(parts)
        pairs = list(zip(opcodes, parts, strict=False))
        fragments = [fragment(opcode, bytes(size)) for opcode, size in pairs[:-1]]
        opcode, size = pairs[-1]
        await wire.send(*fragments, frame(opcode, bytes(size)), frame(CLOSE))
        await wire.receive()

    ws = await ws_connect(await scripted(script), max_msg_size=LIMIT)
    assert await ws.receive() == (MsgType.binary, bytes(LIMIT), "")
    assert await ws.receive() == (MsgType.closed, 1005, "")


async def test_no_limit_at_all(scripted):
    size = 5 * 1024 * 1024

    async def script(wire):
        await wire.send(frame(BINARY, bytes(size)), frame(CLOSE))
        await wire.receive()

    ws = await ws_connect(await scripted(script), max_msg_size=0)
    assert len((await ws.receive()).data) == size
    assert (await ws.receive()).data == 1005
