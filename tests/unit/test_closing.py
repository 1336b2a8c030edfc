"""The closing handshake (RFC 6455 §7), from either side, with servers good and bad."""

import asyncio
import contextlib
import threading

import pytest
from tests.conftest import BINARY, CLOSE, PING, TEXT, frame

from wsclient import ClientConnectionResetError, MsgType, ServerTimeoutError, ws_connect

from .linked import deliver, gone, linked

A, B, C = frame(TEXT, b"a"), frame(TEXT, b"b"), frame(TEXT, b"c")
# (payload of the server's close frame, close code, close reason)
CLOSES = [
    (b"\x03\xe8", 1000, ""),
    (b"\x0f\xa0b\xc3\xbf\xc3\xbe", 4000, "b\xff\xfe"),
    (b"", 1005, ""),
]


async def answer(wire):
    """Be a good server: echo the client's close frame, then close TCP."""
    await wire.answer_close()
    wire.transport.close()


async def sent_by_client(wire):
    """All frames up to the end of the stream, as (opcode, payload)."""
    frames = []
    while (received := await wire.receive()) is not None:
        frames.append((received.opcode, received.payload))
    return frames


async def sent_by_client_to_close(wire):
    """All frames up to the close frame."""
    frames = []
    while not frames or frames[-1][0] != CLOSE:
        received = await wire.receive()
        frames.append((received.opcode, received.payload))
    return frames


@pytest.mark.parametrize(("payload", "code", "reason"), CLOSES)
async def test_the_server_closes(scripted, payload, code, reason):
    async with linked(scripted) as (ws, wire):
        task = asyncio.create_task(ws.receive())
        await wire.send(A, frame(CLOSE, payload), B)
        assert (await task).data == "a"
        task = asyncio.create_task(ws.receive())
        reply = await wire.receive()
        assert (reply.opcode, reply.payload) == (CLOSE, payload[:2])
        wire.transport.close()
        assert await task == (MsgType.closed, code, reason)
        for _ in range(3):
            assert await ws.receive() == (MsgType.closed, code, reason)
        assert ws.receive_nowait() == (MsgType.closed, code, reason)
        assert (ws.closed, ws.close_code, ws.close_reason) == (True, code, reason)
        assert ws.exception() is None
        assert await ws.close() is False
        with pytest.raises(ClientConnectionResetError, match=str(code)):
            ws.send_str("late")


async def test_messages_before_the_servers_close_can_be_answered(scripted):
    async with linked(scripted) as (ws, wire):
        await wire.send(A, B, frame(CLOSE, b"\x03\xe8"))
        for _ in range(2):
            await ws.send_str(2 * (await ws.receive_str()))
        server = asyncio.create_task(sent_by_client_to_close(wire))
        task = asyncio.create_task(ws.receive())
        assert await server == [(TEXT, b"aa"), (TEXT, b"bb"), (CLOSE, b"\x03\xe8")]
        wire.transport.close()
        assert await task == (MsgType.closed, 1000, "")


async def test_the_servers_close_is_answered_whether_or_not_anyone_receives(scripted):
    async with linked(scripted) as (ws, wire):
        await wire.send(A, frame(CLOSE, b"\x03\xe9"))
        assert await wire.receive() is not None
        wire.transport.close()
        await gone(ws)
        assert [msg.data async for msg in ws] == ["a"]
        assert ws.close_code == 1001


@pytest.mark.parametrize(("payload", "code", "reason"), CLOSES)
async def test_without_autoclose_closing_is_the_users(scripted, payload, code, reason):
    async with linked(scripted, autoclose=False) as (ws, wire):
        await wire.send(frame(CLOSE, payload))
        assert await ws.receive() == (MsgType.close, code, reason)
        assert ws.close_code == code
        # RFC 6455 §5.5.1: not after one's own close frame, but after the peer's.
        await ws.send_str("late")
        assert (await wire.receive()).payload == b"late"
        close = asyncio.create_task(ws.close(code=4001, message="mine"))
        reply = await wire.receive()
        assert (reply.opcode, reply.payload) == (CLOSE, b"\x0f\xa1mine")
        wire.transport.close()
        assert await close is True
        assert await ws.receive() == (MsgType.closed, code, reason)


