"""`wsclient connect` before a terminal: what is typed, what is seen."""

import asyncio
import json
import signal
import socket
import threading

import pytest

pytest.importorskip("pty", reason="Windows has no pseudo-terminals")

from tests.cli.terminal import Terminal

from wsclient.testing import Script, serve

pytestmark = pytest.mark.slow

BOOK = {"bids": [["100.10", "1"], ["100.00", "2.5"]], "note": "x" * 60}


def test_what_comes_leaves_what_is_typed_alone():
    async def handler(ws):
        for number in range(3):
            await ws.expect(bytes)
            await ws.send({"n": number})
        await ws.expect("typed in two halves")

    with serve(handler) as server, Terminal("connect", server.url) as terminal:
        terminal.see("connected; /help tells what can be done")
        terminal.see_prompt()
        terminal.enter("/binary 00")
        terminal.type("typed ")
        terminal.see('< {"n": 0}')
        terminal.see_prompt("typed")
        # The line is put away, and taken out again.
        terminal.type("\x01\x0b")
        terminal.enter("/binary 01")
        terminal.enter("/binary 02")
        terminal.see('< {"n": 2}')
        terminal.type("\x19")
        terminal.enter("in two halves")
        terminal.see("> typed in two halves", "closed by the server with code 1000")
        terminal.end(0)
        assert terminal.text.index('{"n": 2}') < terminal.text.index("> typed in two halves")


def test_json_is_indented_and_coloured():
    with (
        serve(Script().send(BOOK).expect_close()) as server,
        Terminal("connect", server.url, columns=60) as terminal,
    ):
        terminal.see('    "bids": [["100.10", "1"], ["100.00", "2.5"]],')
        assert terminal.colour('"bids"') == "cyan"
        assert terminal.colour('"100.10"') == "green"
        terminal.see_prompt()
        terminal.type("\x04")
        terminal.end(0)


def test_no_colours_where_none_are_wanted():
    with (
        serve(Script().send(BOOK)) as server,
        Terminal("connect", server.url, env={"NO_COLOR": "1"}) as terminal,
    ):
        terminal.end(0)
        assert '"bids"' in terminal.text
        assert b"\x1b[36m" not in terminal.raw


def test_a_hostile_server_cannot_reach_the_terminal():
    evil = "\x1b]0;title\x07\x1b[2J\x9b31m\rover \u202ereversed"
    script = Script().send(evil).send({evil: evil}).send(evil.encode()).close(4000, evil)
    with (
        serve(script, subprotocols=["a"]) as server,
        Terminal("connect", "-s", "a", server.url, columns=150) as terminal,
    ):
        terminal.end(6)
        assert "\\x1b]0;title\\x07\\x1b[2J\\x9b31m\\rover \\u202ereversed" in terminal.text
        assert '"\\u001b]0;title\\u0007\\u001b[2J\\u009b31m\\rover \\u202ereversed"' in (
            terminal.text
        )
        assert "connected (subprotocol a)" in terminal.text
        assert terminal.title is None
        assert b"\x1b[2J" not in terminal.raw


def test_commands():
    script = Script().expect("/slash").expect(b"\x00\xff").expect_close(4000, "enough of it")
    with serve(script) as server, Terminal("connect", server.url, lines=40) as terminal:
        terminal.see_prompt()
        terminal.enter("/help")
        terminal.see("/binary HEX", "/close [CODE [REASON]]")
        terminal.enter("/ping")
        terminal.see("pong after ")
        terminal.enter("/nothing")
        terminal.see("there is no /nothing, see /help")
        terminal.enter("//slash")
        terminal.enter("/binary 0g")
        terminal.see("/binary takes hexadecimal digits")
        terminal.enter("/binary 00 ff")
        terminal.enter("/ping " + "x" * 126)
        terminal.see("not sent: ")
        terminal.enter("/close 99")
        terminal.see("not closed: close code 99 must not be sent")
        terminal.enter("/close many")
        terminal.see("not closed: a code is a number")
        terminal.enter("/close 4000 enough of it")
        terminal.end(0)
        assert "closed, and the server answered 4000" in terminal.text


@pytest.mark.parametrize(("keys", "status"), [("\x04", 0), ("\x03", 130)])
def test_leaving_closes_the_connection(keys, status):
    with serve(Script().expect_close(1000)) as server, Terminal("connect", server.url) as terminal:
        terminal.see_prompt()
        terminal.type(keys)
        terminal.end(status)
        assert "Traceback" not in terminal.text


