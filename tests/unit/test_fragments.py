"""`send_fragments`: one message in several frames, and what is sent meanwhile."""

import asyncio
import contextlib
import gc
import ssl
import zlib

import aiohttp
import pytest
import trustme
from tests.conftest import BINARY, CLOSE, PING, PONG, TEXT, frame, trusting
from websockets.asyncio.server import serve as websockets_serve

import wsclient.aiohttp
from wsclient import ClientConnectionResetError, MsgType, ws_connect
from wsclient.framing import encode_close, parse_close

from .linked import deliver, gone, linked
from .test_backpressure import fill, until, waits

CONTINUATION = 0
BROKEN_OFF = encode_close(1011, "a message broke off between its fragments")


async def frames_of(wire, count):
    """The client's next frames, as opcode, payload and FIN."""
    frames = [await wire.receive() for _ in range(count)]
    assert all(received.rsv == 0 for received in frames)
    return [(received.opcode, received.payload, received.fin) for received in frames]


async def asynchronous(*fragments):
    for fragment in fragments:
        await asyncio.sleep(0)
        yield fragment


class Fragments:
    """An asynchronous iterator of what it is given, by and by."""

    def __init__(self):
        self._queue = asyncio.Queue()

    def give(self, *fragments):
        for fragment in fragments:
            self._queue.put_nowait(fragment)

    def end(self, error=StopAsyncIteration):
        self._queue.put_nowait(error)

    def __aiter__(self):
        return self

    async def __anext__(self):
        item = await self._queue.get()
        if isinstance(item, BaseException) or item is StopAsyncIteration:
            raise item
        return item


@contextlib.asynccontextmanager
async def under_way(scripted, *, first="first", **options):
    """A WebSocket with a message of which one fragment has left.

    Yields the WebSocket, the server's end, the iterator of fragments and the task that sends.
    """
    async with linked(scripted, **options) as (ws, wire):
        fragments = Fragments()
        fragments.give(first)
        task = asyncio.create_task(ws.send_fragments(fragments))
        payload = first.encode() if isinstance(first, str) else first
        opcode = TEXT if isinstance(first, str) else BINARY
        assert await frames_of(wire, 1) == [(opcode, payload, False)]
        yield ws, wire, fragments, task
        if not task.done():
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError, ClientConnectionResetError):
            await task


@pytest.mark.parametrize("kind", [list, iter, lambda each: asynchronous(*each)])
@pytest.mark.parametrize(
    ("fragments", "text", "opcode"),
    [
        (["a", "é", ""], None, TEXT),
        (["a", "é"], True, TEXT),
        (["a", "é"], False, BINARY),
        ([b"a", bytearray(b"\xff"), memoryview(b"abc")[::2]], None, BINARY),
        ([b"a", b"\xff"], False, BINARY),
        ([b"a\xe2", b"\x82", b"", b"\xac"], True, TEXT),
        (["only"], None, TEXT),
    ],
)
async def test_fragments(scripted, kind, fragments, text, opcode):
    async with linked(scripted) as (ws, wire):
        assert await ws.send_fragments(kind(fragments), text=text) is None
        payloads = [
            fragment.encode() if isinstance(fragment, str) else bytes(fragment)
            for fragment in fragments
        ]
        assert await frames_of(wire, len(fragments) + 1) == [
            (CONTINUATION if place else opcode, payload, place == len(fragments))
            for place, payload in enumerate([*payloads, b""])
        ]
        await ws.send_str("after")
        assert await frames_of(wire, 1) == [(TEXT, b"after", True)]
        stats = ws.stats
        assert (stats.messages_sent, stats.frames_sent) == (2, len(fragments) + 2)
        assert stats.bytes_sent == sum(map(len, payloads)) + 5


async def test_a_server_puts_them_together(echo):
    async with ws_connect(echo) as ws:
        await ws.send_fragments(["a", "é", "b"])
        assert await ws.receive_str() == "aéb"
        await ws.send_fragments(asynchronous(*[bytes(100_000)] * 30))
        assert await ws.receive_bytes() == bytes(3_000_000)


