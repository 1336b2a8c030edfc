"""Transports: made on connected sockets, and read and written by what comes next.

`plain_transport` has that of a connection without TLS, `fast_tls` those with; where they cannot
serve, the loop's own do.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Protocol, cast

from wsclient._core import forks
from wsclient.exceptions import ServerFingerprintMismatch

from .fast_tls import create_connection, suits
from .plain_transport import PlainTransport
from .sockets import has_readers
from .tls import Fingerprint

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable
    from ssl import SSLContext

    from .limits import Slot
    from .peer import Peer
    from .tls import SSLSetting

__all__ = [
    "ConnectorProtocol",
    "Reached",
    "check_fingerprint",
    "plain_socket",
    "start_tls",
]


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


async def _plain_create_connection(
    loop: asyncio.AbstractEventLoop,
    protocol_factory: Callable[[], asyncio.Protocol],
    *,
    sock: socket.socket,
    ssl: SSLContext | None,  # noqa: ARG001 - None
    server_hostname: str | None,  # noqa: ARG001 - None
) -> tuple[asyncio.Transport, asyncio.Protocol]:
    protocol = protocol_factory()
    return PlainTransport(loop, sock, protocol), protocol


def _choose(loop: asyncio.AbstractEventLoop, context: SSLContext | None) -> _CreateConnection:
    if context is not None:
        return create_connection if suits(context) else _loop_create_connection
    return _plain_create_connection if has_readers(loop) else _loop_create_connection


class ConnectorProtocol(asyncio.Protocol):
    """A protocol that knows its transport, so that a connection can be aborted half-made.

    Attributes:
        transport: The transport, from `connection_made` on.
        early: What is to be taken as the first that was received.
        slot: The connection's place among those that the connector may have, which it has until
            it is lost.
        peer: Who is connected to.
    """

    transport: asyncio.Transport | None = None
    _forks = 0
    early: bytes = b""
    slot: Slot | None = None
    peer: Peer | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport. Called by the event loop, after TLS is up.

        What is to be said first is said at once, together with the last words of the TLS
        handshake: to a server that refuses these in TLS 1.3, and closes, it could no longer be
        sent, and the failure to send it would hide the refusal. But a pinned certificate is
        compared first.
        """
        self.transport = cast("asyncio.Transport", transport)
        self._forks = forks()
        if self.early:
            self.data_received(self.early)
        if self.peer is None or not isinstance(self.peer.ssl, Fingerprint):
            self.begin()

    def begin(self) -> None:
        """Say what is to be said first, if that has not been done."""

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Give the slot back. Called by the event loop."""
        if self.slot is not None:
            self.slot.release()

    def abort(self) -> None:
        """Drop the connection at once, if there is one and it is not the parent process's."""
        if self.transport is not None and self._forks == forks():
            self.transport.abort()


def plain_socket(transport: asyncio.Transport) -> socket.socket | None:
    """Tell which socket may be used past its transport, while that has nothing queued.

    Args:
        transport: What a connector returned.

    Returns:
        The socket, or None: with TLS, or if it is not known whether the transport holds data
        back or closes the socket before it tells its protocol.
    """
    return transport.sock if isinstance(transport, PlainTransport) else None


async def start_tls(
    transport: asyncio.Transport,
    protocol: ConnectorProtocol,
    context: SSLContext,
    server_hostname: str,
) -> asyncio.Transport:
    """Do TLS over a transport; on failure or cancellation leave nothing open.

    Args:
        transport: One of the event loop's own; it belongs to this function.
        protocol: What the new transport will serve; its ``connection_made`` is not called.
        context: Does TLS.
        server_hostname: Name to verify the certificate for.

    Raises:
        OSError: TLS could not be set up, or the connection was lost.
    """
    loop = asyncio.get_running_loop()
    try:
        secured = await loop.start_tls(
            transport, protocol, context, server_hostname=server_hostname
        )
    except BaseException as error:
        transport.abort()
        # CPython up to 3.11.7 and 3.12.1 stumbles over the failure of TLS within TLS that it is
        # to report (gh-113214).
        if isinstance(error, TypeError) and isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise
    # uvloop returns a closed one.
    if secured is None or secured.is_closing():
        raise ConnectionResetError("connection lost before TLS")
    return secured


class Reached:
    """A connection that has no transport yet.

    Args:
        sock: It is connected, and belongs to this object.
        early: What has been received already.
    """

    def __init__(self, sock: socket.socket, early: bytes = b"") -> None:
        self._sock = sock
        self._early = early

    @property
    def early(self) -> bytes:
        """What has been received already."""
        return self._early

    def abort(self) -> None:
        """Drop the connection."""
        self._sock.close()

    async def establish(
        self,
        protocol: ConnectorProtocol,
        context: SSLContext | None,
        server_hostname: str,
        *,
        own: bool = True,
    ) -> asyncio.Transport:
        """Put a transport on it; on failure or cancellation leave nothing open.

        Args:
            protocol: What the transport will serve.
            context: Does TLS; None for none.
            server_hostname: Name to verify the certificate for.
            own: Use the faster transports, if there are any; else those of the event loop.

        Raises:
            OSError: TLS could not be set up, or the connection was lost.
        """
        protocol.early = self.early
        loop = asyncio.get_running_loop()
        create = _choose(loop, context) if own else _loop_create_connection
        try:
            transport, _ = await create(
                loop,
                lambda: protocol,
                sock=self._sock,
                ssl=context,
                server_hostname=None if context is None else server_hostname,
            )
        except BaseException:
            # The order matters: abort() takes the descriptor out of the event loop, and only
            # then may its number be free for another socket. The socket is closed as well,
            # because a transport whose constructor raised never owned it.
            protocol.abort()
            self._sock.close()
            raise
        return transport


def check_fingerprint(
    setting: SSLSetting, transport: asyncio.Transport, host: str, port: int
) -> None:
    """Compare the certificate that a peer has shown, if the setting is a `Fingerprint`.

    Args:
        setting: The setting in force.
        transport: A transport with TLS.
        host: Whose certificate it is, for the error.
        port: And on which port.

    Raises:
        ServerFingerprintMismatch: It is another certificate.
    """
    if isinstance(setting, Fingerprint):
        certificate: bytes = transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
        got = hashlib.sha256(certificate).digest()
        if got != setting.fingerprint:
            raise ServerFingerprintMismatch(setting.fingerprint, got, host, port)
