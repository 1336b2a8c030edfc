"""`ClientWebSocketResponse`: an open WebSocket as aiohttp's users know it."""

# Two bases that fit at run time alone, and what of aiohttp's is not public.
# pyright: reportPrivateUsage=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportIncompatibleVariableOverride=false, reportIncompatibleMethodOverride=false

from __future__ import annotations

import asyncio
import json
import math
from types import GenericAlias
from typing import TYPE_CHECKING, Any, get_origin
from weakref import WeakKeyDictionary

import aiohttp

from wsclient._core import WebSocketBase
from wsclient.heartbeat import Watch, read_heartbeat
from wsclient.websocket import ClientWebSocketResponse as NativeResponse

from .handover import NO_CODE
from .shims import Reader, Writer

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from wsclient._core import Protocol

__all__ = ["AIOHTTP", "ClientWebSocketResponse", "adapted", "calls_close"]

AIOHTTP = aiohttp.ClientWebSocketResponse
"""aiohttp's own class, whatever stands in its place later."""


# RFC 6455 §7.4.1: it never stands in a close frame.
_ABNORMAL = 1006

_CLOSE_LIMIT = 10.0
"""aiohttp's seconds for the closing handshake, where nobody says."""

# What it inherits from here goes before what it inherits from aiohttp, whose types it keeps.
if TYPE_CHECKING:

    class _Native:
        def __new__(cls, *_: Any, **__: Any) -> Self: ...
        def __getattr__(self, name: str) -> Any: ...
else:
    _Native = NativeResponse
_Core: Any = WebSocketBase