@pytest.mark.parametrize("empty", [[], iter(()), asynchronous()])
async def test_no_fragment_is_no_message(scripted, empty):
    async with linked(scripted) as (ws, wire):
        await ws.send_fragments(empty)
        await ws.send_str("after")
        assert await frames_of(wire, 1) == [(TEXT, b"after", True)]
        assert ws.stats.frames_sent == 1


@pytest.mark.parametrize(
    "wrong", [1, None, "text", b"bytes", bytearray(), memoryview(b""), {"a": 1}]
)
async def test_what_is_no_iterable_of_fragments(scripted, wrong):
    async with linked(scripted) as (ws, wire):
        with pytest.raises(TypeError, match="fragments must be an iterable or asynchronous iter"):
            await ws.send_fragments(wrong)
        await ws.send_str("after")
        assert await frames_of(wire, 1) == [(TEXT, b"after", True)]


FIRST = {
    "number": ([1], None, TypeError, "fragments must be all str, or all bytes, .* is int"),
    "surrogate": (["\ud800"], None, UnicodeEncodeError, "surrogates"),
    "not UTF-8": ([b"\xff"], True, ValueError, "not UTF-8, as text must be, at byte 0"),
    "text": (["a"], "yes", TypeError, "text"),
}


@pytest.mark.parametrize("kind", [iter, lambda each: asynchronous(*each)])
@pytest.mark.parametrize("what", FIRST)
async def test_a_wrong_first_fragment_harms_nothing(scripted, kind, what):
    fragments, text, error, match = FIRST[what]
    async with linked(scripted) as (ws, wire):
        with pytest.raises(error, match=match):
            await ws.send_fragments(kind(fragments), text=text)
        await ws.send_str("after")
        assert await frames_of(wire, 1) == [(TEXT, b"after", True)]


def failing():
    yield "a"
    raise ZeroDivisionError


LATER = {
    "bytes after str": (["a", b"b"], None, TypeError, "all str, or all bytes, .* is bytes"),
    "str after bytes": ([b"a", "b"], None, TypeError, "all str, or all bytes, .* is str"),
    "surrogate": (["a", "\ud800"], None, UnicodeEncodeError, "surrogates"),
    "not UTF-8": ([b"a\xe2", b"\x82\xff"], True, ValueError, "not UTF-8, .* at byte 1"),
    "half a character": ([b"a\xe2\x82"], True, ValueError, "not UTF-8, .* at byte 1"),
    "its own": ([], None, ZeroDivisionError, None),
}


@pytest.mark.parametrize("what", LATER)
async def test_a_message_that_cannot_be_completed_ends_the_connection(scripted, what):
    fragments, text, error, match = LATER[what]
    async with linked(scripted) as (ws, wire):
        fragments = failing() if what == "its own" else fragments
        with pytest.raises(error, match=match):
            await ws.send_fragments(fragments, text=text)
        assert ws.closed
        with pytest.raises(ClientConnectionResetError, match=r"cannot send a text frame"):
            ws.send_str("late")
        assert not (await wire.receive()).fin
        assert await frames_of(wire, 1) == [(CLOSE, BROKEN_OFF, True)]
        await wire.send(frame(CLOSE, BROKEN_OFF))
        assert (await ws.receive()).tp is MsgType.closed
        wire.transport.close()
        await gone(ws)
        assert ws.close_code == 1011


async def test_a_cancellation_between_fragments_ends_the_connection(scripted):
    async with under_way(scripted) as (ws, wire, _, task):
        held = await waits(ws.send_str("held"))
        reading = asyncio.create_task(ws.receive())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await reading).tp is MsgType.closing
        with pytest.raises(ClientConnectionResetError, match=r"cannot send more: .* closing"):
            await held
        assert await frames_of(wire, 1) == [(CLOSE, BROKEN_OFF, True)]
        # The server answers nothing, nor does anybody here call close().
        await gone(ws)
        assert ws.close_code == 1006


async def test_each_fragment_leaves_at_once(scripted):
    async with under_way(scripted) as (_, wire, fragments, task):
        fragments.give("second")
        assert await frames_of(wire, 1) == [(CONTINUATION, b"second", False)]
        fragments.end()
        assert await frames_of(wire, 1) == [(CONTINUATION, b"", True)]
        await task


