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
from .arguments import ask_password
from .exits import Exit, explain
from .loops import loop_factory
from .terminal import note

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Sequence

__all__ = ["COMMANDS", "main"]

COMMANDS = (connect, listen, bench, echo, record, replay)
"""Each has `add`, which registers its parser with what runs it as `run`: a function that takes the
parsed options and returns the exit status, or a coroutine function that does."""

_SIGNALS: dict[int, Exit] = {signal.SIGINT: Exit.INTERRUPTED, signal.SIGTERM: Exit.TERMINATED}
_PATIENT = 2


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
        ask_password(options)
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
    async def run() -> int:
        task = asyncio.ensure_future(main)
        with _cancelled_by_signals(task) as came:
            try:
                return await task
            except asyncio.CancelledError:
                if not came:
                    raise
                return _SIGNALS[came[-1]]

    with asyncio.Runner(loop_factory=make_loop) as runner:
        return runner.run(run())


@contextlib.contextmanager
def _cancelled_by_signals(task: asyncio.Future[int]) -> Generator[list[int]]:
    """Let signals cancel a task: the first has it close what it has opened, the second not wait.

    `KeyboardInterrupt`, which could come between any two lines, is for the third, when the event
    loop does not get to it, as where nobody reads standard output.

    Args:
        task: What runs.

    Yields:
        The signals that have come.
    """
    loop = asyncio.get_running_loop()
    came: list[int] = []

    def on_signal(number: int, _: object) -> None:
        came.append(number)
        if len(came) > _PATIENT:
            raise KeyboardInterrupt
        loop.call_soon_threadsafe(task.cancel)

    before: dict[int, Any] = {}
    with contextlib.suppress(ValueError):  # not the main thread
        for number in _SIGNALS:
            before[number] = signal.signal(number, on_signal)
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
