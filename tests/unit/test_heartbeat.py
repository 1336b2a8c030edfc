"""`heartbeat`: a silent server is pinged, a dead one found out, a paused one spared."""

import asyncio
import math
import re
import socket
import threading
import time

import pytest
from tests.conftest import BINARY, CLOSE, PING, PONG, TEXT, frame

from wsclient import (
    ClientConnectionResetError,
    Heartbeat,
    MsgType,
    ServerDisconnectedError,
    ServerTimeoutError,
    framing,
    ws_connect,
)

from .linked import deliver, gone, linked, threaded

# Seconds. A server that is to answer in time gets the longer one.
SHORT, LONG = 0.02, 0.2


@pytest.fixture(autouse=True)
async def _no_error_in_a_callback():
    reported = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    yield
    assert reported == []


async def beats(count, interval=SHORT):
    """Let the loop's timers run for `count` intervals; nothing else would show that they did."""
    await asyncio.sleep(count * interval)


async def ping_of(wire):
    ping = await wire.receive()
    assert ping.opcode == PING
    return ping


async def test_a_server_that_answers_lives_on(scripted):
    async with linked(scripted, heartbeat=LONG) as (ws, wire):
        assert ws.latency is None
        payloads = set()
        for _ in range(3):
            ping = await ping_of(wire)
            payloads.add(ping.payload)
            await wire.send(frame(PONG, ping.payload))
        assert len(payloads) == 3, "each ping is told from the others"
        await deliver(wire, frame(TEXT, b"a"))
        assert ws.latency > 0
        assert (await ws.receive()).data == "a"


async def test_an_answer_that_comes_at_once_is_an_answer(scripted):
    """Clocks of event loops stand still between their passes; an answer may be faster."""
    async with linked(scripted, heartbeat=SHORT) as (ws, wire):
        for _ in range(50):
            await wire.send(frame(PONG, (await ping_of(wire)).payload))
        await deliver(wire)
        assert ws.exception() is None


@pytest.mark.parametrize("answer", [frame(TEXT, b"a"), frame(PING), frame(PONG, b"other")])
async def test_anything_that_comes_is_a_sign_of_life(scripted, answer):
    async with linked(scripted, heartbeat=LONG) as (ws, wire):
        for _ in range(2):
            while (await wire.receive()).opcode != PING:
                pass
            await wire.send(answer)
        await deliver(wire, frame(TEXT, b"last"))
        assert (await ws.receive_many())[-1].data == "last"


async def test_a_large_message_that_trickles_in_is_a_sign_of_life(scripted):
    async with linked(scripted, heartbeat=Heartbeat(LONG, timeout=LONG)) as (ws, wire):
        stream = frame(BINARY, bytes(1_000_000))
        for start in range(0, 30_000, 1000):
            await wire.send(stream[start : start + 1000])
            await asyncio.sleep(LONG / 8)
        await wire.send(stream[30_000:])
        assert len((await ws.receive()).data) == 1_000_000


@pytest.mark.parametrize("waiting", [False, True])
async def test_a_dead_server_is_found_out(scripted, waiting):
    async with linked(scripted, heartbeat=SHORT) as (ws, wire):
        task = asyncio.create_task(ws.receive()) if waiting else None
        await wire.send(frame(BINARY, b"before"))
        await ping_of(wire)
        assert await wire.receive() is None
        before = await (task or ws.receive())
        assert before.data == b"before"
        error = await ws.receive()
        assert error.tp is MsgType.error
        assert type(error.data) is ServerTimeoutError
        assert error.data is ws.exception()
        for _ in range(2):
            closed = await ws.receive()
            assert (closed.tp, closed.data) == (MsgType.closed, 1006)
        assert ws.close_code == 1006
        with pytest.raises(ClientConnectionResetError):
            ws.send_str("late")


@pytest.mark.parametrize("pinged", [False, True])
async def test_reading_that_the_user_paused_kills_nobody(scripted, pinged):
    async with linked(scripted, heartbeat=SHORT) as (ws, wire):
        if pinged:
            await ping_of(wire)
        ws.pause_reading()
        await wire.send(frame(TEXT, b"a"))
        await beats(10)
        assert ws.exception() is None
        assert ws.receive_nowait() is None
        ws.resume_reading()
        assert (await ws.receive()).data == "a"


async def test_a_full_inbox_kills_nobody(scripted):
    async with linked(scripted, heartbeat=SHORT) as (ws, wire):
        sent = asyncio.create_task(wire.send(*[frame(BINARY, bytes(4096))] * 1000))
        while not ws._connection.reading_paused:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0)
        await beats(10)
        for _ in range(1000):
            assert (await ws.receive()).tp is MsgType.binary
        await sent


