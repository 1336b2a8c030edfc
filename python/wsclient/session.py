"""`ws_connect` and `ClientSession`: where a bot starts."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from functools import wraps
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, cast
from weakref import WeakSet

from multidict import CIMultiDict

from .connector import SSLSetting, TCPConnector, plain_socket, resume_reading
from .deflate import read_compress
from .opening import open_websocket
from .response import ClientWebSocketResponse, WebSocketProtocol
from .types import ClientWSTimeout, WSCloseCode

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from types import TracebackType
    from typing import Self

    from typing_extensions import TypeVar
    from yarl import URL

    from .deflate import PerMessageDeflate
    from .types import LooseHeaders

    _WS = TypeVar("_WS", bound=ClientWebSocketResponse, default=ClientWebSocketResponse)
else:
    from typing import TypeVar

    _WS = TypeVar("_WS", bound=ClientWebSocketResponse)

__all__ = ["ClientSession", "Connecting", "ws_connect"]

_P = ParamSpec("_P")

MAX_MSG_SIZE = 4 * 1024 * 1024


class Connecting(Coroutine[Any, Any, _WS], Generic[_WS]):
    """What `ws_connect` returns: await it for the WebSocket, or use it in ``async with``.

    Leaving the ``async with`` closes the WebSocket.
    """

    def __init__(self, opening: Coroutine[Any, Any, _WS]) -> None:
        self._opening = opening
        self._ws: _WS | None = None

    def __await__(self) -> Generator[Any, Any, _WS]:
        return self._opening.__await__()

    def __iter__(self) -> Generator[Any, Any, _WS]:
        return self.__await__()

    def send(self, value: Any) -> Any:
        """Run the coroutine on (`collections.abc.Coroutine.send`)."""
        return self._opening.send(value)

    def throw(self, *args: Any) -> Any:
        """Raise in the coroutine (`collections.abc.Coroutine.throw`)."""
        return self._opening.throw(*args)

    def close(self) -> None:
        """End the coroutine (`collections.abc.Coroutine.close`)."""
        self._opening.close()

    async def __aenter__(self) -> _WS:
        self._ws = await self._opening
        return await self._ws.__aenter__()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._ws is not None:
            await self._ws.__aexit__(exc_type, exc, traceback)


def _connecting(
    function: Callable[_P, Coroutine[Any, Any, _WS]],
) -> Callable[_P, Connecting[_WS]]:
    @wraps(function)
    def connecting(*args: _P.args, **kwargs: _P.kwargs) -> Connecting[_WS]:
        return Connecting(function(*args, **kwargs))

    return connecting


class ClientSession:
    """What several connections share: a connector and headers.

    Mirrors ``aiohttp.ClientSession``, of which it has the WebSocket part.

    Args:
        connector: Makes the connections; by default one of the session's own.
        headers: Header fields for every opening handshake.
        ws_response_class: The class of the WebSockets.
        loop: The event loop, for callers of aiohttp 0.17; must be the running one when
            connecting.

    Example:
        >>> async with ClientSession() as session:
        ...     async with session.ws_connect("wss://example.org/feed") as ws:
        ...         print(await ws.receive())
    """

    def __init__(
        self,
        *,
        connector: TCPConnector | None = None,
        headers: LooseHeaders | None = None,
        ws_response_class: type[ClientWebSocketResponse] = ClientWebSocketResponse,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._connector = connector or TCPConnector(loop=loop)
        self._owns_connector = connector is None
        self._headers: CIMultiDict[str] = CIMultiDict(headers or ())
        self._ws_response_class = ws_response_class
        self._loop = loop
        self._websockets: WeakSet[ClientWebSocketResponse] = WeakSet()
        self._closed = False

    @property
    def closed(self) -> bool:
        """True after `close`."""
        return self._closed

    @_connecting
    async def ws_connect(
        self,
        url: str | URL,
        *,
        protocols: Sequence[str] = (),
        timeout: float | ClientWSTimeout | None = 10.0,
        receive_timeout: float | None = None,
        ws_response_class: type[_WS] | None = None,
        autoclose: bool = True,
        autoping: bool = True,
        heartbeat: float | None = None,
        origin: str | None = None,
        headers: LooseHeaders | None = None,
        ssl: SSLSetting | None = None,
        server_hostname: str | None = None,
        compress: int | PerMessageDeflate = 0,
        max_msg_size: int = MAX_MSG_SIZE,
        decode_text: bool = True,
        connect_timeout: float | None = 10.0,
    ) -> _WS:
        """Open a WebSocket.

        Args:
            url: ``ws``, ``wss``, ``http`` or ``https`` URL.
            protocols: Subprotocols to offer, preferred ones first.
            timeout: Seconds to wait for the server in the closing handshake, or a
                `ClientWSTimeout`; None waits without end.
            receive_timeout: Seconds that one `receive` may take; None waits without end.
            ws_response_class: The class of the WebSocket; the session's by default.
            autoclose: Answer the server's close frame. If False, `receive` returns it as a
                message, and closing is the caller's.
            autoping: Answer pings. If False, `receive` returns pings and pongs.
            heartbeat: Seconds of silence before a ping; a server silent for half of that again
                counts as dead. None sends no pings.
            origin: Value of ``Origin``.
            headers: Further header fields; they win over the session's.
            ssl: True to verify the certificate, False not to, or an `ssl.SSLContext`; the
                connector's by default.
            server_hostname: The name to verify the certificate for; the URL's host by default.
            compress: Offer to compress messages (permessage-deflate): 9 to 15 bits of window for
                both sides, or a `PerMessageDeflate`; 0 offers nothing. A server may decline;
                ``ws.compress`` says what came of it.
            max_msg_size: The largest message to take, in bytes when it is decompressed, 4 MiB by
                default; 0 for no limit. A larger one fails the connection with close code 1009.
            decode_text: Text messages as `str`; if False, as `bytes` that are known to be UTF-8.
            connect_timeout: Seconds for DNS, TCP, TLS and the handshake together; None for no
                bound.

        Returns:
            Await it, or use it in ``async with``.

        Raises:
            TypeError, ValueError: An argument is wrong.
            InvalidURL: `url` cannot name a WebSocket.
            ClientConnectorError: No connection; the subclasses say why.
            ConnectionTimeoutError: Not open in time.
            ServerDisconnectedError: The server closed the connection instead of answering.
            WSServerHandshakeError: The server's answer opens nothing.
            RuntimeError: The session is closed.

        Mirrors ``aiohttp.ClientSession.ws_connect``.
        """
        self._check_open()
        loop = asyncio.get_running_loop()
        if self._loop is not None and self._loop is not loop:
            raise RuntimeError("session belongs to another event loop than the running one")
        if isinstance(timeout, ClientWSTimeout):
            close_timeout = timeout.ws_close
            receive_timeout = timeout.ws_receive if receive_timeout is None else receive_timeout
        else:
            close_timeout = timeout
        for name, seconds in (
            ("timeout", close_timeout),
            ("receive_timeout", receive_timeout),
            ("heartbeat", heartbeat),
        ):
            _check_not_negative(name, seconds, float | int | None)
        _check_not_negative("max_msg_size", max_msg_size, int)
        deflate = read_compress(compress)
        connection = WebSocketProtocol(
            loop,
            resume_reading=resume_reading,
            max_msg_size=max_msg_size,
            autoclose=autoclose,
            autoping=autoping,
            decode_text=decode_text,
            watch_reads=bool(heartbeat),
        )
        fields = self._headers.copy()
        fields.update(CIMultiDict(headers or ()))
        opened = await open_websocket(
            url,
            connector=self._connector,
            protocols=protocols,
            deflate=deflate,
            origin=origin,
            headers=fields,
            ssl=ssl,
            server_hostname=server_hostname,
            connect_timeout=connect_timeout,
        )
        try:
            self._check_open()
            if opened.agreement is not None:
                connection.use_deflate(**opened.agreement._asdict())
            ws = (ws_response_class or cast("type[_WS]", self._ws_response_class))(
                connection,
                opened.response,
                opened.subprotocol,
                close_timeout=close_timeout,
                heartbeat=heartbeat,
                receive_timeout=receive_timeout,
            )
        except BaseException:
            opened.transport.abort()
            raise
        opened.transport.set_protocol(connection)
        connection.connection_made(opened.transport)
        socket = plain_socket(opened.transport)
        if socket is not None:
            connection.send_directly(socket)
        connection.feed(opened.trailing)
        if not connection.reading_paused:
            resume_reading(opened.transport)
        self._websockets.add(ws)
        return ws

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("session is closed")

    async def close(self) -> None:
        """Close the session: its WebSockets, with close code 1001, and a connector of its own."""
        self._closed = True
        closing = [ws.close(code=WSCloseCode.GOING_AWAY) for ws in self._websockets]
        try:
            outcomes = await asyncio.gather(*closing, return_exceptions=True)
        finally:
            if self._owns_connector:
                self._connector.close()
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


def _check_not_negative(name: str, value: Any, kind: Any) -> None:
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be a number, got {type(value).__name__}")
    if value is not None and not value >= 0:
        raise ValueError(f"{name} is {value}, expected at least 0")


def ws_connect(
    url: str | URL,
    *,
    protocols: Sequence[str] = (),
    timeout: float | ClientWSTimeout | None = 10.0,
    connector: TCPConnector | None = None,
    ws_response_class: type[_WS] | None = None,
    autoclose: bool = True,
    autoping: bool = True,
    loop: asyncio.AbstractEventLoop | None = None,
    receive_timeout: float | None = None,
    heartbeat: float | None = None,
    origin: str | None = None,
    headers: LooseHeaders | None = None,
    ssl: SSLSetting | None = None,
    server_hostname: str | None = None,
    compress: int | PerMessageDeflate = 0,
    max_msg_size: int = MAX_MSG_SIZE,
    decode_text: bool = True,
    connect_timeout: float | None = 10.0,
) -> Connecting[_WS]:
    """Open a WebSocket, with a session of its own.

    Args:
        url: As for `ClientSession.ws_connect`, and so are the parameters not listed here.
        protocols: Subprotocols to offer, preferred ones first.
        timeout: Seconds to wait for the server in the closing handshake.
        connector: Makes the connection.
        ws_response_class: The class of the WebSocket.
        autoclose: Answer the server's close frame.
        autoping: Answer pings.
        loop: The event loop, for callers of aiohttp 0.17; must be the running one.
        receive_timeout: Seconds that one `receive` may take.
        heartbeat: Seconds of silence before a ping.
        origin: Value of ``Origin``.
        headers: Further header fields.
        ssl: How the certificate is verified.
        server_hostname: The name to verify the certificate for.
        compress: Offer to compress messages: 9 to 15 bits of window, or a `PerMessageDeflate`.
        max_msg_size: The largest message to take, in bytes, 4 MiB by default; 0 for no limit.
        decode_text: Text messages as `str`, else as `bytes`.
        connect_timeout: Seconds for DNS, TCP, TLS and the handshake together.

    Returns:
        Await it, or use it in ``async with``.

    Raises:
        ClientError: As for `ClientSession.ws_connect`.

    Example:
        >>> ws = await ws_connect("ws://localhost:8080/")

    Mirrors ``aiohttp.ws_connect`` of aiohttp 0.17.
    """
    return ClientSession(connector=connector, loop=loop).ws_connect(
        url,
        protocols=protocols,
        timeout=timeout,
        receive_timeout=receive_timeout,
        ws_response_class=ws_response_class,
        autoclose=autoclose,
        autoping=autoping,
        heartbeat=heartbeat,
        origin=origin,
        headers=headers,
        ssl=ssl,
        server_hostname=server_hostname,
        compress=compress,
        max_msg_size=max_msg_size,
        decode_text=decode_text,
        connect_timeout=connect_timeout,
    )
