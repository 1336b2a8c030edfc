"""What may reach a terminal, and whether there is one."""

from __future__ import annotations

__all__ = ["printable"]


def printable(text: str) -> str:
    r"""Escape whatever a terminal might obey: control characters, and what reorders text.

    Args:
        text: A server's words.

    Returns:
        The same with ``\x1b`` and the like in their place; tabs and spaces stay.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\t" else ascii(c)[1:-1] for c in text)