def test_leaving_while_something_is_shown():
    """The terminal is slow, as those are that are far away."""
    go = threading.Event()

    async def handler(ws):
        await asyncio.to_thread(go.wait, 60)
        for number in range(40):
            await ws.send(f"{number:1900}")
        await ws.expect_close(timeout=60)

    with serve(handler) as server, Terminal("connect", server.url) as terminal:
        terminal.see("connected")
        terminal.see_prompt()
        go.set()
        terminal.wait_until_full()
        terminal.type("\x04")
        terminal.end(0)


def test_sigterm_closes_the_connection():
    with serve(Script().expect_close(1000)) as server, Terminal("connect", server.url) as terminal:
        terminal.see_prompt()
        terminal.process.send_signal(signal.SIGTERM)
        terminal.end(143)
        assert "Traceback" not in terminal.text


def test_history_is_kept_but_not_what_begins_with_a_space(tmp_path):
    with serve() as server:
        with Terminal("connect", server.url) as terminal:
            terminal.see_prompt()
            terminal.enter("remembered")
            terminal.enter(" secret")
            terminal.see("<  secret")
            terminal.type("\x04")
            terminal.end(0)
        file = tmp_path / "wsclient" / "history"
        assert file.stat().st_mode & 0o777 == 0o600
        assert "secret" not in file.read_text()
        with Terminal("connect", server.url) as terminal:
            terminal.see_prompt()
            terminal.type("\x1b[A")
            terminal.see_prompt("remembered")
            terminal.type("\x03")
            terminal.end(130)


def test_a_narrower_terminal():
    long = json.dumps(BOOK)
    with serve() as server, Terminal("connect", server.url, columns=100) as terminal:
        terminal.see_prompt()
        terminal.resize(40, 24)
        terminal.enter(long)
        terminal.see('      ["100.10", "1"],')
        terminal.type("\x04")
        terminal.end(0)


def test_all_that_came_is_shown_at_the_end():
    async def hurry(ws):
        for number in range(500):
            await ws.send(f"message {number}.")

    with serve(hurry) as server, Terminal("connect", server.url) as terminal:
        terminal.end(0)
        shown = [line for line in terminal.lines if line.startswith("< ")]
        assert shown == [f"< message {number}." for number in range(500)]


def test_what_comes_between_two_prompts_is_shown_in_order():
    async def handler(ws):
        for number in range(40):
            await ws.expect(str(number))
            for part in range(5):
                await ws.send(f"{number}.{part}")

    with serve(handler) as server, Terminal("connect", server.url) as terminal:
        terminal.see_prompt()
        for number in range(40):
            terminal.enter(str(number))
        terminal.end(0)
        shown = [line for line in terminal.lines if "." in line]
        assert shown == [f"< {number}.{part}" for number in range(40) for part in range(5)]


def test_connecting_again():
    first = Script().expect("before").close(1001)
    second = Script().expect("after").expect_close()
    with (
        serve(first, second) as server,
        Terminal("connect", "--reconnect", server.url) as terminal,
    ):
        terminal.see_prompt()
        terminal.enter("before")
        terminal.see("closed by the server with code 1001", "not connected")
        terminal.see("connected again")
        terminal.enter("after")
        terminal.enter("/close")
        terminal.end(0)


def test_without_the_extra(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['prompt_toolkit'] = None\n")
    script = Script().expect("hello").send({"a": 1}).expect_close(1000)
    with (
        serve(script) as server,
        Terminal("connect", server.url, env={"PYTHONPATH": str(tmp_path)}) as terminal,
    ):
        terminal.see("pip install 'wsclient-rs[cli]'", "connected")
        terminal.enter("hello")
        terminal.see('< {"a": 1}')
        terminal.enter("/ping")
        terminal.see("pong after ")
        terminal.type("\x04")
        terminal.end(0)


def test_ctrl_c_before_it_is_connected():
    """No prompt is there yet that would take it."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"ws://127.0.0.1:{silent.getsockname()[1]}/"
        with Terminal("connect", url) as terminal:
            with silent.accept()[0] as sock:
                assert sock.recv(10)
                terminal.process.send_signal(signal.SIGINT)
                terminal.end(130)
            assert terminal.text == ""


def test_a_pipe_into_a_terminal(tmp_path):
    """What comes is shown as to a person."""
    (tmp_path / "in").write_text("line\n")
    with serve(Script().expect("line").send({"a": "\x1b"}).close()) as server:
        with (tmp_path / "in").open() as stdin:
            terminal = Terminal("connect", "--wait", "inf", server.url, stdin=stdin)
        with terminal:
            terminal.end(0)
            assert terminal.text == '< {"a": "\\u001b"}'


def test_lines_to_a_terminal_are_printable():
    with (
        serve(Script().send("\x1b[31mred\nnext")) as server,
        Terminal("listen", server.url) as terminal,
    ):
        terminal.end(0)
        assert terminal.text == "\\x1b[31mred\\nnext"
