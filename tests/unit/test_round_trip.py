"""`round_trip`: a ping whose pong is awaited."""

import asyncio
import gc

import pytest
from tests.conftest import CLOSE, PING, PONG, frame

from wsclient import (
    ClientConnectionResetError,
    ClientError,
    MsgType,
    ServerDisconnectedError,
    ServerTimeoutError,
    WebSocketError,
    ws_connect,
)
from wsclient.framing import encode_close

from .linked import deliver, gone, linked


@pytest.fixture(autouse=True)
async def _nothing_is_logged():
    """No exception of a future counts as never retrieved, nor does a callback fail."""
    reported = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    yield
    gc.collect()
    assert reported == []


async def ping_of(wire):
    ping = await wire.receive()
    assert ping.opcode == PING
    return ping.payload


@pytest.mark.parametrize("autoping", [True, False])
async def test_a_pong_tells_how_long_it_took(scripted, autoping):
    async with linked(scripted, autoping=autoping) as (ws, wire):
        future = ws.round_trip()
        assert isinstance(future, asyncio.Future)
        payload = await ping_of(wire)
        assert len(payload) == 4
        assert not future.done()
        await wire.send(frame(PONG, payload))
        seconds = await future
        assert seconds > 0
        assert ws.latency == seconds
        assert sum(ws.latency_histogram.values()) == 1
        if not autoping:
            msg = ws.receive_nowait()
            assert (msg.tp, msg.data) == (MsgType.pong, payload)
        assert ws.receive_nowait() is None


async def test_random_messages_differ(scripted):
    async with linked(scripted) as (ws, wire):
        futures = [ws.round_trip() for _ in range(100)]
        payloads = [await ping_of(wire) for _ in futures]
        assert len(set(payloads)) == 100
        await wire.send(frame(PONG, payloads[-1]))
        assert await asyncio.gather(*futures)


@pytest.mark.parametrize(
    ("message", "payload"),
    [("é", "é".encode()), (b"", b""), (bytearray(b"a"), b"a"), (memoryview(b"ab"), b"ab")],
)
async def test_messages(scripted, message, payload):
    async with linked(scripted) as (ws, wire):
        future = ws.round_trip(message)
        assert await ping_of(wire) == payload
        await wire.send(frame(PONG, payload))
        await future


async def test_a_pong_answers_the_pings_before_its_own(scripted):
    async with linked(scripted) as (ws, wire):
        first, second = ws.round_trip(b"1"), ws.round_trip(b"2")
        await ws.ping(b"3")
        fourth, fifth = ws.round_trip(b"4"), ws.round_trip(b"5")
        await deliver(wire, frame(PONG, b"unasked for"), frame(PONG, b"4"))
        took = [await future for future in (first, second, fourth)]
        assert took == sorted(took, reverse=True)
        assert ws.latency == took[-1]
        assert not fifth.done()
        await wire.send(frame(PONG, b"5"))
        await fifth


async def test_a_message_that_still_waits_for_its_pong_is_refused(scripted):
    async with linked(scripted) as (ws, wire):
        first = ws.round_trip("same")
        with pytest.raises(ValueError, match="same message still waits for its pong"):
            ws.round_trip(b"same")
        await ws.ping("same")
        await wire.send(frame(PONG, b"same"))
        await first
        again = ws.round_trip("same")
        # The first of these is the other ping's.
        await wire.send(frame(PONG, b"same"), frame(PONG, b"same"))
        await again
        assert [await ping_of(wire) for _ in range(3)] == [b"same"] * 3


@pytest.mark.parametrize(
    ("message", "error", "text"),
    [
        (1, TypeError, "message must be str, bytes"),
        (b"a" * 126, ValueError, "126 bytes long, expected at most 125"),
        ("\ud800", UnicodeEncodeError, "surrogates"),
    ],
)
async def test_wrong_messages(scripted, message, error, text):
    async with linked(scripted) as (ws, wire):
        with pytest.raises(error, match=text):
            ws.round_trip(message)
        future = ws.round_trip(b"right")
        await wire.send(frame(PONG, await ping_of(wire)))
        await future


