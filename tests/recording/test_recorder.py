"""What a `Recorder` writes, whichever way a connection is used."""

import asyncio
import os
import time

import aiohttp
import pytest

import wsclient
import wsclient.aiohttp
import wsclient.websockets
from wsclient import MsgType, Recorder, framing, reconnect, ws_connect
from wsclient.testing import Recording, Script, refuse, serve

from .conftest import read, told, until

MESSAGES = ["first", 'zweite \N{SNOWMAN}\n\x00"\\', b"\x00\xff", ""]
ENDED = [("in", "close", 1001), ("out", "close", 1001), ("", "end", 1001)]


def feed(*messages):
    script = Script()
    for message in messages or MESSAGES:
        script.send(message)
    return script.close(1001, "maintenance")


def arrived(*messages):
    return [
        ("in", "text" if isinstance(message, str) else "binary", message)
        for message in messages or MESSAGES
    ]


async def test_what_comes_and_goes_is_in_the_file(path):
    async with (
        serve() as server,
        Recorder(path) as recorder,
        ws_connect(server.url, record=recorder) as ws,
    ):
        for message in MESSAGES:
            ws.send_str(message) if isinstance(message, str) else ws.send_bytes(message)
            assert (await ws.receive()).data == message
    expected = [("", "open", None)]
    for message in MESSAGES:
        kind = "text" if isinstance(message, str) else "binary"
        expected += [("out", kind, message), ("in", kind, message)]
    expected += [("out", "close", 1000), ("in", "close", 1000), ("", "end", 1000)]
    assert read(path) == expected
    assert recorder.recorded == 2 * len(MESSAGES) + 2
    assert (recorder.lost, recorder.error, recorder.closed) == (0, None, True)


async def test_over_tls(file, recorder):
    async with serve(feed(), ssl=True) as server:
        async with ws_connect(server.url, ssl=server.ssl_context, record=recorder) as ws:
            assert [msg.data async for msg in ws] == MESSAGES
    recorder.close()
    assert read(file)[1:] == arrived() + ENDED


async def test_compressed_messages_are_recorded_as_they_are_seen(file, recorder):
    message = "tick " * 1000
    async with serve(compression=True) as server:
        async with ws_connect(server.url, compress=15, record=recorder) as ws:
            await ws.send_str(message)
            assert await ws.receive_str() == message
            assert ws.stats.inflated_bytes
    recorder.close()
    assert read(file)[1:3] == [("out", "text", message), ("in", "text", message)]


async def all_of(ws):
    async for _ in ws:
        pass


async def until_closed(receive):
    done = False
    while not done:
        received = await receive()
        messages = received if isinstance(received, list) else [received]
        done = any(msg.tp is MsgType.closed for msg in messages)


async def polled(ws):
    done = False
    while not done:
        msg = ws.receive_nowait()
        await asyncio.sleep(0)
        done = msg is not None and msg.tp is MsgType.closed


async def streamed(ws):
    for _ in MESSAGES:
        async for _ in ws.receive_streaming():
            pass
    await ws.receive()


WAYS = {
    "iteration": all_of,
    "receive": lambda ws: until_closed(ws.receive),
    "receive_nowait": polled,
    "receive_many": lambda ws: until_closed(ws.receive_many),
    "streaming": streamed,
    "nothing": lambda ws: ws._connection.wait_lost(),
}


@pytest.mark.parametrize("way", WAYS)
async def test_each_way_to_receive(way, file, recorder):
    async with serve(feed()) as server, ws_connect(server.url, record=recorder) as ws:
        await WAYS[way](ws)
    recorder.close()
    # The last word of who receives nothing comes when nobody waits for it any more.
    assert read(file)[1:] == arrived() + ENDED


async def test_typed_receives(file, recorder):
    async with serve(feed("text", b"bytes", '{"price": 1}')) as server:
        async with ws_connect(server.url, record=recorder, decode_text=False) as ws:
            await ws.receive_str()
            await ws.receive_bytes()
            assert await ws.receive_json() == {"price": 1}
    recorder.close()
    assert read(file)[1:4] == arrived("text", b"bytes", '{"price": 1}')


