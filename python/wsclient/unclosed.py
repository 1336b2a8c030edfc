"""Saying where something was made that nobody closed."""

from __future__ import annotations

import asyncio
import inspect
import traceback
import warnings
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["Made", "warn_unclosed"]

# Modules between the caller and this one, with the adapter also aiohttp's.
_OURS = (__name__.partition(".")[0] + ".", "aiohttp.")


class Made(NamedTuple):
    """Where the caller of this package was.

    Attributes:
        place: File and line.
        stack: The whole stack if an event loop in debug mode was running, else None.
        loop: That event loop.
    """

    place: str
    stack: traceback.StackSummary | None = None
    loop: asyncio.AbstractEventLoop | None = None

    @classmethod
    def here(cls) -> Made:
        """Take note of the caller of this package, or of the one of aiohttp."""
        frame = inspect.currentframe()
        while frame is not None and _is_ours(frame):
            frame = frame.f_back
        if frame is None:
            return cls("an unknown place")
        place = _at(frame.f_code.co_filename, frame.f_lineno)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return place
        if not loop.get_debug():
            return place
        return place._replace(stack=traceback.extract_stack(frame), loop=loop)


@lru_cache(maxsize=256)
def _at(file: str, line: int) -> Made:
    # One for all connections that a loop makes: each has it as long as it lives.
    return Made(f"{file}:{line}")


def _is_ours(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).startswith(_OURS)


def warn_unclosed(thing: object, shown: str, made: Made) -> None:
    """Issue a `ResourceWarning`, as asyncio does for its transports.

    In debug mode the loop's exception handler is told the stack as well, as aiohttp does.

    Args:
        thing: What is being destroyed unclosed.
        shown: Its ``repr`` while it was open.
        made: Where it was made.
    """
    text = f"unclosed {shown}, made at {made.place}"
    warnings.warn(text, ResourceWarning, source=thing, stacklevel=3)
    if made.loop is not None:
        made.loop.call_exception_handler({"message": text, "source_traceback": made.stack})