async def test_a_future_may_be_cancelled_or_forgotten(scripted):
    async with linked(scripted) as (ws, wire):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ws.round_trip(b"1"), 0.001)
        cancelled = ws.round_trip(b"2")
        cancelled.cancel()
        ws.round_trip(b"3")
        last = ws.round_trip(b"4")
        await wire.send(frame(PONG, b"4"))
        await last
        assert cancelled.cancelled()


async def test_many_pings_are_all_remembered(scripted):
    async with linked(scripted) as (ws, wire):
        futures = [ws.round_trip(b"%d" % number) for number in range(200)]
        for _ in range(50):
            await ws.ping(b"other")
        await wire.send(frame(PONG, b"199"))
        assert len(await asyncio.gather(*futures)) == 200


async def test_beside_a_heartbeat(scripted):
    async with linked(scripted, heartbeat=0.02) as (ws, wire):
        future = ws.round_trip(b"mine")
        pings = [await ping_of(wire) for _ in range(2)]
        assert pings[0] == b"mine"
        await wire.send(frame(PONG, pings[1]))
        assert await future >= ws.latency


ENDS = {
    "lost": (lambda wire: wire.reset(), "lost", ClientError),
    "left": (lambda wire: wire.transport.close(), "lost", ServerDisconnectedError),
    "closed": (
        lambda wire: wire.transport.write(frame(CLOSE, encode_close(1001, "restart"))),
        r"closed with code 1001 \(restart\)",
        None,
    ),
    "violated": (
        lambda wire: wire.transport.write(b"\x83\x00"),
        r"closed with code 1002 \(reserved opcode 0x3\)",
        WebSocketError,
    ),
}


@pytest.mark.parametrize("how", ENDS)
async def test_the_end_of_the_connection(scripted, how):
    end, why, cause = ENDS[how]
    async with linked(scripted) as (ws, wire):
        futures = [ws.round_trip() for _ in range(3)]
        futures[1].cancel()
        await ping_of(wire)
        end(wire)
        if how in {"closed", "violated"}:
            while (await wire.receive()).opcode != CLOSE:
                pass
            wire.transport.close()
        text = f"the ping was not answered: the connection was {why}"
        with pytest.raises(ClientConnectionResetError, match=text) as caught:
            await futures[0]
        assert caught.value.__cause__ is ws.exception()
        assert isinstance(caught.value.__cause__, cause or type(None))
        assert futures[2].exception() is not caught.value
        with pytest.raises(ClientConnectionResetError, match="cannot send a ping frame"):
            ws.round_trip()


async def test_this_side_closes(scripted):
    async def script(wire):
        await wire.answer_close()

    ws = await ws_connect(await scripted(script))
    future = ws.round_trip(b"same")
    closing = asyncio.create_task(ws.close())
    await asyncio.sleep(0)
    with pytest.raises(ClientConnectionResetError, match=r"closing, close\(\) was called"):
        ws.round_trip(b"same")
    await closing
    with pytest.raises(ClientConnectionResetError, match="closed with code 1000"):
        await future


async def test_a_close_that_times_out(scripted):
    async def script(wire):
        await wire.end()

    ws = await ws_connect(await scripted(script), timeout=0.01)
    future = ws.round_trip()
    await ws.close()
    with pytest.raises(ClientConnectionResetError, match="was lost") as caught:
        await future
    assert isinstance(caught.value.__cause__, ServerTimeoutError)


async def test_a_pong_that_comes_with_the_end(scripted):
    async with linked(scripted) as (ws, wire):
        future = ws.round_trip(b"1")
        await wire.send(frame(PONG, b"1"), frame(CLOSE, encode_close(1000)))
        assert await future > 0


async def test_nobody_awaits_it(scripted):
    async with linked(scripted) as (ws, wire):
        ws.round_trip()
        wire.reset()
        await gone(ws)


async def test_another_thread(scripted):
    async with linked(scripted) as (ws, wire):
        with pytest.raises(RuntimeError, match=r"cannot send from another thread .* use"):
            await asyncio.to_thread(ws.round_trip)

        async def measure():
            return await ws.round_trip(b"1")

        loop = asyncio.get_running_loop()
        told = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(measure(), loop))
        await ping_of(wire)
        await wire.send(frame(PONG, b"1"))
        assert await told > 0
