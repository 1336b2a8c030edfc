"""`WSMessage`: what `receive` returns, as type checkers see it."""

from __future__ import annotations

from collections.abc import Sequence
from types import GenericAlias
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ._core import Message

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    from .types import MsgType

    _Text = TypeVar("_Text", bound=str | bytes, default=str)

    # The union is told apart by `tp`. Of text and binary, `receive_time` makes `extra` a float.
    WSMessage: TypeAlias = (
        Message[Literal[MsgType.TEXT], _Text, Any]
        | Message[Literal[MsgType.BINARY], bytes, Any]
        | Message[Literal[MsgType.PING], bytes, str]
        | Message[Literal[MsgType.PONG], bytes, str]
        | Message[Literal[MsgType.CLOSE], int, str]
        | Message[Literal[MsgType.CLOSED], int, str]
        | Message[Literal[MsgType.CLOSING], None, str]
        | Message[Literal[MsgType.ERROR], BaseException, str]
    )
else:
    WSMessage = Message
    # For `case (tp, data, extra):`, which only sequences match.
    Sequence.register(Message)
    # For annotations, as `WSMessage[bytes]`.
    Message.__class_getitem__ = classmethod(GenericAlias)

__all__ = ["Message", "WSMessage"]
