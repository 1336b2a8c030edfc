"""`ClientWebSocketResponse`: an open WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from types import GenericAlias
from typing import TYPE_CHECKING, Any

from ._core import Protocol as CoreProtocol
from ._core import Sent, WebSocketBase
from .arguments import read_limit
from .exceptions import ServerTimeoutError, WSMessageTypeError
from .fragments import send_fragments
from .handshake.urls import shown_url
from .heartbeat import Heartbeat, Watch, read_heartbeat
from .stats import Stats
from .streaming import MessageStream
from .suggestions import METHODS, Elsewhere
from .types import MsgType
from .unclosed import Made, warn_unclosed
from .via_receive import THROUGH_RECEIVE

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Iterable
    from types import TracebackType
    from typing import Self

    from typing_extensions import TypeVar

    from .fragments import Bytes
    from .message import Message
    from .types import HandshakeResponse

    _Text_co = TypeVar("_Text_co", bound=str | bytes, default=str, covariant=True)
else:
    from typing import TypeVar

    _Text_co = TypeVar("_Text_co", bound=str | bytes, covariant=True)
    # Not `Generic`, which would stand among the bases of every subclass.
    WebSocketBase.__class_getitem__ = classmethod(GenericAlias)

__all__ = ["ClientWebSocketResponse", "introduce", "numbers"]

numbers: itertools.count[int] = itertools.count(1)
"""What `ClientWebSocketResponse.id` of the next connection is taken from."""


class ClientWebSocketResponse(WebSocketBase[_Text_co]):
    """An open WebSocket; `ws_connect` makes it.

    For type checkers it has a parameter, what text is received as: `str`, or `bytes` with
    ``decode_text=False``.

    One task may receive, any number of tasks may send. Frames are written when a ``send_*``
    method is called, in the order of the calls; awaiting what it returns adds backpressure.

    Mirrors ``aiohttp.ClientWebSocketResponse``.

    Example:
        >>> async with ws_connect(url) as ws:
        ...     await ws.send_str("hello")
        ...     msg = await ws.receive()

    Args:
        connection: The protocol of the open transport.
        response: The server's answer to the opening handshake.
        protocol: The subprotocol that the server chose.
        close_timeout: Seconds for the closing handshake; None for no bound.
        heartbeat: Seconds of silence before a ping, or a `Heartbeat`; None for no pings.
        receive_timeout: Seconds that `receive` waits where it is not told.
    """

    _made = Made("an unknown place")
    _id = 0
    _timeout_error: type[Exception] = ServerTimeoutError
    _type_error: type[Exception] = WSMessageTypeError

    def __init__(
        self,
        connection: CoreProtocol,
        response: HandshakeResponse,
        protocol: str | None,
        *,
        close_timeout: float | None = 10.0,
        heartbeat: float | Heartbeat | None = None,
        receive_timeout: float | None = None,  # noqa: ARG002 - the base takes it in __new__
    ) -> None:
        self._response = response
        self._protocol = protocol
        self._close_timeout = read_limit("close_timeout", close_timeout)
        self._loop = asyncio.get_running_loop()
        settings = read_heartbeat(heartbeat)
        error = self._timeout_error
        self._heartbeat = None if settings is None else Watch(connection, settings, error)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Let ``async for`` and the like go through an overridden ``receive``."""
        super().__init_subclass__(**kwargs)
        if cls.receive is WebSocketBase.receive:
            return
        for name, through_receive in THROUGH_RECEIVE.items():
            if getattr(cls, name) is getattr(WebSocketBase, name):
                setattr(cls, name, through_receive)

    @property
    def protocol(self) -> str | None:
        """The subprotocol that the server chose, or None."""
        return self._protocol

    @property
    def response(self) -> HandshakeResponse:
        """The server's answer to the opening handshake: status, headers, URL, redirects."""
        return self._response

    @property
    def id(self) -> int:
        """A number that no other connection of this process has; log lines begin with it."""
        return self._id

    @property
    def stats(self) -> Stats:
        """What the connection has done so far: messages, bytes, frames, pauses, compression."""
        return Stats(*self._connection.counts())

    def receive_streaming(self, *, timeout: float | None = None) -> MessageStream[_Text_co]:
        """Receive the next message in pieces, as its fragments arrive (RFC 6455 §5.4).

        Each fragment gives one piece, of text as many whole characters as have come: none, if the
        fragment completes none. What had arrived of the message before is one piece, and so is a
        message that had arrived whole. `receive` then returns the next message.

        A message that is not iterated to its end is lost: what is received next is whole, and the
        rest of this one is discarded, by `MessageStream.aclose` as it arrives, else when something
        is received. Until then it waits, as messages do that nobody receives.

        Args:
            timeout: Seconds to wait for each piece, as for `receive`.

        Returns:
            An asynchronous iterator over `str` for text, over `bytes` for binary, and for text with
            ``decode_text=False``. It raises `WSMessageTypeError` where the connection ends before
            the message.

        Raises:
            RuntimeError: The connection has a `queue` that drops messages, or no ``autoping``.

        Example:
            >>> async for piece in ws.receive_streaming():
            ...     file.write(piece)

        Mirrors ``websockets.asyncio.client.ClientConnection.recv_streaming``.
        """
        self._connection.check_streaming()
        return MessageStream(
            self._connection, lambda begins: self._receive_part(begins, timeout), self._mistaken
        )

    def _mistaken(self, msg: Message, expected: str) -> Exception:
        # As a tuple, and compared by `==`: it may be a message of aiohttp's.
        kind, data, extra = msg
        received = f"received {'an' if kind == MsgType.error else 'a'} {kind.name.lower()} message"
        match kind:
            case MsgType.closed:
                received = f"connection closed with {self._ending()}"
            case MsgType.closing:
                received = "connection closed by this side"
            case MsgType.error:
                received += f": connection closed with {self._ending()}"
            case MsgType.close:
                received += f" with {_code_and_reason(data, extra)}"
            case _:
                pass
        error = self._type_error(f"{received}, expected {expected}")
        known = kind == MsgType.error and isinstance(data, BaseException)
        error.__cause__ = data if known else self.exception()
        return error

    def _ending(self) -> str:
        return _code_and_reason(self.close_code, self.close_reason or str(self.exception() or ""))

    def send_json(
        self,
        data: Any,
        compress: int | None = None,
        *,
        dumps: Callable[[Any], str] = json.dumps,
    ) -> Sent:
        """Send `data` as JSON in a text message.

        Args:
            data: What to send.
            compress: As for `send_str`.
            dumps: What makes text of it.

        Returns:
            An awaitable that need not be awaited, as for `send_str`.

        Raises:
            TypeError: `data` cannot be made JSON, or `dumps` does not return `str`.
            ClientConnectionResetError: The connection is closed or closing.

        Mirrors ``aiohttp.ClientWebSocketResponse.send_json``.
        """
        return self.send_str(dumps(data), compress)

    async def send_fragments(
        self,
        fragments: Iterable[str | Bytes] | AsyncIterable[str | Bytes],
        *,
        text: bool | None = None,
    ) -> None:
        """Send one message in fragments (RFC 6455 §5.4), each as soon as it is there.

        Fragments are not compressed. Between them only pings, pongs and the close frame leave:
        messages sent meanwhile are held back, and so are those who await that; they are written
        in order when the message is complete. Another `send_fragments` waits for this one. An
        empty frame ends the message; where there is no fragment, nothing is sent.

        A message cannot be taken back. If it cannot be completed, because of an error or a
        cancellation after the first fragment has left, the connection is closed with code 1011.

        Args:
            fragments: An iterable or asynchronous iterable of `str`, or of `bytes`, `bytearray`
                or `memoryview`.
            text: True sends bytes as text, of which each fragment may end anywhere; False sends
                `str` as binary. If None, `str` is text and bytes are binary.

        Raises:
            TypeError: `fragments` is no such iterable, or the fragments are not all of one kind.
            ValueError: Bytes that are sent as text are not UTF-8, or a `str` has lone surrogates.
            ClientConnectionResetError: The connection is closed or closing.
            Exception: Whatever the iterator raises.

        Example:
            >>> await ws.send_fragments(line for line in open("log.txt"))

        Mirrors ``websockets.asyncio.client.ClientConnection.send``.
        """
        await send_fragments(self._connection, fragments, text=text)

    async def close(self, *, code: int = 1000, message: str | bytes = b"") -> bool:
        """Close the connection: send a close frame, wait for the server's and for the end of TCP.

        Takes ``timeout`` seconds (of `ws_connect`) at most, whatever the server does; then, or if
        it is cancelled or interrupted, the connection is dropped. Messages that arrive meanwhile
        are discarded; those that arrived before can still be received.

        Args:
            code: The close code to send (RFC 6455 §7.4).
            message: The reason to send, at most 123 bytes of UTF-8.

        Returns:
            True if this call closed the connection, False if it was closed or closing already, or
            its event loop is closed, or it belongs to the parent of this process.

        Raises:
            ValueError: `code` must not be sent, or `message` is too long or not UTF-8.
            RuntimeError: It runs in another thread than the event loop's.

        Mirrors ``aiohttp.ClientWebSocketResponse.close``.
        """
        if self._is_copy or self._loop.is_closed():
            return False
        self._check_thread("close")
        connection = self._connection
        first = connection.start_close(code, message)
        try:
            self._stop_heartbeat()
            async with asyncio.timeout(self._close_timeout):
                await _none_or(connection.wait_lost())
        except TimeoutError:
            # With the server's close frame, it is only TCP that it has not closed.
            unanswered = self.close_code is None
            text = f"closing handshake not finished within {self._close_timeout} s"
            connection.abort(self._timeout_error(text) if unanswered else None)
            await _none_or(connection.wait_lost())
        except BaseException:
            self._drop()
            raise
        return first

    def _drop(self) -> None:
        """Drop the connection: whoever was to close it does not."""
        # The garbage collector may end that, in any thread and after the loop.
        if self._is_copy or self._loop.is_closed():
            return
        if self._at_home:
            self._connection.abort()
        else:
            self._loop.call_soon_threadsafe(self._connection.abort)

    def _stop_heartbeat(self) -> None:
        if self._heartbeat is not None:
            self._heartbeat.stop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def _warns_unclosed(self) -> bool:
        """Tell whether nobody's having closed it is worth a warning."""
        return True

    def __dir__(self) -> list[str]:
        names = super().__dir__()
        return [name for name in names if name not in METHODS or hasattr(self, name)]

    def __repr__(self) -> str:
        try:
            state = self._state()
        except RuntimeError:  # without the GIL
            state = "of another thread"
        return f"<{type(self).__name__} {shown_url(self._response.url)} {state}>"

    def _state(self) -> str:
        state = "closing" if self.closed else "open"
        if self._is_copy:
            state = "of the parent process"
        elif self._loop.is_closed() and not self._connection.lost:
            state = "closed, as its event loop is"
        elif self.close_code is not None:
            state = f"closed, code {self.close_code}"
        return state

    def __del__(self) -> None:
        # Where __init__ raised, there is nothing to end; what the parent process has is its own.
        if "_heartbeat" not in self.__dict__ or self._is_copy:
            return
        if not self._at_home:
            # The garbage collector may run in any thread.
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self.__del__)
            return
        connection = self._connection
        if connection.ending or self._loop.is_closed():
            return
        # The server may have closed, and nobody has answered or received that: then it is gone.
        shown = repr(self) if connection.alive and self._warns_unclosed() else None
        self._stop_heartbeat()
        connection.abort()
        if shown is not None:
            warn_unclosed(self, shown, self._made)


for _name in METHODS:
    setattr(ClientWebSocketResponse, _name, Elsewhere(ClientWebSocketResponse, _name))


def _code_and_reason(code: object, reason: str) -> str:
    if not reason:
        return f"code {code}"
    # The peer's words, which are to stay in their line.
    return f"code {code} ({reason if reason.isprintable() else repr(reason)})"


def introduce(ws: ClientWebSocketResponse, number: int, made: Made) -> None:
    """Let a WebSocket know its number and, for the warning if it is not closed, who made it.

    Not arguments of the class, which users override.

    Args:
        ws: The WebSocket.
        number: Its `ClientWebSocketResponse.id`.
        made: Who called `ws_connect`.
    """
    ws._id = number  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - same module
    ws._made = made  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]


async def _none_or(future: asyncio.Future[None] | None) -> None:
    if future is not None:
        await future
