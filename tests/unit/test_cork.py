"""`cork`: what is sent in a block leaves together."""

import asyncio
import socket
import struct
import threading

import pytest
from tests.conftest import BINARY, CLOSE, PING, PONG, TEXT, frame

import wsclient.aiohttp
from wsclient import ClientConnectionResetError, testing, ws_connect
from wsclient.framing import encode_close

from .linked import gone, linked, threaded
from .segments import needs_segments, segments
from .test_backpressure import until
from .test_send_many import frames_of, numbered

PIECE = 64 * 1024


@needs_segments
async def test_what_is_sent_inside_leaves_at_the_end_in_one_write(scripted):
    async with linked(scripted) as (ws, wire):
        before = segments(ws)
        with ws.cork():
            for number in range(20):
                await ws.send_str(str(number))
            ws.send_bytes(b"b")
            ws.ping(b"ping")
            ws.send_many(["m", b"n"])
            ws.pong(b"pong")
            ws.send_json({"a": 1})
            assert segments(ws) == before
            assert ws.buffered_amount > 0
        assert ws.buffered_amount == 0
        expected = [(TEXT, str(number).encode()) for number in range(20)]
        expected += [(BINARY, b"b"), (PING, b"ping"), (TEXT, b"m"), (BINARY, b"n")]
        expected += [(PONG, b"pong"), (TEXT, b'{"a": 1}')]
        assert await frames_of(wire, len(expected)) == expected
        assert segments(ws) - before == 1
        assert ws.stats.frames_sent == len(expected)


@needs_segments
async def test_over_tls_it_is_one_record():
    async with (
        testing.serve(ssl=True) as server,
        ws_connect(server.url, ssl=server.ssl_context) as ws,
    ):
        await ws.send_str("before")
        await ws.receive()
        before = segments(ws)
        with ws.cork():
            for message in numbered(50, size=200):
                ws.send_bytes(message)
            assert segments(ws) == before
        received = [(await ws.receive(timeout=10)).data for _ in range(50)]
        assert received == numbered(50, size=200)
        assert segments(ws) - before == 1


async def test_no_more_than_a_piece_is_gathered(scripted):
    async with linked(scripted) as (ws, wire):
        with ws.cork():
            for message in numbered(300):
                ws.send_bytes(message)
                assert ws.buffered_amount <= PIECE
            assert await frames_of(wire, 64) == [(BINARY, m) for m in numbered(64)]


@pytest.mark.parametrize("size", [PIECE - 14, PIECE - 8, PIECE, 3 * PIECE, 3_000_000])
async def test_a_large_message_keeps_its_place(scripted, size):
    async with linked(scripted) as (ws, wire):
        with ws.cork():
            ws.send_str("a")
            ws.send_bytes(bytes(size))
            ws.send_str("b")
        received = await frames_of(wire, 3)
        assert received == [(TEXT, b"a"), (BINARY, bytes(size)), (TEXT, b"b")]


async def test_nobody_waits_for_the_answer_to_what_has_not_left(echo):
    async with ws_connect(echo) as ws:
        answers = asyncio.Queue()

        async def receive():
            async for message in ws:
                answers.put_nowait(message.data)

        with ws.cork():
            ws.send_str("a")
            assert (await ws.receive(timeout=10)).data == "a"
            ws.send_str("b")
            assert await ws.receive_str(timeout=10) == "b"
            task = asyncio.create_task(receive())
            ws.send_str("c")
            assert await asyncio.wait_for(answers.get(), 10) == "c"
            assert await asyncio.wait_for(ws.round_trip(), 10) > 0
        await ws.close()
        await task


async def test_the_loops_turn_writes_what_is_there(scripted):
    async with linked(scripted) as (ws, wire):
        with ws.cork():
            for number in range(3):
                ws.send_str(str(number))
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                assert ws.buffered_amount == 0
                assert await frames_of(wire, 1) == [(TEXT, b"%d" % number)]


@needs_segments
async def test_the_answers_to_a_burst_leave_when_the_task_sleeps(scripted):
    async with linked(scripted) as (ws, wire):

        async def answer():
            with ws.cork():
                async for message in ws:
                    await ws.send_str(message.data)

        task = asyncio.create_task(answer())
        await asyncio.sleep(0)
        before = segments(ws)
        await wire.send(*[frame(TEXT, b"%d" % number) for number in range(50)])
        assert await frames_of(wire, 50) == [(TEXT, b"%d" % number) for number in range(50)]
        assert segments(ws) - before == 1
        await wire.send(frame(CLOSE, encode_close(1000)))
        wire.reset()
        await task