async def test_the_time_of_a_pause_does_not_count(scripted):
    """Resumed at the very moment at which the server's time would be over."""
    async with linked(scripted, heartbeat=SHORT) as (ws, wire):
        await ping_of(wire)
        ws.pause_reading()
        await wire.send(frame(TEXT, b"a"))
        time.sleep(SHORT)  # noqa: ASYNC251 - the loop is to be late
        ws.resume_reading()
        assert (await ws.receive()).data == "a"


async def test_a_loop_that_is_late_kills_nobody():
    """The answer waits in the socket while another task takes too long."""
    pinged, late, answered = threading.Event(), threading.Event(), threading.Event()

    def busy(sock):
        assert pinged.wait(10)
        sock.sendall(frame(TEXT, b"be busy"))
        close(sock, read(sock))

    def steady(sock):
        ping = read(sock)
        pinged.set()
        assert late.wait(10)
        sock.sendall(frame(PONG, ping.payload) + frame(TEXT, b"a"))
        answered.set()
        while (received := read(sock)).opcode != CLOSE:
            sock.sendall(frame(PONG, received.payload))
        close(sock, received)

    def read(sock):
        data = sock.recv(65536)
        received, size = framing.parse_frame(data)
        assert size == len(data)
        return received

    def close(sock, received):
        sock.sendall(frame(CLOSE, received.payload))

    heartbeat = Heartbeat(LONG, timeout=5 * LONG)
    with threaded(busy) as other, threaded(steady) as url:
        async with ws_connect(other) as busy_ws, ws_connect(url, heartbeat=heartbeat) as ws:
            await busy_ws.receive()
            late.set()
            assert answered.wait(10)
            time.sleep(6 * LONG)  # noqa: ASYNC251 - the loop is to be late
            assert (await ws.receive()).data == "a"


async def test_a_server_that_takes_what_was_queued_before_the_ping_is_alive(scripted):
    async with linked(scripted, heartbeat=Heartbeat(SHORT, timeout=5 * LONG)) as (ws, wire):
        # Little may be left to read when the client's queue is empty: that is in the server's time.
        theirs, ours = wire.transport.get_extra_info("socket"), ws.get_extra_info("socket")
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)
        for _ in range(60):
            ws.send_bytes(bytes(100_000))
        while ws.buffered_amount > 0:
            # A slow server: the ping waits in the client's queue for longer than its timeout.
            assert (await wire.receive()).opcode == BINARY
            await beats(2)
        while (received := await wire.receive()).opcode == BINARY:
            pass
        await wire.send(frame(PONG, received.payload))
        await deliver(wire, frame(TEXT, b"a"))
        assert ws.exception() is None


@pytest.mark.parametrize("autoclose", [False, True])
async def test_no_ping_after_the_servers_close(scripted, autoclose):
    async with linked(scripted, heartbeat=SHORT, autoclose=autoclose) as (ws, wire):
        await wire.send(frame(TEXT, b"a"), frame(CLOSE, b"\x03\xe8"))
        await beats(5)
        assert ws.receive_nowait().data == "a"
        close = asyncio.create_task(ws.close())
        received = [frame async for frame in frames(wire)]
        assert [frame.opcode for frame in received if frame.opcode != PING] == [CLOSE]
        assert received[-1].opcode == CLOSE
        await close
        assert ws.exception() is None


async def test_no_ping_and_no_verdict_while_this_side_closes(scripted):
    async with linked(scripted, heartbeat=SHORT) as (ws, wire):
        close = asyncio.create_task(ws.close())
        assert (await wire.receive()).opcode == CLOSE
        await beats(5)
        assert ws.exception() is None
        await wire.send(frame(CLOSE, b"\x03\xe8"))
        wire.transport.close()
        assert await close is True
        assert await wire.receive() is None
        assert (ws.close_code, ws.exception()) == (1000, None)


async def test_periodic_pings_go_out_though_the_server_is_not_silent(scripted):
    async with linked(scripted, heartbeat=Heartbeat(LONG, periodic=True)) as (ws, wire):
        for number in range(4):
            ping = await ping_of(wire)
            await wire.send(frame(TEXT, b"a"), frame(PONG, ping.payload), frame(TEXT, b"b"))
            assert [(await ws.receive()).data for _ in range(2)] == ["a", "b"]
            assert sum(ws.latency_histogram.values()) == number + 1
        assert all(bound > 0 for bound in ws.latency_histogram)


async def test_idle_pings_wait_for_silence(scripted):
    async with linked(scripted, heartbeat=Heartbeat(LONG)) as (ws, wire):
        for _ in range(6):
            await beats(0.5, LONG)
            await wire.send(frame(TEXT, b"a"))
            await ws.receive()
        await ping_of(wire)
        assert ws.latency_histogram == {}


