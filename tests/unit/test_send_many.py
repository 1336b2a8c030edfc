"""`send_many`: several messages, each in its frame, in as few writes as can be."""

import asyncio
import gc
import itertools
import socket
import threading
import tracemalloc
import zlib

import aiohttp
import pytest
from tests.conftest import BINARY, CLOSE, PING, TEXT, frame

import wsclient.aiohttp
from wsclient import ClientConnectionResetError, testing, ws_connect
from wsclient.framing import encode_close

from .linked import deliver, gone, linked, shake_hands
from .segments import needs_segments, segments
from .test_backpressure import MiB, fill, stalled, until, waits


async def frames_of(wire, count):
    """The client's next frames, as opcode and payload."""
    frames = [await wire.receive() for _ in range(count)]
    assert all(received.fin and received.rsv == 0 for received in frames)
    return [(received.opcode, received.payload) for received in frames]


def numbered(count, size=1000):
    return [b"%06d" % number + bytes(size) for number in range(count)]


def numbers(frames):
    return [int(payload[:6]) for _, payload in frames]


async def test_each_message_has_its_frame(scripted):
    async with linked(scripted) as (ws, wire):
        before = ws.stats
        messages = ["text", b"bytes", "€", bytearray(b"array"), memoryview(b"view"), "", b""]
        await ws.send_many(messages)
        expected = [(TEXT, b"text"), (BINARY, b"bytes"), (TEXT, "€".encode()), (BINARY, b"array")]
        expected += [(BINARY, b"view"), (TEXT, b""), (BINARY, b"")]
        assert await frames_of(wire, 7) == expected
        after = ws.stats
        assert after.messages_sent - before.messages_sent == 7
        assert after.bytes_sent - before.bytes_sent == sum(len(sent) for _, sent in expected)
        assert after.frames_sent - before.frames_sent == 7


@needs_segments
async def test_they_leave_in_one_write(scripted):
    async with linked(scripted) as (ws, wire):
        before = segments(ws)
        await ws.send_many(numbered(50, size=200))
        assert numbers(await frames_of(wire, 50)) == list(range(50))
        assert segments(ws) - before == 1


@needs_segments
async def test_they_leave_in_one_record():
    async with (
        testing.serve(ssl=True) as server,
        ws_connect(server.url, ssl=server.ssl_context) as ws,
    ):
        # What TLS itself has to send is out.
        await ws.send_str("before")
        await ws.receive()
        before = segments(ws)
        await ws.send_many(numbered(50, size=200))
        received = [(await ws.receive(timeout=10)).data for _ in range(50)]
        assert received == numbered(50, size=200)
        assert segments(ws) - before == 1


@pytest.mark.parametrize("size", [0, 1, 65521, 65522, 65523, 70_000, 3 * MiB])
async def test_messages_of_all_sizes_keep_their_order(echo, size):
    messages = [b"a", bytes(size), b"b", "c" * size, "d"]
    async with ws_connect(echo, max_msg_size=0) as ws:
        await ws.send_many(messages)
        assert [(await ws.receive(timeout=10)).data for _ in messages] == messages


async def test_more_than_a_piece_has_messages(echo):
    async with ws_connect(echo) as ws:
        await ws.send_many(str(number) for number in range(5000))
        for number in range(5000):
            assert (await ws.receive(timeout=10)).data == str(number)


class Unusable:
    def __getitem__(self, index):
        raise LookupError("stop")


