"""What a `Recorder` writes, whichever way a connection is used."""

import asyncio
import os
import subprocess
import sys
import threading
import time
import zlib

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


async def test_one_recorder_for_connections_in_several_threads(file):
    """Each thread with an event loop of its own."""

    async def bot(url, number):
        async with ws_connect(url, record=recorder) as ws:
            for count in range(200):
                await ws.send_str(f"{number}: {count}")
                await ws.receive()

    with serve() as server, Recorder(file) as recorder:
        threads = [
            threading.Thread(target=asyncio.run, args=(bot(server.url, number),))
            for number in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            await asyncio.to_thread(thread.join)
    by_connection = {}
    for entry in Recording.read(file):
        if entry.direction == "in" and entry.type == "text":
            by_connection.setdefault(entry.connection, []).append(entry.data)
    assert sorted(texts[0] for texts in by_connection.values()) == [f"{n}: 0" for n in range(4)]
    for texts in by_connection.values():
        assert texts == [f"{texts[0][0]}: {count}" for count in range(200)]


async def test_cancelled_receives_change_nothing(file, recorder):
    async with serve() as server, ws_connect(server.url, record=recorder) as ws:
        for number in range(5):
            task = asyncio.ensure_future(ws.receive())
            await asyncio.sleep(0)
            await ws.send_str(str(number))
            task.cancel()
            await asyncio.wait([task])
            if task.cancelled():
                await ws.receive()
    recorder.close()
    assert [e[2] for e in read(file) if e[:2] == ("in", "text")] == [*"01234"]


async def test_it_can_be_read_while_it_is_written(path):
    async with serve() as server, Recorder(path) as recorder:
        async with ws_connect(server.url, record=recorder) as ws:
            await ws.send_str("hello")
            await ws.receive()
            await until(lambda: recorder.recorded == 2)
            assert Recording.read(path).received == ["hello"]
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600


def test_zstd_is_not_there(tmp_path, monkeypatch):
    for name in ("compression", "backports"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"pip install wsclient-rs\[zstd\]"):
        Recorder(tmp_path / "feed.zst")
    assert not (tmp_path / "feed.zst").exists()


async def test_a_message_in_parts_that_is_too_large(scripted, file):
    async def script(wire):
        for opcode, fin in ((1, False), (0, False), (0, True)):
            await wire.send(framing.encode_frame(opcode, b"x" * 600, fin=fin, mask=False))
        await wire.answer_close()

    with Recorder(file, max_waiting=1000) as recorder:
        async with ws_connect(await scripted(script), record=recorder) as ws:
            assert sum([len(piece) async for piece in ws.receive_streaming()]) == 1800
            await ws.send_fragments("y" * 900 for _ in range(2))
    assert (recorder.recorded, recorder.lost) == (2, 2)
    assert [entry[1] for entry in read(file)] == ["open", "lost", "close", "close", "end"]


async def test_after_close_nothing_is_recorded(file):
    recorder = Recorder(file)
    async with serve() as server, ws_connect(server.url, record=recorder) as ws:
        await recorder.aclose()
        await ws.send_str("late")
        assert await ws.receive_str() == "late"
        assert (recorder.recorded, recorder.lost) == (0, 0)
        recorder.close()
        for connect in (
            ws_connect,
            wsclient.websockets.connect,
            wsclient.aiohttp.ClientSession().ws_connect,
        ):
            with pytest.raises(RuntimeError, match=r"the recorder is closed"):
                await connect(server.url, record=recorder)
        await connect.__self__.close()
    assert read(file) == [("", "open", None)]


def test_wrong_arguments(file):
    with pytest.raises(TypeError, match=r"path must be str or os.PathLike, got int"):
        Recorder(1)
    with pytest.raises(TypeError, match=r"sent must be True or False, got int"):
        Recorder(file, sent=1)
    with pytest.raises(ValueError, match=r"max_waiting is 0, expected at least 1"):
        Recorder(file, max_waiting=0)
    with pytest.raises(TypeError, match=r"record must be Recorder or None, got str"):
        ws_connect("ws://localhost", record=str(file))
    with pytest.raises(FileNotFoundError):
        Recorder(file / "x")


async def test_a_forgotten_recorder_warns_and_ends_its_file(file):
    async with serve() as server:
        ws = await ws_connect(server.url, record=Recorder(file))
        await ws.send_str("hello")
        await ws.receive()
        await ws.close()
        with pytest.warns(ResourceWarning, match=r"unclosed <Recorder .* open>"):
            ws = None
        assert ws is None
    await until(lambda: ("", "end", 1000) in read(file))
    assert [kind for _, kind, _ in read(file)] == ["open", "text", "text", "close", "close", "end"]


def run(program, *arguments):
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, *map(str, arguments)],
        check=True,
        timeout=60,
        capture_output=True,
        text=True,
    )


EXIT = """
import asyncio, sys
from wsclient import Recorder, ws_connect

recorder = Recorder(sys.argv[2])

async def main():
    ws = await ws_connect(sys.argv[1], record=recorder)
    await ws.send_str("last words")
    await ws.receive()

loop = asyncio.new_event_loop()
loop.run_until_complete(main())
"""


@pytest.mark.slow
def test_the_interpreter_ends_with_a_recording_open(path):
    with serve() as server:
        run(EXIT, server.url, path)
    assert [entry[2] for entry in read(path)[1:3]] == ["last words"] * 2


FORK = """
import asyncio, os, sys
from wsclient import Recorder, ws_connect

async def main():
    with Recorder(sys.argv[2]) as recorder:
        ws = await ws_connect(sys.argv[1], record=recorder)
        await ws.send_str("before")
        await ws.receive()
        child = os.fork()
        if not child:
            recorder.close()
            try:
                asyncio.run(asyncio.wait_for(ws_connect(sys.argv[1], record=recorder), 5))
            except RuntimeError as error:
                print(error, flush=True)
            sys.exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        await ws.send_str("after")
        await ws.receive()
        await ws.close()

asyncio.run(main())
"""


@pytest.mark.slow
def test_a_fork_leaves_the_file_alone(path):
    with serve() as server:
        ran = run(FORK, server.url, path)
    assert ran.stdout == "the recorder belongs to the parent process\n"
    texts = [entry[2] for entry in read(path) if entry[1] == "text"]
    assert texts == ["before", "before", "after", "after"]


def test_the_file_is_compressed(path):
    with Recorder(path):
        pass
    data = path.read_bytes()
    if path.suffix == ".gz":
        assert zlib.decompress(data, 31).startswith(b'{"format":')
    elif path.suffix == ".zst":
        assert data.startswith(b"\x28\xb5\x2f\xfd")
    else:
        assert data.startswith(b'{"format":"wsclient recording","version":1,"start":"')
