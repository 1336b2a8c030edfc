"""`queue`: newest messages instead of backpressure, by count and by key."""

import asyncio
import gc
import random
import zlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.conftest import BINARY, CLOSE, PING, TEXT, frame

from wsclient import ClientSession, Conflate, DropOldest, MsgType, framing, ws_connect
from wsclient._core import Protocol, WebSocketBase

from .linked import deliver, linked


def texts(*values):
    return [frame(TEXT, str(value).encode()) for value in values]


def first_letter(msg):
    return msg.data[:1]


async def received(ws):
    return [msg.data for msg in await ws.receive_many()]


async def test_the_oldest_are_dropped_and_counted(scripted):
    async with linked(scripted, queue=DropOldest(3)) as (ws, wire):
        assert ws.dropped == 0
        await deliver(wire, *texts(*range(10)))
        assert ws.dropped == 7
        assert await received(ws) == ["7", "8", "9"]
        await deliver(wire, *texts("a", "b"))
        assert (await ws.receive()).data == "a"
        await deliver(wire, *texts("c", "d"))
        assert await received(ws) == ["b", "c", "d"]
        assert ws.dropped == 7


@pytest.mark.parametrize("queue", [DropOldest(1), Conflate(first_letter)])
async def test_who_waits_gets_each_message(scripted, queue):
    async with linked(scripted, queue=queue) as (ws, wire):
        for text in ("a1", "a2", "a3"):
            task = asyncio.create_task(ws.receive())
            await asyncio.sleep(0)
            await wire.send(*texts(text))
            assert (await task).data == text
        assert ws.dropped == 0


async def test_the_newest_of_each_key_takes_the_place_of_the_oldest(scripted):
    async with linked(scripted, queue=Conflate(first_letter)) as (ws, wire):
        await deliver(wire, *texts("a1", "b1", "a2", "c1"))
        await deliver(wire, *texts("b2", "a3"))
        assert ws.dropped == 3
        assert await received(ws) == ["a3", "b2", "c1"]
        await deliver(wire, *texts("b3", "a4", "b4"))
        assert (await ws.receive()).data == "b4"
        await deliver(wire, *texts("b5", "a5"))
        assert await received(ws) == ["a5", "b5"]
        assert ws.dropped == 5


async def test_conflating_is_bounded_too(scripted):
    async with linked(scripted, queue=Conflate(lambda msg: msg.data, 4)) as (ws, wire):
        await deliver(wire, *texts(*range(1000)))
        assert await received(ws) == ["996", "997", "998", "999"]
        await deliver(wire, *texts(996, 1, 996))
        assert await received(ws) == ["996", "1"]
        assert ws.dropped == 997
        assert len(gc.get_referents(ws._connection)) < 30


async def test_without_a_key_a_message_replaces_none(scripted):
    queue = Conflate(lambda msg: None if msg.tp == MsgType.binary else "all")
    async with linked(scripted, queue=queue) as (ws, wire):
        await deliver(wire, *texts(1), frame(BINARY, b"x"), *texts(2), frame(BINARY, b"y"))
        assert await received(ws) == ["2", b"x", b"y"]


@pytest.mark.parametrize("queue", [DropOldest(2), Conflate(lambda _: 0, 2)])
async def test_what_tells_of_the_connection_is_never_dropped(scripted, queue):
    async with linked(scripted, queue=queue, autoping=False) as (ws, wire):
        pings = [frame(PING, b"%d" % number) for number in range(5)]
        await wire.send(*pings[:2], *texts("a", "b"), *pings[2:], *texts("c"))
        await wire.send(*texts("d"), frame(CLOSE, b"\x03\xe8bye"))
        messages = []
        while not ws.closed:
            messages.append((await ws.receive()).data)
        data = ["c", "d"] if isinstance(queue, DropOldest) else ["d"]
        assert [one for one in messages if isinstance(one, bytes)] == [b"0", b"1", b"2", b"3", b"4"]
        assert [one for one in messages if isinstance(one, str)] == data
        assert (await ws.receive()).data == 1000