@pytest.mark.parametrize("compress", [0, 15])
async def test_messages_are_held_back_in_their_order(scripted, compress):
    extensions = "permessage-deflate" if compress else None

    async def start(script):
        return await scripted(script, extensions=extensions)

    async with under_way(start, first=b"first", compress=compress) as (ws, wire, fragments, task):
        assert ws.compress == compress
        sends = [ws.send_str("1" * 300), ws.send_bytes(b"2" * 300), ws.send_str("3" * 300)]
        ws.send_str("4", compress=0)
        tasks = [await waits(sent) for sent in sends]
        assert ws.buffered_amount > (40 if compress else 900)
        fragments.give(b"second" * 100)
        fragments.end()
        received = [await wire.receive() for _ in range(6)]
        await asyncio.gather(task, *tasks)
        assert ws.buffered_amount == 0
        assert [item.opcode for item in received] == [CONTINUATION] * 2 + [TEXT, BINARY, TEXT, TEXT]
        assert [item.fin for item in received] == [False, True, True, True, True, True]
        assert [item.rsv for item in received] == [0, 0, *[4 if compress else 0] * 3, 0]
        inflater = zlib.decompressobj(-15)
        plain = [
            inflater.decompress(item.payload + b"\0\0\xff\xff") if item.rsv else item.payload
            for item in received
        ]
        expected = [b"second" * 100, b"", b"1" * 300, b"2" * 300, b"3" * 300, b"4"]
        assert plain == expected


async def test_pings_and_pongs_go_between(scripted):
    async with under_way(scripted) as (ws, wire, fragments, task):
        ws.send_str("held")
        await ws.ping(b"1")
        await ws.pong(b"2")
        trip = ws.round_trip(b"3")
        await wire.send(frame(PING, b"4"))
        assert await frames_of(wire, 4) == [
            (PING, b"1", True),
            (PONG, b"2", True),
            (PING, b"3", True),
            (PONG, b"4", True),
        ]
        await wire.send(frame(PONG, b"3"))
        await trip
        fragments.end()
        await task
        assert await frames_of(wire, 2) == [(CONTINUATION, b"", True), (TEXT, b"held", True)]


async def test_another_message_in_fragments_waits(scripted):
    async with under_way(scripted) as (ws, wire, fragments, task):
        later = [await waits(ws.send_fragments([each])) for each in ("a", "b", b"c")]
        ws.send_str("held")
        fragments.end()
        await asyncio.gather(task, *later)
        assert await frames_of(wire, 8) == [
            (CONTINUATION, b"", True),
            (TEXT, b"held", True),
            (TEXT, b"a", False),
            (CONTINUATION, b"", True),
            (TEXT, b"b", False),
            (CONTINUATION, b"", True),
            (BINARY, b"c", False),
            (CONTINUATION, b"", True),
        ]


async def test_whoever_was_held_back_does_not_wait_for_the_next(scripted):
    async with under_way(scripted) as (ws, wire, fragments, task):
        held = await waits(ws.send_str("held"))
        other = Fragments()
        other.give("other")
        next_one = asyncio.create_task(ws.send_fragments(other))
        await asyncio.sleep(0)
        fragments.end()
        await asyncio.gather(task, held)
        assert await frames_of(wire, 3) == [
            (CONTINUATION, b"", True),
            (TEXT, b"held", True),
            (TEXT, b"other", False),
        ]
        other.end()
        await next_one


async def test_two_that_begin_at_the_same_time(scripted):
    async with linked(scripted) as (ws, wire):
        await asyncio.gather(*(ws.send_fragments(asynchronous("a", "b")) for _ in range(5)))
        received = await frames_of(wire, 15)
        assert received == received[:3] * 5


async def test_a_cancelled_wait_sends_all_the_same_or_nothing(scripted):
    """The message of `send_str` has been accepted; `send_fragments` has not begun."""
    async with under_way(scripted) as (ws, wire, fragments, task):
        held = await waits(ws.send_str("held"))
        waiting = await waits(ws.send_fragments(["never"]))
        for each in (held, waiting):
            each.cancel()
            with pytest.raises(asyncio.CancelledError):
                await each
        fragments.end()
        await task
        await ws.send_str("after")
        assert await frames_of(wire, 3) == [
            (CONTINUATION, b"", True),
            (TEXT, b"held", True),
            (TEXT, b"after", True),
        ]


