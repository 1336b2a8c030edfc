"""`Message`, and `WSMessage`: what `receive` returns, as type checkers see it."""

from __future__ import annotations

from collections.abc import Sequence
from types import GenericAlias
from typing import TYPE_CHECKING

from ._core import Message

if TYPE_CHECKING:
    from typing import TypeAlias

    from typing_extensions import TypeVar

    from ._core import _WSMessage  # pyright: ignore[reportPrivateUsage] - is not there at run time

    _Text = TypeVar("_Text", bound=str | bytes, default=str)

    WSMessage: TypeAlias = _WSMessage[_Text]
else:
    WSMessage = Message
    # For `case (tp, data, extra):`, which only sequences match.
    Sequence.register(Message)
    # For annotations, as `WSMessage[bytes]`.
    Message.__class_getitem__ = classmethod(GenericAlias)

__all__ = ["Message", "WSMessage"]
