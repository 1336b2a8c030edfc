"""`receive_many_str` and `receive_many_bytes`: all that is there of a kind, and nothing is lost."""

import asyncio

import pytest
from tests.conftest import BINARY, CLOSE, PING, PONG, TEXT, frame

from wsclient import Conflate, DropOldest, MsgType, WSMessageTypeError
from wsclient.framing import encode_close

from .linked import TASKS, deliver, gone, linked, tasks_of

A, B, X = frame(TEXT, b"a"), frame(TEXT, b"b"), frame(BINARY, b"x")
BREACH = b"\x83\x00"
BYE = frame(CLOSE, encode_close(1001, "bye"))


@pytest.fixture(params=TASKS, autouse=True)
async def _tasks(request):
    with tasks_of(request.param):
        yield


async def test_all_of_a_kind_in_order(scripted):
    async with linked(scripted) as (ws, wire):
        await deliver(wire, A, B, frame(TEXT, "é".encode()), X, frame(BINARY), frame(TEXT), X)
        assert await ws.receive_many_str() == ["a", "b", "é"]
        assert await ws.receive_many_bytes() == [b"x", b""]
        assert (await ws.receive()).data == ""
        assert await ws.receive_many_bytes() == [b"x"]
        assert ws.receive_nowait() is None


async def test_it_waits_for_the_first_and_takes_what_came_with_it(scripted):
    async with linked(scripted) as (ws, wire):
        waiting = asyncio.create_task(ws.receive_many_str())
        await asyncio.sleep(0)
        await wire.send(A + B + frame(PING) + A + X)
        assert await waiting == ["a", "b", "a"]
        assert await ws.receive_many_bytes() == [b"x"]


@pytest.mark.parametrize("first", [True, False])
async def test_one_of_another_kind(scripted, first):
    async with linked(scripted) as (ws, wire):
        await deliver(wire, *[] if first else [A], X, X, A)
        if not first:
            assert await ws.receive_many_str() == ["a"]
        with pytest.raises(WSMessageTypeError, match=r"^received a binary message, expected a te"):
            await ws.receive_many_str()
        assert await ws.receive_many_bytes() == [b"x"]
        with pytest.raises(WSMessageTypeError, match=r"^received a text message, expected a bin"):
            await ws.receive_many_bytes()
        assert ws.receive_nowait() is None


@pytest.mark.parametrize("end", ["close", "violation", "loss", "ours"])
async def test_what_came_before_the_end_is_not_lost(scripted, end):
    async with linked(scripted) as (ws, wire):
        match end:
            case "close":
                await wire.send(A + B + BYE)
                said = [r"connection closed with code 1001 \(bye\)"] * 2
            case "violation":
                await wire.send(A + B + BREACH)
                error = r"connection closed with code 1002 \(.*\)"
                said = [f"received an error message: {error}", error]
            case "loss":
                await wire.send(A + B)
                wire.transport.abort()
                said = [r"connection closed with code 1006 \(.*\)"] * 2
            case _:
                await deliver(wire, A, B)
                closing = asyncio.create_task(ws.close())
                await wire.answer_close()
                assert await closing
                said = ["connection closed with code 1000"] * 2
        if end != "ours":
            await gone(ws)
        assert await ws.receive_many_str() == ["a", "b"]
        for text in said:
            with pytest.raises(WSMessageTypeError, match=f"^{text}, expected a text message$"):
                await ws.receive_many_str()
        assert (await ws.receive()).tp is MsgType.closed


async def test_the_peers_end_is_answered_when_all_is_taken(scripted):
    async with linked(scripted) as (ws, wire):
        await wire.send(A + B + BYE)
        assert await ws.receive_many_str() == ["a", "b"]
        await ws.send_str("last")
        assert (await wire.receive()).payload == b"last"
        receiving = asyncio.create_task(ws.receive_many_str())
        assert (await wire.receive()).opcode == CLOSE
        await wire.end()
        with pytest.raises(WSMessageTypeError, match="code 1001"):
            await receiving


async def test_the_error_of_the_end_says_why(scripted):
    async with linked(scripted) as (ws, wire):
        await wire.send(A + BREACH)
        assert await ws.receive_many_str() == ["a"]
        with pytest.raises(WSMessageTypeError) as caught:
            await ws.receive_many_bytes()
        assert caught.value.__cause__ is ws.exception()
        assert ws.exception().code == 1002


async def test_a_closing_reader_is_told(scripted):
    async with linked(scripted) as (ws, wire):
        waiting = asyncio.create_task(ws.receive_many_str())
        await asyncio.sleep(0)
        closing = asyncio.create_task(ws.close())
        await wire.answer_close()
        with pytest.raises(WSMessageTypeError, match=r"^connection closed by this side, expected"):
            await waiting
        assert await closing


