"""`wsclient listen`: each message a line."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from tests.cli.conftest import SIGNALS, end_of
from tests.conftest import CLOSE, TEXT, accept, frame

from wsclient import framing
from wsclient.testing import Script, serve

FULL = Path("/dev/full")


async def endless(ws):
    """Send until the client has left."""
    while True:
        await ws.send("tick")
        await asyncio.sleep(0)  # so that pings are answered


def test_each_message_is_a_line(run):
    with serve(Script().send("first").send(b"\x00\xff").send("thïrd")) as server:
        assert run("listen", server.url) == (0, "first\n00ff\nthïrd\n", "")


def test_a_pipe_gets_the_payload_as_it_is(run):
    with serve(Script().send("\x1b[31mred\x07 \u202e")) as server:
        assert run("listen", server.url).out == "\x1b[31mred\x07 \u202e\n"


def test_line_breaks_of_a_message(run):
    with serve(Script().send("one\ntwo\r\n\u2028"), Script().send("one\ntwo\r\n\u2028")) as server:
        assert run("listen", server.url).out == "one\ntwo\r\n\u2028\n"
        line, after = run("listen", "--json", server.url).out.split("\n")
    assert (json.loads(line)["data"], after) == ("one\ntwo\r\n\u2028", "")


def test_json_tells_when_and_how_long(start):
    with serve(endless) as server:
        before = time.time()
        process = start("listen", "--json", server.url)
        for line in process.stdout:
            record = json.loads(line)
            assert (record["type"], record["data"]) == ("text", "tick")
            assert before < record["time"] < time.time()
            if record["latency"] is not None:
                break
        assert 0 < record["latency"] < 60


def test_json_of_binary(run):
    with serve(Script().send(b"\x00\xff")) as server:
        record = json.loads(run("listen", "--json", server.url).out)
    assert (record["type"], record["data"]) == ("binary", "00ff")


def test_count(run):
    with serve(Script().send("1").send("2").send("3").expect_close(1000)) as server:
        assert run("listen", "--count", "2", server.url) == (0, "1\n2\n", "")


def test_a_count_beyond_all_bounds(run):
    with serve(Script().send("1").close(1000)) as server:
        assert run("listen", "-n", "9" * 30, server.url).status == 6


def test_fewer_than_counted(run):
    with serve(Script().send("1").close(1000)) as server:
        ran = run("listen", "-n", "3", server.url)
    assert ran == (6, "1\n", "wsclient: closed by the server, with 2 of 3 messages missing\n")


def test_what_is_sent_first(run):
    with serve(Script().expect("a").expect("b").send("both")) as server:
        assert run("listen", "--send", "a", "--send", "b", server.url).out == "both\n"


def test_connecting_again(run):
    again = Script().expect("subscribe").send("message").close(1001)
    with serve(again, again) as server:
        ran = run("listen", "--reconnect", "--send", "subscribe", "--count", "2", server.url)
    assert (ran.status, ran.out) == (0, "message\nmessage\n")
    assert "not connected, next attempt in " in ran.err


def test_an_error_of_the_servers(run):
    with serve(Script().send("last").close(4001, "\x1b[2Jgo away")) as server:
        ran = run("listen", server.url)
    assert ran == (6, "last\n", "wsclient: closed by the server with code 4001: \\x1b[2Jgo away\n")


def test_a_connection_that_breaks(run):
    with serve(Script().send("last").drop()) as server:
        ran = run("listen", server.url)
    assert (ran.status, ran.out) == (5, "last\n")
    assert ran.err.startswith("wsclient: connection lost: ")


@pytest.mark.parametrize("number", SIGNALS)
def test_signals_close_the_connection(start, number):
    with serve(Script().send("begin").expect_close(1000)) as server:
        process = start("listen", server.url)
        assert process.stdout.readline() == b"begin\n"
        assert end_of(process, number) == (SIGNALS[number], "", "")


def test_a_second_signal_does_not_wait_for_the_server(start):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        process = start("listen", f"ws://127.0.0.1:{listening.getsockname()[1]}/")
        with listening.accept()[0] as sock:
            sock.sendall(accept(sock.recv(10_000)) + frame(TEXT, b"begin"))
            assert process.stdout.readline() == b"begin\n"
            process.send_signal(signal.SIGINT)
            assert framing.parse_frame(sock.recv(100))[0].opcode == CLOSE
            assert end_of(process, signal.SIGINT) == (130, "", "")


def test_nobody_reads_any_more(start):
    with serve(endless) as server:
        process = start("listen", server.url)
        assert process.stdout.readline() == b"tick\n"
        process.stdout.close()
        assert process.wait(60) == 141
        assert process.stderr.read() == b""


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
def test_a_disk_that_is_full(start):
    with serve(endless) as server, FULL.open("wb") as full:
        process = start("listen", server.url, stdout=full, stdin=subprocess.DEVNULL)
        assert process.wait(60) == 1
        assert process.stderr.read() == b"wsclient: standard output: No space left on device\n"


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
def test_what_cannot_be_told_is_no_failure(start):
    with serve(Script().send("message").close(4000)) as server, FULL.open("wb") as full:
        process = start("listen", "-v", server.url, stderr=full)
        assert process.communicate(timeout=60)[0] == b"message\n"
        assert process.returncode == 6
        process = start("listen", "ws://127.0.0.1:1/", stderr=full)
        assert process.wait(60) == 3


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_standard_output_that_does_not_wait(start, unbuffered):
    """Whoever shares it may have made it so; what it does not take is not lost in silence."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    env = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    with serve(Script().send("x" * 1_000_000).close()) as server, os.fdopen(reading):
        process = start("listen", server.url, stdout=writing, env=env)
        os.close(writing)
        assert process.wait(60) == 1
        assert process.stderr.read().startswith(b"wsclient: standard output: ")


def test_no_standard_output(start):
    with serve(endless) as server:
        process = start("listen", server.url, redirect=">&-")
        assert end_of(process) == (1, "", "wsclient: standard output is closed\n")


def test_no_standard_error(start):
    with serve(Script().send("message").close(4000)) as server:
        process = start("listen", server.url, redirect="2>&-")
        assert end_of(process) == (6, "message\n", "")
