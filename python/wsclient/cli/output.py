"""Standard output: a terminal, or bytes for a program."""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING, cast

from .exits import CommandError, reason_of
from .terminal import discard, is_terminal

if TYPE_CHECKING:
    import io
    from collections.abc import Iterable

__all__ = ["check_output", "write"]


def check_output() -> None:
    """Make sure that there is a standard output, and that a terminal can be written to.

    Raises:
        CommandError: It is closed.
    """
    if sys.stdout is None:  # pyright: ignore[reportUnnecessaryComparison] - it is if closed
        raise CommandError("standard output is closed")
    if is_terminal(sys.stdout):
        cast("io.TextIOWrapper", sys.stdout).reconfigure(errors="backslashreplace")


def write(lines: Iterable[str]) -> None:
    """Write lines at once: to a program in UTF-8, whatever the locale is.

    Args:
        lines: Without their ends.

    Raises:
        BrokenPipeError: Nobody reads any more.
        CommandError: They cannot be written.
    """
    text = "".join(f"{line}\n" for line in lines)
    try:
        if is_terminal(sys.stdout):
            sys.stdout.write(text)
        else:
            _write_all(text.encode("utf-8", "surrogatepass"))
        sys.stdout.flush()
    except OSError as error:
        discard(sys.stdout)
        if isinstance(error, BrokenPipeError):
            raise
        raise CommandError(f"standard output: {reason_of(error)}") from error


def _write_all(data: bytes) -> None:
    """Write all; without a buffer (``PYTHONUNBUFFERED``), a stream may take a part, or nothing."""
    rest = memoryview(data)
    while rest:
        written = cast("int | None", sys.stdout.buffer.write(rest))
        if written is None:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        rest = rest[written:]
