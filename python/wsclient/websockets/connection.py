"""`ClientConnection`: the handshake is websockets', the rest is the core's."""

# What of websockets' is not public.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
import codecs
import weakref
from inspect import signature
from typing import TYPE_CHECKING, Any, Self, cast

from websockets.asyncio.client import ClientConnection as Theirs
from websockets.exceptions import ConcurrencyError
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    PerMessageDeflate,
)
from websockets.frames import CloseCode
from websockets.protocol import State

from wsclient._core import ConnectionBase
from wsclient.network.fast_tls import resume_reading
from wsclient.network.takeover import take_over
from wsclient.streaming import MessageStream

from .protocol import ServedProtocol, check_control, serve
from .served import SendContext, Served
from .settings import agreement, max_size, queue_limits, url_of, write_limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from websockets.client import ClientProtocol
    from websockets.exceptions import ConnectionClosed

    from wsclient.fragments import Bytes
    from wsclient.recording.recorder import Recorder

__all__ = ["ClientConnection", "Theirs"]

_END_OF_HEAD = b"\r\n\r\n"
_PAYLOADS: tuple[Any, ...] = (bytes, bytearray, memoryview, type(None))
# Methods of websockets' that see each message or read, which the core does not call.
_PASSED_BY = ("process_event", "data_received", "acknowledge_pings")