@pytest.mark.parametrize("queue", [DropOldest(2), Conflate(lambda _: 0, 2)])
async def test_pings_that_nobody_takes_pause_reading(scripted, queue):
    async with linked(scripted, queue=queue, autoping=False) as (ws, wire):
        sent = asyncio.create_task(wire.send(*[frame(PING, bytes(125))] * 100_000, *texts("a")))
        while not ws._connection.reading_paused:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0)
        for _ in range(100_000):
            assert (await ws.receive()).tp is MsgType.ping
        assert (await ws.receive()).data == "a"
        await sent


@pytest.mark.parametrize("queue", [DropOldest(2), Conflate(first_letter, 2)])
async def test_a_violation_comes_after_what_came_before_it(scripted, queue):
    async with linked(scripted, queue=queue) as (ws, wire):
        await wire.send(*texts("a", "b", "c"), b"\x83\x00")
        assert [msg.data for msg in (await ws.receive(), await ws.receive())] == ["b", "c"]
        error = await ws.receive()
        assert (error.tp, error.data.code) == (MsgType.error, 1002)


@pytest.mark.parametrize("queue", [DropOldest(100), Conflate(lambda _: 0)])
async def test_reading_never_pauses(scripted, queue):
    async with linked(scripted, queue=queue) as (ws, wire):
        size = 100_000
        for number in range(100):
            await deliver(wire, frame(BINARY, bytes([number]) * size))
            assert not ws._connection.reading_paused
        last = (await ws.receive_many())[-1]
        assert last.data == bytes([99]) * size


async def test_much_that_is_compressed_in_one_read(scripted):
    """What one read yields may be a thousand times its size; it is conflated on the way."""
    deflated = compressed_frames(bytes(1_000_000), 40)

    async def script(wire):
        await wire.send(deflated, frame(CLOSE, b"\x03\xe8"))
        await wire.answer_close()

    url = await scripted(script, extensions="permessage-deflate")
    async with ws_connect(url, compress=15, queue=Conflate(lambda _: 0)) as ws:
        while not ws.closed:
            last = await ws.receive()
            if last.tp == MsgType.binary:
                assert len(last.data) == 1_000_000
        assert ws.close_code == 1000


def compressed_frames(message, count):
    out = b""
    compressor = zlib.compressobj(wbits=-15)
    for _ in range(count):
        data = compressor.compress(message) + compressor.flush(zlib.Z_SYNC_FLUSH)
        out += framing.encode_frame(BINARY, data[:-4], rsv=4, mask=False)
    return out


async def test_a_place_that_a_ping_has_taken(scripted):
    async with linked(scripted, queue=Conflate(first_letter, 1), autoping=False) as (ws, wire):
        await wire.send(frame(PING, b"ping"), *texts("a1", "b1", "a2"), frame(PING, b"last"))
        messages = []
        while messages[-1:] != [b"last"]:
            messages.append((await ws.receive()).data)
        assert messages == [b"ping", "a2", b"last"]
        assert ws.dropped == 2


@pytest.mark.parametrize("max_size", [2**31, 2**63 - 1, 2**63, 2**64, 2**100])
@pytest.mark.parametrize("kind", [DropOldest, lambda size: Conflate(first_letter, size)])
async def test_a_bound_beyond_all_numbers(scripted, kind, max_size):
    async with linked(scripted, queue=kind(max_size)) as (ws, wire):
        await deliver(wire, *texts("a1", "b1"))
        assert await received(ws) == ["a1", "b1"]


