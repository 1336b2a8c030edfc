"""From a URL to a connected transport: limits, name resolution, TCP, TLS.

Nothing here knows HTTP or WebSocket.
"""

from __future__ import annotations

import asyncio
import socket
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from aiohappyeyeballs import (
    addr_to_addr_infos,  # pyright: ignore[reportUnknownVariableType]
    start_connection,  # pyright: ignore[reportUnknownVariableType]
)

from wsclient.arguments import read_callable, read_count, read_flag, read_limit, read_type
from wsclient.exceptions import UnixClientConnectorError
from wsclient.suggestions import refuse_unexpected
from wsclient.types import is_secure

from .connector_arguments import (
    check_family,
    check_local_addr,
    check_loop,
    check_resolver,
    parameters_of,
    read_socket_options,
)
from .limits import Slots
from .peer import Endpoint
from .resolver import AddrInfo, DNSCache, numeric_address
from .sockets import connect, has_readers
from .tls import SSLSetting, check_ssl
from .transport import Reached, check_fingerprint
from .tunnel import open_tunnel

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence
    from typing import Never

    from yarl import URL

    from .proxy import Proxy
    from .resolver import AbstractResolver
    from .transport import ConnectorProtocol

__all__ = ["BaseConnector", "TCPConnector", "UnixConnector", "check_connector"]


class _Nothing:
    """What `BaseConnector.close` returns: ``await`` takes it, dropping it warns of nothing."""

    def __await__(self) -> Generator[None, None, None]:
        yield from ()


class BaseConnector(ABC):
    """What all connectors have in common. Mirrors ``aiohttp.BaseConnector``; there is no pool.

    Attributes:
        network: Connections go to where URLs say, so that a proxy can be in between.
    """

    network = True

    def __init__(
        self,
        *,
        ssl: SSLSetting,
        limit: int,
        limit_per_host: int,
        loop: asyncio.AbstractEventLoop | None,
    ) -> None:
        self._ssl = check_ssl(ssl)
        self._slots = Slots(limit, limit_per_host)
        check_loop(loop)
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
        protocol: ConnectorProtocol,
        *,
        ssl: SSLSetting | None = None,
        server_hostname: str | None = None,
        proxy: Proxy | None = None,
        progress: Callable[[str], None] = lambda _: None,
    ) -> asyncio.Transport:
        """Connect to the host of a URL.

        Args:
            url: What ``parse_url`` returned; ``wss`` always gets TLS, ``ws`` never.
            protocol: What the transport will serve.
            ssl: Instead of the connector's own setting, if not None.
            server_hostname: Name to verify the certificate for, instead of the host.
            proxy: What to connect through.
            progress: Called with the name of each step as it begins, see
                `ConnectionTimeoutError`.

        Returns:
            The transport, TLS established, ``connection_made`` called. Nothing is left open
            when this raises or is cancelled.

        Raises:
            ClientConnectorDNSError: The host has no address.
            ClientConnectorCertificateError: The server's certificate is not accepted.
            ServerFingerprintMismatch: It is not the one that a `Fingerprint` names.
            ClientConnectorSSLError: TLS could not be set up.
            ClientConnectorError: No address of the host could be connected to.
            ClientProxyConnectionError: The proxy could not, or not by the proxy.
            ClientHttpProxyError: The proxy refuses.
            RuntimeError: The connector is closed, or belongs to another loop.
        """
        self._check_usable()
        setting = self._ssl if ssl is None else check_ssl(ssl)
        # "%25" spells the "%" before an IPv6 zone in a URL (RFC 6874 §2).
        host, port = (url.raw_host or "").replace("%25", "%"), url.port or 0
        endpoint = Endpoint(host, port, setting if is_secure(url) else None)
        protocol.endpoint = endpoint
        server_hostname = server_hostname or host.rstrip(".").partition("%")[0]
        if self._slots.limited:
            progress("limit")
        protocol.slot = await self._slots.acquire((host, port, is_secure(url)))
        try:
            reached = await self._reach(endpoint, proxy, progress)
            return await _finish(reached, protocol, endpoint, server_hostname, progress)
        except BaseException:
            protocol.abort()
            # A transport that was made gives its slot back when it is lost.
            if protocol.transport is None:
                protocol.slot.release()
            raise

    @abstractmethod
    async def _reach(
        self, endpoint: Endpoint, proxy: Proxy | None, progress: Callable[[str], None]
    ) -> Reached:
        """Connect to where a transport can be put; whatever goes wrong, leave nothing open."""

    def __repr__(self) -> str:
        state = "closed, " if self._closed else ""
        return f"<{type(self).__name__} {state}{self._slots}>"

    def _check_usable(self) -> None:
        if self._closed:
            raise RuntimeError("connector is closed")
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        if self._loop is not loop:
            raise RuntimeError("connector belongs to another event loop than the running one")


