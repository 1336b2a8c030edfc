"""Disks that are full, slow or taken, and recorders that are killed: the bot does not notice."""

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from wsclient import Recorder, ws_connect
from wsclient.testing import Recording, serve

from .conftest import read, until

fcntl = pytest.importorskip("fcntl", reason="needs FIFOs, signals and limits of Unix")
needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux")


async def exchange(ws, *messages):
    for message in messages:
        await ws.send_str(message)
        assert await ws.receive_str() == message


async def fill(ws, recorder):
    """Send and receive until the recording has failed, and then some more."""
    # Nothing that shrinks when it is compressed.
    while recorder.error is None:
        await exchange(ws, os.urandom(20_000).hex())
    await exchange(ws, "the bot", "goes on")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 256 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=30)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs the right to mount a file system")
    yield place
    subprocess.run(["umount", str(place)], check=True, timeout=30)


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
async def test_a_full_disk_ends_the_recording_and_leaves_the_bot_alone(small_disk, suffix, caplog):
    path = small_disk / f"feed.jsonl{suffix}"
    async with serve() as server:
        recorder = Recorder(path)
        async with ws_connect(server.url, record=recorder) as ws:
            await exchange(ws, "first")
            await until(lambda: recorder.recorded == 2)
            await fill(ws, recorder)
        with pytest.raises(OSError, match="No space left on device"):
            await recorder.aclose()
        recorder.close()
    assert recorder.lost > 0
    (logged,) = [record for record in caplog.records if "recording" in record.name]
    assert logged.levelno == logging.ERROR
    assert str(path) in logged.getMessage()
    assert "No space left on device" in logged.getMessage()
    # What is there can be read, and is as much as was said.
    messages = [entry for entry in read(path) if entry[1] in {"text", "close"}]
    assert len(messages) == recorder.recorded
    assert messages[:2] == [("out", "text", "first"), ("in", "text", "first")]


async def test_after_room_was_made_the_recording_can_go_on(small_disk):
    path, other = small_disk / "feed.jsonl.zst", small_disk / "other"
    other.write_bytes(bytes(200_000))
    async with serve() as server:
        recorder = Recorder(path)
        async with ws_connect(server.url, record=recorder) as ws:
            await fill(ws, recorder)
        with pytest.raises(OSError, match="No space left"):
            recorder.close()
        other.unlink()
        with Recorder(path) as recorder:
            async with ws_connect(server.url, record=recorder) as ws:
                await exchange(ws, "again")
    assert [entry[2] for entry in read(path) if entry[1] == "text"][-2:] == ["again"] * 2


@needs_full
async def test_a_device_that_is_full_from_the_start():
    async with serve() as server:
        recorder = Recorder("/dev/full")
        async with ws_connect(server.url, record=recorder) as ws:
            await fill(ws, recorder)
        with pytest.raises(OSError, match="No space left on device"):
            recorder.close()
    assert (recorder.recorded, recorder.lost > 0) == (0, True)
    assert repr(recorder) == "<Recorder '/dev/full' closed>"


@needs_full
async def test_what_went_wrong_first_is_what_is_raised():
    with pytest.raises(ZeroDivisionError) as raised:
        async with Recorder("/dev/full") as recorder:
            await until(lambda: recorder.error)
            1 / 0  # noqa: B018
    assert raised.value.__notes__ == [
        "The recording has ended early, too: OSError: [Errno 28] No space left on device"
    ]


LIMITED = """
import asyncio, resource, sys
from wsclient import Recorder, ws_connect

async def main():
    with Recorder(sys.argv[2]) as recorder:
        async with ws_connect(sys.argv[1], record=recorder) as ws:
            while recorder.error is None:
                await ws.send_str("x" * 10_000)
                await ws.receive()
            print(recorder.recorded, "recorded", flush=True)

resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
asyncio.run(main())
"""


