"""`wsclient listen URL`: each message a line."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from .arguments import add_connection, add_reconnect, number_of
from .connections import connections, status_of
from .exits import Exit
from .lines import line_of, write

if TYPE_CHECKING:
    import argparse

    from .arguments import Subparsers

__all__ = ["add"]


def add(subparsers: Subparsers) -> None:
    """Add the sub-command.

    Args:
        subparsers: Where to.
    """
    parser = subparsers.add_parser(
        "listen", help="print each message as a line", description=__doc__
    )
    add_connection(parser)
    add_reconnect(parser)
    parser.add_argument(
        "-n",
        "--count",
        type=number_of(int, "messages", least=1),
        metavar="N",
        help="leave after so many messages",
    )
    parser.set_defaults(run=listen)


async def listen(options: argparse.Namespace) -> int:
    """Run the sub-command.

    Args:
        options: What was parsed.

    Returns:
        The exit status.
    """
    left: float = float("inf") if options.count is None else options.count
    status = Exit.OK
    async with contextlib.aclosing(connections(options)) as opened:
        async for ws in opened:
            async for msg in ws:
                write(line_of(msg))
                left -= 1
                if left <= 0:
                    return Exit.OK
            status = status_of(ws)
    return status
