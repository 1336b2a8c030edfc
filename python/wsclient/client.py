"""`ws_connect` and `reconnect`: with a session of their own."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, overload

from yarl import URL

from .arbitration import check_connections, racing
from .arguments import kind_of, read_callable, read_count
from .context_manager import Connecting
from .network.connector import check_connector
from .network.connector_arguments import check_loop
from .options import DEFAULTS, check_url, takes_options
from .retry import HOOKS, backoff, check_hooks, process_exception
from .session import ClientSession
from .unclosed import Made
from .websocket import ClientWebSocketResponse

if TYPE_CHECKING:
    import asyncio
    from collections.abc import (
        AsyncGenerator,
        AsyncIterable,
        Awaitable,
        Callable,
        Hashable,
        Iterable,
    )
    from typing import TypeAlias, Unpack

    from typing_extensions import TypeVar

    from .feed import Race
    from .message import Message
    from .network.connector import BaseConnector
    from .options import AnyWS, BytesOptions, BytesWS, ConnectOptions, Options, TextOptions
    from .retry import ReconnectEvent

    _WS = TypeVar("_WS", bound=ClientWebSocketResponse[Any], default=ClientWebSocketResponse)
    _Source: TypeAlias = str | URL | AsyncIterable[_WS]
else:
    from typing import TypeVar

    _WS = TypeVar("_WS", bound=ClientWebSocketResponse)

__all__ = ["race", "reconnect", "ws_connect"]


class _Disposable(ClientSession):
    """A session that opens one WebSocket, and ends when that is open."""

    def __init__(
        self, connector: BaseConnector | None, loop: asyncio.AbstractEventLoop | None
    ) -> None:
        super().__init__(connector=connector, loop=loop)
        # Its user knows of the WebSocket alone, which warns for itself.
        self._made = None

    async def open(
        self, url: str | URL, given: ConnectOptions[_WS], options: Options, made: Made
    ) -> _WS:
        try:
            return await self._open(url, given, options, made)
        finally:
            self._end()


@overload
def ws_connect(
    url: str | URL,
    *,
    connector: BaseConnector | None = None,
    loop: asyncio.AbstractEventLoop | None = None,
    **options: Unpack[TextOptions[_WS]],
) -> Connecting[_WS]: ...
@overload
def ws_connect(
    url: str | URL,
    *,
    connector: BaseConnector | None = None,
    loop: asyncio.AbstractEventLoop | None = None,
    **options: Unpack[BytesOptions[BytesWS]],
) -> Connecting[BytesWS]: ...
@overload
def ws_connect(
    url: str | URL,
    *,
    connector: BaseConnector | None = None,
    loop: asyncio.AbstractEventLoop | None = None,
    **options: Unpack[ConnectOptions[AnyWS]],
) -> Connecting[AnyWS]: ...
@takes_options
def ws_connect(
    url: str | URL,
    *,
    connector: BaseConnector | None = None,
    loop: asyncio.AbstractEventLoop | None = None,
    **options: Unpack[ConnectOptions[_WS]],
) -> Connecting[_WS]:
    """Open a WebSocket, with a session of its own that ends with it.

    Args:
        url: ``ws``, ``wss``, ``http`` or ``https`` URL.
        connector: Makes the connection, and is not closed with it.
        loop: The event loop, for callers of aiohttp 0.17; must be the running one.
        options: See `ConnectOptions`.

    Returns:
        Await it, or use it in ``async with``, which closes the WebSocket at its end.

    Raises:
        TypeError, ValueError: An argument is wrong; at the call.
        ClientError: As for `ClientSession.ws_connect`.

    Example:
        >>> ws = await ws_connect("ws://localhost:8080/")

    Mirrors ``aiohttp.ws_connect`` of aiohttp 0.17.
    """
    check_url(url)
    check_connector(connector)
    check_loop(loop)
    settled = DEFAULTS.overridden("ws_connect", options, "connector", "loop")
    opening = _open_alone(url, connector, loop, options, settled, made=Made.here())
    return Connecting(opening, "ws_connect", url)


async def _open_alone(
    url: str | URL,
    connector: BaseConnector | None,
    loop: asyncio.AbstractEventLoop | None,
    given: ConnectOptions[_WS],
    options: Options,
    *,
    made: Made,
) -> _WS:
    return await _Disposable(connector, loop).open(url, given, options, made)


@overload
def reconnect(
    url: str | URL,
    *,
    process_exception: Callable[[Exception], Exception | None] = ...,
    reconnect_delays: Callable[[], Iterable[float]] = ...,
    healthy_after: float = 10.0,
    on_state: Callable[[ReconnectEvent[_WS]], object] | None = None,
    connector: BaseConnector | None = None,
    **options: Unpack[TextOptions[_WS]],
) -> AsyncGenerator[_WS, None]: ...
@overload
def reconnect(
    url: str | URL,
    *,
    process_exception: Callable[[Exception], Exception | None] = ...,
    reconnect_delays: Callable[[], Iterable[float]] = ...,
    healthy_after: float = 10.0,
    on_state: Callable[[ReconnectEvent[BytesWS]], object] | None = None,
    connector: BaseConnector | None = None,
    **options: Unpack[BytesOptions[BytesWS]],
) -> AsyncGenerator[BytesWS, None]: ...
@overload
def reconnect(
    url: str | URL,
    *,
    process_exception: Callable[[Exception], Exception | None] = ...,
    reconnect_delays: Callable[[], Iterable[float]] = ...,
    healthy_after: float = 10.0,
    on_state: Callable[[ReconnectEvent[AnyWS]], object] | None = None,
    connector: BaseConnector | None = None,
    **options: Unpack[ConnectOptions[AnyWS]],
) -> AsyncGenerator[AnyWS, None]: ...
@takes_options
def reconnect(
    url: str | URL,
    *,
    process_exception: Callable[[Exception], Exception | None] = process_exception,
    reconnect_delays: Callable[[], Iterable[float]] = backoff,
    healthy_after: float = 10.0,
    on_state: Callable[[ReconnectEvent[_WS]], object] | None = None,
    connector: BaseConnector | None = None,
    **options: Unpack[ConnectOptions[_WS]],
) -> AsyncGenerator[_WS, None]:
    """Connect, and connect again whenever the connection has ended or could not be made.

    Each WebSocket is closed when the body of the loop has ended. Then, or after a failure that may
    pass, comes a delay. Leave the loop with ``break``, and the last one is closed by the event
    loop a little later; use `contextlib.aclosing` to have it closed at once.

    Args:
        url: ``ws``, ``wss``, ``http`` or ``https`` URL.
        process_exception: Is given what `ws_connect` raised, and returns None to try again or an
            exception to raise; `wsclient.process_exception` by default.
        reconnect_delays: Makes an iterator over delays in seconds, `wsclient.backoff` by default.
            If they come to an end, so does the loop, with the last failure if there was one. The
            ``Retry-After`` of a refusal is added, up to an hour.
        healthy_after: Seconds that a connection has to last for the delays to begin anew.
        on_state: Is called with a `ReconnectEvent` whenever something has happened.
        connector: Makes the connections, and is not closed with them.
        options: See `ConnectOptions`.

    Returns:
        An asynchronous iterator over open WebSockets. What `process_exception` says is fatal it
        raises.

    Raises:
        TypeError, ValueError: An argument is wrong; at the call.

    Example:
        >>> async for ws in reconnect("wss://example.org/feed"):
        ...     await ws.send_str("subscribe")
        ...     async for msg in ws:
        ...         print(msg.data)

    Mirrors ``async for websocket in websockets.connect(...)``.
    """
    check_url(url)
    check_connector(connector)
    check_hooks(process_exception, reconnect_delays, healthy_after, on_state)
    settled = DEFAULTS.overridden("reconnect", options, "connector", *HOOKS)
    again: Any = settled.of_call(options)

    def attempt(session: ClientSession) -> AsyncGenerator[_WS, None]:
        return session.reconnect(
            url,
            process_exception=process_exception,
            reconnect_delays=reconnect_delays,
            healthy_after=healthy_after,
            on_state=on_state,
            **again,
        )

    return _in_session(connector, attempt)


async def _in_session(
    connector: BaseConnector | None,
    attempt: Callable[[ClientSession], AsyncGenerator[_WS, None]],
) -> AsyncGenerator[_WS, None]:
    async with ClientSession(connector=connector) as session:
        attempts = attempt(session)
        async with contextlib.aclosing(attempts):
            async for ws in attempts:
                yield ws


@overload
def race(
    urls: Iterable[_Source[_WS]],
    *,
    key: Callable[[Message], Hashable | None],
    window: int = 10_000,
    on_connect: Callable[[_WS], Awaitable[object]] | None = None,
    process_exception: Callable[[Exception], Exception | None] = ...,
    reconnect_delays: Callable[[], Iterable[float]] = ...,
    healthy_after: float = 10.0,
    on_state: Callable[[ReconnectEvent[_WS]], object] | None = None,
    connector: BaseConnector | None = None,
    **options: Unpack[TextOptions[_WS]],
) -> AsyncGenerator[Race, None]: ...
@overload
def race(
    urls: Iterable[_Source[BytesWS]],
    *,
    key: Callable[[Message], Hashable | None],
    window: int = 10_000,
    on_connect: Callable[[BytesWS], Awaitable[object]] | None = None,
    process_exception: Callable[[Exception], Exception | None] = ...,
    reconnect_delays: Callable[[], Iterable[float]] = ...,
    healthy_after: float = 10.0,
    on_state: Callable[[ReconnectEvent[BytesWS]], object] | None = None,
    connector: BaseConnector | None = None,
    **options: Unpack[BytesOptions[BytesWS]],
) -> AsyncGenerator[Race[bytes], None]: ...
@overload
def race(
    urls: Iterable[_Source[AnyWS]],
    *,
    key: Callable[[Message], Hashable | None],
    window: int = 10_000,
    on_connect: Callable[[AnyWS], Awaitable[object]] | None = None,
    process_exception: Callable[[Exception], Exception | None] = ...,
    reconnect_delays: Callable[[], Iterable[float]] = ...,
    healthy_after: float = 10.0,
    on_state: Callable[[ReconnectEvent[AnyWS]], object] | None = None,
    connector: BaseConnector | None = None,
    **options: Unpack[ConnectOptions[AnyWS]],
) -> AsyncGenerator[Race[Any], None]: ...
@takes_options
def race(
    urls: Iterable[_Source[_WS]],
    *,
    key: Callable[[Message], Hashable | None],
    window: int = 10_000,
    on_connect: Callable[[_WS], Awaitable[object]] | None = None,
    process_exception: Callable[[Exception], Exception | None] = process_exception,
    reconnect_delays: Callable[[], Iterable[float]] = backoff,
    healthy_after: float = 10.0,
    on_state: Callable[[ReconnectEvent[_WS]], object] | None = None,
    connector: BaseConnector | None = None,
    **options: Unpack[ConnectOptions[_WS]],
) -> AsyncGenerator[Race[Any], None]:
    """Receive one feed on several connections, and take the first copy of each message.

    Each side connects again and again, as by `reconnect`; that one is away is not noticed. Where no
    side can go on without a gap the inner loop ends, and the outer one goes on when a side is open,
    so that what has to be done after a gap stands between them. Leave the inner loop before its
    end, and all sides connect anew; leave the outer one, and all are closed, as with `reconnect`.

    A side can go on for the others if it has had one of the messages that they had in this stretch.
    What it has had before is not held against it: each stretch remembers its own messages alone. A
    slow reader stops all sides from reading.

    Args:
        urls: The sides: URLs, or what `reconnect` or `ClientSession.reconnect` has returned, for
            options that they do not share.
        key: Called with each text and binary `Message`; returns what tells it from all others, as
            its number, or None for one that is to be taken from every side. What it raises is
            raised from the inner loop, with a note of the side.
        window: How many messages are remembered. A side that falls back by more than these is
            connected anew.
        on_connect: Called with each `ClientWebSocketResponse` that has opened, and awaited; logs in
            and subscribes. If it raises `TimeoutError`, or the connection ends meanwhile, the side
            connects anew; what else it raises ends the side.
        process_exception: As for `reconnect`, for each URL, and so are the others. What is fatal
            ends its side, with a warning in the log, and is raised when no side is left.
        reconnect_delays: Makes the delays.
        healthy_after: Seconds after which they begin anew.
        on_state: Is told what happens.
        connector: Makes the connections, and is not closed with them.
        options: See `ConnectOptions`. With `receive_time`, lateness is that of arrival even if you
            are slow to receive. Silence of `receive_timeout` connects a side anew.

    Returns:
        An asynchronous iterator over `Race` objects, each an asynchronous iterator over messages.

    Raises:
        TypeError, ValueError: An argument is wrong; at the call.

    Example:
        >>> async for feed in race([url, other_url], key=lambda msg: msg.json()["seq"]):
        ...     book = await snapshot()
        ...     async for msg in feed:
        ...         book.update(msg.json())
    """
    if isinstance(urls, (str, URL)):
        raise TypeError(f"urls must be an iterable of URLs, got {kind_of(urls)}")
    read_callable("key", key, "a function that takes a Message")
    read_count("window", window, 1)
    if on_connect is not None:
        read_callable("on_connect", on_connect, "a coroutine function that takes a WebSocket")
    check_hooks(process_exception, reconnect_delays, healthy_after, on_state)
    check_connector(connector)
    own = ("key", "window", "on_connect", "connector", *HOOKS)
    again: Any = DEFAULTS.overridden("race", options, *own).of_call(options)

    def side(source: _Source[_WS]) -> AsyncIterable[_WS]:
        if isinstance(source, (str, URL)):
            return reconnect(
                source,
                process_exception=process_exception,
                reconnect_delays=reconnect_delays,
                healthy_after=healthy_after,
                on_state=on_state,
                connector=connector,
                **again,
            )
        check_connections(source)
        return source

    urls = [*urls]
    read_count("the number of urls", len(urls), 1)
    sources = [side(source) for source in urls]
    if options and not any(isinstance(url, (str, URL)) for url in urls):
        raise TypeError("options are for URLs, of which there is none")
    return racing(sources, key=key, window=window, on_connect=on_connect)
