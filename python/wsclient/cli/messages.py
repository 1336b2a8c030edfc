"""Messages as lines: for whoever sits before a terminal, or for the program that reads them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from wsclient import MsgType

from .pretty import pretty
from .terminal import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wsclient import Message

__all__ = ["line_of", "record_of", "shown"]

LONGEST = 2000
"""Characters of a line on a terminal."""
TALLEST = 100
"""Lines of a message on a terminal."""
_ROW = 16


def line_of(msg: Message, *, terminal: bool) -> str:
    """Put a message into a line.

    Args:
        msg: Text or binary.
        terminal: Whether the line goes to a terminal.

    Returns:
        Text as it is, line breaks among it, or for a terminal without what that might obey and
        cut to a readable length; binary in hexadecimal digits.
    """
    text = msg.data.hex() if msg.tp is MsgType.binary else msg.data
    return _cut(text) if terminal else text


def record_of(msg: Message, time: float, latency: float | None, *, terminal: bool) -> str:
    """Put a message into a line of JSON, with what is known about it.

    Args:
        msg: Text or binary.
        time: When it came, in seconds since 1970.
        latency: Seconds of the last ping's round trip.
        terminal: Whether the line goes to a terminal, which is then sent ASCII only.
    """
    return json.dumps(
        {
            "time": round(time, 6),
            "latency": None if latency is None else round(latency, 6),
            "type": msg.tp.name,
            "data": msg.data.hex() if msg.tp is MsgType.binary else msg.data,
        },
        ensure_ascii=terminal,
        separators=(",", ":"),
    )


def shown(msg: Message, width: int, *, colours: bool) -> str:
    """Show a message on a terminal, in as many lines as it needs.

    Args:
        msg: Text, which is indented if it is JSON; or binary, which is shown in hexadecimal digits.
        width: Columns of the terminal.
        colours: Whether it has colours.
    """
    mark = "\x1b[36m<\x1b[0m " if colours else "< "
    return mark + "\n  ".join(_lines(msg, width - len("< "), colours=colours))


def _lines(msg: Message, width: int, *, colours: bool) -> Iterator[str]:
    if msg.tp is MsgType.binary:
        yield from _dump(msg.data)
        return
    indented = pretty(msg.data, width, colours=colours)
    lines = (msg.data if indented is None else indented).split("\n")
    yield from map(_cut, lines[:TALLEST]) if indented is None else lines[:TALLEST]
    if len(lines) > TALLEST:
        yield f"... {len(lines) - TALLEST:,} more lines"


def _dump(data: bytes) -> Iterator[str]:
    yield f"{len(data):,} bytes" + (":" if data else "")
    for start in range(0, min(len(data), TALLEST * _ROW), _ROW):
        row = data[start : start + _ROW]
        text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in row)  # noqa: PLR2004
        yield f"{start:06x}  {row.hex(' ').ljust(3 * _ROW)} {text}"
    if len(data) > TALLEST * _ROW:
        yield f"... {len(data) - TALLEST * _ROW:,} more bytes"


def _cut(text: str) -> str:
    if len(text) <= LONGEST:
        return printable(text)
    return f"{printable(text[:LONGEST])} ... {len(text) - LONGEST:,} more characters"
