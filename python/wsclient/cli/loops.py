"""Which event loop a command runs on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .exits import CommandError, Exit

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

__all__ = ["add_uvloop", "loop_factory"]


def add_uvloop(parser: argparse.ArgumentParser) -> None:
    """Add ``--uvloop``.

    Args:
        parser: Of a command that measures, or is measured.
    """
    parser.add_argument("--uvloop", action="store_true", help="run on uvloop")


def loop_factory(*, uvloop: bool) -> Callable[[], asyncio.AbstractEventLoop]:
    """Choose the event loop.

    Args:
        uvloop: Whether to take uvloop's.

    Returns:
        What makes it.

    Raises:
        CommandError: It is not installed.
    """
    if not uvloop:
        return asyncio.new_event_loop
    try:
        from uvloop import new_event_loop  # noqa: PLC0415 - not a requirement
    except ImportError:
        raise CommandError(
            "--uvloop needs uvloop, which is not installed: pip install uvloop", Exit.USAGE
        ) from None
    return new_event_loop
