"""Ports for programs that cannot have the system choose one."""

import contextlib
import secrets
import socket

# Above it, systems give ports to whoever asks for any: other tests would get what is free here.
HIGHEST = 32_767


def free_port():
    """A port of 127.0.0.1 where nobody listens, and where nobody is going to by chance."""
    while True:
        port = HIGHEST - secrets.randbelow(20_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
