"""Terminals with a bad day: they lie, they go away, they can do little."""

import socket

import pytest

pytest.importorskip("pty", reason="Windows has no pseudo-terminals")

from tests.cli.terminal import Terminal
from tests.conftest import CLOSE, accept, frame

from wsclient import framing

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
