"""From a URL to an open WebSocket: connect, shake hands, follow redirects, in bounded time.

The rules of the handshake are in `handshake`, connections in `network`; here both meet. What comes
out is a transport that reads nothing until its next protocol is in place, so that no byte is lost
between the two.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from multidict import CIMultiDict

from .exceptions import (
    ClientError,
    ConnectionTimeoutError,
    ServerDisconnectedError,
    TooManyRedirects,
    WSServerHandshakeError,
)
from .handshake.cookies import keep_cookies
from .handshake.redirects import Target, bad_redirect
from .handshake.upgrade import Handshake, is_redirect
from .handshake.urls import shown_url
from .network.transport import ConnectorProtocol
from .tracing import Steps

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from http.cookiejar import CookieJar

    from yarl import URL

    from .handshake.extensions import Agreement, PerMessageDeflate
    from .network.connector import BaseConnector
    from .network.limits import Slot
    from .network.proxy import Proxy
    from .network.tls import SSLSetting
    from .types import HandshakeResponse, LooseHeaders

__all__ = ["HandshakeProtocol", "Opened", "open_websocket"]


class Opened(NamedTuple):
    """An open WebSocket whose transport does not read yet.

    Attributes:
        transport: The connection, reading paused. Give it its protocol, hand over
            `trailing`, then call `transport.resume_reading`, without an ``await`` between.
        response: Head of the 101, with the redirects that led to it.
        subprotocol: The offered subprotocol that the server chose, or None.
        agreement: How to compress, if the server accepted it, or None.
        trailing: Bytes of the WebSocket that arrived with the head of the 101.
        slot: To be released when the connection is lost; None if the connector counts none.
    """

    transport: asyncio.Transport
    response: HandshakeResponse
    subprotocol: str | None
    agreement: Agreement | None
    trailing: bytes
    slot: Slot | None


class HandshakeProtocol(ConnectorProtocol):
    """Carries one `Handshake` over a transport.

    Args:
        handshake: What to send and how to read the answer.
    """

    def __init__(self, handshake: Handshake) -> None:
        self._handshake = handshake
        # Carries no outcome, so that one nobody fetches (a cancelled opening) warns of nothing.
        self._finished = asyncio.get_running_loop().create_future()
        self._outcome: HandshakeResponse | BaseException | None = None
        self._begun = False

    def begin(self) -> None:
        """Send the request, if that has not been done."""
        if not self._begun and self.transport is not None:
            self._begun = True
            self.transport.write(self._handshake.request())

    async def answer(self) -> HandshakeResponse:
        """Wait for the server's answer. There must be a transport.

        Returns:
            A verified 101 or a redirect. Reading is paused.

        Raises:
            WSServerHandshakeError: The answer opens nothing.
            ServerDisconnectedError: The connection was lost before the answer was
                complete, or right after it.
            ClientConnectorSSLError: The server has refused TLS after all.
        """
        self.begin()
        await self._finished
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        assert self._outcome is not None  # noqa: S101 - _settle sets it before _finished
        return self._outcome

    def data_received(self, data: bytes) -> None:
        """Read the answer. Called by the event loop."""
        self._read(data)

    def eof_received(self) -> None:
        """Conclude that no more will come. Called by the event loop."""
        self._read(b"")

    def connection_lost(self, exc: Exception | None) -> None:
        """Conclude that no more will come. Called by the event loop."""
        super().connection_lost(exc)
        if self._outcome is None:
            refusal = None if self.peer is None else self.peer.tls_error(exc)
            if refusal is None:
                self._read(b"", exc)
            else:
                self._settle(refusal)
        elif not isinstance(self._outcome, BaseException):
            lost = ServerDisconnectedError(
                f"connection lost right after the handshake, url={shown_url(self._handshake.url)!r}"
            )
            lost.__cause__ = exc
            self._outcome = lost

    def _read(self, data: bytes, cause: Exception | None = None) -> None:
        if isinstance(self._outcome, BaseException):
            return
        try:
            response = self._handshake.receive(data)
        except ClientError as error:
            error.__cause__ = cause
            self._settle(error)
        else:
            if response is not None:
                self._settle(response)

    def _settle(self, outcome: HandshakeResponse | BaseException) -> None:
        self._outcome = outcome
        # At once: what is not read now is the next protocol's, or nobody's.
        if self.transport is not None and not self.transport.is_closing():
            self.transport.pause_reading()
        if not self._finished.done():
            self._finished.set_result(None)


async def open_websocket(
    url: URL,
    *,
    connector: BaseConnector,
    protocols: Sequence[str] = (),
    deflate: PerMessageDeflate | None = None,
    origin: str | None = None,
    headers: LooseHeaders | None = None,
    ssl: SSLSetting | None = None,
    server_hostname: str | None = None,
    proxy_for: Callable[[URL], Proxy | None] = lambda _: None,
    jar: CookieJar | None = None,
    cookies: str = "",
    connect_timeout: float | None = 10.0,
    max_redirects: int = 10,
    steps: Steps | None = None,
) -> Opened:
    """Open a WebSocket (RFC 6455 §4.1).

    Redirects are followed, but never from TLS to plain text. On the way to another
    origin (TLS or not, host, port) credentials and the caller's cookies are left behind, and on
    the way to another host `server_hostname` is. The jar's cookies go where RFC 6265 lets them.

    Args:
        url: What `parse_url` returned.
        connector: Makes the connection.
        protocols: Subprotocols to offer, preferred ones first.
        deflate: The compression to offer; None offers nothing.
        origin: Value of ``Origin``; None sends none.
        headers: Further header fields of the request.
        ssl: Instead of the connector's setting, if not None.
        server_hostname: Name to verify the certificate for, instead of the URL's host.
        proxy_for: Chooses the proxy for a URL; None for none.
        jar: Keeps the cookies that a redirect or the 101 sets, and has those to send.
        cookies: Cookies to send where the jar has none of their names.
        connect_timeout: Seconds for all of it, redirects included; None for no bound.
        max_redirects: Redirects that are followed.
        steps: Is told of each step.

    Returns:
        The open connection, reading paused.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: An argument holds what must not be sent.
        ClientConnectorError: No connection; the subclasses say why.
        ClientHttpProxyError: The proxy refuses.
        ConnectionTimeoutError: Not open in time; its ``step`` says what was under way.
        ServerDisconnectedError: The server closed the connection instead of answering.
        WSServerHandshakeError: The server's answer opens nothing.
        TooManyRedirects: More than `max_redirects` redirects.
    """
    target = Target(url, CIMultiDict(headers or ()), server_hostname, cookies)
    steps = steps or Steps(0, url, None)
    proxy = None
    history: list[HandshakeResponse] = []
    deadline = asyncio.timeout(connect_timeout)
    try:
        async with deadline:
            while True:
                handshake = Handshake(
                    target.url,
                    protocols=protocols,
                    deflate=deflate,
                    origin=origin,
                    headers=target.fields(jar),
                )
                proxy = proxy_for(target.url)
                opened = await _hop(
                    target, handshake, connector, ssl=ssl, proxy=proxy, progress=steps
                )
                steps.end()
                response = opened.response
                if jar is not None:
                    keep_cookies(jar, response)
                if not is_redirect(response):
                    if history:
                        response = replace(response, history=tuple(history))
                        opened = opened._replace(response=response)
                    return opened
                opened.transport.abort()
                if len(history) >= max_redirects:
                    raise bad_redirect(  # noqa: TRY301 - the steps end below
                        response, f"beyond the limit of {max_redirects}", TooManyRedirects
                    )
                history.append(response)
                target = target.after(response)
                steps.head_for(target.url)
    except WSServerHandshakeError as error:
        error.history = tuple(history)
        steps.end(error)
        raise
    except TimeoutError as error:
        steps.end(error)
        # Inside, the operating system's own time limit is a TimeoutError as well.
        if not deadline.expired():
            raise
        by = "" if proxy is None else f" by proxy {proxy.url}"
        raise ConnectionTimeoutError(
            f"not open after {connect_timeout} s, step {steps.current}{by},"
            f" url={shown_url(target.url)!r}",
            step=steps.current,
        ) from error
    except BaseException as error:
        steps.end(error)
        raise


async def _hop(
    target: Target,
    handshake: Handshake,
    connector: BaseConnector,
    *,
    ssl: SSLSetting | None,
    proxy: Proxy | None,
    progress: Callable[[str], None],
) -> Opened:
    """Get one answer; whatever goes wrong, leave no connection behind."""
    protocol = HandshakeProtocol(handshake)
    try:
        transport = await connector.connect(
            target.url,
            protocol,
            ssl=ssl,
            server_hostname=target.server_hostname,
            proxy=proxy,
            progress=progress,
        )
        progress("handshake")
        response = await protocol.answer()
    except BaseException:
        protocol.abort()
        raise
    return Opened(
        transport,
        response,
        handshake.subprotocol,
        handshake.agreement,
        handshake.trailing,
        protocol.slot,
    )