@pytest.mark.parametrize(
    ("messages", "error", "text"),
    [
        (["a", 3], TypeError, r"^messages\[1\] must be str, bytes, .* not <class 'int'>$"),
        ([None], TypeError, r"^messages\[0\] must be str, bytes, .* not <class 'NoneType'>$"),
        (["a", b"b", "\ud800"], UnicodeEncodeError, r"surrogates not allowed, in messages\[2\]$"),
        ("text", TypeError, r"^messages must be an iterable of str or bytes, not <class 'str'>$"),
        (b"bytes", TypeError, r"^messages must be an iterable of .* not <class 'bytes'>$"),
        (bytearray(b"a"), TypeError, r"^messages must be .* not <class 'bytearray'>$"),
        (memoryview(b"a"), TypeError, r"^messages must be .* not <class 'memoryview'>$"),
        ({"a": "b"}, TypeError, r"^messages must be .* not <class 'dict'>$"),
        (None, TypeError, r"^messages must be .* not <class 'NoneType'>$"),
        (5, TypeError, r"^messages must be .* not <class 'int'>$"),
        (Unusable(), LookupError, "stop"),
    ],
)
async def test_what_is_wrong_is_named_and_nothing_is_sent(scripted, messages, error, text):
    async with linked(scripted) as (ws, wire):
        before = ws.stats
        with pytest.raises(error, match=text):
            ws.send_many(messages)
        assert ws.stats == before
        await ws.send_str("next")
        assert await frames_of(wire, 1) == [(TEXT, b"next")]


async def test_an_asynchronous_iterable_is_none(scripted):
    async def messages():
        yield "a"

    async with linked(scripted) as (ws, _):
        with pytest.raises(TypeError, match=r"not <class 'async_generator'>$"):
            ws.send_many(messages())


async def test_a_released_view_is_named(scripted):
    view = memoryview(b"a")
    view.release()
    async with linked(scripted) as (ws, _):
        with pytest.raises(ValueError, match="released") as caught:
            ws.send_many(["a", view])
        assert caught.value.__notes__ == ["in messages[1]"]


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
async def test_an_iterable_that_raises_sends_nothing(scripted, error):
    def messages():
        yield "a"
        raise error

    async with linked(scripted) as (ws, wire):
        with pytest.raises(error):
            ws.send_many(messages())
        await ws.send_str("next")
        assert await frames_of(wire, 1) == [(TEXT, b"next")]


async def test_an_iterable_that_sends(scripted):
    """What it sends goes before."""

    def messages():
        for number in range(3):
            ws.send_str(f"inside {number}")
            ws.send_many([f"deep {number}"])
            yield f"outside {number}"

    async with linked(scripted) as (ws, wire):
        await ws.send_many(messages())
        inside = [f"{what} {n}".encode() for n in range(3) for what in ("inside", "deep")]
        outside = [f"outside {n}".encode() for n in range(3)]
        assert [payload for _, payload in await frames_of(wire, 9)] == [*inside, *outside]


async def test_an_iterable_that_closes(scripted):
    def messages():
        yield "a"
        ws._connection.start_close(1000, b"")
        yield "b"

    async with linked(scripted) as (ws, wire):
        with pytest.raises(ClientConnectionResetError, match=r"cannot send messages: .* clos"):
            ws.send_many(messages())
        assert await frames_of(wire, 1) == [(CLOSE, encode_close(1000))]


@pytest.mark.parametrize("messages", [["a"], []])
async def test_a_closed_connection_is_told_as_for_other_sends(echo, messages):
    async with ws_connect(echo) as ws:
        await ws.close()
        with pytest.raises(ClientConnectionResetError, match="closed with code 1000"):
            ws.send_many(messages)


async def test_none_is_no_message(scripted):
    async with linked(scripted) as (ws, wire):
        await ws.send_many([])
        await ws.send_many(iter(()))
        await ws.send_str("next")
        assert await frames_of(wire, 1) == [(TEXT, b"next")]


async def test_it_need_not_be_awaited(scripted):
    async with linked(scripted) as (ws, wire):
        ws.send_many(["a", "b"])
        gc.collect()
        assert await frames_of(wire, 2) == [(TEXT, b"a"), (TEXT, b"b")]


