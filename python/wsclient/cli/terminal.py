"""What there is of a terminal, and what may reach it."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from typing import TextIO

__all__ = [
    "columns_of",
    "discard",
    "draws",
    "has_colours",
    "is_dumb",
    "is_terminal",
    "note",
    "printable",
]

_COLUMNS = 80
# They join letters and emojis, and do nothing else.
_JOINERS = "\u200c\u200d"


def printable(text: str, *, keep: str = "\t") -> str:
    r"""Escape whatever a terminal might obey: control characters, and what reorders text.

    Args:
        text: A server's words.
        keep: What stays nevertheless.

    Returns:
        The same with ``\x1b`` and the like in their place.
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c in keep or c in _JOINERS else ascii(c)[1:-1] for c in text
    )


def is_terminal(stream: TextIO | None) -> bool:
    """Tell whether somebody sits before a stream.

    Args:
        stream: One of `sys`, which is None where it was closed.
    """
    return stream is not None and not stream.closed and stream.isatty()


def is_dumb() -> bool:
    """Tell whether the terminal knows no escape sequences, as in Emacs' shell."""
    return os.environ.get("TERM") in {"dumb", "unknown"}


def has_colours(stream: TextIO | None) -> bool:
    """Tell whether a stream's terminal has colours, and nobody has said ``NO_COLOR``.

    Args:
        stream: One of `sys`.
    """
    if os.environ.get("NO_COLOR") or is_dumb():
        return False
    # Older consoles of Windows show the escape sequences themselves.
    return is_terminal(stream) and (sys.platform != "win32" or "WT_SESSION" in os.environ)


def draws(stream: TextIO | None, characters: str) -> bool:
    """Tell whether a stream's encoding has some characters.

    Args:
        stream: One of `sys`.
        characters: Which.
    """
    try:
        characters.encode(getattr(stream, "encoding", None) or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def columns_of(stream: TextIO | None) -> int:
    """Tell how wide a stream's terminal is now, which an environment may not know any more.

    Args:
        stream: One of `sys`.
    """
    try:
        return os.get_terminal_size(cast("TextIO", stream).fileno()).columns or _COLUMNS
    except (AttributeError, OSError, ValueError):
        return _COLUMNS


def note(text: str) -> None:
    """Tell the user something that is no output; what cannot be told is no failure.

    Args:
        text: What, in a line.
    """
    if sys.stderr is None:  # pyright: ignore[reportUnnecessaryComparison] - it is if closed
        return
    try:
        print(f"wsclient: {text}", file=sys.stderr, flush=True)
    except OSError:
        discard(sys.stderr)


def discard(stream: TextIO) -> None:
    """Send to nowhere what a stream still holds, which Python would try to write at its end.

    Args:
        stream: One of `sys`, which cannot be written to.
    """
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
