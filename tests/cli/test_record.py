"""`wsclient record` and `wsclient replay`: what a server sends goes into a file, and out again."""

import asyncio
import errno
import os
import re
import signal
import time
from pathlib import Path

import pytest
from tests.cli.conftest import end_of

from wsclient import ws_connect
from wsclient.testing import Recording, Script, serve


def feed():
    return Script().send("first").send(b"\x00\xff").send("third").close(1000)


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "feed.jsonl.gz")


def test_what_comes_is_in_the_file(run, path):
    with serve(feed()) as server:
        ran = run("record", server.url, path)
    assert (ran.status, ran.out) == (0, "")
    begun, ended = ran.err.splitlines()
    assert begun == f"wsclient: recording to {path} until Ctrl-C"
    # Three messages and both close frames.
    assert re.fullmatch(rf"wsclient: 5 messages in \d+\.\d s recorded to {re.escape(path)}", ended)
    assert Recording.read(path).received == ["first", b"\x00\xff", "third"]


def test_a_count_and_what_is_sent(run, path):
    script = Script().expect("subscribe").send("a").send("b").stall()
    with serve(script) as server:
        ran = run("record", server.url, path, "--send", "subscribe", "-n", "2")
    assert ran.status == 0
    with serve(Script().expect("login").send("c").stall()) as server:
        run("record", server.url, path, "--send", "login", "-n", "1", "--no-sent")
    assert Recording.read(path).received == ["a", "b", "c"]
    assert Recording.read(path).sent == ["subscribe"]


def test_it_connects_again(run, path):
    with serve(Script().send("a").drop(), Script().send("b").stall()) as server:
        ran = run("record", "--reconnect", "-n", "2", server.url, path)
    assert ran.status == 0
    opened = [*Recording.read(path).only("open")]
    assert [entry.connection for entry in opened] == [1, 2]


def test_the_servers_end(run, path):
    with serve(Script().send("a").close(4001, "gone")) as server:
        ran = run("record", server.url, path)
    assert ran.status == 6
    assert "closed by the server with code 4001: gone" in ran.err
    assert f"recorded to {path}" in ran.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_file(start, path, number):
    with serve(Script().send("a").stall()) as server:
        process = start("record", server.url, path)
        while not _received(path):
            assert process.poll() is None
            time.sleep(0.05)
        ran = end_of(process, number)
    assert ran.status == 128 + number
    assert re.fullmatch(r"wsclient: \d messages in .*", ran.err.splitlines()[-1])
    assert [*Recording.read(path)][-1].type == "end"


def _received(path):
    try:
        return Recording.read(path).received
    except (ValueError, FileNotFoundError):  # it is not there yet, or its header
        return []


def test_a_full_disk_ends_the_command(run):
    with serve(Script().send("a").stall()) as server:
        ran = run("record", server.url, "/dev/full")
    assert ran.status == 1
    assert ran.err.splitlines()[-1] == (
        "wsclient: cannot record to /dev/full: No space left on device"
    )


def test_a_file_that_is_none(run, tmp_path):
    (tmp_path / "notes").write_text("dear diary\n")
    for name, why in (
        ("no/feed", f"{tmp_path}/no/feed: No such file or directory"),
        ("notes", f"'{tmp_path}/notes': it has something else in it than a recording"),
    ):
        ran = run("record", "ws://127.0.0.1:1/", str(tmp_path / name))
        assert ran == (1, "", f"wsclient: cannot record to {why}\n")


def test_no_server(run, path):
    ran = run("record", "ws://127.0.0.1:1/", path)
    assert ran.status == 3
    assert [*Recording.read(path)] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_replay(run, start, path, number):
    async def clients(url):
        for _ in range(2):
            async with ws_connect(url, compress=15) as ws:
                assert [msg.data async for msg in ws] == ["first", b"\x00\xff", "third"]
                assert ws.compress
        ws = await ws_connect(url)
        await ws.receive()
        return ws

    with serve(feed()) as server:
        run("record", server.url, path)
    process = start("replay", path, "--speed", "max", "--compress", "--port", "0")
    line = process.stdout.readline().decode()
    said = rf"Replaying {re.escape(path)} at (ws://127\.0\.0\.1:\d+/) until Ctrl-C\.\n"
    url = re.fullmatch(said, line)[1]
    loop = asyncio.new_event_loop()
    # Who is there at the end does not keep it.
    ws = loop.run_until_complete(clients(url))
    assert end_of(process, number) == (128 + number, "", "")
    loop.run_until_complete(ws.close())
    loop.close()


def test_what_cannot_be_replayed(run, path, tmp_path):
    ran = run("replay", path)
    assert ran == (1, "", f"wsclient: cannot replay {path}: No such file or directory\n")
    text = str(tmp_path / "text")
    Path(text).write_text("{}\n")
    ran = run("replay", text)
    assert ran == (1, "", f"wsclient: cannot replay {text!r}: this is no recording\n")
    for speed in ("0", "-1", "fast", "nan"):
        ran = run("replay", text, "--speed", speed)
        assert ran.status == 2
        assert "argument --speed" in ran.err


def test_a_port_that_is_taken(run, path):
    with serve(feed()) as server:
        run("record", server.url, path)
        ran = run("replay", path, "--port", str(server.port))
    why = os.strerror(errno.EADDRINUSE)
    assert ran == (1, "", f"wsclient: cannot listen at 127.0.0.1:{server.port}: {why}\n")