class ClientWebSocketResponse(_Native, AIOHTTP):
    """An open WebSocket; ``ws_connect`` makes it.

    It has the methods and attributes of ``aiohttp.ClientWebSocketResponse``, of which it is a
    subclass, and those of `wsclient.ClientWebSocketResponse`. Its messages are aiohttp's, and its
    errors too.

    Args:
        reader: The protocol of the connection.
        writer: Not used.
        protocol: The subprotocol that the server chose.
        response: aiohttp's answer to the opening handshake.
        timeout: aiohttp's limits, or seconds for the closing handshake.
        autoclose: Answer the server's close frame.
        autoping: Answer pings.
        loop: The event loop.
        receive_timeout: Seconds for one `receive`, where `timeout` does not say.
        heartbeat: Seconds of silence before a ping; None for no pings.
        compress: What aiohttp reads in the server's answer, for the property of this name.
        client_notakeover: The same.
    """

    _timeout_error = aiohttp.ServerTimeoutError
    # aiohttp 3.10 has no class for it.
    _type_error = getattr(aiohttp, "WSMessageTypeError", TypeError)

    def __new__(
        cls,
        reader: Protocol,
        writer: object,  # noqa: ARG004 - aiohttp's signature
        protocol: str | None,  # noqa: ARG004
        response: aiohttp.ClientResponse,  # noqa: ARG004
        timeout: Any,
        *_: Any,
        receive_timeout: float | None = None,
        **__: Any,
    ) -> Self:
        """Make one, whatever arguments the ``__init__`` of a subclass has."""
        limit = getattr(timeout, "ws_receive", receive_timeout)
        made: Self = super().__new__(
            cls, reader, receive_timeout=_bound(limit) or None, defers=True
        )
        return made

    def __init__(  # noqa: PLR0917 - aiohttp's signature
        self,
        reader: Protocol,
        writer: object,  # noqa: ARG002
        protocol: str | None,
        response: aiohttp.ClientResponse,
        timeout: Any,
        autoclose: bool,
        autoping: bool,
        loop: asyncio.AbstractEventLoop,
        *,
        receive_timeout: float | None = None,  # noqa: ARG002 - __new__ takes it
        heartbeat: float | None = None,
        compress: int = 0,
        client_notakeover: bool = False,
    ) -> None:
        self._response = response
        self._conn = response.connection
        self._protocol = protocol
        self._timeout = timeout
        self._close_timeout = _read_close_limit(getattr(timeout, "ws_close", timeout))
        self._autoclose = autoclose
        self._autoping = autoping
        self._loop = loop
        self._compress = compress
        self._client_notakeover = client_notakeover
        self._close_called = False
        self._yielding = False
        self._closed_first = False
        settings = read_heartbeat(heartbeat)
        error = self._timeout_error
        watch: Any = None if settings is None else Watch(reader, settings, error)
        self._heartbeat = watch

    # Coroutine functions, for whoever asks the class, as mocks do. What is opened has the core's
    # own methods in their place; see `_Open`.

    async def receive(self, timeout: float | None = None) -> aiohttp.WSMessage:
        """Wait for the next message; see `wsclient.ClientWebSocketResponse.receive`."""
        message: aiohttp.WSMessage = await super().receive(timeout)
        return message

    async def send_str(self, data: str, compress: int | None = None) -> None:
        """Send a text message; see `wsclient.ClientWebSocketResponse.send_str`."""
        await super().send_str(data, compress)

    async def send_bytes(self, data: bytes, compress: int | None = None) -> None:
        """Send a binary message; see `wsclient.ClientWebSocketResponse.send_bytes`."""
        await super().send_bytes(data, compress)

    async def ping(self, message: bytes = b"") -> None:
        """Send a ping; see `wsclient.ClientWebSocketResponse.ping`."""
        await super().ping(message)

    async def pong(self, message: bytes = b"") -> None:
        """Send a pong; see `wsclient.ClientWebSocketResponse.pong`."""
        await super().pong(message)

    async def send_json(
        self,
        data: Any,
        compress: int | None = None,
        *,
        dumps: Callable[[Any], str] = json.dumps,
    ) -> None:
        """Send data as a text message of JSON; see `wsclient.ClientWebSocketResponse.send_json`."""
        await self.send_str(dumps(data), compress)

    @property
    def close_code(self) -> int | None:
        """The close code, as aiohttp has it: see ``aiohttp.ClientWebSocketResponse.close_code``.

        Where no close frame came, or none with a code, it is ``WSCloseCode.ABNORMAL_CLOSURE``;
        where the server answered `close` without a code, 0.
        """
        native: Any = super()
        code: int | None = native.close_code
        if code == NO_CODE:
            return 0 if self._closed_first else aiohttp.WSCloseCode.ABNORMAL_CLOSURE
        if code is None or self._is_of_server(code):
            return code
        return aiohttp.WSCloseCode(code)

    def _is_of_server(self, code: int) -> bool:
        return code != _ABNORMAL and not isinstance(self.exception(), aiohttp.WebSocketError)

    async def close(self, *, code: int = 1000, message: str | bytes = b"") -> bool:
        """Close the connection; see `wsclient.ClientWebSocketResponse.close`.

        What has arrived and nobody has received is dropped, as aiohttp does. A task that waits in
        `receive` is told first, and what it and other tasks then send goes before the close frame.
        With a code of 0 or 1005, as a close frame without one has, that is what is sent, and
        without the message.
        """
        if not self._is_copy and not self._loop.is_closed():
            self._check_thread("close")
        self._close_called = True
        await self._let_others_send()
        native: Any = super()
        self._closed_first |= not self._is_copy and native.close_code is None
        closed: bool = await native.close(code=code, message=message)
        return closed

    async def _let_others_send(self) -> None:
        """Wake the reader, and give the event loop the turns that aiohttp takes for that."""
        if self._is_copy or self.closed or self._yielding or not self._waiting:
            return
        # Not for a second `close`, which goes ahead of the first in aiohttp too.
        self._yielding = True
        try:
            self._connection.announce_close()
            # In the first, the reader runs; what that made possible follows in the second.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        except BaseException:
            self._drop()
            raise
        finally:
            self._yielding = False

    async def send_frame(
        self, message: bytes, opcode: aiohttp.WSMsgType, compress: int | None = None
    ) -> None:
        """Send a frame. Mirrors ``aiohttp.ClientWebSocketResponse.send_frame``.

        Args:
            message: The payload.
            opcode: TEXT, BINARY, PING or PONG.
            compress: As for ``send_str``.

        Raises:
            ValueError: `opcode` is another.
        """
        match opcode:
            case aiohttp.WSMsgType.TEXT:
                await self.send_str(str(message, "utf-8"), compress)
            case aiohttp.WSMsgType.BINARY:
                await self.send_bytes(message, compress)
            case aiohttp.WSMsgType.PING:
                await self.ping(message)
            case aiohttp.WSMsgType.PONG:
                await self.pong(message)
            case _:
                raise ValueError(f"opcode is {opcode!r}, expected TEXT, BINARY, PING or PONG")

    def _warns_unclosed(self) -> bool:
        # As aiohttp: in debug mode only.
        return self._made.loop is not None

    @property
    def _writer(self) -> Writer:  # type: ignore[override]
        return Writer(self, self._conn)

    @property
    def _reader(self) -> Reader:  # type: ignore[override]
        return Reader(self._connection)

    @property
    def _closed(self) -> bool:  # type: ignore[override]
        return self.closed

    @property
    def _closing(self) -> bool:  # type: ignore[override]
        return self._yielding or self.closed

    @property
    def _close_code(self) -> int | None:  # type: ignore[override]
        return self.close_code

    @property
    def _exception(self) -> BaseException | None:  # type: ignore[override]
        return self.exception()

    if not TYPE_CHECKING:
        # Of a connection that was given back they know nothing, and of compression what aiohttp
        # reads.
        get_extra_info = AIOHTTP.get_extra_info
        compress = AIOHTTP.compress
        client_notakeover = AIOHTTP.client_notakeover

        receive_str = AIOHTTP.receive_str
        receive_bytes = AIOHTTP.receive_bytes
        receive_json = AIOHTTP.receive_json

    if hasattr(AIOHTTP, "__class_getitem__"):
        # Since 3.14; the parameter is for type checkers.
        __class_getitem__: Any = classmethod(GenericAlias)


