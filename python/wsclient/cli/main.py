"""The command line: which sub-commands there are, and how each is run and ends."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import inspect
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsclient import __version__

from . import bench, connect, echo, listen, record, replay
from .exits import Exit, explain
from .loops import loop_factory
from .terminal import note

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

__all__ = ["COMMANDS", "main"]

COMMANDS = (connect, listen, bench, echo, record, replay)
"""Each has `add`, which registers its parser with what runs it as `run`: a function that takes the
parsed options and returns the exit status, or a coroutine function that does."""


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
        if not inspect.iscoroutinefunction(options.run):
            return int(options.run(options))
        make_loop = loop_factory(uvloop=getattr(options, "uvloop", False))
        return _run(options.run(options), make_loop)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        return Exit.BROKEN_PIPE
    except Exception as error:
        told = explain(error)
        if told is None:
            raise
        if str(told):
            note(str(told))
        return told.status


def _parser() -> argparse.ArgumentParser:
    as_module = Path(sys.argv[0]).name == "__main__.py"
    parser = argparse.ArgumentParser(
        prog="python -m wsclient" if as_module else "wsclient",
        description="Talk to WebSocket servers from the terminal.",
        epilog="Each command has a --help of its own.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"wsclient {__version__}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add(subparsers)
    return parser


def _run(main: Coroutine[Any, Any, int], make_loop: Callable[[], asyncio.AbstractEventLoop]) -> int:
    """Run a coroutine. Signals end it by cancelling it, so that it closes what it has opened."""
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
        with asyncio.Runner(loop_factory=make_loop) as runner:
            return runner.run(run())
    except asyncio.CancelledError:
        if not terminated:
            raise
        return Exit.TERMINATED
