"""What all connectors have in common: limits, the proxy before a server, TLS.

Nothing here knows HTTP or WebSocket.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from wsclient.arguments import read_type
from wsclient.types import is_secure

from .connector_arguments import check_loop
from .limits import Limits
from .peer import Peer
from .tls import check_ssl
from .transport import check_fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from yarl import URL

    from .proxy import Proxy
    from .tls import SSLSetting
    from .transport import ConnectorProtocol, Reached

__all__ = ["BaseConnector", "check_connector"]


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
        self._limits = Limits(limit, limit_per_host)
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
        peer = Peer(host, port, setting if is_secure(url) else None)
        protocol.peer = peer
        server_hostname = server_hostname or host.rstrip(".").partition("%")[0]
        if self._limits.limited:
            progress("limit")
        protocol.slot = await self._limits.acquire((host, port, is_secure(url)))
        try:
            reached = await self._reach(peer, proxy, progress)
            return await _finish(reached, protocol, peer, server_hostname, progress)
        except BaseException:
            protocol.abort()
            # A transport that was made gives its slot back when it is lost.
            if protocol.transport is None:
                protocol.slot.release()
            raise

    @abstractmethod
    async def _reach(
        self, peer: Peer, proxy: Proxy | None, progress: Callable[[str], None]
    ) -> Reached:
        """Connect to where a transport can be put; whatever goes wrong, leave nothing open."""

    def __repr__(self) -> str:
        state = "closed, " if self._closed else ""
        return f"<{type(self).__name__} {state}{self._limits}>"

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


async def _finish(
    reached: Reached,
    protocol: ConnectorProtocol,
    peer: Peer,
    server_hostname: str,
    progress: Callable[[str], None],
) -> asyncio.Transport:
    """Put a transport on what was reached; whatever goes wrong, leave nothing open."""
    context = peer.context
    if context is not None:
        progress("tls")
    try:
        transport = await reached.establish(protocol, context, server_hostname)
    except OSError as error:
        raise peer.error("tcp" if context is None else "tls", error) from error
    if peer.ssl is not None:
        check_fingerprint(peer.ssl, transport, peer.host, peer.port)
    return transport
