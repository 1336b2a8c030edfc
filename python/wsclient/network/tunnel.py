"""Tunnels: on a connection to a proxy, a way to the server.

`python-socks` speaks SOCKS.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from python_socks import ProxyError, ProxyType
from python_socks.async_.asyncio import Proxy as SocksProxy

from wsclient.exceptions import ClientHttpProxyError

from .proxy import Connect
from .tls import breaks_tls
from .transport import ConnectorProtocol, Reached, check_fingerprint, start_tls

if TYPE_CHECKING:
    import socket
    from ssl import SSLContext

    from .peer import Peer
    from .proxy import Proxy

__all__ = ["open_tunnel"]

_READ_SIZE = 4096
# python-socks has no "for ever", and the caller has a timeout of its own.
_A_YEAR = 365 * 24 * 3600.0


async def open_tunnel(
    sock: socket.socket, proxy: Proxy, there: Peer, host: str, port: int
) -> Reached:
    """Ask a proxy for a way to a server; on failure or cancellation leave nothing open.

    Args:
        sock: Connected to the proxy; it belongs to this function.
        proxy: The proxy.
        there: The same, as one connects to it.
        host: Name of the server, which the proxy resolves; for ``socks4`` its IPv4 address.
        port: TCP port of the server.

    Raises:
        ClientHttpProxyError: An HTTP proxy refuses.
        ServerFingerprintMismatch: Its certificate is not the one that a `Fingerprint` names.
        ClientProxyConnectionError: There is no TLS with the proxy, a SOCKS proxy refuses, or the
            connection was lost.
    """
    if there.context is not None:
        return await _connect_in_tls(Reached(sock), there, Connect(proxy, host, port))
    try:
        if proxy.is_http:
            return Reached(sock, await _connect(sock, Connect(proxy, host, port)))
        await _socks(sock, proxy, host, port)
        return Reached(sock)
    except OSError as error:
        sock.close()
        raise there.error("proxy", error) from error
    except BaseException:
        sock.close()
        raise


async def _connect(sock: socket.socket, connect: Connect) -> bytes:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(sock, connect.request())
    while not connect.receive(await loop.sock_recv(sock, _READ_SIZE)):
        pass
    return connect.trailing


class _Connected(SocksProxy):
    """Stands for the proxy before the proxy, so that python-socks takes a socket that is there."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(ProxyType.SOCKS5, "", 0)
        self._sock = sock

    async def connect(self, *_args: Any, **_kwargs: Any) -> socket.socket:
        return self._sock


async def _socks(sock: socket.socket, proxy: Proxy, host: str, port: int) -> None:
    login, password, _ = proxy.auth or (None, None, None)
    kind = ProxyType.SOCKS5 if proxy.scheme.startswith("socks5") else ProxyType.SOCKS4
    socks = SocksProxy(
        kind,
        proxy.host,
        proxy.port,
        username=login,
        password=password,
        rdns=True,
        forward=_Connected(sock),
    )
    try:
        await socks.connect(host, port, timeout=_A_YEAR)
    except ProxyError as error:
        raise OSError(str(error)) from error
    except (ValueError, LookupError) as error:
        # A host name that SOCKS cannot carry, or an answer that python-socks cannot read.
        raise OSError(f"{type(error).__name__} while speaking SOCKS") from error


async def _connect_in_tls(reached: Reached, there: Peer, connect: Connect) -> _TunnelInTLS:
    protocol = _ConnectProtocol(connect)
    protocol.peer = there
    step = "tls"
    try:
        # The loop's own transport, as TLS is to go through it again: `resume_reading` puts right
        # what aiofastnet does when it is paused, but for one layer only.
        transport = await reached.establish(protocol, there.context, there.host, own=False)
        check_fingerprint(there.ssl or True, transport, there.host, there.port)
        step = "proxy"
        await protocol.opened()
    except OSError as error:
        protocol.abort()
        raise there.error("tls" if breaks_tls(error) else step, error) from error
    except BaseException:
        protocol.abort()
        raise
    return _TunnelInTLS(transport, connect)


class _ConnectProtocol(ConnectorProtocol):
    """Carries a `Connect` over a transport."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        # Carries no outcome, so that one nobody fetches warns of nothing.
        self._finished = asyncio.get_running_loop().create_future()
        self._failure: Exception | None = None
        self._begun = False

    def begin(self) -> None:
        if not self._begun and self.transport is not None:
            self._begun = True
            self.transport.write(self._connect.request())

    async def opened(self) -> None:
        """Send the request, if that has not been done, and wait until the tunnel stands."""
        self.begin()
        await self._finished
        if self._failure is not None:
            raise self._failure

    def data_received(self, data: bytes) -> None:
        self._read(data)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if breaks_tls(exc) and self._failure is None:
            self._failure = exc
        self._read(b"")

    def _read(self, data: bytes) -> None:
        if self._failure is not None:
            if not self._finished.done():
                self._finished.set_result(None)
            return
        try:
            opened = self._connect.receive(data)
        except (ClientHttpProxyError, ConnectionResetError) as error:
            self._failure = error
            opened = True
        if opened and not self._finished.done():
            self._finished.set_result(None)


class _TunnelInTLS(Reached):
    """A way to a server through TLS with a proxy."""

    def __init__(self, transport: asyncio.Transport, connect: Connect) -> None:
        self._transport = transport
        self._connect = connect

    @property
    def early(self) -> bytes:
        return self._connect.trailing

    def abort(self) -> None:
        self._transport.abort()

    async def establish(
        self,
        protocol: ConnectorProtocol,
        context: SSLContext | None,
        server_hostname: str,
        *,
        own: bool = True,  # noqa: ARG002 - as said above
    ) -> asyncio.Transport:
        transport = self._transport
        if transport.is_closing():
            # Its next protocol would not hear of it.
            raise ConnectionResetError("proxy closed the connection after it had opened the tunnel")
        if context is None:
            protocol.early = self.early
            transport.set_protocol(protocol)
        else:
            transport = await start_tls(transport, protocol, context, server_hostname)
        protocol.connection_made(transport)
        return transport
