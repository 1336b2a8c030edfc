"""`TCPConnector`: name resolution and TCP, to a server or to the proxy before it."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from aiohappyeyeballs import (
    addr_to_addr_infos,  # pyright: ignore[reportUnknownVariableType]
    start_connection,  # pyright: ignore[reportUnknownVariableType]
)

from wsclient.arguments import read_callable, read_count, read_flag, read_limit
from wsclient.suggestions import refuse_unexpected

from .connector import BaseConnector
from .connector_arguments import (
    check_family,
    check_local_addr,
    check_resolver,
    parameters_of,
    read_socket_options,
)
from .peer import Peer
from .resolver import DNSCache, numeric_address
from .sockets import connect, has_readers
from .transport import Reached
from .tunnel import open_tunnel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Never

    from .proxy import Proxy
    from .resolver import AbstractResolver, AddrInfo
    from .tls import SSLSetting

__all__ = ["TCPConnector"]


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
        self, peer: Peer, proxy: Proxy | None, progress: Callable[[str], None]
    ) -> Reached:
        if proxy is None:
            return Reached(await self._dial(peer, progress))
        progress("proxy")
        setting = proxy.ssl if proxy.scheme == "https" else None
        there = Peer(proxy.host, proxy.port, setting, proxy.url)
        host = peer.host
        if proxy.scheme == "socks4":  # which knows no names
            host = await self._ipv4_address(peer)
        sock = await self._dial(there, lambda _: None)
        reached = await open_tunnel(sock, proxy, there, host, peer.port)
        if peer.ssl is not None and reached.early:
            reached.abort()
            before = OSError(f"{len(reached.early)} bytes came through the tunnel before TLS")
            raise there.error("proxy", before)
        return reached

    async def _ipv4_address(self, peer: Peer) -> str:
        for address in await self._resolve(peer):
            if address[0] == socket.AF_INET:
                return str(address[4][0])
        raise peer.error("dns", OSError("no IPv4 address, which SOCKS4 needs"))

    async def _dial(self, peer: Peer, progress: Callable[[str], None]) -> socket.socket:
        progress("dns")
        addresses = await self._resolve(peer)
        progress("tcp")
        try:
            return await self._connect(addresses)
        except OSError as error:
            self._names.forget(peer.host, peer.port)
            raise peer.error("tcp", error) from error

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

    async def _resolve(self, peer: Peer) -> Sequence[AddrInfo]:
        host, port = peer.host, peer.port
        try:
            try:  # An address needs no resolver, and so no thread.
                return numeric_address(host, port, self._family)
            except (socket.gaierror, UnicodeError):
                return await self._names.resolve(host, port)
        except (OSError, UnicodeError) as error:  # UnicodeError: no DNS name can look so
            raise peer.error("dns", error) from error

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
