"""A prompt that stays below what comes in, with history; needs prompt_toolkit."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from prompt_toolkit import PromptSession
from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from .above import Above
from .exits import CommandError, Exit
from .messages import shown
from .terminal import columns_of, discard, has_colours

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from wsclient import Message

__all__ = ["Prompt"]


class Prompt:
    """Somebody before a terminal; used in a ``with`` statement.

    Args:
        keeps_history: Whether what is typed is remembered for the next time.
    """

    has_commands = True

    def __init__(self, *, keeps_history: bool) -> None:
        self._colours = has_colours(sys.stdout)
        self._session: PromptSession[str] = PromptSession(
            "> ", history=_history() if keeps_history else InMemoryHistory()
        )
        self._above = ExitStack()
        self._raw = ExitStack()
        self._is_raw = False

    def __enter__(self) -> Self:
        self._above.enter_context(Above(self._session))
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.done()
        self._above.close()

    async def read(self) -> str | None:
        """Wait for a line; None at the end.

        Raises:
            CommandError: It was Ctrl-C, or the terminal has gone.
        """
        if not self._is_raw:
            # To the last line: what is typed between two prompts is for the next one.
            self._is_raw = True
            self._raw.enter_context(self._session.input.raw_mode())
        try:
            # prompt_toolkit's handler would ask for ENTER in the middle of what is typed.
            return await self._session.prompt_async(set_exception_handler=False)
        except EOFError:
            return None
        except OSError:  # the terminal has gone
            discard(sys.stdout)
            raise CommandError("", Exit.TERMINATED) from None
        except KeyboardInterrupt:
            # In a task of its own it would end the event loop before anything is closed.
            raise CommandError("", Exit.INTERRUPTED) from None

    def done(self) -> None:
        """Give the terminal its keys back, Ctrl-C among them, as nothing more is read."""
        self._is_raw = False
        self._raw.close()

    def show(self, msg: Message) -> None:
        """Print a message above the prompt."""
        print(shown(msg, columns_of(sys.stdout), colours=self._colours))

    def tell(self, text: str) -> None:
        """Print something else above the prompt."""
        print(f"\x1b[2m{text}\x1b[0m" if self._colours else text)


class _OwnHistory(FileHistory):
    """A file of one's own; lines that begin with a space are not kept, as in shells."""

    def store_string(self, string: str) -> None:
        if not string.startswith(" "):
            with suppress(OSError):
                super().store_string(string)


def _history() -> History:
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA")
    else:
        base = os.environ.get("XDG_STATE_HOME")
    try:
        folder = (Path(base) if base else Path.home() / ".local" / "state") / "wsclient"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / "history"
        # Messages may hold keys: nobody else is to read them.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o600))
    except (OSError, RuntimeError):
        return InMemoryHistory()
    return _OwnHistory(str(path))