@pytest.mark.parametrize("awaited", [True, False])
async def test_a_slow_server_does_not_fill_the_memory(scripted, awaited):
    """Whether it is awaited or not: what waits are the messages, and no frames of them."""
    count = 100_000
    messages = [b"%06d" % number + bytes(1000) for number in range(100)] * (count // 100)
    async with linked(scripted) as (ws, wire):
        tracemalloc.start()
        try:
            sent = ws.send_many(messages)
            task = await waits(sent) if awaited else None
            assert ws.buffered_amount > 50 * MiB
            taken, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert taken < MiB
        received = await frames_of(wire, count)
        assert numbers(received) == [n % 100 for n in range(count)]
        if task is not None:
            await task
        assert ws.buffered_amount == 0


async def test_what_may_change_is_copied(scripted):
    async with linked(scripted) as (ws, wire):
        count = await fill(ws)
        changing = bytearray(b"before")
        ws.send_many([changing, memoryview(changing)])
        changing[:] = b"behind"
        received = await frames_of(wire, count + 2)
        assert received[-2:] == [(BINARY, b"before")] * 2


async def test_nothing_overtakes_what_waits(scripted):
    async with linked(scripted) as (ws, wire):
        count = await fill(ws)
        ws.send_many(["a", "b"])
        ws.send_str("c")
        ws.send_many(["d", b"e"])
        task = await waits(ws.send_bytes(b"f"))
        with ws.cork():
            ws.send_str("g")
        last = await waits(ws.send_many(["h"]))
        received = [payload for _, payload in await frames_of(wire, count + 8)]
        assert received[count:] == [b"a", b"b", b"c", b"d", b"e", b"f", b"g", b"h"]
        await task
        await last


async def test_pings_do_not_wait(scripted):
    async with linked(scripted) as (ws, wire):
        messages = numbered(20_000)
        task = await waits(ws.send_many(messages))
        ws.ping(b"now")
        received = await frames_of(wire, len(messages) + 1)
        place = received.index((PING, b"now"))
        assert place < len(messages) // 2
        assert numbers(received[:place] + received[place + 1 :]) == list(range(len(messages)))
        await task


async def test_fragments_wait_for_their_turn(scripted):
    async with linked(scripted) as (ws, wire):
        count = await fill(ws)
        ws.send_many(numbered(1000))
        task = asyncio.create_task(ws.send_fragments(["a", "b"]))
        await frames_of(wire, count)
        assert numbers(await frames_of(wire, 1000)) == list(range(1000))
        parts = [await wire.receive() for _ in range(3)]
        assert [(part.payload, part.fin) for part in parts] == [
            (b"a", False),
            (b"b", False),
            (b"", True),
        ]
        await task


async def test_it_waits_for_the_end_of_a_message_in_fragments(scripted):
    async with linked(scripted) as (ws, wire):
        go_on = asyncio.Event()

        async def fragments():
            yield "a"
            await go_on.wait()
            yield "b"

        task = asyncio.create_task(ws.send_fragments(fragments()))
        assert (await wire.receive()).payload == b"a"
        sent = await waits(ws.send_many(["c", "d"]))
        go_on.set()
        received = [(await wire.receive()).payload for _ in range(4)]
        assert received == [b"b", b"", b"c", b"d"]
        await task
        await sent


@pytest.mark.parametrize("compress", [0, 15])
async def test_the_buffered_amount_is_exact(scripted, compress):
    async with linked(scripted, compress=compress) as (ws, wire):
        count = await fill(ws)
        amount = ws.buffered_amount
        messages = numbered(20_000)
        task = await waits(ws.send_many(messages))
        ws.send_str("\u00e9" * 10)
        with ws.cork():
            ws.send_bytes(bytearray(7))
        taken_back = await waits(ws.send_many(["abc", b"de", bytearray(5), "f" * 100_000]))
        ws.send_many(["last"])
        size = sum(map(len, messages))
        assert ws.buffered_amount == amount + size + 20 + 7 + 100_010 + 4
        taken_back.cancel()
        await asyncio.wait([taken_back])
        assert ws.buffered_amount == amount + size + 20 + 7 + 4
        # Some leave, and then the server reads no more.
        await frames_of(wire, count + 5_000)
        await stalled(lambda: ws.buffered_amount)
        amount, sent = ws.buffered_amount, ws.stats.messages_sent - count
        assert 5_000 <= sent < 20_000
        task.cancel()
        await asyncio.wait([task])
        assert ws.buffered_amount == amount - sum(map(len, messages[sent:]))
        await frames_of(wire, sent - 5_000 + 3)
        await until(lambda: ws.buffered_amount == 0)


async def test_a_cancelled_await_takes_back_what_is_not_written(scripted):
    async with linked(scripted) as (ws, wire):
        messages = numbered(50_000)
        task = await waits(ws.send_many(messages))
        behind = await waits(ws.send_str("behind"))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        del messages
        # How many it was is known when what is behind has come: there may have been room again.
        received = await frames_of(wire, 1)
        while received[-1] != (TEXT, b"behind"):
            received += await frames_of(wire, 1)
        sent = len(received) - 1
        assert 0 < sent < 50_000
        assert numbers(received[:-1]) == list(range(sent))
        await behind
        assert ws.stats.messages_sent == sent + 1


async def test_what_is_taken_back_is_not_kept(scripted):
    class Message(bytes):
        count = 0

        def __del__(self):
            type(self).count += 1

    async with linked(scripted) as (ws, _):
        await fill(ws)
        task = await waits(ws.send_many([Message(b"a"), Message(b"b")]))
        assert Message.count == 0
        task.cancel()
        await asyncio.wait([task])
        del task
        gc.collect()
        assert Message.count == 2


async def test_closing_comes_behind_what_was_sent(scripted):
    async with linked(scripted) as (ws, wire):
        ws.send_many(numbered(20_000))
        closing = asyncio.create_task(ws.close())
        received = await frames_of(wire, 20_001)
        assert numbers(received[:-1]) == list(range(20_000))
        assert received[-1] == (CLOSE, encode_close(1000))
        await wire.send(frame(CLOSE, encode_close(1000)))
        wire.reset()
        assert await closing


@pytest.mark.parametrize("behind", [False, True])
async def test_a_reset_in_the_middle_is_told(scripted, behind):
    async with linked(scripted) as (ws, wire):
        tasks = [await waits(ws.send_many(numbered(50_000)))]
        if behind:
            tasks.append(await waits(ws.send_str("behind")))
        wire.reset()
        for task in tasks:
            with pytest.raises(ClientConnectionResetError, match="cannot send more"):
                await task
        assert ws.buffered_amount == 0
        with pytest.raises(ClientConnectionResetError):
            ws.send_many(["a"])


@pytest.mark.parametrize("behind", [False, True])
async def test_the_peers_close_in_the_middle_is_told(scripted, behind):
    async with linked(scripted) as (ws, wire):
        await fill(ws)
        tasks = [await waits(ws.send_many(numbered(5000)))]
        if behind:
            tasks.append(await waits(ws.send_str("behind")))
        await wire.send(frame(CLOSE, encode_close(1001)))
        assert (await ws.receive()).data == 1001
        await wire.end()
        for task in tasks:
            with pytest.raises(ClientConnectionResetError, match="cannot send more"):
                await task


async def test_a_connection_that_breaks_at_once(scripted):
    """The server resets while nobody waits: a send finds out."""
    async with linked(scripted) as (ws, wire):
        ws.pause_reading()
        wire.reset()
        with pytest.raises(ClientConnectionResetError):
            for _ in itertools.repeat(None):
                await ws.send_many([bytes(1000)] * 10)


async def test_compressed_messages_refer_to_those_before(scripted):
    messages = [f'{{"symbol":"BTCUSDT","price":"{64000 + n}.5"}}'.encode() for n in range(300)]
    async with linked(lambda script: scripted(script, extensions="permessage-deflate"),
                      compress=15) as (ws, wire):  # fmt: skip
        ws.send_bytes(messages[0])
        await ws.send_many(messages[1:200])
        with ws.cork():
            for message in messages[200:]:
                ws.send_bytes(message)
        inflate = zlib.decompressobj(-15)
        for message in messages:
            received = await wire.receive()
            payload = received.payload
            if received.rsv:
                payload = inflate.decompress(payload + b"\x00\x00\xff\xff")
            assert payload == message
        stats = ws.stats
        assert stats.messages_sent == 300
        assert stats.deflated_bytes_sent < stats.compressed_bytes / 2


async def test_in_another_thread_nothing_is_written_before_the_loop_runs_it(scripted):
    async with linked(scripted) as (ws, wire):
        changing = bytearray(b"before")
        sent = await asyncio.to_thread(lambda: ws.send_many(iter(["a", changing])))
        changing[:] = b"behind"
        await ws.send_str("first")
        await sent
        expected = [(TEXT, b"first"), (TEXT, b"a"), (BINARY, b"before")]
        assert await frames_of(wire, 3) == expected

        with pytest.raises(TypeError, match=r"messages\[1\]"):
            await asyncio.to_thread(lambda: ws.send_many(["a", 1]))

        loop = asyncio.get_running_loop()

        def use():
            asyncio.run_coroutine_threadsafe(ws.send_many(["b", b"c"]), loop).result(10)

        await asyncio.to_thread(use)
        assert await frames_of(wire, 2) == [(TEXT, b"b"), (BINARY, b"c")]


async def test_in_another_thread_it_warns_if_it_is_never_run(scripted):
    async with linked(scripted) as (ws, _):
        made = []
        thread = threading.Thread(target=lambda: made.append(ws.send_many(["a"])))
        thread.start()
        await asyncio.to_thread(thread.join)
        text = r"ClientWebSocketResponse\.send_many' was never awaited: called in another thread"
        with pytest.warns(RuntimeWarning, match=text):
            made.clear()


def test_a_closed_loop_is_told(loop_and_ws):
    ws = loop_and_ws
    with pytest.raises(ClientConnectionResetError, match="its event loop is closed"):
        ws.send_many(["a"])


@pytest.fixture
def loop_and_ws():
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            sock, _ = listener.accept()
            shake_hands(sock)
            sock.recv(1)
            sock.close()

        thread = threading.Thread(target=serve)
        thread.start()
        loop = asyncio.new_event_loop()
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}/"
        ws = loop.run_until_complete(ws_connect(url))
        ws._connection.abort()
        loop.run_until_complete(gone(ws))
        loop.close()
        thread.join(10)
        yield ws


async def test_the_adapters_is_a_coroutine(echo):
    looked_at = []

    def messages():
        looked_at.append(True)
        yield "a"
        yield b"b"

    async with wsclient.aiohttp.ClientSession() as session, session.ws_connect(echo) as ws:
        coroutine = ws.send_many(messages())
        assert not looked_at
        await coroutine
        assert [(await ws.receive(timeout=10)).data for _ in range(2)] == ["a", b"b"]
        wrong = ws.send_many(["a", 1])
        with pytest.raises(TypeError, match=r"messages\[1\]"):
            await wrong
        with pytest.warns(RuntimeWarning, match=r"send_many' was never awaited$"):
            ws.send_many(["a"])
        await ws.close()
        closed = ws.send_many(["a"])
        with pytest.raises(aiohttp.ClientConnectionResetError):
            await closed


async def test_a_wrong_message_later_leaves_the_connection_usable(scripted):
    async with linked(scripted) as (ws, wire):
        await fill(ws)
        with pytest.raises(TypeError):
            ws.send_many(["a", object()])
        assert not ws.closed
        ws.send_many(["b"])
        while (await wire.receive()).payload != b"b":
            pass
        await until(lambda: ws.buffered_amount == 0)
        await deliver(wire)
