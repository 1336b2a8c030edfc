"""`wsclient listen URL`: each message a line."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING, Any

from wsclient import Heartbeat, MsgType

from .arguments import add_connection, add_count, add_reconnect, add_send
from .connections import connections, status_of
from .exits import Exit
from .messages import line_of, record_of
from .output import check_output, write
from .terminal import is_terminal, note

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncGenerator, Callable

    from wsclient import ClientWebSocketResponse, ConnectOptions, Message

    from .arguments import Subparsers

__all__ = ["add"]

PING_EVERY = 10.0
"""Seconds between two pings, where latency is asked for."""
_LONG = 366 * 24 * 3600.0


def add(subparsers: Subparsers) -> None:
    """Add the sub-command.

    Args:
        subparsers: Where to.
    """
    parser = subparsers.add_parser(
        "listen",
        help="print each message as a line",
        description="Print each message as a line: text as it is, binary in hexadecimal digits.",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="each line an object: time (seconds since 1970), latency (seconds of the last ping's"
        " round trip, or null), type (text or binary), data",
    )
    add_count(parser)
    add_send(parser)
    add_reconnect(parser)
    add_connection(parser)
    parser.set_defaults(run=listen)


async def listen(options: argparse.Namespace) -> int:
    """Run the sub-command.

    Args:
        options: What was parsed.

    Returns:
        The exit status.
    """
    check_output()
    terminal = is_terminal(sys.stdout)
    further: ConnectOptions[ClientWebSocketResponse[Any]] = {}
    if options.json:
        further["receive_time"] = True
        if options.heartbeat is None:
            # A server that answers no pings is not taken for dead.
            further["heartbeat"] = Heartbeat(PING_EVERY, periodic=True, timeout=_LONG)
    left = options.count
    status = Exit.OK
    async with contextlib.aclosing(connections(options, further)) as opened:
        async for ws in opened:
            if options.json:
                ws.ping()
            to_line = _recorder(ws, terminal) if options.json else _liner(terminal)
            async with contextlib.aclosing(_batches(ws)) as batches:
                async for batch in batches:
                    write(map(to_line, batch[:left]))
                    if left is not None:
                        left -= len(batch)
                        if left <= 0:
                            return Exit.OK
            status = status_of(ws)
    if left is not None and status is Exit.OK:
        note(f"closed by the server, with {left} of {options.count} messages missing")
        return Exit.CLOSED
    return status


def _liner(terminal: bool) -> Callable[[Message], str]:
    return lambda msg: line_of(msg, terminal=terminal)


def _recorder(ws: ClientWebSocketResponse[Any], terminal: bool) -> Callable[[Message], str]:
    # Of the clock on the wall, when the loop's clock was 0.
    began = time.time() - time.monotonic()
    return lambda msg: record_of(msg, began + msg.extra, ws.latency, terminal=terminal)


async def _batches(ws: ClientWebSocketResponse[Any]) -> AsyncGenerator[list[Message], None]:
    """Yield the text and binary messages as they come, all that wait at once."""
    data = {MsgType.text, MsgType.binary}
    while True:
        received = await ws.receive_many()
        batch = [msg for msg in received if msg.tp in data]
        if batch:
            yield batch
        if len(batch) < len(received):
            return
