"""Opening a WebSocket by aiohttp: its session shakes hands, then the connection changes them."""

# Two bases that fit at run time alone, and what of aiohttp's is not public.
# pyright: reportPrivateUsage=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any, TypedDict

import aiohttp
from aiohttp import hdrs

from wsclient.handshake.extensions import PerMessageDeflate, read_compress, read_extensions
from wsclient.heartbeat import read_heartbeat
from wsclient.recording.recorder import read_recorder
from wsclient.unclosed import Made
from wsclient.websocket import introduce, numbers

from .connecting import own_tls
from .dialect import dialect
from .handover import HandedOver, Tap, hand_over, read_on
from .response import ClientWebSocketResponse, adapted, calls_close

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine, Iterable
    from ssl import SSLContext
    from typing import Unpack

    from aiohttp.client import _BaseRequestContextManager
    from aiohttp.typedefs import LooseHeaders
    from yarl import URL, Query

    from wsclient.handshake.extensions import Agreement
    from wsclient.recording.recorder import Recorder

__all__ = ["ClientSession", "ConnectOptions", "open_websocket", "ws_connect"]

_MAX_MSG_SIZE = 4 * 1024 * 1024

# aiohttp's own, whatever stands in its place later.
_their_front = aiohttp.ClientSession.ws_connect
_their_ws_connect = aiohttp.ClientSession._ws_connect  # noqa: SLF001


