"""What programs reach for inside of aiohttp's WebSocket, none of which is public."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from wsclient._core import Buffer

if TYPE_CHECKING:
    from aiohttp import ClientWebSocketResponse, WSMsgType

    from wsclient._core import Protocol

__all__ = ["Reader", "Writer"]


class _GoneTransport(asyncio.Transport):
    """Stands for the transport of a connection that was given back."""

    def is_closing(self) -> bool:
        return True

    def close(self) -> None:
        """There is nothing to close."""

    def abort(self) -> None:
        """There is nothing to abort."""


class Writer:
    """What programs ask of aiohttp's ``_writer``.

    Args:
        ws: The WebSocket.
        connection: Its connection in the pool.
    """

    def __init__(self, ws: ClientWebSocketResponse, connection: Any) -> None:
        self._ws = ws
        self._connection = connection

    @property
    def transport(self) -> asyncio.Transport:
        """The transport, to ask whether it closes or whom it is to, and to abort."""
        transport: asyncio.Transport | None = getattr(self._connection, "transport", None)
        return _GoneTransport() if transport is None else transport

    async def send_frame(
        self, message: bytes, opcode: WSMsgType, compress: int | None = None
    ) -> None:
        """See ``ClientWebSocketResponse.send_frame``."""
        await self._ws.send_frame(message, opcode, compress)


class Reader:
    """What programs ask of aiohttp's ``_reader``, and of ``_payload``, which is the same.

    Args:
        connection: The protocol of the connection.
    """

    def __init__(self, connection: Protocol) -> None:
        self._connection = connection
        self._buffer = Buffer(connection)

    def is_eof(self) -> bool:
        """Tell whether the connection is gone."""
        return self._connection.lost

    def exception(self) -> BaseException | None:
        """Tell what went wrong."""
        return self._connection.outcome()[1]
