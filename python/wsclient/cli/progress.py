"""A bar that fills while something is measured."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from typing import TYPE_CHECKING

from .terminal import is_dumb, is_terminal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

__all__ = ["progress"]

BAR = 40


@contextlib.asynccontextmanager
async def progress(seconds: float, done: Sequence[object]) -> AsyncGenerator[None]:
    """Draw a bar while the ``async with`` block runs, if standard error is a terminal that can.

    Args:
        seconds: When the bar is full.
        done: What is counted beside it.
    """
    if not is_terminal(sys.stderr) or is_dumb():
        yield
        return
    drawing = asyncio.ensure_future(_draw(seconds, done))
    try:
        yield
    finally:
        drawing.cancel()
        print(end="\r\x1b[K", file=sys.stderr, flush=True)


async def _draw(seconds: float, done: Sequence[object]) -> None:
    started = time.monotonic()
    while True:
        elapsed = min(time.monotonic() - started, seconds)
        bar = ("#" * round(BAR * elapsed / seconds)).ljust(BAR, ".")
        line = f"\r[{bar}] {elapsed:3.1f} of {seconds:g} s  {len(done):,} messages "
        print(line, end="", file=sys.stderr, flush=True)
        await asyncio.sleep(0.1)
