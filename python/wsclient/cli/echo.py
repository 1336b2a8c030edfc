"""`wsclient echo`: a server to talk to, which sends everything back."""

from __future__ import annotations

import asyncio
import functools
import os
import socket
from typing import TYPE_CHECKING

from .arguments import number_of
from .exits import CommandError, Exit, reason_of
from .loops import add_uvloop
from .output import check_output, write
from .server import CLOSE_TIMEOUT, ServerProtocol
from .terminal import printable

if TYPE_CHECKING:
    import argparse

    from .arguments import Subparsers

__all__ = ["add"]

PORT = 8765
_GOING_AWAY = 1001


def add(subparsers: Subparsers) -> None:
    """Add the sub-command.

    Args:
        subparsers: Where to.
    """
    parser = subparsers.add_parser(
        "echo",
        help="run a server that sends everything back",
        description="Run a local server that sends every message back, until Ctrl-C.",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen at (default: 127.0.0.1, which only this machine reaches)",
    )
    parser.add_argument(
        "--port",
        type=number_of(int, "a port", most=65535),
        default=PORT,
        help=f"TCP port, 0 for any that is free (default: {PORT})",
    )
    add_uvloop(parser)
    parser.set_defaults(run=echo)


class Echo(ServerProtocol):
    """Sends everything back.

    Args:
        connections: Where it is while it is open.
    """

    def __init__(self, connections: dict[ServerProtocol, asyncio.Future[None]]) -> None:
        super().__init__()
        self._connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be one of the connections. Called by the event loop."""
        super().connection_made(transport)
        self._connections[self] = asyncio.get_running_loop().create_future()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Be none of them any more. Called by the event loop."""
        self._connections.pop(self).set_result(None)

    def received(self, opcode: int, payload: bytes) -> None:
        """Send it back."""
        self.send(opcode, payload)


async def echo(options: argparse.Namespace) -> int:
    """Run the sub-command.

    Args:
        options: What was parsed.
    """
    check_output()
    loop = asyncio.get_running_loop()
    connections: dict[ServerProtocol, asyncio.Future[None]] = {}
    try:
        server = await loop.create_server(
            functools.partial(Echo, connections), options.host, options.port
        )
    except (OSError, UnicodeError) as error:  # UnicodeError: a host that is no name
        where = f"{printable(options.host)}:{options.port}"
        # asyncio has words of its own for what the operating system says.
        number = None if isinstance(error, socket.gaierror | UnicodeError) else error.errno
        why = reason_of(error) if number is None else os.strerror(number)
        raise CommandError(f"cannot listen at {where}: {why}") from error
    host, port = server.sockets[0].getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    write([f"Echoing at ws://{shown}:{port}/ until Ctrl-C."])
    try:
        await loop.create_future()
    finally:
        server.close()
        for connection in list(connections):
            connection.close(_GOING_AWAY)
        if connections:
            await asyncio.wait(connections.values(), timeout=CLOSE_TIMEOUT)
    return Exit.OK