async def test_this_side_closes(scripted):
    async with linked(scripted) as (ws, wire):
        close = asyncio.create_task(ws.close(code=4000, message="bye"))
        received = await wire.receive()
        assert (received.opcode, received.payload) == (CLOSE, b"\x0f\xa0bye")
        assert ws.closed
        assert ws.close_code is None
        with pytest.raises(ClientConnectionResetError, match=r"close\(\) was called"):
            ws.send_str("late")
        await wire.send(frame(CLOSE, b"\x0f\xa1ok"))
        wire.transport.close()
        assert await close is True
        assert await ws.close() is False
        assert (ws.close_code, ws.close_reason, ws.exception()) == (4001, "ok", None)
        assert await ws.receive() == (MsgType.closed, 4001, "ok")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"code": 1005}, "must not be sent"),
        ({"code": 999}, "must not be sent"),
        ({"message": "x" * 124}, "at most 123"),
        ({"message": b"\xff"}, "not UTF-8"),
    ],
)
async def test_a_close_that_cannot_be_sent_leaves_the_connection_open(scripted, arguments, error):
    async with linked(scripted) as (ws, wire):
        with pytest.raises(ValueError, match=error):
            await ws.close(**arguments)
        assert not ws.closed
        ws.send_str("open")
        assert (await wire.receive()).payload == b"open"


async def test_a_waiting_reader_is_told(scripted):
    async with linked(scripted) as (ws, wire):
        task = asyncio.create_task(ws.receive())
        await asyncio.sleep(0)
        server = asyncio.create_task(answer(wire))
        close = asyncio.create_task(ws.close())
        assert await task == (MsgType.closing, None, "")
        assert await ws.receive() == (MsgType.closed, 1000, "")
        assert await close is True
        await server


async def test_an_iteration_ends(scripted):
    async with linked(scripted) as (ws, wire):

        async def read():
            return [msg.data async for msg in ws]

        task = asyncio.create_task(read())
        await deliver(wire, A)
        server = asyncio.create_task(answer(wire))
        await ws.close()
        assert await task == ["a"]
        await server


async def test_a_reader_that_has_a_message_gets_that(scripted):
    async with linked(scripted) as (ws, wire):
        task = asyncio.create_task(ws.receive())
        await asyncio.sleep(0)
        ws._connection.feed(A)
        server = asyncio.create_task(answer(wire))
        await ws.close()
        assert (await task).data == "a"
        assert (await ws.receive()).tp is MsgType.closed
        await server


async def test_what_arrived_before_is_kept_and_what_comes_after_is_dropped(scripted):
    async with linked(scripted) as (ws, wire):
        await deliver(wire, A, B)
        close = asyncio.create_task(ws.close())
        assert (await wire.receive()).opcode == CLOSE
        await wire.send(C, frame(CLOSE, b"\x03\xe8"))
        wire.transport.close()
        assert await close is True
        assert ws.closed
        assert [(await ws.receive()).data for _ in range(3)] == ["a", "b", 1000]


async def test_pings_that_come_after_are_dropped_too(scripted):
    async with linked(scripted, autoping=False) as (ws, wire):
        close = asyncio.create_task(ws.close())
        assert (await wire.receive()).opcode == CLOSE
        await wire.send(*[frame(PING, bytes(125))] * 10_000, frame(CLOSE, b"\x03\xe8"))
        wire.transport.close()
        assert await close is True
        assert ws.exception() is None
        assert await ws.receive() == (MsgType.closed, 1000, "")


async def test_a_server_that_streams_on_before_it_answers(scripted):
    async with linked(scripted) as (ws, wire):
        close = asyncio.create_task(ws.close())
        assert (await wire.receive()).opcode == CLOSE
        for _ in range(100):
            await wire.send(frame(BINARY, bytes(100_000)))
        await wire.send(frame(CLOSE, b"\x03\xe8"))
        wire.transport.close()
        assert await close is True
        assert ws.exception() is None
        assert await ws.receive() == (MsgType.closed, 1000, "")


async def test_a_server_that_never_answers(scripted):
    async with linked(scripted, timeout=0.05) as (ws, wire):
        assert await ws.close() is True
        assert isinstance(ws.exception(), ServerTimeoutError)
        assert isinstance(ws.exception(), TimeoutError)
        assert await ws.receive() == (MsgType.closed, 1006, "")
        assert await sent_by_client(wire) == [(CLOSE, b"\x03\xe8")]


async def test_a_server_that_streams_for_ever(scripted):
    async with linked(scripted, timeout=0.05) as (ws, wire):

        async def stream():
            while True:
                await wire.send(frame(BINARY, bytes(10_000)), frame(PING, b"?"))
                await asyncio.sleep(0)

        server = asyncio.create_task(stream())
        await ws.receive()
        assert await ws.close() is True
        assert isinstance(ws.exception(), ServerTimeoutError)
        with pytest.raises(ConnectionError):
            await server


async def test_a_server_that_never_reads(scripted):
    async with linked(scripted, timeout=0.05) as (ws, _):
        while ws.buffered_amount < 1_000_000:
            ws.send_bytes(bytes(100_000))
        assert await ws.close() is True
        assert isinstance(ws.exception(), ServerTimeoutError)
        assert ws._connection.lost
        assert ws.buffered_amount == 0


