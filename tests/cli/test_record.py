"""`wsclient record` and `wsclient replay`: what a server sends goes into a file, and out again."""

import asyncio
import re
import signal

import pytest

from wsclient import ws_connect
from wsclient.testing import Recording, Script, serve

from .conftest import start

FEED = Script().send("first").send(b"\x00\xff").send("third").close(1000)


async def test_what_comes_is_in_the_file(wsclient, tmp_path):
    path = str(tmp_path / "feed.jsonl.gz")
    async with serve(FEED) as server:
        ran = await wsclient("record", server.url, path)
    assert (ran.status, ran.out) == (0, "")
    begun, ended = ran.err.splitlines()
    assert begun == f"wsclient: recording to {path} until Ctrl-C"
    # Three messages and both close frames.
    assert re.fullmatch(rf"wsclient: 5 messages in \d+\.\d s recorded to {re.escape(path)}", ended)
    assert Recording.read(path).received == ["first", b"\x00\xff", "third"]


async def test_a_count_and_what_is_sent(wsclient, tmp_path):
    path = tmp_path / "feed.jsonl"
    script = Script().expect("subscribe").send("a").send("b").stall()
    async with serve(script) as server:
        ran = await wsclient("record", server.url, str(path), "--send", "subscribe", "-n", "2")
    assert ran.status == 0
    assert Recording.read(path).received == ["a", "b"]
    assert Recording.read(path).sent == ["subscribe"]
    async with serve(Script().expect("login").send("c").stall()) as server:
        await wsclient("record", server.url, str(path), "--send", "login", "-n", "1", "--no-sent")
    assert Recording.read(path).received == ["a", "b", "c"]
    assert Recording.read(path).sent == ["subscribe"]


async def test_ctrl_c_ends_the_file(tmp_path):
    path = tmp_path / "feed.jsonl.zst"
    async with serve(Script().send("a").stall()) as server:
        process = await start("record", server.url, str(path))
        async with asyncio.timeout(60):
            while b"until Ctrl-C" not in await process.stderr.readline():
                pass
            while not (path.exists() and _received(path)):
                await asyncio.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 130
    assert b"messages in" in err
    assert b"Traceback" not in err
    last = [*Recording.read(path)][-1]
    assert last.type == "end"


def _received(path):
    try:
        return Recording.read(path).received
    except ValueError:  # its header is not there yet
        return []


async def test_a_full_disk_ends_the_command(wsclient):
    async with serve(Script().send("a").stall()) as server:
        ran = await wsclient("record", server.url, "/dev/full")
    assert ran.status == 1
    assert ran.err.splitlines()[-1] == (
        "wsclient: cannot record to /dev/full: No space left on device"
    )
    assert "Traceback" not in ran.err


async def test_a_file_that_is_none(wsclient, tmp_path):
    (tmp_path / "notes").write_text("dear diary\n")
    for path, why in (
        (tmp_path / "no" / "feed", "No such file or directory"),
        (tmp_path / "notes", "it has something else in it than a recording"),
    ):
        ran = await wsclient("record", "ws://127.0.0.1:1/", str(path))
        assert (ran.status, ran.out) == (1, "")
        assert ran.err.startswith(f"wsclient: cannot record to {path}: ")
        assert ran.err.endswith(f"{why}\n")
        assert ran.err.count("\n") == 1


@pytest.fixture
async def replaying(tmp_path):
    """Runs `wsclient replay`, and returns its URL."""
    processes = []

    async def run(*arguments):
        process = await start("replay", *arguments, "--port", "0")
        processes.append(process)
        line = await asyncio.wait_for(process.stdout.readline(), 60)
        return re.search(r"at (ws://127\.0\.0\.1:\d+/) until Ctrl-C\.", line.decode())[1]

    yield run
    for process in processes:
        process.send_signal(signal.SIGINT)
        _, err = await asyncio.wait_for(process.communicate(), 60)
        assert (process.returncode, err) == (130, b"")


async def test_replay(wsclient, tmp_path, replaying):
    path = str(tmp_path / "feed.jsonl")
    async with serve(FEED) as server:
        await wsclient("record", server.url, path)
    url = await replaying(path, "--speed", "max", "--compress")
    for _ in range(2):
        async with ws_connect(url, compress=15) as ws:
            assert [msg.data async for msg in ws] == ["first", b"\x00\xff", "third"]
            assert ws.compress
    async with ws_connect(url) as ws:
        # Who leaves early, and who is there at the end.
        await ws.receive()


async def test_what_cannot_be_replayed(wsclient, tmp_path):
    path = tmp_path / "x"
    ran = await wsclient("replay", str(path))
    assert (ran.status, ran.out) == (1, "")
    assert ran.err == f"wsclient: cannot replay {path}: No such file or directory\n"
    path.write_text("{}\n")
    ran = await wsclient("replay", str(path))
    assert ran.err == f"wsclient: cannot replay {path}: {str(path)!r}: this is no recording\n"
    for speed in ("0", "-1", "fast", "nan"):
        assert (await wsclient("replay", str(path), "--speed", speed)).status == 2


async def test_a_port_that_is_taken(wsclient, tmp_path):
    path = str(tmp_path / "feed.jsonl")
    async with serve(FEED) as server:
        await wsclient("record", server.url, path)
        ran = await wsclient("replay", path, "--port", str(server.port))
    assert ran.status == 1
    assert ran.err == (
        f"wsclient: cannot listen at 127.0.0.1:{server.port}: Address already in use\n"
    )
