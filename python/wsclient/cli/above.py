"""What is printed while there is a prompt goes above it."""

from __future__ import annotations

import asyncio
import io
import signal
import sys
from collections import deque
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING

from prompt_toolkit.renderer import CPR_Support

from .terminal import discard, is_terminal

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from prompt_toolkit import PromptSession

__all__ = ["Above"]

_DRAWN_EVERY = 0.05
"""Seconds between two drawings of a prompt below what comes fast."""


class Above(io.TextIOBase):
    """The standard streams, of a terminal whose last line is a prompt.

    Used in a ``with`` statement, in a running event loop; any thread may write. Unlike
    prompt_toolkit's `patch_stdout`, it keeps lines in their order when the prompt ends, and the
    terminal raw: a key pressed while it is not may be taken for another, as Ctrl-D is. A terminal
    that has gone counts as SIGTERM.

    Args:
        session: Shows the prompt.
    """

    def __init__(self, session: PromptSession[str]) -> None:
        self._app = session.app
        self._output = session.output
        self._stream = sys.stdout
        self._loop = asyncio.get_running_loop()
        self._written: deque[str] = deque()
        self._begun = ""
        self._due = False
        self._drawn = -_DRAWN_EVERY
        self._redirected = ExitStack()
        # Nothing may be written while a terminal has not told yet where its cursor is, which only
        # menus need.
        self._app.renderer.cpr_support = CPR_Support.NOT_SUPPORTED

    def __enter__(self) -> Self:
        self._redirected.enter_context(redirect_stdout(self))
        if is_terminal(sys.stderr):
            self._redirected.enter_context(redirect_stderr(self))
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._redirected.close()
        self._show(rest=True)

    def write(self, text: str) -> int:
        """Write, once the line is complete.

        Args:
            text: Any part of it.
        """
        self._written.append(text)
        if "\n" in text and not self._due:
            self._due = True
            self._loop.call_soon_threadsafe(self._show_soon)
        return len(text)

    def fileno(self) -> int:
        """Return the terminal's descriptor."""
        return self._stream.fileno()

    def isatty(self) -> bool:
        """Tell that somebody sits there."""
        return self._stream.isatty()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # io.pyi: an attribute
        """The terminal's."""
        return self._stream.encoding

    def _show_soon(self) -> None:
        self._loop.call_at(self._drawn + _DRAWN_EVERY, self._show)

    def _show(self, *, rest: bool = False) -> None:
        self._due = False
        parts = [self._begun]
        while self._written:
            parts.append(self._written.popleft())
        text, self._begun = "".join(parts), ""
        if not rest:
            lines, newline, self._begun = text.rpartition("\n")
            text = lines + newline
        if text:
            try:
                self._draw(text)
            except OSError:
                # The terminal has gone, and with it who could end the command.
                discard(self._stream)
                signal.raise_signal(signal.SIGTERM)

    def _draw(self, text: str) -> None:
        is_below = self._app.is_running
        if is_below:
            self._app.renderer.erase()
        # On Windows each flush disables it.
        self._output.enable_autowrap()
        # What it has no letters for would become question marks.
        shown = text.encode(self.encoding, "backslashreplace").decode(self.encoding)
        self._output.write_raw(shown)
        self._output.flush()
        if is_below:
            self._app.renderer.render(self._app, self._app.layout)
        self._drawn = self._loop.time()
