"""An event loop to other libraries' code, which asks it for transports with TLS."""

from __future__ import annotations

import asyncio
from ssl import create_default_context
from typing import TYPE_CHECKING, Any

from .fast_tls import put_tls_on, serves_tls
from .takeover import own_socket

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from ssl import SSLContext

__all__ = ["StandIn", "TLSLoop"]


class StandIn:
    """Has all that another object has.

    Args:
        real: The other object.
    """

    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class TLSLoop(StandIn):
    """An event loop, with this client's transports for TLS where they can serve."""

    async def create_connection(
        self,
        protocol_factory: Callable[[], asyncio.Protocol],
        *address: Any,
        sock: socket.socket | None = None,
        ssl: SSLContext | bool | None = None,
        server_hostname: str | None = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
        **dialing: Any,
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        """Do what an event loop's method does."""
        limits = {
            "ssl_handshake_timeout": ssl_handshake_timeout,
            "ssl_shutdown_timeout": ssl_shutdown_timeout,
        }
        if ssl is True:
            ssl = create_default_context()
        made: tuple[asyncio.Transport, asyncio.Protocol]
        if not ssl or not serves_tls(ssl):
            limits = {name: limit for name, limit in limits.items() if limit is not None}
            made = await self._real.create_connection(
                protocol_factory,
                *address,
                sock=sock,
                ssl=ssl,
                server_hostname=server_hostname,
                **limits,
                **dialing,
            )
            return made
        protocol = protocol_factory()
        if sock is None:
            transport, _ = await self._real.create_connection(asyncio.Protocol, *address, **dialing)
            if server_hostname is None:
                server_hostname = dialing.get("host", address[0] if address else None)
            secured = await self.start_tls(
                transport, protocol, ssl, server_hostname=server_hostname, **limits
            )
            if secured is None:
                raise ConnectionResetError("connection lost before TLS")
            return secured, protocol
        return await put_tls_on(sock, protocol, ssl, server_hostname, **limits), protocol

    async def start_tls(
        self,
        transport: asyncio.Transport,
        protocol: asyncio.Protocol,
        sslcontext: SSLContext,
        *,
        server_hostname: str | None = None,
        **limits: Any,
    ) -> asyncio.Transport | None:
        """Do TLS on a tunnel: on its socket, if there is no TLS below."""
        sock = None
        if serves_tls(sslcontext) and not transport.is_closing():
            transport.pause_reading()
            sock = own_socket(transport)
            if sock is None:
                transport.resume_reading()
        if sock is None:
            secured: asyncio.Transport | None = await self._real.start_tls(
                transport, protocol, sslcontext, server_hostname=server_hostname, **limits
            )
            return secured
        transport.set_protocol(asyncio.Protocol())
        transport.abort()
        return await put_tls_on(sock, protocol, sslcontext, server_hostname, **limits)