@pytest.mark.parametrize("timeout", [0.05, 10])
async def test_a_server_that_never_closes_tcp(scripted, timeout):
    async with linked(scripted, timeout=timeout) as (ws, wire):
        server = asyncio.create_task(wire.answer_close())
        assert await ws.close() is True
        await server
        assert ws._connection.lost
        assert (ws.close_code, ws.exception()) == (1000, None)
        assert await wire.receive() is None


async def test_a_server_that_never_closes_tcp_after_its_own_close(scripted):
    async with linked(scripted) as (ws, wire):
        await wire.send(frame(CLOSE, b"\x03\xe8"))
        assert await ws.receive() == (MsgType.closed, 1000, "")
        assert ws.exception() is None
        assert await sent_by_client(wire) == [(CLOSE, b"\x03\xe8")]


async def test_only_the_first_of_several_closes_counts(scripted):
    async with linked(scripted) as (ws, wire):
        closes = asyncio.gather(ws.close(code=4000), ws.close(code=4001), ws.close(code=4002))
        await answer(wire)
        assert await closes == [True, False, False]
        assert await sent_by_client(wire) == []
        assert ws.close_code == 4000


async def test_both_sides_close_at_once(scripted):
    async with linked(scripted) as (ws, wire):
        close = asyncio.create_task(ws.close(code=4000))
        await asyncio.sleep(0)
        await wire.send(frame(CLOSE, b"\x0f\xa1"))
        assert await sent_by_client_to_close(wire) == [(CLOSE, b"\x0f\xa0")]
        wire.transport.close()
        assert await close is True
        assert ws.close_code == 4001


async def test_a_cancelled_close_drops_the_connection(scripted):
    async with linked(scripted) as (ws, wire):
        close = asyncio.create_task(ws.close())
        assert (await wire.receive()).opcode == CLOSE
        close.cancel()
        with pytest.raises(asyncio.CancelledError):
            await close
        assert await wire.receive() is None
        await gone(ws)
        assert await ws.close() is False
        assert await ws.receive() == (MsgType.closed, 1006, "")


def thrown(interrupt):
    return lambda close: close.throw(interrupt)


def drop_in_a_thread(close):
    thread = threading.Thread(target=close.close)
    thread.start()
    thread.join()


INTERRUPTS = {
    "KeyboardInterrupt": thrown(KeyboardInterrupt),
    "SystemExit": thrown(SystemExit),
    "dropped": lambda close: close.close(),
    "dropped in a thread": drop_in_a_thread,
}


@pytest.mark.parametrize("interrupt", INTERRUPTS.values(), ids=INTERRUPTS)
async def test_an_interrupted_close_drops_the_connection(scripted, interrupt):
    """As a cancelled one does: nobody would see to it that the end comes."""
    async with linked(scripted) as (ws, wire):
        close = ws.close()
        close.send(None)
        assert (await wire.receive()).opcode == CLOSE
        with contextlib.suppress(KeyboardInterrupt, SystemExit):
            interrupt(close)
        assert await wire.receive() is None
        await gone(ws)
        assert await ws.close() is False
        assert await ws.receive() == (MsgType.closed, 1006, "")


async def test_a_close_under_wait_for(scripted):
    async with linked(scripted) as (ws, wire):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ws.close(), 0.01)
        assert await sent_by_client(wire) == [(CLOSE, b"\x03\xe8")]
        await gone(ws)


async def test_async_with_closes_when_its_body_fails(scripted):
    closed = []

    async def script(wire):
        closed.extend(await sent_by_client_to_close(wire))
        await wire.send(frame(CLOSE, b"\x03\xe8"))

    with pytest.raises(LookupError):
        async with ws_connect(await scripted(script)) as ws:
            raise LookupError
    assert closed == [(CLOSE, b"\x03\xe8")]
    assert ws.closed
    assert ws.exception() is None


async def test_closing_reads_on_although_the_user_had_paused(scripted):
    async with linked(scripted) as (ws, wire):
        ws.pause_reading()
        server = asyncio.create_task(answer(wire))
        assert await ws.close() is True
        assert (ws.close_code, ws.exception()) == (1000, None)
        await server


async def test_closing_leaves_no_task_and_no_socket(scripted):
    before = asyncio.all_tasks()
    async with linked(scripted, heartbeat=10) as (ws, wire):
        sock = ws.get_extra_info("socket")
        assert sock.fileno() >= 0
        task = asyncio.create_task(ws.receive(timeout=10))
        server = asyncio.create_task(answer(wire))
        await asyncio.sleep(0)
        await ws.close()
        await asyncio.gather(task, server)
        assert sock.fileno() == -1
        here = asyncio.all_tasks() - before
    assert {task.get_coro().__name__ for task in here} <= {"play"}