class _Opening:
    """Stands in for a session while aiohttp's ``_ws_connect`` runs.

    That function reads the arguments, warns of deprecated ones, builds the request and judges the
    answer. What it then makes a WebSocket of, is taken from it here.

    Args:
        session: Does everything else.
        kind: The class of the WebSocket.
        options: The arguments of ``ws_connect``.
        recorder: Records the connection, if it is not None.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        kind: type[ClientWebSocketResponse],
        options: dict[str, Any],
        recorder: Recorder | None,
    ) -> None:
        self._session = session
        self._kind = kind
        self._options = options
        self._recorder = recorder
        self._offer: PerMessageDeflate | None = None
        self._tap = Tap()
        self._connection: HandedOver | None = None
        self._response: aiohttp.ClientResponse | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    async def request(
        self, method: str, url: str | URL, *, headers: Any, **options: Any
    ) -> aiohttp.ClientResponse:
        """Send aiohttp's request, with this client's offer of compression."""
        if self._options.get("compress"):
            self._offer = _offer(self._options["compress"])
            headers[hdrs.SEC_WEBSOCKET_EXTENSIONS] = self._offer.offer()
        with own_tls(self._session, headers[hdrs.SEC_WEBSOCKET_KEY]):
            response = await self._session.request(method, url, headers=headers, **options)
        self._response = response
        held: Any = response.connection
        if response.status == 101 and held is not None:  # noqa: PLR2004 - Switching Protocols
            if held.transport is None:
                response.close()
                raise aiohttp.ServerDisconnectedError(
                    "server closed the connection right after its 101"
                )
            # Before aiohttp's own parser, which gets nothing now.
            held.protocol.set_parser(self._tap, self._tap)
        return response

    def _ws_response_class(  # noqa: PLR0917 - aiohttp's signature
        self,
        _reader: object,
        _writer: object,
        protocol: str | None,
        response: aiohttp.ClientResponse,
        timeout: Any,
        autoclose: bool,
        autoping: bool,
        loop: asyncio.AbstractEventLoop,
        *,
        heartbeat: float | None = None,
        **options: Any,
    ) -> ClientWebSocketResponse:
        """Make the WebSocket. Called by aiohttp when it has judged the answer."""
        decode_text = self._options.get("decode_text", True)
        connection = self._connection = HandedOver(
            loop,
            resume_reading=read_on,
            max_msg_size=self._options.get("max_msg_size", _MAX_MSG_SIZE),
            autoclose=autoclose and not calls_close(self._kind),
            autoping=autoping,
            decode_text=decode_text,
            watch_reads=bool(heartbeat),
            dialect=dialect(decode_text=decode_text),
        )
        agreement = self._agree(response)
        if agreement is not None:
            connection.use_deflate(**agreement._asdict())
        return self._kind(
            connection,
            None,
            protocol,
            response,
            timeout,
            autoclose,
            autoping,
            loop,
            heartbeat=heartbeat,
            **options,
        )

    def _agree(self, response: aiohttp.ClientResponse) -> Agreement | None:
        value = response.headers.get(hdrs.SEC_WEBSOCKET_EXTENSIONS)
        if self._offer is None or value is None:
            return None
        try:
            return read_extensions(value, self._offer)
        except ValueError as error:
            raise aiohttp.WSServerHandshakeError(
                response.request_info,
                response.history,
                message=f"server's 101 has {error}",
                status=response.status,
                headers=response.headers,
            ) from None

    async def run(self, url: str | URL) -> ClientWebSocketResponse:
        """Open it."""
        try:
            their_connect: Any = _their_ws_connect
            ws: ClientWebSocketResponse = await their_connect(self, url, **self._options)
            # There is nothing to await between the 101 and here.
            assert self._response is not None  # noqa: S101 - aiohttp has made a WebSocket of it
            assert self._connection is not None  # noqa: S101
            if self._recorder is not None:
                self._recorder.begin(self._connection, self._response.url, ws.protocol)
            hand_over(self._response, self._connection, self._tap.data)
        except BaseException:
            if self._connection is not None:
                # Of the WebSocket, if it was made, nobody will hear.
                self._connection.abort()
            if self._response is not None:
                self._response.close()
            raise
        # What aiohttp would parse the WebSocket with.
        ws._parser = None  # noqa: SLF001
        return ws


def _offer(compress: int) -> PerMessageDeflate:
    settings = read_compress(compress)
    assert settings is not None  # noqa: S101 - it is not 0
    return settings


def open_websocket(
    session: aiohttp.ClientSession, url: str | URL, **options: Any
) -> Coroutine[Any, Any, ClientWebSocketResponse]:
    """Do what a session's ``_ws_connect`` does.

    Args:
        session: A session of aiohttp's.
        url: As for ``aiohttp.ClientSession.ws_connect``.
        options: The same, ``ws_response_class`` to overrule the session's, and ``record``.
    """
    _check_seconds(options)
    read_recorder(options.get("record"))
    opening: Any = _open(session, url, options, Made.here())
    # What the warning names, if it is never awaited.
    opening.__name__ = opening.__qualname__ = "ws_connect"
    named: Coroutine[Any, Any, ClientWebSocketResponse] = opening
    return named


def _check_seconds(options: dict[str, Any]) -> None:
    """Refuse NaN before there is a connection: event loops do not, or in words of their own."""
    timeout = options.get("timeout")
    for name, value in (
        ("timeout", timeout),
        ("ws_receive of timeout", getattr(timeout, "ws_receive", None)),
        ("ws_close of timeout", getattr(timeout, "ws_close", None)),
        ("receive_timeout", options.get("receive_timeout")),
    ):
        if isinstance(value, float) and math.isnan(value):
            raise ValueError(f"{name} is {value}, expected a number of seconds")
    read_heartbeat(options.get("heartbeat"))


async def _open(
    session: aiohttp.ClientSession, url: str | URL, options: dict[str, Any], made: Made
) -> ClientWebSocketResponse:
    kind = options.pop("ws_response_class", None)
    if kind is None:
        kind = session._ws_response_class  # noqa: SLF001
    recorder = options.pop("record", None)
    ws = await _Opening(session, adapted(kind), options, recorder).run(url)
    native: Any = ws
    introduce(native, next(numbers), made)
    return ws


class ConnectOptions(TypedDict, total=False):
    """The keyword arguments of ``aiohttp.ClientSession.ws_connect``, and two more.

    Those that the installed aiohttp does not have raise its `TypeError`.

    Attributes:
        ws_response_class: The class of the WebSocket, instead of the session's.
        record: A `wsclient.Recorder`, which writes to a file what is received and sent.
    """

    method: str
    protocols: Iterable[str]
    timeout: aiohttp.ClientWSTimeout | float
    receive_timeout: float | None
    autoclose: bool
    autoping: bool
    heartbeat: float | None
    auth: aiohttp.BasicAuth | None
    origin: str | None
    params: Query
    headers: LooseHeaders | None
    proxy: str | URL | None
    proxy_auth: aiohttp.BasicAuth | None
    ssl: SSLContext | bool | aiohttp.Fingerprint
    verify_ssl: bool | None
    fingerprint: bytes | None
    ssl_context: SSLContext | None
    server_hostname: str | None
    proxy_headers: LooseHeaders | None
    compress: int
    max_msg_size: int
    decode_text: bool
    ws_response_class: type[aiohttp.ClientWebSocketResponse] | None
    record: Recorder | None


class _Front:
    """Has aiohttp's ``ws_connect`` come to this module.

    Args:
        session: The real session.
        own: The options that aiohttp's does not have.
    """

    def __init__(self, session: aiohttp.ClientSession, own: dict[str, Any]) -> None:
        self._session = session
        self._own = own

    def _ws_connect(
        self, url: str | URL, **options: Any
    ) -> Coroutine[Any, Any, ClientWebSocketResponse]:
        return open_websocket(self._session, url, **self._own, **options)


def ws_connect(
    session: aiohttp.ClientSession, url: str | URL, **options: Unpack[ConnectOptions]
) -> _BaseRequestContextManager[ClientWebSocketResponse]:
    """Open a WebSocket of this client's by a session of aiohttp's.

    Args:
        session: Does the handshake: with its connector, cookies, headers, middlewares and traces.
        url: As for ``aiohttp.ClientSession.ws_connect``.
        options: The same, ``ws_response_class`` to overrule the session's, and ``record``.

    Returns:
        Await it, or use it in ``async with``, which closes the WebSocket at its end.

    Raises:
        TypeError, ValueError: An argument is wrong.
        aiohttp.ClientError: As from ``aiohttp.ClientSession.ws_connect``.

    Mirrors ``aiohttp.ClientSession.ws_connect``.
    """
    rest: Any = dict(options)
    own = {name: rest.pop(name) for name in ("record", "ws_response_class") if name in rest}
    front: Any = _Front(session, own)
    return _their_front(front, url, **rest)


with warnings.catch_warnings():
    # aiohttp would rather have its session wrapped; but then it would be none.
    warnings.simplefilter("ignore", DeprecationWarning)

    class ClientSession(aiohttp.ClientSession):
        """``aiohttp.ClientSession``, whose WebSockets are this client's."""

        def ws_connect(  # type: ignore[override]
            self, url: str | URL, **options: Unpack[ConnectOptions]
        ) -> _BaseRequestContextManager[ClientWebSocketResponse]:
            """Open a WebSocket; see `ws_connect`."""
            return ws_connect(self, url, **options)

        def _ws_connect(  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
            self, url: str | URL, **options: Any
        ) -> Coroutine[Any, Any, ClientWebSocketResponse]:
            return open_websocket(self, url, **options)