@pytest.mark.parametrize(
    "queue", [None, DropOldest(2), Conflate(lambda _: 0, 2)], ids=["none", "oldest", "conflate"]
)
@pytest.mark.parametrize("missing", [0, 1])
@pytest.mark.parametrize("ends", ["lost", "failed", "taken"])
def test_a_large_message_behind_more_pings_than_may_wait(queue, missing, ends):
    """It comes whole or not at all, and what was read before the end comes."""
    payload = random.Random(1).randbytes(102_400)
    message = frame(BINARY, payload)
    pings = [frame(PING, b"%d" % number) for number in range(1500)]
    loop = asyncio.new_event_loop()
    protocol = Protocol(loop, resume_reading=lambda _: None, autoping=False)
    if queue is not None:
        protocol.keep_newest(queue.max_size, getattr(queue, "key", None))
    protocol.connection_made(_Idle())
    ws = WebSocketBase(protocol)
    protocol.feed(b"".join(pings) + message[:60_000])
    protocol.feed(message[60_000 : len(message) - missing])
    if ends == "failed":
        protocol.fail_with(RuntimeError("failed"))
    if ends != "taken":
        protocol.connection_lost(None)
    messages = []
    while (message := ws.receive_nowait()) is not None and message.tp is not MsgType.closed:
        messages.append(message)
    loop.close()
    counted = [one.data for one in messages if one.tp is MsgType.ping]
    assert counted == [b"%d" % number for number in range(1500)]
    data = [one.data for one in messages if one.tp is MsgType.binary]
    assert data == ([] if missing else [payload])


@pytest.mark.parametrize(
    ("make", "kind", "said"),
    [
        (lambda: DropOldest(0), ValueError, "max_size is 0"),
        (lambda: DropOldest("1"), TypeError, "max_size must be int"),
        (lambda: Conflate(None), TypeError, "key must be a function"),
        (lambda: Conflate(first_letter, -1), ValueError, "max_size is -1"),
        (lambda: ClientSession(queue=3), TypeError, "queue must be DropOldest or Conflate"),
    ],
)
async def test_wrong_arguments(make, kind, said):
    with pytest.raises(kind, match=said):
        make()


def model(max_size, key, steps):
    """The queue, as simple as can be: the pings among the messages stay where they are."""
    waiting, taken, dropped = [], [], 0
    for step in steps:
        if step is None:
            taken += waiting[:1]
            waiting = waiting[1:]
            continue
        data = [at for at, old in enumerate(waiting) if old[0] != "ping"]
        same = [at for at in data if key and waiting[at][0] == step[0]]
        if same and step[0] != "ping":
            waiting[same[0]] = step
            dropped += 1
        else:
            waiting.append(step)
            if step[0] != "ping" and len(data) == max_size:
                del waiting[data[0]]
                dropped += 1
    return taken + waiting, dropped


KINDS = ["ping", "ping", *"abcd"]
STEP = st.one_of(st.none(), st.tuples(st.sampled_from(KINDS), st.integers(0, 9)))


def frame_of(step):
    text = "".join(map(str, step)).encode()
    return frame(PING if step[0] == "ping" else TEXT, text)


def said(message):
    return message.data if isinstance(message.data, str) else message.data.decode()


@given(
    max_size=st.integers(1, 6), conflates=st.booleans(), steps=st.lists(st.lists(STEP), max_size=12)
)
@example(max_size=1, conflates=True, steps=[[("ping", 0), ("a", 1), ("b", 2), ("a", 3)]])
def test_any_traffic(max_size, conflates, steps):
    loop = asyncio.new_event_loop()
    protocol = Protocol(loop, resume_reading=lambda _: None, autoping=False)
    protocol.keep_newest(max_size, first_letter if conflates else None)
    protocol.connection_made(_Idle())
    ws = WebSocketBase(protocol)
    taken = []
    flat = []
    for read in steps:
        flat += [step for step in read if step is not None]
        protocol.feed(b"".join(frame_of(step) for step in read if step is not None))
        for step in read:
            if step is None:
                flat.append(None)
                message = ws.receive_nowait()
                taken += [said(message)] if message else []
    while (message := ws.receive_nowait()) is not None:
        taken.append(said(message))
    loop.close()
    expected, dropped = model(max_size, conflates, flat)
    assert taken == ["".join(map(str, step)) for step in expected]
    assert ws.dropped == dropped


class _Idle(asyncio.Transport):
    def write(self, data):
        pass

    def is_closing(self):
        return False

    def pause_reading(self):
        pass

    def abort(self):
        pass

    def resume_reading(self):
        pass