async def test_a_close_in_the_middle(scripted):
    async with under_way(scripted) as (ws, wire, fragments, task):
        held = await waits(ws.send_str("held"))
        waiting = await waits(ws.send_fragments(["never"]))
        ws.send_bytes(b"nobody awaits it")
        closing = asyncio.create_task(ws.close())
        assert await frames_of(wire, 1) == [(CLOSE, encode_close(1000), True)]
        for each in (held, waiting):
            with pytest.raises(ClientConnectionResetError, match=r"close\(\) was called"):
                await each
        fragments.give("more")
        with pytest.raises(ClientConnectionResetError, match=r"cannot send a fragment: .* closing"):
            await task
        await wire.send(frame(CLOSE, encode_close(1000)))
        wire.transport.close()
        assert await closing
        assert ws.close_code == 1000
        gc.collect()


async def test_the_server_closes_in_the_middle(scripted):
    async with under_way(scripted) as (ws, wire, fragments, task):
        held = await waits(ws.send_str("held"))
        await wire.send(frame(CLOSE, encode_close(1001, "restart")))
        assert await frames_of(wire, 1) == [(CLOSE, encode_close(1001), True)]
        with pytest.raises(ClientConnectionResetError, match=r"closed with code 1001 \(restart\)"):
            await held
        fragments.give("more")
        with pytest.raises(ClientConnectionResetError, match=r"closed with code 1001 \(restart\)"):
            await task


async def test_the_connection_is_lost_in_the_middle(scripted):
    async with under_way(scripted) as (ws, wire, fragments, task):
        held = await waits(ws.send_str("held"))
        waiting = await waits(ws.send_fragments(["never"]))
        wire.reset()
        for each in (held, waiting):
            with pytest.raises(ClientConnectionResetError, match="the connection is lost"):
                await each
        assert ws.buffered_amount == 0
        fragments.give("more")
        with pytest.raises(ClientConnectionResetError, match=r"cannot send a fragment: .* lost"):
            await task
        with pytest.raises(ClientConnectionResetError):
            await ws.send_fragments(["late"])


async def test_a_slow_server_makes_the_next_fragment_wait(scripted):
    async with linked(scripted) as (ws, wire):
        count = await fill(ws)
        asked = []

        def fragments():
            for number in range(3):
                asked.append(number)
                yield b"%d" % number

        task = await waits(ws.send_fragments(fragments()))
        held = await waits(ws.send_str("held"))
        assert asked == [0]
        for _ in range(count):
            await wire.receive()
        await asyncio.gather(task, held)
        assert await frames_of(wire, 5) == [
            (BINARY, b"0", False),
            (CONTINUATION, b"1", False),
            (CONTINUATION, b"2", False),
            (CONTINUATION, b"", True),
            (TEXT, b"held", True),
        ]


async def test_what_was_held_back_waits_for_room_as_well(scripted):
    async with under_way(scripted) as (ws, wire, fragments, task):
        held = [await waits(ws.send_bytes(bytes(1_000_000))) for _ in range(10)]
        fragments.end()
        await until(lambda: ws.stats.messages_sent == 11)
        assert not any(each.done() for each in held)
        assert await frames_of(wire, 1) == [(CONTINUATION, b"", True)]
        for _ in held:
            assert len((await wire.receive()).payload) == 1_000_000
        await asyncio.gather(task, *held)


async def test_a_lost_connection_ends_the_wait_for_room(scripted):
    async with linked(scripted) as (ws, wire):
        await fill(ws)
        task = await waits(ws.send_fragments([b"a", b"b"]))
        wire.reset()
        with pytest.raises(ClientConnectionResetError):
            await task


