"""Transports: made on connected sockets, and read and written by what comes next.

`aiofastnet` makes them, because its TLS costs about half of asyncio's; where it cannot be
imported, the loop's own serve.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable
    from ssl import SSLContext

    from .slots import Slot

__all__ = ["ConnectorProtocol", "establish", "plain_socket", "resume_reading"]


class _CreateConnection(Protocol):
    def __call__(
        self,
        loop: asyncio.AbstractEventLoop,
        protocol_factory: Callable[[], asyncio.Protocol],
        *,
        sock: socket.socket,
        ssl: SSLContext | None,
        server_hostname: str | None,
    ) -> Awaitable[tuple[asyncio.Transport, asyncio.Protocol]]: ...


async def _loop_create_connection(
    loop: asyncio.AbstractEventLoop,
    protocol_factory: Callable[[], asyncio.Protocol],
    *,
    sock: socket.socket,
    ssl: SSLContext | None,
    server_hostname: str | None,
) -> tuple[asyncio.Transport, asyncio.Protocol]:
    return await loop.create_connection(
        protocol_factory, sock=sock, ssl=ssl, server_hostname=server_hostname
    )


_create_connection: _CreateConnection
try:
    from aiofastnet import create_connection as _create_connection
except ImportError:
    _create_connection = _loop_create_connection


class ConnectorProtocol(asyncio.Protocol):
    """A protocol that knows its transport, so that a connection can be aborted half-made.

    Attributes:
        transport: The transport, from `connection_made` on.
        slot: The connection's place among those that the connector may have, which it has until
            it is lost.
    """

    transport: asyncio.Transport | None = None
    slot: Slot | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport. Called by the event loop, after TLS is up."""
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Give the slot back. Called by the event loop."""
        if self.slot is not None:
            self.slot.release()

    def abort(self) -> None:
        """Drop the connection at once; harmless when there is none."""
        if self.transport is not None:
            self.transport.abort()


_KNOWN_TRANSPORTS = frozenset({"aiofastnet.selector_transport", "asyncio.selector_events"})


def plain_socket(transport: asyncio.Transport) -> int | None:
    """Tell which socket may be written to past its transport, while that has nothing queued.

    Args:
        transport: What a connector returned.

    Returns:
        The descriptor, or None: with TLS, or if the transport might hold data back or close the
        socket before it tells its protocol.
    """
    if transport.get_extra_info("sslcontext") is not None:
        return None
    if type(transport).__module__ not in _KNOWN_TRANSPORTS:
        return None
    sock: socket.socket = transport.get_extra_info("socket")
    return sock.fileno()


async def establish(
    loop: asyncio.AbstractEventLoop,
    protocol: ConnectorProtocol,
    sock: socket.socket,
    context: SSLContext | None,
    server_hostname: str | None,
) -> asyncio.Transport:
    """Put a transport on a connected socket; on failure or cancellation leave nothing open.

    Args:
        loop: The running event loop.
        protocol: What the transport will serve.
        sock: It belongs to this function.
        context: Does TLS; None for none.
        server_hostname: Name to verify the certificate for; None without TLS.

    Raises:
        OSError: TLS could not be set up, or the connection was lost.
    """
    try:
        transport, _ = await _create_connection(
            loop, lambda: protocol, sock=sock, ssl=context, server_hostname=server_hostname
        )
    except BaseException:
        # The order matters: abort() takes the descriptor out of the event loop, and only
        # then may its number be free for another socket. The socket is closed as well,
        # because a transport whose constructor raised never owned it.
        protocol.abort()
        sock.close()
        raise
    return transport


def resume_reading(transport: asyncio.Transport) -> None:
    """Let a paused transport read again, including what it had read already.

    Where pausing happened inside a read callback, aiofastnet (1.2) keeps the rest of what
    it read undecrypted. On resuming it looks at the socket first: a silent socket leaves
    that rest where it is, a busy one finds its buffer full and loses the connection.

    Args:
        transport: What a connector returned. Its protocol may be called before this function
            returns.
    """
    transport.resume_reading()
    decrypt = getattr(transport, "_retry_ssl_read", None)
    if decrypt is not None:
        decrypt()
