"""From a URL to a connected transport: name resolution, TCP and TLS.

Nothing here knows HTTP or WebSocket. `aiofastnet` makes the transports, because its
TLS costs about half of asyncio's; where it cannot be imported, the loop's own serve.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from functools import cache
from ssl import CERT_NONE, SSLCertVerificationError, SSLContext, SSLError, create_default_context
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

from aiohappyeyeballs import (
    addr_to_addr_infos,  # pyright: ignore[reportUnknownVariableType]
    start_connection,  # pyright: ignore[reportUnknownVariableType]
)

from .exceptions import (
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientConnectorSSLError,
)
from .types import is_secure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Sequence

    from yarl import URL

__all__ = ["ConnectorProtocol", "SSLSetting", "TCPConnector", "resume_reading"]

SSLSetting: TypeAlias = bool | SSLContext
"""True: verify as browsers do. False: TLS without verification. A context: as it is."""

_AddrInfo: TypeAlias = tuple[int, int, int, str, tuple[Any, ...]]


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
    """

    transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport. Called by the event loop, after TLS is up."""
        self.transport = cast("asyncio.Transport", transport)

    def abort(self) -> None:
        """Drop the connection at once; harmless when there is none."""
        if self.transport is not None:
            self.transport.abort()


def resume_reading(transport: asyncio.Transport) -> None:
    """Let a paused transport read again, including what it had read already.

    Where pausing happened inside a read callback, aiofastnet (1.2) keeps the rest of what
    it read undecrypted. On resuming it looks at the socket first: a silent socket leaves
    that rest where it is, a busy one finds its buffer full and loses the connection.

    Args:
        transport: What `TCPConnector.connect` returned. Its protocol may be called
            before this function returns.
    """
    transport.resume_reading()
    decrypt = getattr(transport, "_retry_ssl_read", None)
    if decrypt is not None:
        decrypt()


# aiofastnet has its reads by `loop.add_reader`, and so can anyone; asyncio guards its own.
_KNOWN_TRANSPORTS = {"aiofastnet.selector_transport": True, "asyncio.selector_events": False}


def plain_socket(transport: asyncio.Transport) -> tuple[int, bool] | None:
    """Tell which socket may be used past its transport, while that has nothing queued.

    Args:
        transport: What `TCPConnector.connect` returned.

    Returns:
        The descriptor, and whether `asyncio.loop.add_reader` takes it; or None: with TLS, or if the
        transport might hold data back or close the socket before it tells its protocol.
    """
    if transport.get_extra_info("sslcontext") is not None:
        return None
    readable = _KNOWN_TRANSPORTS.get(type(transport).__module__)
    if readable is None:
        return None
    sock: socket.socket = transport.get_extra_info("socket")
    return sock.fileno(), readable


class _Nothing:
    """What `TCPConnector.close` returns: ``await`` takes it, dropping it warns of nothing."""

    def __await__(self) -> Generator[None, None, None]:
        yield from ()


class TCPConnector:
    """Makes connections. Mirrors ``aiohttp.TCPConnector``; no pool, one connection a call.

    Args:
        ssl: How TLS is verified where `connect` is not told; see `SSLSetting`.
        family: `socket.AF_INET` or `socket.AF_INET6` to insist on one; 0 for both.
        local_addr: Own IP address and port to connect from; port 0 for any.
        happy_eyeballs_delay: Seconds after which the next address is tried beside the
            first (RFC 8305 §5); None tries them one after the other.
        loop: The event loop, for callers of aiohttp 0.17. It must be the running one
            when `connect` is called.

    Raises:
        TypeError: `ssl` is neither `bool` nor `ssl.SSLContext`.
    """

    def __init__(
        self,
        *,
        ssl: SSLSetting = True,
        family: int = 0,
        local_addr: tuple[str, int] | None = None,
        happy_eyeballs_delay: float | None = 0.25,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._ssl = _check_ssl(ssl)
        self._family = family
        self._local: Sequence[_AddrInfo] | None = addr_to_addr_infos(local_addr)
        self._delay = happy_eyeballs_delay
        self._loop = loop
        self._closed = False

    @property
    def closed(self) -> bool:
        """True after `close`."""
        return self._closed

    def close(self) -> _Nothing:
        """Refuse further connections; those already made belong to their users.

        Returns:
            Something that may be awaited, as in aiohttp 3, or dropped, as in 0.17.
        """
        self._closed = True
        return _Nothing()

    async def connect(
        self,
        url: URL,
        protocol_factory: Callable[[], ConnectorProtocol],
        *,
        ssl: SSLSetting | None = None,
        server_hostname: str | None = None,
        progress: Callable[[str], None] = lambda _: None,
    ) -> asyncio.Transport:
        """Connect to the host of a URL.

        Args:
            url: What ``parse_url`` returned; ``wss`` always gets TLS, ``ws`` never.
            protocol_factory: Makes the protocol that the transport will serve.
            ssl: Instead of the connector's own setting, if not None.
            server_hostname: Name to verify the certificate for, instead of the host.
            progress: Called with ``"dns"``, ``"tcp"`` and ``"tls"`` as each step begins.

        Returns:
            The transport, TLS established, ``connection_made`` called.

        Raises:
            ClientConnectorDNSError: The host has no address.
            ClientConnectorCertificateError: The server's certificate is not accepted.
            ClientConnectorSSLError: TLS could not be set up.
            ClientConnectorError: No address of the host could be connected to.
            RuntimeError: The connector is closed, or belongs to another loop.
        """
        loop = self._check_usable()
        setting = self._ssl if ssl is None else _check_ssl(ssl)
        context = self._context(setting) if is_secure(url) else None
        # "%25" spells the "%" before an IPv6 zone in a URL (RFC 6874 §2).
        host, port = (url.raw_host or "").replace("%25", "%"), url.port or 0
        shown = None if context is None else setting

        progress("dns")
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:  # UnicodeError: no DNS name can look so
            cause = error if isinstance(error, OSError) else OSError(errno.EINVAL, str(error))
            raise ClientConnectorDNSError(host, port, cause, step="dns", ssl=shown) from error

        progress("tcp")
        try:
            sock = await start_connection(
                addresses,
                local_addr_infos=self._local,
                happy_eyeballs_delay=self._delay,
                loop=loop,
            )
        except OSError as error:
            raise ClientConnectorError(host, port, error, step="tcp", ssl=shown) from error

        if context is not None:
            progress("tls")
            server_hostname = server_hostname or host.rstrip(".").partition("%")[0]
        try:
            return await _establish(
                loop,
                protocol_factory(),
                sock=sock,
                ssl=context,
                server_hostname=None if context is None else server_hostname,
            )
        except SSLCertVerificationError as error:
            raise ClientConnectorCertificateError(
                host, port, error, step="tls", ssl=shown
            ) from error
        except SSLError as error:
            raise ClientConnectorSSLError(host, port, error, step="tls", ssl=shown) from error
        except OSError as error:
            step = "tcp" if context is None else "tls"
            raise ClientConnectorError(host, port, error, step=step, ssl=shown) from error

    def _check_usable(self) -> asyncio.AbstractEventLoop:
        if self._closed:
            raise RuntimeError("connector is closed")
        loop = asyncio.get_running_loop()
        if self._loop is not None and self._loop is not loop:
            raise RuntimeError("connector belongs to another event loop than the running one")
        return loop

    async def _resolve(self, host: str, port: int) -> Sequence[_AddrInfo]:
        # The protocol is named because aiofastnet sets TCP_NODELAY only on a socket
        # that was made for IPPROTO_TCP.
        wanted = {
            "family": self._family,
            "type": socket.SOCK_STREAM,
            "proto": socket.IPPROTO_TCP,
        }
        try:  # An address needs no resolver, and so no thread.
            return socket.getaddrinfo(host, port, flags=socket.AI_NUMERICHOST, **wanted)
        except (socket.gaierror, UnicodeError):
            loop = asyncio.get_running_loop()
            return await loop.getaddrinfo(host, port, **wanted)

    def _context(self, setting: SSLSetting) -> SSLContext:
        if isinstance(setting, SSLContext):
            return setting
        return _default_context(setting)


@cache
def _default_context(verify: bool) -> SSLContext:
    # Loading the certificate authorities takes milliseconds: once for the process.
    context = create_default_context()
    # RFC 8441 (WebSocket in HTTP/2) is another protocol than the one we speak.
    context.set_alpn_protocols(["http/1.1"])
    if not verify:
        context.check_hostname = False
        context.verify_mode = CERT_NONE
    return context


async def _establish(
    loop: asyncio.AbstractEventLoop,
    protocol: ConnectorProtocol,
    *,
    sock: socket.socket,
    ssl: SSLContext | None,
    server_hostname: str | None,
) -> asyncio.Transport:
    """Put a transport on a connected socket; on failure or cancellation leave nothing open."""
    try:
        transport, _ = await _create_connection(
            loop, lambda: protocol, sock=sock, ssl=ssl, server_hostname=server_hostname
        )
    except BaseException:
        # The order matters: abort() takes the descriptor out of the event loop, and only
        # then may its number be free for another socket. The socket is closed as well,
        # because a transport whose constructor raised never owned it.
        protocol.abort()
        sock.close()
        raise
    return transport


def _check_ssl(ssl: object) -> SSLSetting:
    if not isinstance(ssl, (bool, SSLContext)):
        raise TypeError(f"ssl must be bool or ssl.SSLContext, got {type(ssl).__name__}")
    return ssl