async def test_calls_from_other_threads(scripted):
    loop = asyncio.get_running_loop()

    def call(make):
        return asyncio.run_coroutine_threadsafe(make(), loop).result(20)

    async with linked(scripted) as (ws, wire):
        await asyncio.to_thread(call, lambda: ws.send_fragments(["a"]))
        assert len(await frames_of(wire, 2)) == 2
        with pytest.raises(RuntimeError, match=r"cannot .* from another thread .* use"):
            await asyncio.to_thread(lambda: asyncio.run(ws.send_fragments(["a"])))
        await ws.send_str("after")
        assert await frames_of(wire, 1) == [(TEXT, b"after", True)]
    async with under_way(scripted) as (ws, wire, fragments, task):
        held = asyncio.create_task(asyncio.to_thread(call, lambda: ws.send_str("held")))
        await until(lambda: ws.buffered_amount)
        assert not held.done()
        fragments.end()
        await asyncio.gather(task, held)
        assert await frames_of(wire, 2) == [(CONTINUATION, b"", True), (TEXT, b"held", True)]


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_a_coroutine_that_is_closed(scripted, elsewhere):
    """As the garbage collector does, in whichever thread."""
    async with linked(scripted) as (ws, wire):
        coroutine = ws.send_fragments(Fragments())
        coroutine.send(None)
        coroutine.close()
        fragments = Fragments()
        fragments.give("first")
        coroutine = ws.send_fragments(fragments)
        coroutine.send(None)
        if elsewhere:
            await asyncio.to_thread(coroutine.close)
        else:
            coroutine.close()
        assert await frames_of(wire, 2) == [(TEXT, b"first", False), (CLOSE, BROKEN_OFF, True)]


async def test_over_tls():
    authority = trustme.CA()
    server_tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(server_tls)
    client_tls = trusting(authority)
    received = asyncio.Queue()

    async def collect(ws):
        while True:
            received.put_nowait([fragment async for fragment in ws.recv_streaming()])

    async with websockets_serve(collect, "localhost", 0, ssl=server_tls, max_size=None) as server:
        port = server.sockets[0].getsockname()[1]
        async with ws_connect(f"wss://localhost:{port}/", ssl=client_tls) as ws:
            large = [bytes([number]) * 300_000 for number in range(5)]
            task = asyncio.create_task(ws.send_fragments(asynchronous(*large)))
            await until(lambda: ws.stats.frames_sent)
            held = ws.send_str("held")
            assert await ws.round_trip() > 0
            await asyncio.gather(task, held)
            assert await received.get() == [*large, b""]
            assert await received.get() == ["held"]


async def test_where_sends_are_coroutines(scripted):
    wires, over = asyncio.Queue(), asyncio.Event()

    async def script(wire):
        wires.put_nowait(wire)
        await over.wait()

    url = await scripted(script)
    with wsclient.aiohttp.install():
        session = aiohttp.ClientSession()
        ws = await session.ws_connect(url)
    async with session:
        wire = await wires.get()
        fragments = Fragments()
        fragments.give("first")
        task = asyncio.create_task(ws.send_fragments(fragments))
        assert await frames_of(wire, 1) == [(TEXT, b"first", False)]
        held = [await waits(send) for send in (ws.send_str("1"), ws.send_bytes(b"2"))]
        await ws.ping(b"3")
        fragments.end()
        await asyncio.gather(task, *held)
        assert await frames_of(wire, 4) == [
            (PING, b"3", True),
            (CONTINUATION, b"", True),
            (TEXT, b"1", True),
            (BINARY, b"2", True),
        ]
        fragments.give(b"again")
        task = asyncio.create_task(ws.send_fragments(fragments))
        held = await waits(ws.send_str("never"))
        wire.reset()
        with pytest.raises(aiohttp.ClientConnectionResetError, match="Cannot write to closing"):
            await held
        fragments.give(b"more")
        with pytest.raises(aiohttp.ClientConnectionResetError, match="Cannot write to closing"):
            await task
        over.set()


async def test_the_answer_to_what_arrived_before_the_end(scripted):
    """After the server's close frame, what came before it may still be answered (§5.5.1)."""
    async with linked(scripted) as (ws, wire):
        await wire.send(frame(TEXT, b"question"), frame(CLOSE, encode_close(1000)))
        await until(lambda: ws.close_code is not None)
        await ws.send_fragments(["ans", "wer"])
        assert await ws.receive_str() == "question"
        received = await frames_of(wire, 4)
        assert [payload for _, payload, _ in received[:3]] == [b"ans", b"wer", b""]
        assert parse_close(received[3][1])[0] == 1000


async def test_deliveries_go_on_meanwhile(scripted):
    async with under_way(scripted) as (ws, wire, fragments, task):
        await deliver(wire, frame(TEXT, b"a"))
        assert await ws.receive_str() == "a"
        fragments.end()
        await task
