"""Standard input, line by line, without keeping the event loop from its work."""

from __future__ import annotations

import asyncio
import contextlib
import select
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Self, cast

if TYPE_CHECKING:
    import io

__all__ = ["StandardInput"]

_READ = 1 << 16


class StandardInput:
    """An asynchronous iterator over the lines of standard input, as bytes without their ends.

    A thread reads, as not every system lets an event loop wait for a file or a console; it reads
    on when what it has read has been taken. Blocked in a read it does not keep Python from ending.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._lines: deque[bytes] = deque()
        self._ended = False
        self._news = asyncio.Event()
        self._wanted = threading.Event()
        self._started = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if not self._started:
            self._started = True
            threading.Thread(target=self._read, name="wsclient-stdin", daemon=True).start()
        while not self._lines:
            if self._ended:
                raise StopAsyncIteration
            self._news.clear()
            self._wanted.set()
            await self._news.wait()
        return self._lines.popleft()

    def _read(self) -> None:
        """Read to the end; runs in the thread."""
        rest, raw = b"", None
        with contextlib.suppress(AttributeError, OSError, ValueError):  # it is closed
            # Not the buffered reader, whose lock Python would want at its end.
            raw = open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)  # noqa: SIM115
        while True:
            self._wanted.wait()
            self._wanted.clear()
            data = b"" if raw is None else _part_of(raw)
            *lines, rest = (rest + data).split(b"\n")
            if not data and rest:
                lines.append(rest)
            try:
                self._loop.call_soon_threadsafe(self._take, lines, not data)
            except RuntimeError:  # the loop is closed
                return
            if not data:
                return

    def _take(self, lines: list[bytes], ended: bool) -> None:
        self._lines.extend(line.removesuffix(b"\r") for line in lines)
        self._ended = ended
        self._news.set()
        if not lines and not ended:
            self._wanted.set()


def _part_of(raw: io.FileIO) -> bytes:
    """Wait for some bytes; there are none at the end, or if it cannot be read."""
    with contextlib.suppress(OSError):
        while (data := cast("bytes | None", raw.read(_READ))) is None:
            # Whoever shares it has made it one that does not wait.
            select.select([raw], [], [])
        return data
    return b""
