"""Messages as lines, for a terminal or for a program that reads them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from wsclient import MsgType

from .terminal import printable

if TYPE_CHECKING:
    from wsclient import Message

__all__ = ["line_of", "write"]


def line_of(msg: Message) -> str:
    """Show a message in one line.

    Args:
        msg: Text, which is shown as it is in a pipe and without what a terminal might obey on
            one; or binary, which is shown in hexadecimal digits.
    """
    if msg.tp is not MsgType.text:
        return str(msg.data.hex())
    text = str(msg.data)
    return printable(text) if sys.stdout.isatty() else text


def write(line: str) -> None:
    """Write a line at once.

    Args:
        line: Without its end.
    """
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
