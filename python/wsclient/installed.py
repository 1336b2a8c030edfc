"""What an adapter's ``install()`` returns."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["Installed"]


class Installed:
    """In a ``with`` statement, its end undoes what `install` did.

    Args:
        undo: Does that; None where this client had been installed before, and is to stay.
    """

    def __init__(self, undo: Callable[[], None] | None) -> None:
        self._undo = undo

    def __enter__(self) -> None:
        """Do nothing more."""

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._undo is not None:
            self._undo()
