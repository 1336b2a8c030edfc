"""`wsclient replay FILE`: a server that sends what was recorded."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Literal

from .arguments import number_of
from .echo import PORT
from .exits import CommandError, Exit, reason_of
from .loops import add_uvloop
from .output import check_output, write
from .record import file_failure
from .terminal import printable

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
        "replay",
        help="run a server that sends what was recorded",
        description="Run a local server that sends what a server has sent, as it was recorded,"
        " until Ctrl-C.",
    )
    parser.add_argument("file", metavar="FILE", help="what `record` or a Recorder has written")
    parser.add_argument(
        "--speed",
        type=_speed,
        default=1.0,
        help="how many times as fast as it was, or max for all at once (default: 1)",
    )
    parser.add_argument(
        "--in-turn",
        action="store_true",
        help="let a message wait until the client has sent as many as the recorded one before it",
    )
    parser.add_argument(
        "--compress", action="store_true", help="compress messages if the client offers it"
    )
    parser.add_argument(
        "--port",
        type=number_of(int, "a port", most=65535),
        default=PORT,
        help=f"TCP port, 0 for any that is free (default: {PORT})",
    )
    add_uvloop(parser)
    parser.set_defaults(run=replay)


def _speed(given: str) -> float | Literal["max"]:
    return "max" if given == "max" else number_of(float, "a speed", least=1e-6)(given)


async def replay(options: argparse.Namespace) -> int:
    """Run the sub-command.

    Args:
        options: What was parsed.
    """
    check_output()
    shown = printable(options.file)
    try:
        # The kit needs what not everybody has installed.
        from wsclient import testing  # noqa: PLC0415
    except ImportError as error:
        raise CommandError(str(error)) from error
    try:
        server = testing.replay(
            options.file,
            speed=options.speed,
            in_turn=options.in_turn,
            compression=options.compress,
            port=options.port,
        )
    except ImportError as error:
        raise CommandError(str(error)) from error
    except (OSError, ValueError) as error:
        raise file_failure("cannot replay", options.file, error) from error
    try:
        await server.__aenter__()
    except OSError as error:
        # asyncio has words of its own for what the operating system says.
        why = reason_of(error) if error.errno is None else os.strerror(error.errno)
        raise CommandError(f"cannot listen at 127.0.0.1:{options.port}: {why}") from error
    try:
        write([f"Replaying {shown} at {server.url} until Ctrl-C."])
        await asyncio.get_running_loop().create_future()
    except BaseException as error:
        await server.__aexit__(type(error), error, None)
        raise
    return Exit.OK