@pytest.mark.parametrize("other", [False, True])
@pytest.mark.parametrize("tls", [False, True])
async def test_a_task_that_sleeps_waits_for_no_turn_of_the_loop(tls, other):
    """Also if it has sent on another connection than the one that woke it."""
    async with testing.serve(ssl=tls) as server:
        ssl = server.ssl_context if tls else None
        async with ws_connect(server.url, ssl=ssl) as ws, ws_connect(server.url, ssl=ssl) as second:
            to = second if other else ws
            left = []
            await ws.send_str("wake")
            with to.cork():
                assert await ws.receive_str(timeout=10) == "wake"
                asyncio.get_running_loop().call_soon(lambda: left.append(to.buffered_amount))
                to.send_str("a")
                to.send_str("b")
                assert to.buffered_amount > 0
                assert await to.receive_str(timeout=10) == "a"
                assert await to.receive_str(timeout=10) == "b"
            assert left == [0]


async def test_what_cannot_be_written_when_the_task_sleeps_ends_the_connection():
    def script(sock):
        sock.sendall(frame(TEXT, b"wake"))
        assert go_on.wait(10)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
        closed.set()

    go_on, closed = threading.Event(), threading.Event()
    with threaded(script) as url:
        ws = await ws_connect(url)
        assert await ws.receive_str(timeout=10) == "wake"
        with ws.cork():
            go_on.set()
            assert closed.wait(10)
            await ws.send_str("a")
            message = await ws.receive(timeout=10)
        assert (message.type, message.data) == (wsclient.WSMsgType.CLOSED, 1006)
        with pytest.raises(ClientConnectionResetError):
            ws.send_str("b")
        await gone(ws)


async def test_polling_busily_waits_for_no_answer_to_what_has_not_left():
    def script(sock):
        assert sock.recv(65536)
        sock.sendall(frame(TEXT, b"answer"))
        sock.recv(65536)

    with threaded(script) as url:
        ws = await ws_connect(url, busy_poll=1)
        turns = []
        with ws.cork():
            ws.send_str("a")
            asyncio.get_running_loop().call_soon(turns.append, "turn")
            assert (await ws.receive(timeout=10)).data == "answer"
            # Else the loop would have had its turn first, after a poll in vain.
            assert not turns
        ws._connection.abort()
        await gone(ws)


async def test_awaiting_room_inside(scripted):
    async with linked(scripted) as (ws, wire):

        async def send():
            with ws.cork():
                for message in numbered(30_000):
                    await ws.send_bytes(message)

        task = asyncio.create_task(send())
        await until(lambda: ws._connection.wait_writable() is not None)
        assert ws.buffered_amount < 1_000_000
        assert await frames_of(wire, 30_000) == [(BINARY, m) for m in numbered(30_000)]
        await task


async def test_another_tasks_sends_are_gathered_too(scripted):
    async with linked(scripted) as (ws, wire):
        ready, go_on = asyncio.Event(), asyncio.Event()

        async def hold():
            with ws.cork():
                ws.send_str("a")
                ready.set()
                await go_on.wait()
                ws.send_str("d")

        task = asyncio.create_task(hold())
        await ready.wait()
        ws.send_str("b")
        ws.send_str("c")
        assert ws.buffered_amount > 0
        assert await frames_of(wire, 3) == [(TEXT, b"a"), (TEXT, b"b"), (TEXT, b"c")]
        go_on.set()
        await task
        assert await frames_of(wire, 1) == [(TEXT, b"d")]


async def test_a_block_inside_another_ends_nothing(scripted):
    async with linked(scripted) as (ws, wire):
        cork = ws.cork()
        with cork:
            ws.send_str("a")
            with ws.cork():
                ws.send_str("b")
            with cork:
                ws.send_str("c")
            assert ws.buffered_amount > 0
        assert ws.buffered_amount == 0
        assert await frames_of(wire, 3) == [(TEXT, b"a"), (TEXT, b"b"), (TEXT, b"c")]
        with pytest.raises(RuntimeError, match="not entered"):
            cork.__exit__(None, None, None)


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, asyncio.CancelledError])
async def test_a_block_that_raises_has_sent_what_it_sent(scripted, error):
    async with linked(scripted) as (ws, wire):
        with pytest.raises(error), ws.cork():
            ws.send_str("a")
            raise error
        assert ws.buffered_amount == 0
        assert await frames_of(wire, 1) == [(TEXT, b"a")]


