"""`wsclient record URL FILE`: everything that a connection receives and sends, in a file."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

from wsclient import MsgType, Recorder

from .arguments import add_connection, add_count, add_reconnect, add_send
from .connections import connections, status_of
from .exits import CommandError, Exit, reason_of
from .terminal import note, printable

if TYPE_CHECKING:
    import argparse

    from wsclient import ClientWebSocketResponse

    from .arguments import Subparsers

__all__ = ["add", "file_failure"]

_CHECK_EVERY = 1.0
"""Seconds after which a disk that is full is noticed, where no message comes."""


def add(subparsers: Subparsers) -> None:
    """Add the sub-command.

    Args:
        subparsers: Where to.
    """
    parser = subparsers.add_parser(
        "record",
        help="write everything that is received and sent to a file",
        description="Write everything that is received and sent to a file, until Ctrl-C or the"
        " server's end. What is in the file already stays.",
    )
    add_count(parser)
    parser.add_argument(
        "--no-sent", action="store_true", help="leave out what is sent, such as logins"
    )
    add_send(parser)
    add_reconnect(parser)
    add_connection(parser)
    parser.add_argument(
        "file", metavar="FILE", help="compressed if its name ends in .gz or .zst; mode 600"
    )
    parser.set_defaults(run=record)


async def record(options: argparse.Namespace) -> int:
    """Run the sub-command.

    Args:
        options: What was parsed.

    Returns:
        The exit status.
    """
    try:
        recorder = Recorder(options.file, sent=not options.no_sent)
    except ImportError as error:
        raise CommandError(str(error)) from error
    except (OSError, ValueError) as error:
        raise file_failure("cannot record to", options.file, error) from error
    begun = time.monotonic()
    try:
        return await _listen(options, recorder)
    finally:
        with contextlib.suppress(OSError, ValueError):  # told below
            await recorder.aclose()
        seconds = time.monotonic() - begun
        lost = f", {recorder.lost} lost" if recorder.lost else ""
        note(
            f"{recorder.recorded} messages in {seconds:.1f} s recorded to"
            f" {printable(options.file)}{lost}"
        )
        if recorder.error is not None:
            failure = file_failure("cannot record to", options.file, recorder.error)
            raise failure from recorder.error


async def _listen(options: argparse.Namespace, recorder: Recorder) -> int:
    """Receive, so that there is something to record."""
    left = options.count
    status = Exit.OK
    async with contextlib.aclosing(connections(options, {"record": recorder})) as opened:
        async for ws in opened:
            note(f"recording to {printable(options.file)} until Ctrl-C")
            while recorder.error is None:
                received = await _received(ws)
                if received is None:
                    break
                if left is not None:
                    left -= received
                    if left <= 0:
                        return Exit.OK
            else:
                return Exit.FAILED
            status = status_of(ws)
    return status


async def _received(ws: ClientWebSocketResponse[Any]) -> int | None:
    """Wait for messages, though not for long; returns how many have come, None at the end."""
    try:
        messages = await ws.receive_many(timeout=_CHECK_EVERY)
    except TimeoutError:
        return 0
    data = sum(msg.tp in {MsgType.text, MsgType.binary} for msg in messages)
    return data if data == len(messages) else None


def file_failure(what: str, path: str, error: Exception) -> CommandError:
    """Say what is wrong with a file.

    Args:
        what: What cannot be done.
        path: Its name.
        error: An `OSError`, or one of a recording's, which name the file.
    """
    if isinstance(error, OSError):
        return CommandError(f"{what} {printable(path)}: {reason_of(error)}")
    return CommandError(f"{what} {printable(str(error))}")
