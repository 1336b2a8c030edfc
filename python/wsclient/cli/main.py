"""The command line: which sub-commands there are, and how each is run and ends."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import inspect
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsclient import __version__

from . import listen
from .exits import Exit, explain

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

__all__ = ["COMMANDS", "main"]

COMMANDS = (listen,)
"""Each has `add`, which registers its parser, with what runs it as `run`: a function that takes the
parsed options, and returns the exit status, or an awaitable of it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: Its arguments; those of the process by default.

    Returns:
        The exit status, of which `Exit` has all.

    Raises:
        SystemExit: The command line makes no sense, or only help or the version is asked for.
    """
    options = _parser().parse_args(argv)
    try:
        result = options.run(options)
        return _run(result) if inspect.iscoroutine(result) else result
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # What is still buffered has nowhere to go, which Python would complain of at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.BROKEN_PIPE
    except Exception as error:
        told = explain(error)
        if told is None:
            raise
        print(f"wsclient: {told}", file=sys.stderr)
        return told.status


def _parser() -> argparse.ArgumentParser:
    in_package = Path(sys.argv[0]).name == "__main__.py"
    parser = argparse.ArgumentParser(
        prog="python -m wsclient" if in_package else "wsclient",
        description="Talk to WebSocket servers from the terminal.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"wsclient {__version__}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add(subparsers)
    return parser


def _run(main: Coroutine[Any, Any, int]) -> int:
    """Run a coroutine; what ends it early is its cancellation, so that it closes what it has."""
    terminated = False

    async def run() -> int:
        task = asyncio.ensure_future(main)

        def terminate() -> None:
            nonlocal terminated
            terminated = True
            task.cancel()

        with contextlib.suppress(NotImplementedError):  # on Windows
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminate)
        return await task

    try:
        return asyncio.run(run())
    except asyncio.CancelledError:
        if not terminated:
            raise
        return Exit.TERMINATED