class _Open(ClientWebSocketResponse):
    """What is opened: the core's methods on the path of every message."""

    __slots__ = ()

    receive = _Core.receive
    receive_many = _Core.receive_many
    receive_many_str = _Core.receive_many_str
    receive_many_bytes = _Core.receive_many_bytes
    __anext__ = _Core.__anext__
    send_str = _Core.send_str
    send_bytes = _Core.send_bytes
    ping = _Core.ping
    pong = _Core.pong


# It is to be told from the other by nobody.
_Open.__name__ = _Open.__qualname__ = ClientWebSocketResponse.__name__


def _read_close_limit(limit: Any) -> float | None:
    """Make seconds of what aiohttp takes unseen, so that `close` never fails for it."""
    if limit is None:
        return None
    try:
        seconds = float(limit)
    except OverflowError:
        return None
    except (TypeError, ValueError):
        return _CLOSE_LIMIT
    return _CLOSE_LIMIT if math.isnan(seconds) else _bound(seconds)


def _bound(seconds: float | None) -> float | None:
    # Not every event loop can count to infinity.
    return None if seconds == math.inf else seconds


class _ThroughClose(_Open):
    """The base of classes that override `close`: as aiohttp's, `receive` calls it."""

    async def receive(self, timeout: float | None = None) -> aiohttp.WSMessage:
        msg: aiohttp.WSMessage = await super().receive(timeout)
        if msg.type is aiohttp.WSMsgType.CLOSE:
            if self._autoclose:
                await self.close()
        elif msg.type is aiohttp.WSMsgType.ERROR:
            if isinstance(msg.data, aiohttp.WebSocketError):
                await self.close(code=msg.data.code)
        elif msg.type is aiohttp.WSMsgType.CLOSED and not self._close_called:
            await self.close()
        return msg


_adapted: WeakKeyDictionary[type[Any], type[ClientWebSocketResponse]] = WeakKeyDictionary()


def adapted(wanted: Any) -> type[ClientWebSocketResponse]:
    """Find the class to make for a session's ``ws_response_class``.

    A subclass of aiohttp's own class, which may have been defined before `install`, is put before
    this module's class: what it inherits comes from there.

    Args:
        wanted: aiohttp's class, this module's, or a subclass of either.

    Raises:
        TypeError: It is none of these.
    """
    # Since aiohttp 3.14 its class can have a parameter.
    wanted = get_origin(wanted) or wanted
    if wanted in {AIOHTTP, ClientWebSocketResponse}:
        return _Open
    if not (isinstance(wanted, type) and issubclass(wanted, AIOHTTP)):
        raise TypeError(
            f"ws_response_class is {wanted!r}, expected a subclass of"
            " aiohttp.ClientWebSocketResponse"
        )
    found = _adapted.get(wanted)
    if found is None:
        found = _adapted[wanted] = _adapt(wanted)
    return found


def _adapt(wanted: type[Any]) -> type[ClientWebSocketResponse]:
    own_close = getattr(wanted, "close", None) not in {ClientWebSocketResponse.close, AIOHTTP.close}
    base = _ThroughClose if own_close else _Open
    if issubclass(wanted, base):
        return wanted
    try:
        made: type[Any] = type(wanted.__name__, (wanted, base), {"__module__": wanted.__module__})
    except TypeError as error:
        raise TypeError(f"{wanted!r} cannot be combined with {base!r}: {error}") from error
    return made


def calls_close(kind: type[ClientWebSocketResponse]) -> bool:
    """Tell whether a class answers the server's close frame itself, by calling its ``close``.

    Args:
        kind: What `adapted` returned.
    """
    return issubclass(kind, _ThroughClose)
