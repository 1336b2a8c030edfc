"""`wsclient connect` in a pipe: a line in is a message, a message a line out."""

import asyncio
import contextlib
import os
import subprocess
import threading

import pytest
from tests.cli.conftest import SIGNALS, end_of

from wsclient.testing import Script, serve


async def echo_three(ws):
    """Answer three messages, and close."""
    for _ in range(3):
        await ws.send(await ws.recv())


def test_lines_in_and_lines_out(run):
    with serve(echo_three) as server:
        ran = run("connect", "--wait", "inf", server.url, stdin="a\n{b}\r\nläst".encode())
    assert ran == (0, "a\n{b}\nläst\n", "")
    assert server.received == ["a", "{b}", "läst"]


def test_an_empty_line_is_an_empty_message(run):
    with serve(echo_three) as server:
        ran = run("connect", "--wait", "inf", server.url, stdin=b"\n/close\n\n")
    assert ran == (0, "\n/close\n\n", "")


def test_it_waits_for_what_is_still_to_come(run):
    with serve(Script().expect("question").send("answer").expect_close(1000)) as server:
        assert run("connect", server.url, stdin=b"question\n") == (0, "answer\n", "")


def test_it_does_not_wait_if_it_is_not_to(run):
    with serve(Script().expect("line").expect_close(1000)) as server:
        assert run("connect", "--wait", "0", server.url, stdin=b"line\n") == (0, "", "")


def test_it_waits_while_something_comes(start):
    """The feed that a line has asked for is not cut."""

    async def feed(ws):
        await ws.expect("subscribe")
        for number in range(50):
            await ws.send(str(number))
            await ws.expect("next")

    with serve(feed) as server:
        process = start("connect", "--wait", "inf", server.url)
        process.stdin.write(b"subscribe\n")
        for number in range(50):
            process.stdin.write(b"next\n")
            process.stdin.flush()
            assert process.stdout.readline() == b"%d\n" % number
        assert end_of(process) == (0, "", "")


def test_no_standard_input(start):
    with serve(Script().send("message").expect_close(1000)) as server:
        process = start("connect", server.url, redirect="<&-")
        assert end_of(process) == (0, "message\n", "")


def test_many_lines(run):
    lines = b"".join(b"%d\n" % number for number in range(20_000))

    async def take(ws):
        for number in range(20_000):
            assert await ws.recv() == str(number)
        await ws.send("all")

    with serve(take) as server:
        assert run("connect", "--wait", "inf", server.url, stdin=lines) == (0, "all\n", "")


def test_a_line_that_is_longer_than_a_read(run):
    with serve(Script().expect("x" * 1_000_000).send("taken").close()) as server:
        ran = run("connect", "--wait", "inf", server.url, stdin=b"x" * 1_000_000 + b"\n")
    assert ran == (0, "taken\n", "")


def test_a_line_that_is_no_text(run):
    with serve(Script().expect("text").expect_close(1000)) as server:
        ran = run("connect", server.url, stdin=b"text\n\xff\n")
    assert ran == (1, "", "wsclient: standard input, line 2: not UTF-8\n")


def test_a_server_that_closes_before_all_is_sent(start):
    """What nobody has taken may have been sent: it is what could not be that is told."""
    ended = threading.Event()

    async def take_one(ws):
        await ws.recv()
        await ws.close(1000)
        ended.set()

    with serve(take_one) as server:
        process = start("connect", "--wait", "inf", server.url)
        with contextlib.suppress(BrokenPipeError):
            while not ended.is_set():
                os.write(process.stdin.fileno(), b"line\n" * 10_000)
        said = "wsclient: closed by the server before everything was sent\n"
        assert end_of(process) == (6, "", said)


def test_a_server_that_closes(start):
    with serve(Script().expect("1", timeout=60).close(1000)) as server:
        process = start("connect", "--wait", "inf", server.url)
        process.stdin.write(b"1\n")
        process.stdin.flush()
        assert process.wait(60) == 0


def test_a_server_that_will_not_talk(start):
    """Nobody has ended standard input."""
    with serve(Script().close(1008, "not you")) as server:
        process = start("connect", server.url)
        assert process.wait(60) == 6
        said = b"wsclient: closed by the server with code 1008: not you\n"
        assert process.stderr.read() == said


def test_an_error_of_the_servers(run):
    with serve(Script().expect("1").send("no").close(1008, "not that")) as server:
        ran = run("connect", "--wait", "inf", server.url, stdin=b"1\n")
    assert ran == (6, "no\n", "wsclient: closed by the server with code 1008: not that\n")


def test_lines_wait_for_the_next_connection(start):
    first = Script().expect("1").send("seen").close(1001)
    second = Script().expect("2").send("seen again").close(1000)
    with serve(first, second) as server:
        process = start("connect", "--reconnect", "--wait", "inf", server.url)
        process.stdin.write(b"1\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"seen\n"
        while b"not connected" not in process.stderr.readline():
            pass
        process.stdin.write(b"2\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"seen again\n"


@pytest.mark.parametrize("number", SIGNALS)
def test_signals_close_the_connection(start, number):
    """A thread waits for standard input meanwhile, which does not keep it."""
    with serve(Script().expect("line").send("begin").expect_close(1000)) as server:
        process = start("connect", server.url)
        process.stdin.write(b"line\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"begin\n"
        process.send_signal(number)
        assert process.wait(60) == SIGNALS[number]
        assert process.stderr.read() == b""


def test_standard_input_that_does_not_wait(start):
    """Whoever shares it may have made it so; that nothing is there yet is not its end."""

    async def answer(ws):
        async for message in ws:
            await ws.send(message)

    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with serve(answer) as server, os.fdopen(reading), os.fdopen(writing, "wb", 0) as pipe:
        process = start("connect", "--send", "first", server.url, stdin=reading)
        assert process.stdout.readline() == b"first\n"
        for number in range(20):
            pipe.write(b"%d\n" % number)
            assert process.stdout.readline() == b"%d\n" % number
        pipe.close()
        assert end_of(process) == (0, "", "")


def test_nobody_reads_any_more(start):
    async def endless(ws):
        while True:
            await ws.send("tick")
            await asyncio.sleep(0)

    with serve(endless) as server:
        process = start("connect", server.url, stdin=subprocess.PIPE)
        assert process.stdout.readline() == b"tick\n"
        process.stdout.close()
        assert process.wait(60) == 141
        assert process.stderr.read() == b""