@pytest.mark.parametrize("periodic", [False, True])
async def test_the_verdict_says_why(scripted, periodic):
    heartbeat = Heartbeat(SHORT, timeout=2 * SHORT, periodic=periodic)
    async with linked(scripted, heartbeat=heartbeat) as (ws, wire):
        ping = await ping_of(wire)
        await wire.send(frame(PONG, ping.payload))
        error = await ws.receive()
        assert error.tp is MsgType.error
        said = str(error.data)
    numbers = re.fullmatch(
        r"no answer to ping number (\d+): nothing was read in the ([.\d]+) s since, with a timeout"
        r" of 0\.04 s; the last byte came ([.\d]+) s ago; the last round trip took [-.\de]+ s",
        said,
    )
    assert int(numbers[1]) >= 2
    assert float(numbers[3]) >= float(numbers[2]) >= 0.04


async def test_the_verdict_on_a_server_that_never_answered(scripted):
    async with linked(scripted, heartbeat=SHORT) as (ws, _):
        assert str((await ws.receive()).data).endswith("none was answered before")


@pytest.mark.parametrize("payload", [b"are you there?", lambda: b"are you there?"])
async def test_a_payload_of_ones_own(scripted, payload):
    async with linked(scripted, heartbeat=Heartbeat(LONG, payload=payload)) as (ws, wire):
        ping = await ping_of(wire)
        assert ping.payload == b"are you there?"
        await deliver(wire, frame(PONG, b"no"))
        assert ws.latency is None, "a pong that answers no ping says nothing of the round trip"
        await deliver(wire, frame(PONG, ping.payload))
        assert ws.latency > 0


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        (lambda: 1 / 0, ZeroDivisionError),
        (lambda: 7, TypeError),
        (lambda: bytes(126), ValueError),
    ],
)
async def test_a_payload_function_that_fails_is_told_of_and_replaced(scripted, payload, kind):
    reported = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    heartbeat = Heartbeat(SHORT, timeout=10, payload=payload)
    async with linked(scripted, heartbeat=heartbeat) as (_, wire):
        assert len((await ping_of(wire)).payload) == 4
    assert [type(context["exception"]) for context in reported] == [kind]


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("periodic", [False, True])
async def test_a_ping_that_finds_the_connection_closed_is_silent(scripted, fails, periodic):
    reported, opened = [], []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))

    def payload():
        opened[0]._connection.abort()
        if fails:
            raise ZeroDivisionError
        return b"late"

    heartbeat = Heartbeat(SHORT, payload=payload, periodic=periodic)
    async with linked(scripted, heartbeat=heartbeat) as (ws, wire):
        opened.append(ws)
        assert await wire.receive() is None
        await gone(ws)
        await beats(3)
        assert (ws.close_code, ws.exception()) == (1006, None)
    told = [type(context["exception"]) for context in reported]
    assert told == ([ZeroDivisionError] if fails else [])


@pytest.mark.parametrize("periodic", [False, True])
async def test_a_connection_that_is_ending_is_not_pinged(scripted, periodic):
    """The server has closed its end of TCP, and reads nothing of what is on its way to it."""
    heartbeat = Heartbeat(SHORT, periodic=periodic, timeout=60)
    async with linked(scripted, heartbeat=heartbeat) as (ws, wire):
        while (await wire.receive()).opcode != PING:
            pass
        for _ in range(300):
            ws.send_bytes(bytes(100_000))
        wire.transport.write_eof()
        await gone(ws)
        assert type(ws.exception()) is ServerDisconnectedError
        # The rest is never read.
        wire._received = b""
        wire.transport.abort()


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [
        ({"interval": 0}, ValueError, "interval is 0"),
        ({"interval": math.nan}, ValueError, "interval is nan"),
        ({"interval": math.inf}, ValueError, "interval is inf, expected .* a finite number"),
        ({"interval": "1"}, TypeError, "interval must be a number"),
        ({"interval": True}, TypeError, "interval must be a number of seconds, got bool"),
        ({"interval": 1, "timeout": math.nan}, ValueError, "timeout is nan"),
        ({"interval": 1, "timeout": math.inf}, ValueError, "timeout is inf"),
        ({"interval": 1, "timeout": "1"}, TypeError, "timeout must be a number"),
        ({"interval": 1, "periodic": 1}, TypeError, "periodic must be True or False, got int"),
        ({"interval": 1, "timeout": -1}, ValueError, "timeout is -1"),
        ({"interval": 1, "payload": bytes(126)}, ValueError, "payload has 126 bytes"),
        (
            {"interval": 1, "payload": "text"},
            TypeError,
            "payload must be bytes or a function that returns them, got str",
        ),
    ],
)
def test_wrong_settings(arguments, kind, said):
    with pytest.raises(kind, match=said):
        Heartbeat(**arguments)


async def test_a_heartbeat_of_infinity_is_none(scripted):
    async with linked(scripted, heartbeat=math.inf) as (ws, wire):
        assert ws._heartbeat is None
        await deliver(wire, frame(TEXT, b"a"))


async def frames(wire):
    while (received := await wire.receive()) is not None:
        yield received
        if received.opcode == CLOSE:
            wire.transport.close()
            return