async def test_frames_that_are_the_users_end_a_batch(scripted):
    async with linked(scripted, autoping=False, autoclose=False) as (ws, wire):
        await wire.send(A + B + frame(PING, b"p") + A + frame(PONG) + X + BYE)
        assert (await ws.receive()).data == "a"
        assert await ws.receive_many_str() == ["b"]
        assert (await ws.receive()).tp is MsgType.ping
        assert await ws.receive_many_str() == ["a"]
        with pytest.raises(WSMessageTypeError, match=r"^received a pong message, expected a text"):
            await ws.receive_many_str()
        assert await ws.receive_many_bytes() == [b"x"]
        with pytest.raises(WSMessageTypeError, match=r"^received a close message with code 1001"):
            await ws.receive_many_bytes()
        closing = asyncio.create_task(ws.close())
        assert (await wire.receive()).opcode == CLOSE
        await wire.end()
        assert await closing


async def test_text_that_is_not_decoded(scripted):
    async with linked(scripted, decode_text=False) as (ws, wire):
        await deliver(wire, A, B, X)
        assert await ws.receive_many_str() == [b"a", b"b"]
        assert await ws.receive_many_bytes() == [b"x"]


async def test_messages_with_their_times(scripted):
    async with linked(scripted, receive_time=True) as (ws, wire):
        await deliver(wire, A, B, X)
        assert await ws.receive_many_str() == ["a", "b"]
        assert isinstance((await ws.receive()).extra, float)


@pytest.mark.parametrize("kind", [TEXT, BINARY])
async def test_taking_makes_room_for_what_was_held_back(scripted, kind):
    """What a read brought beyond the inbox's bound belongs to the batch, and reading goes on."""
    async with linked(scripted, autoping=False) as (ws, wire):
        sent = asyncio.create_task(wire.send(frame(kind) * 300_000, frame(PING, b"end")))
        receive = ws.receive_many_str if kind == TEXT else ws.receive_many_bytes
        while not ws._connection.reading_paused:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0)
        received = []
        while len(received) < 300_000:
            received += await receive()
            assert not ws._connection.reading_paused
        await sent
        assert received == ["" if kind == TEXT else b""] * 300_000
        assert await ws.receive() == (MsgType.ping, b"end", "")


async def test_one_of_another_kind_behind_which_bytes_are_held_back(scripted):
    """Messages wait behind it, but it ends the batch all the same, and reading goes on in time."""
    async with linked(scripted) as (ws, wire):
        alternating = (A + X) * 50_000
        sent = asyncio.create_task(wire.send(alternating))
        for _ in range(50_000):
            assert await ws.receive_many_str() == ["a"]
            assert await ws.receive_many_bytes() == [b"x"]
        await sent


@pytest.mark.parametrize("queue", [DropOldest(2), Conflate(lambda msg: msg.data, 2)])
async def test_a_queue_that_drops(scripted, queue):
    async with linked(scripted, queue=queue) as (ws, wire):
        await deliver(wire, A, B, frame(TEXT, b"c"))
        assert await ws.receive_many_str() == ["b", "c"]
        assert ws.dropped == 1
        await deliver(wire, A, X)
        assert await ws.receive_many_str() == ["a"]
        await deliver(wire, B)
        assert await ws.receive_many_bytes() == [b"x"]
        await wire.send(A + BREACH)
        await gone(ws)
        assert await ws.receive_many_str() == ["b", "a"]
        with pytest.raises(WSMessageTypeError, match=r"^received an error message: "):
            await ws.receive_many_str()


@pytest.mark.parametrize("queue", [None, DropOldest(100), Conflate(lambda msg: msg.data, 100)])
async def test_pings_keep_their_place(scripted, queue):
    async with linked(scripted, queue=queue, autoping=False) as (ws, wire):
        await wire.send(A + B + frame(PING, b"p") + frame(TEXT, b"c") + BREACH)
        assert await ws.receive_many_str() == ["a", "b"]
        assert (await ws.receive()).data == b"p"
        assert await ws.receive_many_str() == ["c"]
        with pytest.raises(WSMessageTypeError, match=r"^received an error message: "):
            await ws.receive_many_bytes()


async def test_its_list_is_the_callers(scripted):
    async with linked(scripted) as (ws, wire):
        await deliver(wire, A, B)
        batch = await ws.receive_many_str()
        assert type(batch) is list
        batch.clear()
        batch += ["c"] * 100
        await deliver(wire, A)
        assert await ws.receive_many_str() == ["a"]
        assert batch == ["c"] * 100


async def test_it_counts_as_any_receive(scripted):
    async with linked(scripted) as (ws, wire):
        await deliver(wire, A, B, X)
        await ws.receive_many_str()
        await ws.receive_many_bytes()
        stats = ws.stats
        assert (stats.messages_received, stats.bytes_received) == (3, 3)
        assert stats.queue_high_water > 3
