"""Terminals with a bad day: they lie, they go away, they can do little."""

import signal
import socket

import pytest

pytest.importorskip("pty", reason="Windows has no pseudo-terminals")

from tests.cli.terminal import PATIENCE, Terminal
from tests.conftest import CLOSE, accept, frame

from wsclient import framing
from wsclient.testing import Script, serve

pytestmark = pytest.mark.slow


def test_a_reason_to_send_nothing_is_the_servers():
    """It has closed, and not yet hung up: what is typed now cannot be sent."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"ws://127.0.0.1:{listening.getsockname()[1]}/"
        with Terminal("connect", url, columns=150) as terminal, listening.accept()[0] as sock:
            sock.sendall(accept(sock.recv(10_000)))
            terminal.see_prompt()
            sock.sendall(frame(CLOSE, b"\x0f\xa0\x1b]0;evil\x07"))
            assert framing.parse_frame(sock.recv(100))[0].opcode == CLOSE
            terminal.enter("hello")
            terminal.enter("/ping")
            terminal.see("cannot send a text frame", "cannot send a ping frame")
            assert terminal.text.count("with code 4000 (\\x1b]0;evil\\x07)") == 2
            assert terminal.title is None
            sock.shutdown(socket.SHUT_WR)
            terminal.end(6)


def test_a_terminal_that_goes_before_there_is_a_prompt():
    """Nothing tells the command: the terminal is not its controlling one, so no SIGHUP comes."""
    with Terminal("connect", "--reconnect", "ws://127.0.0.1:1/") as terminal:
        terminal.see("not connected")
        terminal.hang_up()
        assert terminal.process.wait(PATIENCE) == 143


def test_a_terminal_that_goes_with_its_prompt():
    with serve(Script().expect_close(1000)) as server, Terminal("connect", server.url) as terminal:
        terminal.see_prompt()
        terminal.hang_up()
        assert terminal.process.wait(PATIENCE) == 143


def test_a_terminal_that_goes_while_the_connection_is_closed():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"ws://127.0.0.1:{listening.getsockname()[1]}/"
        with Terminal("connect", url) as terminal, listening.accept()[0] as sock:
            sock.sendall(accept(sock.recv(10_000)))
            terminal.see_prompt()
            terminal.enter("/close")
            assert framing.parse_frame(sock.recv(100))[0].opcode == CLOSE
            terminal.hang_up()
            sock.sendall(frame(CLOSE, b"\x03\xe8"))
            sock.shutdown(socket.SHUT_WR)
            # Whichever is noticed first.
            assert terminal.process.wait(PATIENCE) in {0, 143}


def test_a_defect_does_not_take_the_prompt(tmp_path):
    """What the event loop has to say is a line as others are."""
    (tmp_path / "sitecustomize.py").write_text(
        "import asyncio\n"
        "from wsclient.cli import talk\n"
        "def show(self, ws, show=talk.Talk._show_all):\n"
        "    asyncio.get_running_loop().call_soon(int, 'defect')\n"
        "    return show(self, ws)\n"
        "talk.Talk._show_all = show\n"
    )
    with (
        serve(Script().expect("hello", timeout=60).send("and hello")) as server,
        Terminal("connect", server.url, env={"PYTHONPATH": str(tmp_path)}) as terminal,
    ):
        terminal.see("invalid literal for int() with base 10: 'defect'")
        terminal.see_prompt()
        terminal.enter("hello")
        terminal.see("< and hello")
        terminal.end(0)


def test_standard_error_in_a_file(tmp_path):
    with (
        serve(Script().close(4000, "enough")) as server,
        (tmp_path / "err").open("wb") as err,
        Terminal("connect", "--verbose", server.url, stderr=err) as terminal,
    ):
        terminal.end(6)
        assert "connected; /help" in terminal.text
        assert "wsclient:" not in terminal.text
    told = (tmp_path / "err").read_text().splitlines()
    assert "wsclient: HTTP/1.1 101 Switching Protocols" in told
    assert told[-1] == "wsclient: closed by the server with code 4000: enough"


def test_a_terminal_without_all_letters():
    """What it has not is told, not lost."""
    with (
        serve(Script().send("na\u00efve \u20ac").send({"\u20ac": "\u00ef"})) as server,
        Terminal("connect", server.url, env={"PYTHONIOENCODING": "ascii"}) as terminal,
    ):
        terminal.see("< na\\xefve \\u20ac", '< {"\\u20ac": "\\xef"}')
        terminal.end(0)


DUMB = {"TERM": "dumb"}


def test_a_dumb_terminal():
    with serve() as server, Terminal("connect", server.url, env=DUMB) as terminal:
        terminal.see("connected")
        terminal.enter("hello")
        terminal.see("< hello")
        terminal.type("\x04")
        terminal.end(0)
        assert b"\x1b" not in terminal.raw


def test_no_bar_on_a_dumb_terminal():
    with serve() as server:
        arguments = ("bench", "--seconds", "0.1", server.url)
        with Terminal(*arguments, env=DUMB) as terminal:
            terminal.end(0)
            assert "round trip" in terminal.text
            assert b"\x1b" not in terminal.raw


@pytest.mark.parametrize("command", ["connect", "listen"])
def test_ctrl_c_instead_of_a_password(command):
    with Terminal(command, "--auth", "me", "ws://127.0.0.1:1/") as terminal:
        terminal.see("Password of me:")
        terminal.process.send_signal(signal.SIGINT)
        terminal.end(130)


def test_a_password():
    with serve() as server, Terminal("connect", "--auth", "me", server.url) as terminal:
        terminal.see("Password of me:")
        terminal.enter("secret")
        terminal.see("connected")
        terminal.see_prompt()
        terminal.type("\x04")
        terminal.end(0)
        assert "secret" not in terminal.text
        assert server.connections[0].request.headers["Authorization"] == "Basic bWU6c2VjcmV0"