async def test_closing_inside(scripted):
    async with linked(scripted) as (ws, wire):
        with ws.cork():
            ws.send_str("a")
            closing = asyncio.create_task(ws.close())
            received = await frames_of(wire, 2)
            assert received == [(TEXT, b"a"), (CLOSE, encode_close(1000))]
            with pytest.raises(ClientConnectionResetError, match="close\\(\\) was called"):
                ws.send_str("b")
            await wire.send(frame(CLOSE, encode_close(1000)))
            wire.reset()
            assert await closing


async def test_a_heartbeat_goes_on_inside(scripted):
    async with linked(scripted, heartbeat=0.1) as (ws, wire):
        with ws.cork():
            ws.send_str("a")
            opcodes = [(await wire.receive()).opcode for _ in range(2)]
            assert opcodes == [TEXT, PING]


@pytest.mark.parametrize("opcode", [PING, CLOSE])
async def test_answers_keep_their_order(scripted, opcode):
    """What is gathered goes before the answer to a ping or a close frame."""
    async with linked(scripted) as (ws, wire):
        with ws.cork():
            ws.send_str("a")
            payload = b"p" if opcode == PING else encode_close(1000)
            # As if it had been read in this moment.
            ws._connection.feed(frame(opcode, payload))
            if opcode == CLOSE:
                ws.receive_nowait()
            assert ws.buffered_amount == 0
            answer = PONG if opcode == PING else CLOSE
            assert await frames_of(wire, 2) == [(TEXT, b"a"), (answer, payload)]


async def test_fragments_keep_their_order(scripted):
    async with linked(scripted) as (ws, wire):
        with ws.cork():
            ws.send_str("a")
            await ws.send_fragments([b"b", b"c"])
            ws.send_str("d")
        received = [await wire.receive() for _ in range(5)]
        assert [(part.payload, part.fin) for part in received] == [
            (b"a", True),
            (b"b", False),
            (b"c", False),
            (b"", True),
            (b"d", True),
        ]


async def test_a_connection_that_is_lost_inside(scripted):
    async with linked(scripted) as (ws, _):
        with ws.cork():
            ws.send_str("a")
            ws._connection.abort()
            await gone(ws)
            assert ws.buffered_amount == 0
            with pytest.raises(ClientConnectionResetError):
                ws.send_str("b")
        with ws.cork():
            pass


@pytest.mark.parametrize("error", [None, ZeroDivisionError])
async def test_a_reset_is_told_at_the_end(error):
    """Unless the block has raised, which goes before."""

    def script(sock):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
        closed.set()

    closed = threading.Event()
    with threaded(script) as url:
        ws = await ws_connect(url)
        assert closed.wait(10)
        with pytest.raises(error or ClientConnectionResetError), ws.cork():
            ws.send_str("a")
            if error is not None:
                raise error
        await gone(ws)


async def test_in_another_thread_it_is_refused(scripted):
    async with linked(scripted) as (ws, wire):
        with pytest.raises(RuntimeError, match="cannot cork from another thread"):
            await asyncio.to_thread(ws.cork().__enter__)
        await ws.send_str("a")
        assert await frames_of(wire, 1) == [(TEXT, b"a")]


async def test_a_block_that_another_thread_leaves(scripted):
    """As the garbage collector does, which may close a coroutine anywhere."""

    async def hold():
        with ws.cork():
            ws.send_str("a")
            await asyncio.get_running_loop().create_future()

    async with linked(scripted) as (ws, wire):
        coroutine = hold()
        coroutine.send(None)
        await asyncio.to_thread(coroutine.close)
        assert await frames_of(wire, 1) == [(TEXT, b"a")]
        ws.send_str("b")
        assert ws.buffered_amount == 0
        assert await frames_of(wire, 1) == [(TEXT, b"b")]


def test_a_loop_that_closes_inside():
    """Nothing is raised, and nothing is written any more."""

    def script(sock):
        while sock.recv(65536):
            pass

    async def enter(url):
        ws = await ws_connect(url)
        cork = ws.cork()
        cork.__enter__()
        return ws, cork

    with threaded(script) as url:
        loop = asyncio.new_event_loop()
        ws, cork = loop.run_until_complete(enter(url))
        ws._connection.abort()
        loop.run_until_complete(gone(ws))
        loop.close()
        cork.__exit__(None, None, None)


async def test_the_adapter_has_it(echo):
    async with wsclient.aiohttp.ClientSession() as session, session.ws_connect(echo) as ws:
        with ws.cork():
            await ws.send_str("a")
            await ws.send_bytes(b"b")
            assert ws.buffered_amount > 0
        assert [(await ws.receive(timeout=10)).data for _ in range(2)] == ["a", b"b"]
