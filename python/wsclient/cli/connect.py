"""`wsclient connect URL`: talk to a server."""

from __future__ import annotations

import math
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from wsclient.distribution import NAME

from .arguments import add_connection, add_reconnect, add_send, number_of
from .consoles import Filter, Plain
from .output import check_output
from .talk import Talk
from .terminal import is_dumb, is_terminal, note

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
        "connect",
        help="talk to a server",
        description="Talk to a server: a line is sent as a text message, and each message that"
        " comes is shown. In a pipe it is a filter: a line in is a message, a message a line out.",
    )
    parser.add_argument(
        "--wait",
        type=number_of(float, "seconds", most=math.inf),
        default=1.0,
        metavar="SECONDS",
        help="in a pipe: how long the server must have been silent after the end of standard input"
        " for the connection to be closed (default: 1; inf: until the server closes it)",
    )
    parser.add_argument(
        "--no-history", action="store_true", help="remember nothing for the next time"
    )
    add_send(parser)
    add_reconnect(parser)
    add_connection(parser)
    parser.set_defaults(run=connect)


async def connect(options: argparse.Namespace) -> int:
    """Run the sub-command.

    Args:
        options: What was parsed.

    Returns:
        The exit status.
    """
    check_output()
    if not (is_terminal(sys.stdin) and is_terminal(sys.stdout)):
        return await Talk(options, Filter()).run()
    if is_dumb():
        return await Talk(options, Plain()).run()
    if find_spec("prompt_toolkit") is None:
        note(f"for a prompt with history: pip install '{NAME}[cli]'")
        return await Talk(options, Plain()).run()
    from .prompt import Prompt  # noqa: PLC0415 - not a requirement

    with Prompt(keeps_history=not options.no_history) as prompt:
        return await Talk(options, prompt).run()
