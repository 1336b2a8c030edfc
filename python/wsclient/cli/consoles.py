"""Consoles without a prompt: of a program at the other end, or of a terminal as it is."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from .exits import CommandError
from .messages import line_of, shown
from .output import write
from .stdin import StandardInput
from .terminal import columns_of, has_colours, is_terminal, note

if TYPE_CHECKING:
    from wsclient import Message

__all__ = ["Filter", "Plain"]


class Filter:
    """For programs: a line in is a message, a message is a line out."""

    has_commands = False

    def __init__(self) -> None:
        self._lines = StandardInput()
        self._count = 0

    async def read(self) -> str | None:
        """Wait for a line; None at the end."""
        line = await anext(self._lines, None)
        if line is None:
            return None
        self._count += 1
        try:
            return line.decode()
        except UnicodeDecodeError:
            raise CommandError(f"standard input, line {self._count}: not UTF-8") from None

    def done(self) -> None:
        """Be told that nothing more is read."""

    def show(self, msg: Message) -> None:
        """Write a message."""
        write([_for_people(msg) if is_terminal(sys.stdout) else line_of(msg, terminal=False)])

    def tell(self, text: str) -> None:
        """Say something beside the messages."""
        note(text)


class Plain(Filter):
    """For people whose terminal edits the line: without history, and not apart from what comes."""

    has_commands = True


def _for_people(msg: Message) -> str:
    return shown(msg, columns_of(sys.stdout), colours=has_colours(sys.stdout))
