"""The life of a `Recorder`: threads, cancellation, forks, its end and that of Python."""

import asyncio
import os
import subprocess
import sys
import threading
import zlib

import pytest

import wsclient
import wsclient.aiohttp
import wsclient.websockets
from wsclient import Recorder, framing, ws_connect
from wsclient.testing import Recording, serve

from .conftest import read, until


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
    for name in ("compression.zstd", "backports.zstd"):
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
