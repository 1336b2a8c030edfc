"""Connections that end badly: what arrived before is delivered before."""

import asyncio
import contextlib
import socket
import struct

import pytest
from tests.conftest import BINARY, CLOSE, TEXT, frame

from wsclient import (
    ClientConnectionResetError,
    MsgType,
    ServerDisconnectedError,
    ServerTimeoutError,
    WebSocketError,
)

from .linked import deliver, gone, linked

A, B = frame(TEXT, b"a"), frame(TEXT, b"b")
# More than an inbox holds, in messages of 1000 bytes.
MANY = 1000
MANY_FRAMES = b"".join(frame(BINARY, number.to_bytes(2, "big") * 500) for number in range(MANY))


async def receive_all(ws):
    """Receive up to the first `closed`."""
    messages = []
    while not messages or messages[-1].tp is not MsgType.closed:
        messages.append(await ws.receive())
    return messages


def check_many(messages):
    expected = [number.to_bytes(2, "big") * 500 for number in range(MANY)]
    assert [msg.data for msg in messages] == expected


@pytest.mark.parametrize("cut", [b"", b"\x81", b"\x81\x05abc", b"\x01\x01a", b"\x88\x02\x03"])
async def test_the_stream_ends_without_a_close_frame(scripted, cut):
    async with linked(scripted) as (ws, wire):
        await wire.send(A, B, cut)
        wire.transport.close()
        first, second, closed = await receive_all(ws)
        assert (first.data, second.data) == ("a", "b")
        assert closed == (MsgType.closed, 1006, "")
        assert type(ws.exception()) is ServerDisconnectedError
        assert (ws.close_code, ws.close_reason) == (1006, "")
        assert await ws.close() is False


async def test_the_stream_ends_while_the_server_takes_nothing(scripted):
    async with linked(scripted) as (ws, wire):
        while ws.buffered_amount < 1_000_000:
            ws.send_bytes(bytes(100_000))
        wire.transport.write_eof()
        assert await ws.receive() == (MsgType.closed, 1006, "")
        assert type(ws.exception()) is ServerDisconnectedError


async def test_the_stream_ends_while_this_side_closes(scripted):
    async with linked(scripted) as (ws, wire):
        close = asyncio.create_task(ws.close())
        assert (await wire.receive()).opcode == CLOSE
        wire.transport.close()
        assert await close is True
        assert type(ws.exception()) is ServerDisconnectedError
        assert await ws.receive() == (MsgType.closed, 1006, "")


async def test_the_server_resets_the_connection(scripted):
    async with linked(scripted) as (ws, wire):
        await deliver(wire, A)
        sock = wire.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wire.reset()
        await gone(ws)
        assert [msg.data for msg in await receive_all(ws)] == ["a", 1006]
        assert type(ws.exception()) is ClientConnectionResetError
        assert isinstance(ws.exception().__cause__, ConnectionResetError)
        with pytest.raises(ClientConnectionResetError, match="lost"):
            ws.send_str("late")


async def test_a_reset_after_the_closing_handshake_is_no_error(scripted):
    async with linked(scripted) as (ws, wire):
        await wire.send(frame(CLOSE, b"\x03\xe8"))
        assert (await wire.receive()).opcode == CLOSE
        sock = wire.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wire.reset()
        assert await ws.receive() == (MsgType.closed, 1000, "")
        assert ws.exception() is None


VIOLATIONS = [
    (b"\x83\x00", 1002),
    (b"\x80\x00", 1002),
    (b"\xc1\x00", 1002),
    (b"\x81\x81", 1002),
    (b"\x88\x01", 1002),
    (b"\x81\x01\xff", 1007),
    (b"\x82\x7e\x03\xe9", 1009),
]


@pytest.mark.parametrize(
    ("violation", "code", "waiting"),
    [(*VIOLATIONS[0], False), *((*violation, True) for violation in VIOLATIONS)],
)
async def test_the_server_breaks_the_protocol(scripted, violation, code, waiting):
    async with linked(scripted, max_msg_size=1000) as (ws, wire):
        task = asyncio.create_task(receive_all(ws)) if waiting else None
        await wire.send(A, B, violation, A)
        received = await wire.receive()
        assert (received.opcode, received.payload[:2]) == (CLOSE, code.to_bytes(2, "big"))
        wire.transport.close()
        await gone(ws)
        first, second, error, closed = await (task or receive_all(ws))
        assert (first.data, second.data) == ("a", "b")
        assert error.tp is MsgType.error
        assert type(error.data) is WebSocketError
        assert error.data.code == code
        assert error.data is ws.exception()
        assert (closed.tp, closed.data) == (MsgType.closed, code)
        assert ws.close_code == code
        assert await ws.receive() == closed
        assert await ws.close() is False
        with pytest.raises(ClientConnectionResetError):
            ws.send_str("late")


async def test_an_iteration_shows_the_error_and_ends(scripted):
    async with linked(scripted) as (ws, wire):
        await wire.send(A, b"\x83\x00")
        wire.transport.write_eof()
        assert [msg.tp async for msg in ws] == [MsgType.text, MsgType.error]


