"""What receives by a `receive` that a subclass of `ClientWebSocketResponse` has overridden."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

from .types import MsgType

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .message import Message

__all__ = ["THROUGH_RECEIVE"]


class _WebSocket(Protocol):
    def receive(self, timeout: float | None = None) -> Awaitable[Message]: ...
    def _mistaken(self, msg: Message, expected: str) -> Exception: ...


async def _next_through_receive(ws: _WebSocket) -> Message:
    msg = await ws.receive()
    if msg[0] in {MsgType.close, MsgType.closing, MsgType.closed}:
        raise StopAsyncIteration
    return msg


async def _str_through_receive(ws: _WebSocket, *, timeout: float | None = None) -> str:
    text: str = await _data_through_receive(ws, MsgType.text, timeout)
    return text


async def _bytes_through_receive(ws: _WebSocket, *, timeout: float | None = None) -> bytes:
    data: bytes = await _data_through_receive(ws, MsgType.binary, timeout)
    return data


async def _many_through_receive(ws: _WebSocket, timeout: float | None = None) -> list[Message]:
    # Of what else is there, it cannot be known what that `receive` would make of it.
    return [await ws.receive(timeout)]


async def _many_str_through_receive(ws: _WebSocket, *, timeout: float | None = None) -> list[str]:
    return [await _data_through_receive(ws, MsgType.text, timeout)]


async def _many_bytes_through_receive(
    ws: _WebSocket, *, timeout: float | None = None
) -> list[bytes]:
    return [await _data_through_receive(ws, MsgType.binary, timeout)]


async def _json_through_receive(
    ws: _WebSocket,
    *,
    loads: Callable[[Any], Any] | None = None,
    timeout: float | None = None,
) -> Any:
    text = await _data_through_receive(ws, MsgType.text, timeout)
    return json.loads(text) if loads is None else loads(text)


async def _data_through_receive(ws: _WebSocket, wanted: MsgType, timeout: float | None) -> Any:
    msg = await ws.receive(timeout)
    kind, data, _ = msg
    if kind != wanted:
        expected = "a text message" if wanted == MsgType.text else "a binary message"
        raise ws._mistaken(msg, expected)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - its own
    return data


THROUGH_RECEIVE: dict[str, Callable[..., Any]] = {
    "__anext__": _next_through_receive,
    "receive_str": _str_through_receive,
    "receive_bytes": _bytes_through_receive,
    "receive_json": _json_through_receive,
    "receive_many": _many_through_receive,
    "receive_many_str": _many_str_through_receive,
    "receive_many_bytes": _many_bytes_through_receive,
}
"""What stands in subclasses that override `receive`, unless they override these as well."""