async def test_what_a_queue_drops_is_recorded(file, recorder):
    async with (
        serve(feed(*"abcdef")) as server,
        ws_connect(server.url, record=recorder, queue=wsclient.DropOldest(1)) as ws,
    ):
        await ws._connection.wait_lost()
        assert ws.dropped == 5
    recorder.close()
    assert read(file)[1:7] == arrived(*"abcdef")


async def test_each_way_to_send(file, recorder):
    async with serve(Script().stall()) as server, ws_connect(server.url, record=recorder) as ws:
        ws.send_json({"a": 1})
        await ws.send_many(["b", b"c", "x" * 100_000])
        with ws.cork():
            ws.send_str("d")
            ws.ping(b"e")
        await ws.send_fragments(["f", "g", "h"])
        await ws.send_fragments([b"i"])
        ws.pong(b"j")
        ws._connection.abort()
    recorder.close()
    sent = [("text", '{"a": 1}'), ("text", "b"), ("binary", b"c"), ("text", "x" * 100_000)]
    sent += [("text", "d"), ("ping", b"e"), ("text", "fgh"), ("binary", b"i"), ("pong", b"j")]
    expected = [("out", kind, data) for kind, data in sent]
    assert read(file)[1:] == [*expected, ("", "end", 1006)]


async def test_pings_and_their_answers(scripted, file, recorder):
    async def script(wire):
        await wire.send(shared_frame(9, b"are you there"))
        assert (await wire.receive()).payload == b"are you there"
        await wire.answer_close()

    def shared_frame(opcode, payload):
        return framing.encode_frame(opcode, payload, mask=False)

    async with ws_connect(await scripted(script), record=recorder) as ws:
        await until(lambda: ws.stats.control_frames_sent)
    recorder.close()
    assert read(file)[1:3] == [("in", "ping", b"are you there"), ("out", "pong", b"are you there")]


async def test_a_large_binary_message(file, recorder):
    large = os.urandom(3_000_000)
    async with serve(feed(large, "after")) as server:
        async with ws_connect(server.url, record=recorder) as ws:
            await all_of(ws)
    recorder.close()
    assert read(file)[1:3] == arrived(large, "after")


async def test_fragments_are_one_message_however_they_are_received(scripted, file, recorder):
    taken = [asyncio.Event() for _ in range(3)]

    async def script(wire):
        for number, event in enumerate(taken):
            for opcode, piece, fin in ((1, "\N{SNOWMAN}a", False), (0, "b", False)):
                await wire.send(framing.encode_frame(opcode, piece.encode(), fin=fin, mask=False))
            await event.wait()
            last = f"c{number}".encode()
            await wire.send(framing.encode_frame(0, last, fin=True, mask=False))
        await wire.answer_close()

    async with ws_connect(await scripted(script), record=recorder) as ws:
        pieces = ws.receive_streaming()
        assert (await anext(pieces))[0] == "\N{SNOWMAN}"
        taken[0].set()
        async for _ in pieces:
            pass
        # One that is left in the middle.
        pieces = ws.receive_streaming()
        await anext(pieces)
        await pieces.aclose()
        taken[1].set()
        # One that is begun in parts and received whole after all.
        pieces = ws.receive_streaming()
        waiting = asyncio.ensure_future(anext(pieces))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        taken[2].set()
        await ws.receive()
    recorder.close()
    assert [data for _, kind, data in read(file) if kind == "text"] == [
        f"\N{SNOWMAN}abc{number}" for number in range(3)
    ]


