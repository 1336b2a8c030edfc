"""`ClientSession`: what several connections share."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from http.cookiejar import CookieJar
from typing import TYPE_CHECKING, Any, cast, overload
from weakref import WeakKeyDictionary

from multidict import CIMultiDict

from ._core import Totals
from .arguments import read_flag, read_type
from .context_manager import Connecting
from .handshake.auth import authorization
from .handshake.cookies import CookiePolicy, join_cookies
from .handshake.extensions import read_compress
from .handshake.redirects import same_origin
from .handshake.urls import parse_url, read_url
from .network.connector import check_connector
from .network.connector_arguments import check_loop
from .network.sockets import has_readers
from .network.tcp import TCPConnector
from .opening import open_websocket
from .options import DEFAULTS, check_url, takes_options
from .protocol import hand_over, log_life, make_protocol
from .retry import HOOKS, backoff, check_hooks, process_exception, reconnecting
from .stats import Stats
from .tracing import Steps
from .types import WSCloseCode
from .unclosed import Made, warn_unclosed
from .websocket import ClientWebSocketResponse, introduce, numbers

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable
    from types import TracebackType
    from typing import Self, Unpack

    from typing_extensions import TypeVar
    from yarl import URL

    from .handshake.cookies import LooseCookies
    from .network.connector import BaseConnector
    from .options import AnyWS, BytesOptions, BytesWS, ConnectOptions, Options, TextOptions
    from .retry import ReconnectEvent

    _WS = TypeVar("_WS", bound=ClientWebSocketResponse[Any], default=ClientWebSocketResponse)
else:
    from typing import TypeVar

    _WS = TypeVar("_WS", bound=ClientWebSocketResponse)

__all__ = ["ClientSession"]

# Those that `ClientSession` has beside the options.
_PARAMETERS = ("base_url", "connector", "connector_owner", "cookies", "cookie_jar", "loop")

CLOSE_TIMEOUT = 10.0
"""Seconds that a session waits for WebSockets that would wait without end."""


class ClientSession:
    """What several connections share: a connector and options.

    Mirrors ``aiohttp.ClientSession``, of which it has the WebSocket part.

    Args:
        base_url: What relative URLs given to `ws_connect` are relative to. If there is one, the
            session's `auth` and `cookies` go to its origin only.
        connector: Makes the connections; by default one of the session's own.
        connector_owner: Close `connector` with the session. Unlike aiohttp's sessions, these do not
            unless they are told to; one of their own they do close.
        cookies: Cookies that go to whatever server `ws_connect` is told to connect to, but not
            where redirects lead away from it. Of a name that the server sets, its own is sent.
        cookie_jar: Keeps the cookies that servers set, and sends them (RFC 6265); by default a
            new `http.cookiejar.CookieJar` with a `CookiePolicy`.
        loop: The event loop, for callers of aiohttp 0.17; must be the running one when
            connecting.
        options: See `ConnectOptions`; the defaults of every `ws_connect`.

    Raises:
        TypeError, ValueError: An argument is wrong.

    Example:
        >>> async with ClientSession(headers={"Authorization": "Bearer ..."}) as session:
        ...     async with session.ws_connect("wss://example.org/feed") as ws:
        ...         print(await ws.receive())
    """

    _made: Made | None = None

    @takes_options
    def __init__(
        self,
        base_url: str | URL | None = None,
        *,
        connector: BaseConnector | None = None,
        connector_owner: bool = False,
        cookies: LooseCookies | None = None,
        cookie_jar: CookieJar | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
        **options: Unpack[ConnectOptions[ClientWebSocketResponse]],
    ) -> None:
        self._options = DEFAULTS.overridden("ClientSession", options, *_PARAMETERS)
        check_connector(connector)
        read_flag("connector_owner", connector_owner)
        check_loop(loop)
        if cookie_jar is not None:
            read_type("cookie_jar", cookie_jar, CookieJar, "http.cookiejar.CookieJar")
        if base_url is not None:
            check_url(base_url, "base_url")
        self._base_url = None if base_url is None else parse_url(base_url)
        self._cookies = join_cookies(cookies or ())
        # An empty jar is false.
        self._cookie_jar = CookieJar(CookiePolicy()) if cookie_jar is None else cookie_jar
        self._connector = connector or TCPConnector(loop=loop)
        self._owns_connector = connector_owner or connector is None
        self._loop = loop
        # Each with the seconds that `close` bounds it to, where it has no bound of its own.
        self._websockets: WeakKeyDictionary[ClientWebSocketResponse, float | None] = (
            WeakKeyDictionary()
        )
        self._totals = Totals()
        self._closed = False
        self._made = Made.here()

    @property
    def closed(self) -> bool:
        """True after `close`."""
        return self._closed

    @property
    def connector(self) -> BaseConnector:
        """What makes the connections."""
        return self._connector

    @property
    def cookie_jar(self) -> CookieJar:
        """What keeps the cookies that servers set."""
        return self._cookie_jar

    @property
    def stats(self) -> Stats:
        """What the session's connections have done so far, those that are gone included."""
        rows = [ws.stats for ws in self._websockets]
        return Stats.total([self._totals.get(), *rows])

    @overload
    def ws_connect(
        self, url: str | URL, **options: Unpack[TextOptions[_WS]]
    ) -> Connecting[_WS]: ...
    @overload
    def ws_connect(
        self, url: str | URL, **options: Unpack[BytesOptions[BytesWS]]
    ) -> Connecting[BytesWS]: ...
    @overload
    def ws_connect(
        self, url: str | URL, **options: Unpack[ConnectOptions[AnyWS]]
    ) -> Connecting[AnyWS]: ...
    @takes_options
    def ws_connect(self, url: str | URL, **options: Unpack[ConnectOptions[_WS]]) -> Connecting[_WS]:
        """Open a WebSocket.

        Args:
            url: ``ws``, ``wss``, ``http`` or ``https`` URL, or a reference relative to the
                session's ``base_url``.
            options: See `ConnectOptions`; they go before the session's.

        Returns:
            Await it, or use it in ``async with``, which closes the WebSocket at its end.

        Raises:
            TypeError, ValueError: An argument is wrong; at the call.
            InvalidURL: `url` cannot name a WebSocket.
            ClientConnectorError: No connection; the subclasses say why.
            ClientHttpProxyError: The proxy refuses.
            ConnectionTimeoutError: Not open in time.
            ServerDisconnectedError: The server closed the connection instead of answering.
            WSServerHandshakeError: The server's answer opens nothing.
            RuntimeError: The session is closed, or belongs to another event loop.

        Mirrors ``aiohttp.ClientSession.ws_connect``.
        """
        check_url(url)
        settled = self._options.overridden("ClientSession.ws_connect", options)
        opening = self._open(url, options, settled, Made.here())
        return Connecting(opening, "ClientSession.ws_connect", url)

    @overload
    def reconnect(
        self,
        url: str | URL,
        *,
        process_exception: Callable[[Exception], Exception | None] = ...,
        reconnect_delays: Callable[[], Iterable[float]] = ...,
        healthy_after: float = 10.0,
        on_state: Callable[[ReconnectEvent[_WS]], object] | None = None,
        **options: Unpack[TextOptions[_WS]],
    ) -> AsyncGenerator[_WS, None]: ...
    @overload
    def reconnect(
        self,
        url: str | URL,
        *,
        process_exception: Callable[[Exception], Exception | None] = ...,
        reconnect_delays: Callable[[], Iterable[float]] = ...,
        healthy_after: float = 10.0,
        on_state: Callable[[ReconnectEvent[BytesWS]], object] | None = None,
        **options: Unpack[BytesOptions[BytesWS]],
    ) -> AsyncGenerator[BytesWS, None]: ...
    @overload
    def reconnect(
        self,
        url: str | URL,
        *,
        process_exception: Callable[[Exception], Exception | None] = ...,
        reconnect_delays: Callable[[], Iterable[float]] = ...,
        healthy_after: float = 10.0,
        on_state: Callable[[ReconnectEvent[AnyWS]], object] | None = None,
        **options: Unpack[ConnectOptions[AnyWS]],
    ) -> AsyncGenerator[AnyWS, None]: ...
    @takes_options
    def reconnect(
        self,
        url: str | URL,
        *,
        process_exception: Callable[[Exception], Exception | None] = process_exception,
        reconnect_delays: Callable[[], Iterable[float]] = backoff,
        healthy_after: float = 10.0,
        on_state: Callable[[ReconnectEvent[_WS]], object] | None = None,
        **options: Unpack[ConnectOptions[_WS]],
    ) -> AsyncGenerator[_WS, None]:
        """Connect, and connect again whenever the connection has ended or could not be made.

        Args:
            url: As for `ws_connect`.
            process_exception: As for `wsclient.reconnect`, and so are the others.
            reconnect_delays: Makes the delays.
            healthy_after: Seconds after which they begin anew.
            on_state: Is told what happens.
            options: See `ConnectOptions`.

        Returns:
            An asynchronous iterator over open WebSockets, see `wsclient.reconnect`.

        Raises:
            TypeError, ValueError: An argument is wrong; at the call.
        """
        check_url(url)
        check_hooks(process_exception, reconnect_delays, healthy_after, on_state)
        settled = self._options.overridden("ClientSession.reconnect", options, *HOOKS)
        again: Any = settled.of_call(options)
        return reconnecting(
            lambda: self.ws_connect(url, **again),
            process_exception=process_exception,
            reconnect_delays=reconnect_delays,
            healthy_after=healthy_after,
            on_state=on_state,
        )

    async def _open(
        self, url: str | URL, given: ConnectOptions[_WS], options: Options, made: Made
    ) -> _WS:
        self._check_open()
        loop = self._check_loop()
        connection = make_protocol(loop, options)
        connection.count_in(self._totals)
        target = self._absolute(url)
        if options.busy_poll and not has_readers(loop):
            raise ValueError("busy_poll needs an event loop that has add_reader")
        number = next(numbers)
        opened = await open_websocket(
            target.extend_query(options.params),
            connector=self._connector,
            protocols=options.protocols,
            deflate=read_compress(options.compress),
            origin=options.origin,
            headers=self._headers(target, given, options),
            ssl=options.ssl,
            server_hostname=options.server_hostname,
            proxy_for=partial(options.proxy_for, network=self._connector.network),
            jar=self._cookie_jar,
            cookies=self._cookies if self._is_own(target) else "",
            connect_timeout=options.connect_timeout,
            max_redirects=options.max_redirects,
            steps=Steps(number, target, options.trace),
        )
        try:
            self._check_open()
            if opened.agreement is not None:
                connection.use_deflate(**opened.agreement._asdict())
            ws = cast("type[_WS]", options.ws_response_class)(
                connection,
                opened.response,
                opened.subprotocol,
                close_timeout=options.timeout,
                heartbeat=options.heartbeat,
                receive_timeout=options.receive_timeout,
            )
        except BaseException:
            opened.transport.abort()
            raise
        introduce(ws, number, made)
        try:
            if options.record is not None:
                options.record.begin(connection, opened.response.url, opened.subprotocol)
            hand_over(opened, connection, polls=options.busy_poll > 0)
            log_life(connection, number, opened.response.url)
        except BaseException:  # an interrupt, of the key function of a queue for one
            connection.abort()
            opened.transport.abort()
            raise
        self._websockets[ws] = CLOSE_TIMEOUT if options.timeout is None else None
        return ws

    def _absolute(self, url: str | URL) -> URL:
        if self._base_url is not None:
            # What is wrong with a URL is for parse_url to say, which hides credentials.
            with contextlib.suppress(ValueError):
                url = self._base_url.join(read_url(url))
        return parse_url(url)

    def _is_own(self, url: URL) -> bool:
        return self._base_url is None or same_origin(self._base_url, url)

    def _headers(self, url: URL, given: ConnectOptions[_WS], options: Options) -> CIMultiDict[str]:
        """Add up the session's fields, the call's, and ``Authorization``."""
        headers: CIMultiDict[str] = CIMultiDict(self._options.headers or ())
        if "headers" in given:
            headers.update(CIMultiDict(options.headers or ()))
        auth = given.get("auth")
        if "auth" not in given and self._is_own(url) and url.user is None and url.password is None:
            auth = self._options.auth
        value = authorization(url, headers, auth, netrc=options.trust_env)
        if value is not None:
            headers["Authorization"] = value
        return headers

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("session is closed")

    def _check_loop(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        if self._loop is not loop:
            raise RuntimeError("session belongs to another event loop than the running one")
        return loop

    async def close(self) -> None:
        """Close the session: its WebSockets, with close code 1001, and a connector of its own.

        Each WebSocket takes its ``timeout`` at most, and 10 seconds if that is None; then it is
        dropped. If this is cancelled, those that are not closed yet are dropped.

        Raises:
            RuntimeError: The session has connections in another event loop.
        """
        # Those of the parent process are not this one's to close.
        bounds = {ws: bound for ws, bound in self._websockets.items() if not ws._is_copy}  # noqa: SLF001
        if bounds:
            self._check_loop()
        self._end()
        if not bounds:
            return
        closing = [_close(ws, bound) for ws, bound in bounds.items()]
        outcomes = await asyncio.gather(*closing, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    def _end(self) -> None:
        """Open nothing more."""
        self._closed = True
        if self._owns_connector:
            self._connector.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{len(self._websockets)} WebSockets"
        return f"<{type(self).__name__} {state}>"

    def __del__(self) -> None:
        if self._made is not None and not self._closed:
            warn_unclosed(self, repr(self), self._made)


async def _close(ws: ClientWebSocketResponse, bound: float | None) -> None:
    deadline = asyncio.timeout(bound)
    try:
        async with deadline:
            await ws.close(code=WSCloseCode.GOING_AWAY)
    except TimeoutError:
        # Being cancelled, close() has dropped the connection.
        if not deadline.expired():
            raise