class ClientConnection(ConnectionBase, Theirs):
    """An open WebSocket, as ``websockets.asyncio.client.ClientConnection`` describes it.

    Receiving and sending are the core's; the handshake, closing, pings at intervals and all that
    is said of them are websockets' own.
    """

    # Whether the core serves it when the handshake is done.
    _serves = True
    # This end of the connection and the other.
    _addresses: tuple[Any, Any] | None = None
    # What was read behind the head of the answer, from when that was there.
    _rest: bytearray | None = None
    # The last of the head as far as it has come, which may end with the next bytes.
    _head_end = b""
    # What records it.
    _recorder: Recorder | None = None
    # What the transport said when it was lost before the core had it.
    _lost: tuple[Exception | None] | None = None

    def __new__(  # pyright: ignore[reportInconsistentConstructor] - it takes what __init__ does
        cls, protocol: ClientProtocol, **options: Any
    ) -> Self:
        """Make the core's connection, which waits for its transport.

        With an extension that the core does not know, it is one of websockets' own.
        """
        offered = protocol.available_extensions or ()
        if not all(isinstance(each, ClientPerMessageDeflateFactory) for each in offered):
            return cast("Self", Theirs(protocol, **options))
        core = Served(
            asyncio.get_running_loop(),
            resume_reading=resume_reading,
            max_msg_size=max_size(protocol) or 0,
            max_frame_size=getattr(protocol, "max_fragment_size", None) or 0,
            only_data=True,
        )
        self = super().__new__(cls, core, protocol, **options)
        core.owner = weakref.ref(self)
        return self

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Let ``async for`` go through an overridden ``recv``.

        Where one of `_PASSED_BY` is overridden, all is left to websockets' own code.
        """
        super().__init_subclass__(**kwargs)
        if any(getattr(cls, name) is not getattr(ClientConnection, name) for name in _PASSED_BY):
            cls._serves = False
            for name in _OWN:
                if getattr(cls, name) is getattr(ClientConnection, name):
                    setattr(cls, name, getattr(Theirs, name))
        if cls.recv is not ConnectionBase.recv and cls.__aiter__ is ConnectionBase.__aiter__:
            setattr(cls, "__aiter__", Theirs.__aiter__)  # noqa: B010 - not its type

    async def handshake(self, *args: Any, **options: Any) -> None:
        """Perform the opening handshake. Called by `connect`."""
        await super().handshake(*args, **options)
        self._hand_over()

    def data_received(self, data: bytes) -> None:
        """Read the answer to the handshake, and nothing behind it. Called by the event loop."""
        if not self._serves:
            super().data_received(data)
            return
        if self._rest is not None:
            self._rest += data
            return
        known = self._head_end + data
        end = known.find(_END_OF_HEAD)
        if end < 0:
            self._head_end = known[1 - len(_END_OF_HEAD) :]
            super().data_received(data)
            return
        length = end + len(_END_OF_HEAD) - len(self._head_end)
        super().data_received(data[:length])
        if self.response is not None and self.protocol.state is State.OPEN:
            self.transport.pause_reading()
            self._rest = bytearray(data[length:])
        elif data[length:]:
            super().data_received(data[length:])

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell those who wait that the transport is gone. Called by the event loop."""
        if self._rest is None:
            super().connection_lost(exc)
        else:
            self._lost = (exc,)

    def eof_received(self) -> None:
        """Let the transport close itself. Called by the event loop."""
        if self._rest is None and not isinstance(self.protocol, ServedProtocol):
            super().eof_received()

    def _hand_over(self) -> None:
        core, transport = self._connection, self.transport
        assert isinstance(core, Served)  # noqa: S101 - `__new__` has made it
        deflate = next(iter(self.protocol.extensions), None)
        if isinstance(deflate, PerMessageDeflate):
            core.use_deflate(**agreement(deflate))
        rest = bytes(self._rest or b"")
        self._rest = None
        serve(self.protocol, core)
        core.kept = self
        self.transport: asyncio.Transport = take_over(transport, core)
        self.transport.set_write_buffer_limits(*write_limits(self))
        high, low = queue_limits(self)
        if high is not None:
            # websockets pauses above it, the core at it.
            core.bound_messages(high + 1, high // 4 if low is None else low)
        self._addresses = super().local_address, super().remote_address
        if self._recorder is not None:
            self._recorder.begin(core, url_of(self.protocol), self.subprotocol)
        core.feed(rest)
        if self._lost is not None:
            core.connection_lost(*self._lost)

    @classmethod
    def check_recordable(cls, extensions: Sequence[object]) -> None:
        """Refuse to record connections that are left to websockets' own code.

        Args:
            extensions: What is offered.

        Raises:
            ValueError: They are.
        """
        if not cls._serves:
            raise ValueError(f"cannot record a {cls.__qualname__}, which reads for itself")
        if not all(isinstance(each, ClientPerMessageDeflateFactory) for each in extensions):
            raise ValueError("cannot record connections with extensions of others")

    def record_by(self, recorder: Recorder) -> None:
        """Record it from when the handshake is done.

        Args:
            recorder: Does that.
        """
        self._recorder = recorder

    def blame(self, error: BaseException) -> None:
        """Take note of why the connection ends, unless that is known.

        Args:
            error: Is the cause of what is raised.
        """
        # Up to websockets 16 it has the second name.
        blame = getattr(self, "set_connection_exc", None) or getattr(self, "set_recv_exc")  # noqa: B009
        blame(error)

    def limit_closing(self) -> asyncio.TimerHandle | None:
        """Let the end of the connection come within ``close_timeout`` from when it began.

        Returns:
            A timer, to be cancelled when nobody waits any more; None without a limit.
        """
        if self.close_timeout is None:
            return None
        if self.close_deadline is None:
            self.close_deadline: float | None = self.loop.time() + self.close_timeout
        return self.loop.call_at(self.close_deadline, self._give_up)

    def _give_up(self) -> None:
        self.blame(TimeoutError("timed out while closing connection"))
        self.transport.abort()

    def close_error(self) -> ConnectionClosed:
        """Return what whoever uses a connection that is closed is told."""
        error = self.protocol.close_exc
        # Named `recv_exc` up to websockets 16.
        cause = getattr(self, "connection_exc", None) or getattr(self, "recv_exc", None)
        if cause is not None:
            error.__cause__ = cause
        return error

    @property
    def local_address(self) -> Any:
        """This end of the connection, also when that is closed; see websockets' own."""
        return self._addresses[0] if self._addresses else super().local_address

    @property
    def remote_address(self) -> Any:
        """The other end."""
        return self._addresses[1] if self._addresses else super().remote_address

    @property
    def latency(  # pyright: ignore[reportIncompatibleVariableOverride]
        self,
    ) -> float:
        """The round trip of the last ping that was answered, in seconds; 0.0 before the first."""
        return self._latency or self._their_latency

    @latency.setter
    def latency(  # pyright: ignore[reportIncompatibleVariableOverride]
        self, latency: float
    ) -> None:
        self._their_latency = latency

    async def ping(self, data: str | Bytes | None = None) -> Awaitable[float]:
        """Send a ping; see websockets' own.

        Args:
            data: Its payload.

        Returns:
            A future of the seconds until its pong.

        Raises:
            ConcurrencyError: A ping with the same payload waits for its pong.
            ConnectionClosed: The connection has ended.
            TypeError: The payload is neither text nor bytes.
        """
        if isinstance(data, str):
            data = data.encode()
        elif not isinstance(data, _PAYLOADS):
            raise TypeError("data must be str or bytes-like")
        async with self.send_context():
            check_control(data or b"")
            try:
                return self._round_trip(data)
            except ValueError:
                raise ConcurrencyError("already waiting for a pong with the same data") from None

    def send_context(self, **options: Any) -> Any:
        """Have an end that shows when a frame is written told as one that shows later.

        Another thread is refused before there is anything that would have to fail the connection.
        """
        self._connection.check_thread("send or close")
        return SendContext(self._connection, super().send_context(**options))

    def send_data(self) -> None:
        """Write what the handshake wants written: the core has done the rest."""
        if not isinstance(self.protocol, ServedProtocol):
            super().send_data()

    def close_transport(self) -> None:
        """Drop what cannot be written; from websockets 15 on it does so itself."""
        self.transport.abort()

    async def drain(self) -> None:
        """Wait until the transport has room, or is to have none any more."""
        if asyncio.current_task() is self.keepalive_task:
            # It is to find out whether there will ever be room.
            return
        waiter = self._connection.wait_writable() if self.protocol.state is State.OPEN else None
        if waiter is not None:
            await waiter

    async def _recv_as(self, decode: bool | None) -> str | bytes:
        data: str | bytes = await ConnectionBase.recv(self)
        if decode is None or isinstance(data, str) is bool(decode):
            return data
        if isinstance(data, str):
            return data.encode()
        return await self._decoded(bytes.decode, data)

    async def _decoded(self, decode: Callable[..., str], *arguments: Any) -> str:
        """Decode what the server sent, or fail the connection (RFC 6455 §8.1)."""
        try:
            return decode(*arguments)
        except UnicodeDecodeError as error:
            self.blame(error)
            async with self.send_context():
                self.protocol.fail(
                    CloseCode.INVALID_DATA, f"{error.reason} at position {error.start}"
                )
        await self.wait_closed()
        raise self.close_error()

    async def recv_streaming(self, decode: bool | None = None) -> AsyncIterator[Any]:
        """Receive the next message in pieces, as its fragments arrive.

        Where the iteration is left before its end, the rest of the message is discarded.

        Args:
            decode: As for `recv`.

        Returns:
            An asynchronous iterator over `str` or `bytes`.

        Raises:
            ConnectionClosed: The connection has ended.
            ConcurrencyError: Another task is already waiting.
        """
        decoder = codecs.getincrementaldecoder("utf-8")()
        stream = MessageStream(
            self._connection, self._receive_part, lambda _, __: self.close_error()
        )
        try:
            async for piece in stream:
                if decode is None or isinstance(piece, str) is bool(decode):
                    yield piece
                elif isinstance(piece, str):
                    yield piece.encode()
                else:
                    yield await self._decoded(decoder.decode, piece)
            # What is left of a character is none.
            await self._decoded(decoder.decode, b"", True)
        finally:
            await stream.aclose()

    async def _send_as(self, message: Any, text: bool | None) -> None:
        try:
            await Theirs.send(self, message, text=text)
        except BaseException as error:
            if not isinstance(error, Exception):  # Those they see to.
                cast("ServedProtocol", self.protocol).break_off()
            raise


# `__new__` takes what theirs does.
ClientConnection.__signature__ = signature(Theirs)  # type: ignore[attr-defined]
# What is done here otherwise than there.
_OWN = tuple(
    name
    for name in dir(Theirs)
    if not name.startswith("__") or name == "__aiter__"
    if getattr(ClientConnection, name) is not getattr(Theirs, name)
)