def test_a_limit_of_the_files_size(file):
    with serve() as server:
        ran = subprocess.run(
            [sys.executable, "-c", LIMITED, server.url, str(file)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert "OSError: [Errno 27] File too large" in ran.stderr.splitlines()[-1]
    assert len([e for e in read(file) if e[1] == "text"]) == int(ran.stdout.split()[0])


@pytest.fixture
def stalled(tmp_path):
    """A FIFO that is open, and that nobody reads; its descriptor for reading."""
    path = tmp_path / "fifo.jsonl"
    os.mkfifo(path)
    reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(reading, True)
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        fcntl.fcntl(reading, fcntl.F_SETPIPE_SZ, 4096)
    yield path, reading
    with contextlib.suppress(OSError):
        os.close(reading)


async def test_a_disk_that_stalls_costs_messages_and_nothing_else(stalled):
    path, reading = stalled
    async with serve() as server:
        recorder = Recorder(path, max_waiting=100_000)
        async with ws_connect(server.url, record=recorder) as ws:
            sent = 0
            while recorder.lost < 50:
                sent += 1
                await exchange(ws, f"{sent}: {'x' * 5000}")
            # It recovers.
            file = await asyncio.to_thread(_drain_until, reading, b'"type":"lost"', ws)
            await exchange(ws, "last")
        read_on = asyncio.to_thread(_read_to_the_end, reading)
        _, rest = await asyncio.gather(recorder.aclose(), read_on)
    copy = path.with_name("copy.jsonl")
    copy.write_bytes(file + rest)
    recording = Recording.read(copy)
    messages = [entry for entry in recording if entry.direction]
    assert recorder.recorded == len(messages)
    assert recording.lost == recorder.lost
    stats = ws.stats
    controls = stats.control_frames_received + stats.control_frames_sent
    assert len(messages) + recording.lost == 2 * (sent + 1) + controls
    numbers = [int(text.partition(":")[0]) for text in recording.sent if ":" in text]
    assert numbers == sorted(set(numbers))
    assert recording.received[-1] == "last"


def _drain_until(descriptor, text, ws):
    """Read until there is room again, let something come, and read until `text` has come."""
    data = b""
    while text not in data:
        data += os.read(descriptor, 1 << 16)
        ws._loop.call_soon_threadsafe(ws.ping)
    return data


def _read_to_the_end(descriptor):
    data = b""
    while piece := os.read(descriptor, 1 << 16):
        data += piece
    return data


async def test_a_disk_that_stalls_to_the_end(stalled, monkeypatch, caplog):
    monkeypatch.setattr("wsclient.recording.recorder._PATIENCE", 0.1)
    path, reading = stalled
    async with serve() as server:
        recorder = Recorder(path, max_waiting=100_000)
        async with ws_connect(server.url, record=recorder) as ws:
            while not recorder.lost:
                await exchange(ws, "x" * 5000)
        with pytest.raises(TimeoutError, match=r"has taken nothing for 0.1 seconds"):
            await recorder.aclose()
    assert "has ended: TimeoutError" in caplog.text
    os.close(reading)
    await until(lambda: not recorder._writer._thread.is_alive())


def test_a_fifo_that_nobody_has_open(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError, match="No such device or address"):
        Recorder(tmp_path / "fifo")


KILLED = """
import asyncio, sys
from wsclient import Recorder, ws_connect

async def main():
    recorder = Recorder(sys.argv[2])
    async with ws_connect(sys.argv[1], record=recorder) as ws:
        for number in range(10**9):
            await ws.send_str(f"{number} " + "x" * 2000)
            await ws.receive()
            if recorder.recorded > int(sys.argv[3]):
                print("now", flush=True)

asyncio.run(main())
"""


async def kill(url, path, after):
    """Kill a process that records when it has recorded so many messages."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED, url, str(path), str(after), stdout=subprocess.PIPE
    )
    await asyncio.wait_for(process.stdout.readline(), 60)
    process.send_signal(signal.SIGKILL)
    process._transport.close()
    await process.wait()


@pytest.mark.slow
def test_a_recorder_that_is_killed(path):
    async def scenario():
        async with serve() as server:
            await kill(server.url, path, 100)
            before = Recording.read(path)
            texts = before.sent
            assert len(texts) >= 50
            assert [int(text.split()[0]) for text in texts] == list(range(len(texts)))
            # A part of a line or of a frame more, as if it had died while writing.
            with path.open("r+b") as file:
                file.truncate(path.stat().st_size - 7)
            texts = Recording.read(path).sent
            with Recorder(path) as recorder:
                async with ws_connect(server.url, record=recorder) as ws:
                    await exchange(ws, "resumed")
        recording = Recording.read(path)
        assert recording.sent == [*texts, "resumed"]
        opened = [*recording.only("open")]
        assert [entry.connection for entry in opened] == [1, 2]
        times = [entry.ns for entry in recording]
        assert times == sorted(times)
        assert recording.start == before.start

    asyncio.run(scenario())


def test_it_resumes_after_each_place_where_it_can_break_off(path, monkeypatch):
    async def scenario():
        monkeypatch.setattr("wsclient.recording.files._FRAME", 100)
        async with serve() as server:
            for text in ("one", "two"):
                with Recorder(path) as recorder:
                    async with ws_connect(server.url, record=recorder) as ws:
                        await exchange(ws, text)
        whole = path.read_bytes()
        entries = read(path)
        places = range(0, len(whole), 3 if path.suffix else 13)
        for place in places:
            path.write_bytes(whole[:place])
            known = [] if not place else _known(path)
            with Recorder(path):
                pass
            assert read(path) == entries[: len(known)]
            assert _known(path) == known

    asyncio.run(scenario())


def _known(path):
    try:
        return read(path)
    except ValueError:
        # Less than a header.
        return []


async def test_two_recorders_for_one_file(file):
    with Recorder(file), pytest.raises(BlockingIOError, match="another recorder is writing to it"):
        Recorder(file)
    with Recorder(file):
        pass


def test_something_else_is_not_touched(path):
    path.write_bytes(b"dear diary")
    with pytest.raises(ValueError, match=r"feed.jsonl.*': it "):
        Recorder(path)
    assert path.read_bytes() == b"dear diary"


async def test_damage_is_not_made_worse(tmp_path, caplog):
    path = tmp_path / "feed.jsonl.gz"
    with Recorder(path):
        pass
    with Recorder(path):
        pass
    damaged = bytearray(path.read_bytes())
    damaged[-30] ^= 0xFF
    path.write_bytes(damaged)
    recorder = Recorder(path)
    await until(lambda: recorder.error)
    with pytest.raises(ValueError, match="it is damaged"):
        recorder.close()
    assert path.read_bytes() == damaged