async def test_several_connections_have_a_mark_each(file, recorder):
    scripts = [feed("a"), Script().send("b").drop(), refuse(503), feed("c")]
    async with serve(*scripts) as server:
        count = 0
        async for ws in reconnect(
            server.url + "feed?token=secret", record=recorder, reconnect_delays=lambda: [0] * 9
        ):
            await all_of(ws)
            count += 1
            if count == 3:
                break
    recorder.close()
    entries = [*Recording.read(file)]
    assert [(entry.connection, *told(entry)) for entry in entries if entry.direction != "out"] == [
        (1, "", "open", None), (1, "in", "text", "a"), (1, "in", "close", 1001),
        (1, "", "end", 1001),
        (2, "", "open", None), (2, "in", "text", "b"), (2, "", "end", 1006),
        (3, "", "open", None), (3, "in", "text", "c"), (3, "in", "close", 1001),
        (3, "", "end", 1001),
    ]  # fmt: skip
    assert {entry.url for entry in entries if entry.type == "open"} == {
        server.url + "feed?token=***"
    }
    assert b"secret" not in file.read_bytes()


async def test_the_url_and_the_subprotocol(file, recorder):
    async with serve(subprotocols=["v2.feed"]) as server:
        url = server.url.replace("ws://", "ws://user:password@")
        async with ws_connect(url, protocols=["v1", "v2.feed"], record=recorder):
            pass
    recorder.close()
    opened = next(Recording.read(file).only("open"))
    assert (opened.url, opened.subprotocol) == (server.url, "v2.feed")


async def test_without_what_is_sent(file):
    async with serve() as server, Recorder(file, sent=False) as recorder:
        async with ws_connect(server.url, record=recorder) as ws:
            ws.ping()
            await ws.send_str("key=secret")
            assert await ws.receive_str()
    # The close frame says which side has ended it.
    assert [entry[:2] for entry in read(file) if entry[0] == "out"] == [("out", "close")]


async def test_times_are_those_of_arrival(file, recorder):
    """Messages that come in one read have one time, however late they are received."""
    before = time.time()
    async with serve(feed(*"abc")) as server:
        async with ws_connect(server.url, record=recorder, receive_time=True) as ws:
            await ws._connection.wait_lost()
            at = [(await ws.receive()).extra for _ in range(3)]
    recorder.close()
    recording = Recording.read(file)
    times = [entry.time for entry in recording if entry.type == "text"]
    for one, other in zip(at, times, strict=True):
        assert one - at[0] == pytest.approx(other - times[0], abs=1e-3)
    # Two clocks on the wall that nobody sets meanwhile.
    assert before - 1 <= recording.start.timestamp() <= time.time() + 1
    ordered = [entry.ns for entry in recording]
    assert ordered == sorted(ordered)


async def test_aiohttp_adapter(file, recorder):
    async with serve(feed(), ssl=True) as server, wsclient.aiohttp.ClientSession() as session:
        async with session.ws_connect(
            server.url + "?key=1", ssl=server.ssl_context, record=recorder
        ) as ws:
            async for _ in ws:
                pass
        with pytest.raises(TypeError, match=r"record must be Recorder or None, got str"):
            await session.ws_connect(server.url, record="file")
    recorder.close()
    assert read(file)[1:] == arrived() + ENDED
    assert next(Recording.read(file).only("open")).url == server.url + "?key=***"
    assert isinstance(ws, aiohttp.ClientWebSocketResponse)


async def test_websockets_adapter(file, recorder):
    async with serve(feed()) as server:
        async with wsclient.websockets.connect(server.url + "a?key=1", record=recorder) as ws:
            assert [message async for message in ws] == MESSAGES
        with pytest.raises(TypeError, match=r"record must be Recorder or None, got str"):
            wsclient.websockets.connect(server.url, record="file")
    recorder.close()
    assert read(file)[1:] == arrived() + ENDED
    assert next(Recording.read(file).only("open")).url == server.url + "a?key=***"


async def test_websockets_adapter_where_it_cannot_see_the_messages(recorder):
    class Own(wsclient.websockets.ClientConnection):
        def process_event(self, event):
            super().process_event(event)

    async with serve() as server:
        with pytest.raises(ValueError, match=r"cannot record a .*Own, which reads for itself"):
            await wsclient.websockets.connect(server.url, create_connection=Own, record=recorder)
        with pytest.raises(ValueError, match=r"record needs a create_connection derived from"):
            await wsclient.websockets.connect(
                server.url, create_connection=wsclient.websockets.connection.Theirs, record=recorder
            )