def check_connector(connector: object) -> None:
    """Check what a caller gave as `connector`.

    Raises:
        TypeError: It is neither a connector nor None.
    """
    if connector is not None:
        read_type("connector", connector, BaseConnector, "a connector of wsclient's")


class TCPConnector(BaseConnector):
    """Makes TCP connections. Mirrors ``aiohttp.TCPConnector``; no pool, one connection a call.

    Several sessions may share a connector, within the event loop that it first connects in.

    Args:
        ssl: How TLS is verified where a call is not told: True as browsers do, False not at all,
            an `ssl.SSLContext`, or a `Fingerprint`.
        family: `socket.AF_INET` or `socket.AF_INET6` to insist on one; 0 for both.
        local_addr: Own IP address and port to connect from; port 0 for any.
        limit: Connections that may be open at once; who wants one more waits, within
            ``connect_timeout``. 0 for any number.
        limit_per_host: The same for one endpoint: host, port, TLS or not.
        use_dns_cache: Remember the addresses of names.
        ttl_dns_cache: Seconds to remember them for; None for ever.
        dns_cache_max_size: Names to remember; the oldest make room.
        resolver: Looks names up, as aiohttp's resolvers do; the system's ``getaddrinfo`` by
            default. Whoever made it closes it.
        happy_eyeballs_delay: Seconds after which the next address is tried beside the
            first (RFC 8305 §5); None tries them one after the other.
        socket_factory: Makes a socket from an element of what ``socket.getaddrinfo`` returns.
        socket_options: Level, option and value for each ``setsockopt`` before connecting.
            ``TCP_NODELAY`` and ``SO_KEEPALIVE`` are on unless these say otherwise.
        force_close: For callers of aiohttp; without a pool, every connection ends closed.
        loop: The event loop, for callers of aiohttp 0.17. It must be the running one
            when connecting.
        unexpected: There are no others; the error names the one that was meant.

    Raises:
        TypeError: An argument has the wrong type, or is none that there is.
        ValueError: A number is negative or NaN, or `family` is another.
    """

    def __init__(
        self,
        *,
        ssl: SSLSetting = True,
        family: int = 0,
        local_addr: tuple[str, int] | None = None,
        limit: int = 0,
        limit_per_host: int = 0,
        use_dns_cache: bool = True,
        ttl_dns_cache: float | None = 10,
        dns_cache_max_size: int = 1000,
        resolver: AbstractResolver | None = None,
        happy_eyeballs_delay: float | None = 0.25,
        socket_factory: Callable[[AddrInfo], socket.socket] | None = None,
        socket_options: Iterable[tuple[int, int, int | bytes]] = (),
        force_close: bool = False,
        loop: asyncio.AbstractEventLoop | None = None,
        **unexpected: Never,
    ) -> None:
        refuse_unexpected("TCPConnector", unexpected, parameters_of(TCPConnector))
        super().__init__(ssl=ssl, limit=limit, limit_per_host=limit_per_host, loop=loop)
        check_family(family)
        check_local_addr(local_addr)
        check_resolver(resolver)
        read_flag("use_dns_cache", use_dns_cache)
        read_flag("force_close", force_close)
        read_count("dns_cache_max_size", dns_cache_max_size)
        read_limit("ttl_dns_cache", ttl_dns_cache)
        if socket_factory is not None:
            read_callable("socket_factory", socket_factory, "a function that makes a socket")
        self._family = family
        self._local: Sequence[AddrInfo] | None = addr_to_addr_infos(local_addr)
        self._names = DNSCache(
            resolver,
            family=family,
            ttl=ttl_dns_cache if use_dns_cache else 0,
            max_size=dns_cache_max_size,
        )
        self._delay = read_limit("happy_eyeballs_delay", happy_eyeballs_delay)
        self._socket_factory = socket_factory
        self._socket_options = (
            (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
            (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
            *read_socket_options(socket_options),
        )

    async def _reach(
        self, endpoint: Endpoint, proxy: Proxy | None, progress: Callable[[str], None]
    ) -> Reached:
        if proxy is None:
            return Reached(await self._dial(endpoint, progress))
        progress("proxy")
        setting = proxy.ssl if proxy.scheme == "https" else None
        there = Endpoint(proxy.host, proxy.port, setting, proxy.url)
        host = endpoint.host
        if proxy.scheme == "socks4":  # which knows no names
            host = await self._ipv4_address(endpoint)
        sock = await self._dial(there, lambda _: None)
        reached = await open_tunnel(sock, proxy, there, host, endpoint.port)
        if endpoint.ssl is not None and reached.early:
            reached.abort()
            before = OSError(f"{len(reached.early)} bytes came through the tunnel before TLS")
            raise there.error("proxy", before)
        return reached

    async def _ipv4_address(self, endpoint: Endpoint) -> str:
        for address in await self._resolve(endpoint):
            if address[0] == socket.AF_INET:
                return str(address[4][0])
        raise endpoint.error("dns", OSError("no IPv4 address, which SOCKS4 needs"))

    async def _dial(self, endpoint: Endpoint, progress: Callable[[str], None]) -> socket.socket:
        progress("dns")
        addresses = await self._resolve(endpoint)
        progress("tcp")
        try:
            return await self._connect(addresses)
        except OSError as error:
            self._names.forget(endpoint.host, endpoint.port)
            raise endpoint.error("tcp", error) from error

    async def _connect(self, addresses: Sequence[AddrInfo]) -> socket.socket:
        loop = asyncio.get_running_loop()
        if len(addresses) > 1 or self._local is not None or not has_readers(loop):
            return await start_connection(
                addresses,
                local_addr_infos=self._local,
                happy_eyeballs_delay=self._delay,
                socket_factory=self._make_socket,
                loop=loop,
            )
        return await connect(loop, self._make_socket(addresses[0]), addresses[0][4])

    async def _resolve(self, endpoint: Endpoint) -> Sequence[AddrInfo]:
        host, port = endpoint.host, endpoint.port
        try:
            try:  # An address needs no resolver, and so no thread.
                return numeric_address(host, port, self._family)
            except (socket.gaierror, UnicodeError):
                return await self._names.resolve(host, port)
        except (OSError, UnicodeError) as error:  # UnicodeError: no DNS name can look so
            raise endpoint.error("dns", error) from error

    def _make_socket(self, address: AddrInfo) -> socket.socket:
        if self._socket_factory is None:
            sock = socket.socket(*address[:3])
        else:
            sock = self._socket_factory(address)
        try:
            for option in self._socket_options:
                sock.setsockopt(*option)
        except BaseException:
            sock.close()
            raise
        return sock


class UnixConnector(BaseConnector):
    """Connects to a Unix socket, whatever host a URL names. Mirrors ``aiohttp.UnixConnector``.

    Args:
        path: The socket's path.
        ssl: How TLS is verified where a call is not told, see `TCPConnector`.
        limit: Connections that may be open at once; 0 for any number.
        limit_per_host: The same for one host and port of the URLs.
        loop: The event loop, for callers of aiohttp 0.17.
        unexpected: There are no others, as for `TCPConnector`.

    Raises:
        TypeError: An argument has the wrong type, or is none that there is.
        ValueError: A limit is negative.
    """

    network = False

    def __init__(
        self,
        path: str,
        *,
        ssl: SSLSetting = True,
        limit: int = 0,
        limit_per_host: int = 0,
        loop: asyncio.AbstractEventLoop | None = None,
        **unexpected: Never,
    ) -> None:
        refuse_unexpected("UnixConnector", unexpected, parameters_of(UnixConnector))
        super().__init__(ssl=ssl, limit=limit, limit_per_host=limit_per_host, loop=loop)
        read_type("path", path, str, "str")
        self._path = path

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, path {self._path!r}>"

    @property
    def path(self) -> str:
        """The socket's path."""
        return self._path

    async def _reach(
        self,
        endpoint: Endpoint,  # noqa: ARG002 - there is one socket
        proxy: Proxy | None,
        progress: Callable[[str], None],
    ) -> Reached:
        if proxy is not None:
            raise ValueError("a UnixConnector cannot go through a proxy")
        progress("unix")
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_connect(sock, self._path)
        except OSError as error:
            sock.close()
            raise UnixClientConnectorError(self._path, error) from error
        except BaseException:
            sock.close()
            raise
        return Reached(sock)


async def _finish(
    reached: Reached,
    protocol: ConnectorProtocol,
    endpoint: Endpoint,
    server_hostname: str,
    progress: Callable[[str], None],
) -> asyncio.Transport:
    """Put a transport on what was reached; whatever goes wrong, leave nothing open."""
    context = endpoint.context
    if context is not None:
        progress("tls")
    try:
        transport = await reached.establish(protocol, context, server_hostname)
    except OSError as error:
        raise endpoint.error("tcp" if context is None else "tls", error) from error
    if endpoint.ssl is not None:
        check_fingerprint(endpoint.ssl, transport, endpoint.host, endpoint.port)
    return transport
