"""From aiohttp's connection to this client's: who reads, who writes, who gives the place back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import ClientOSError

from wsclient.network.fast_tls import resume_reading
from wsclient.network.takeover import take_over
from wsclient.protocol import WebSocketProtocol

from .shims import Reader

if TYPE_CHECKING:
    import asyncio

    from aiohttp import ClientResponse
    from aiohttp.client_proto import ResponseHandler

__all__ = ["NO_CODE", "HandedOver", "Tap", "hand_over", "read_on"]

NO_CODE = 1005
"""What is said of a close frame without a code; it may not be sent (RFC 6455 §7.4.1)."""


class Tap:
    """Collects what aiohttp has read past the head of the 101; for ``ResponseHandler.set_parser``.

    Attributes:
        data: What it was.
    """

    def __init__(self) -> None:
        self.data: bytes = b""

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Take what was read."""
        self.data += data
        return False, b""

    def feed_eof(self) -> None:
        """Be told that no more will come, of which the transport tells its next protocol too."""


class HandedOver(WebSocketProtocol):
    """The core's protocol, on a connection of aiohttp's.

    aiohttp's own protocol is told of the end: whoever waits for that waits there, and the place in
    the connector's limits is given back.
    """

    _handler: ResponseHandler | None = None
    _response: ClientResponse | None = None

    def belongs_to(self, response: ClientResponse, handler: ResponseHandler) -> None:
        """Take note of whom to tell of the end.

        Args:
            response: The 101, which holds the connection.
            handler: aiohttp's protocol of the connection.
        """
        self._response = response
        self._handler = handler

    def start_close(self, code: int, message: Any) -> bool:
        """Begin to close: as in aiohttp, nobody gets a message from then on."""
        # What programs that answer a close frame pass on of one that has no code.
        is_bare = code in {0, NO_CODE}
        sent = self.start_bare_close() if is_bare else super().start_close(code, message)
        self.dismiss()
        return sent

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell everybody. Called by the event loop."""
        handler, response = self._handler, self._response
        self._handler = self._response = None
        try:
            if handler is not None:
                handler.connection_lost(exc)
            if response is not None:
                response.close()
        finally:
            # A task that waits may go on inside.
            super().connection_lost(exc)


def hand_over(response: ClientResponse, connection: HandedOver, trailing: bytes) -> None:
    """Let a connection serve the transport of a 101.

    Args:
        response: The 101, not read any further.
        connection: The new protocol.
        trailing: What aiohttp has read past the head.

    Raises:
        ClientOSError: The event loop cannot watch one socket more.
    """
    held: Any = response.connection
    handler: ResponseHandler = held.protocol
    transport: asyncio.Transport = held.transport
    # Whatever would parse the WebSocket.
    handler.set_parser(None, Reader(connection))
    # The time limit of the request: with a timer in waiting, each turn of asyncio's loop costs a
    # quarter more.
    held._notify_release()  # noqa: SLF001
    if not transport.is_closing():
        transport.pause_reading()
    connection.belongs_to(response, handler)
    try:
        # What ends the connection from aiohttp's side closes this.
        handler.transport = take_over(transport, connection)
    except OSError as error:
        raise ClientOSError(error.errno, error.strerror) from error
    connection.feed(trailing)


def read_on(transport: asyncio.Transport) -> None:
    """Let a paused transport read again, if it has not come to its end.

    Args:
        transport: What `hand_over` gave the connection.
    """
    if not transport.is_closing():
        resume_reading(transport)
