"""Messages and errors as aiohttp's users know them."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp

from wsclient._core import Dialect

__all__ = ["dialect"]


class WSMessage(aiohttp.WSMessage):
    """``aiohttp.WSMessage``, as the core makes and drops it."""

    __slots__ = ()


if TYPE_CHECKING:
    from aiohttp.http import WSMessageTextBytes as _TextBytes
else:
    # Before aiohttp 3.14 text is always decoded.
    _TextBytes = getattr(aiohttp.http, "WSMessageTextBytes", aiohttp.WSMessage)


class WSMessageTextBytes(_TextBytes):
    """``aiohttp.http.WSMessageTextBytes``, likewise: text that is not decoded."""

    __slots__ = ()


class _ResetError(Exception):
    """Makes ``aiohttp.ClientConnectionResetError``, with aiohttp's text for what was sent."""

    def __new__(  # type: ignore[misc] # it makes no instance
        cls, text: str
    ) -> aiohttp.ClientConnectionResetError:
        if ": the connection is " in text:
            # Programs look for these words.
            text = "Cannot write to closing transport"
        return aiohttp.ClientConnectionResetError(text)


class _ViolationError(Exception):
    """Makes ``aiohttp.WebSocketError`` with a code that is a member of aiohttp's enumeration."""

    def __new__(  # type: ignore[misc] # it makes no instance
        cls, code: int, text: str
    ) -> aiohttp.WebSocketError:
        return aiohttp.WebSocketError(aiohttp.WSCloseCode(code), text)


def _dialect(text_message: type[tuple[Any, ...]]) -> Dialect:
    return Dialect(
        message=WSMessage,
        text_message=text_message,
        msg_type=aiohttp.WSMsgType,
        reset=_ResetError,
        disconnected=aiohttp.ServerDisconnectedError,
        violation=_ViolationError,
    )


_DIALECTS = {True: _dialect(WSMessage), False: _dialect(WSMessageTextBytes)}


def dialect(*, decode_text: bool) -> Dialect:
    """Look up how messages and errors are made.

    Args:
        decode_text: Text messages as `str`, else as `bytes`.
    """
    return _DIALECTS[decode_text]