async def test_the_server_breaks_the_protocol_while_this_side_closes(scripted):
    async with linked(scripted) as (ws, wire):
        close = asyncio.create_task(ws.close())
        assert (await wire.receive()).opcode == CLOSE
        await wire.send(b"\x83\x00")
        wire.transport.close()
        assert await close is True
        assert type(ws.exception()) is WebSocketError
        assert (await ws.receive()).tp is MsgType.closed
        assert await wire.receive() is None


async def test_a_server_that_never_closes_tcp_after_its_fault(scripted):
    async with linked(scripted) as (ws, wire):
        await wire.send(b"\x83\x00")
        assert (await wire.receive()).opcode == CLOSE
        assert await wire.receive() is None
        await gone(ws)
        assert [msg.tp for msg in await receive_all(ws)] == [MsgType.error, MsgType.closed]


@pytest.mark.parametrize("end", [b"\x88\x02\x03\xe8", b"\x83\x00", b""])
async def test_closed_is_false_while_messages_are_left(scripted, end):
    async with linked(scripted) as (ws, wire):
        await wire.send(A, B, end)
        wire.transport.write_eof()
        await gone(ws)
        while True:
            assert not ws.closed
            msg = await ws.receive()
            if (msg.data == "b" and end != b"\x83\x00") or msg.tp is MsgType.error:
                break
        assert ws.closed


async def test_closed_is_true_after_close_although_messages_are_left(scripted):
    async with linked(scripted) as (ws, wire):
        await deliver(wire, A)
        server = asyncio.create_task(wire.answer_close())
        close = asyncio.create_task(ws.close())
        await server
        assert ws.closed
        wire.transport.close()
        await close
        assert (await ws.receive()).data == "a"


async def test_a_full_inbox_outlives_close(scripted):
    async with linked(scripted) as (ws, wire):
        ws._connection.feed(MANY_FRAMES)
        assert ws._connection.reading_paused

        async def answer():
            await wire.answer_close()
            wire.transport.close()

        server = asyncio.create_task(answer())
        assert await ws.close() is True
        await server
        assert ws.exception() is None
        *messages, closed = await receive_all(ws)
        check_many(messages)
        assert closed == (MsgType.closed, 1000, "")


async def test_closing_with_a_full_inbox_reads_on_to_the_servers_answer(scripted):
    async with linked(scripted) as (ws, wire):

        async def stream():
            await wire.send(*[MANY_FRAMES] * 20, frame(CLOSE, b"\x03\xe8"))
            wire.transport.close()

        server = asyncio.create_task(stream())
        while not ws._connection.reading_paused:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0)
        assert await ws.close() is True
        await server
        assert (ws.close_code, ws.exception()) == (1000, None)


async def lose(ws, wire):
    """Have the server drop the connection, and find out although reading is paused."""
    wire.reset()
    with contextlib.suppress(ClientConnectionResetError):
        while True:
            ws.send_bytes(b"")
            await asyncio.sleep(0)
    await gone(ws)


@pytest.mark.parametrize("how", ["lost", "aborted"])
async def test_a_full_inbox_outlives_the_connection(scripted, how):
    async with linked(scripted) as (ws, wire):
        ws._connection.feed(MANY_FRAMES)
        if how == "aborted":
            ws._connection.abort()
            await gone(ws)
        else:
            await lose(ws, wire)
        assert not ws.closed
        *messages, closed = await receive_all(ws)
        check_many(messages)
        assert closed == (MsgType.closed, 1006, "")
        assert ws.closed


async def test_nothing_leaves_after_an_abort(scripted):
    async with linked(scripted) as (ws, wire):
        ws._connection.abort()
        with contextlib.suppress(ClientConnectionResetError):
            ws.send_str("late")
        assert await wire.receive() is None


async def test_a_full_inbox_comes_before_the_error(scripted):
    async with linked(scripted) as (ws, _):
        ws._connection.feed(MANY_FRAMES)
        ws._connection.fail_with(ServerTimeoutError("dead"))
        await gone(ws)
        *messages, error, closed = await receive_all(ws)
        check_many(messages)
        assert error.data is ws.exception()
        assert str(error.data) == "dead"
        assert (closed.tp, closed.data) == (MsgType.closed, 1006)


@pytest.mark.parametrize("end", [b"\x88\x02\x0f\xa0", b"\x83\x00"])
async def test_a_full_inbox_hides_no_end(scripted, end):
    """What was read behind the messages counts although the connection is lost before its turn."""
    async with linked(scripted) as (ws, wire):
        ws._connection.feed(MANY_FRAMES + end)
        await lose(ws, wire)
        messages = await receive_all(ws)
        check_many(messages[:MANY])
        if end == b"\x83\x00":
            assert [msg.tp for msg in messages[MANY:]] == [MsgType.error, MsgType.closed]
            assert ws.close_code == 1002
        else:
            assert messages[MANY:] == [(MsgType.closed, 4000, "")]
