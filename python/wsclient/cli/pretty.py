"""JSON for people: indented as far as it needs to be, and coloured."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from .terminal import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["pretty"]

LARGEST = 1 << 18
"""Characters of a text that is worth reading at all."""
DEEPEST = 32
"""Levels that are told apart."""

_COLOURS = {"key": 36, "string": 32, "number": 33, "literal": 35}


class _Number(str):
    """A number in the digits that came: 1.10 is not 1.1, and 1e400 not infinity."""

    __slots__ = ()


class _Members(tuple[tuple[str, Any], ...]):
    """An object's members in the order in which they came, with those that came twice."""

    __slots__ = ()


class _Piece(NamedTuple):
    text: str
    kind: str = ""


def pretty(text: str, width: int, *, colours: bool) -> str | None:
    """Show a JSON object or array so that it can be read.

    What fits into a line stays in one. Numbers are shown as they came; strings have whatever a
    terminal might obey escaped.

    Args:
        text: Perhaps JSON.
        width: Columns of the terminal.
        colours: Whether it has colours.

    Returns:
        Lines; or None if it is something else, too large, or nested too deeply.
    """
    if len(text) > LARGEST or not text.lstrip(" \t\r\n").startswith(("{", "[")):
        return None
    try:
        value = json.loads(
            text,
            parse_int=_Number,
            parse_float=_Number,
            parse_constant=_Number,
            object_pairs_hook=_Members,
        )
    except (ValueError, RecursionError):
        return None
    if not _is_shallow(value, DEEPEST):
        return None
    pieces = _laid_out(value, 0, 0, width)
    return "".join(_painted(piece) if colours else piece.text for piece in pieces)


def _painted(piece: _Piece) -> str:
    colour = _COLOURS.get(piece.kind)
    return piece.text if colour is None else f"\x1b[{colour}m{piece.text}\x1b[0m"


def _is_shallow(value: Any, levels: int) -> bool:
    if not _is_nested(value):
        return True
    if levels == 0:
        return False
    return all(_is_shallow(part, levels - 1) for _, part in _parts(value))


def _laid_out(value: Any, indent: int, before: int, width: int) -> Iterator[_Piece]:
    """Yield the pieces of a value, with line ends where it does not fit into one line.

    Args:
        value: It.
        indent: Columns that its members stand within.
        before: Columns that are taken in its first line.
        width: Columns of the terminal.
    """
    flat = list(_flat(value))
    room = width - max(indent, before)
    if not _is_nested(value) or sum(len(piece.text) for piece in flat) <= room:
        yield from flat
        return
    opening, closing = "{}" if isinstance(value, _Members) else "[]"
    yield _Piece(opening)
    for number, (key, part) in enumerate(_parts(value)):
        yield _Piece(("," if number else "") + "\n" + " " * (indent + 2))
        yield from key
        taken = indent + 2 + sum(len(piece.text) for piece in key)
        # A comma follows.
        yield from _laid_out(part, indent + 2, taken + 1, width)
    yield _Piece("\n" + " " * indent + closing)


def _flat(value: Any) -> Iterator[_Piece]:
    match value:
        case _Number():
            yield _Piece(printable(value), "number")
        case str():
            yield _Piece(_quoted(value), "string")
        case _Members() | list():
            opening, closing = "{}" if isinstance(value, _Members) else "[]"
            yield _Piece(opening)
            for number, (key, part) in enumerate(_parts(value)):
                yield from [_Piece(", "), *key] if number else key
                yield from _flat(part)
            yield _Piece(closing)
        case _:
            yield _Piece(json.dumps(value), "literal")


def _is_nested(value: Any) -> bool:
    return isinstance(value, _Members | list)


def _parts(value: Any) -> Iterator[tuple[list[_Piece], Any]]:
    """The values in an object or array, each with the pieces of its key."""
    if isinstance(value, _Members):
        for key, part in value:
            yield [_Piece(_quoted(key), "key"), _Piece(": ")], part
    else:
        yield from (([], part) for part in value)


def _quoted(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    if quoted.isprintable():
        return quoted
    return "".join(c if printable(c) == c else json.dumps(c)[1:-1] for c in quoted)
