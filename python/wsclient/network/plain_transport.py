"""Plain connections: what is left of a transport whose protocol reads for itself.

The core reads and writes the socket past its transport. aiofastnet's would be 4 KiB of memory for
each connection and 40 us of opening it, for a part that then only waits: to queue what the socket
does not take, and to see to the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import warnings
from asyncio.trsock import TransportSocket
from collections import deque
from typing import TYPE_CHECKING, Any, cast

from wsclient._core import forks

from .sockets import Watcher

if TYPE_CHECKING:
    import socket

__all__ = ["PlainTransport"]

_READ_SIZE = 64 * 1024


class PlainTransport(Watcher, asyncio.Transport):
    """A stream socket without TLS, as `asyncio.Transport` describes one.

    A protocol that has a method ``_read_ready`` reads the socket itself when that is called; others
    get what was read by ``data_received``.

    Args:
        loop: The event loop, which has to have ``add_reader``.
        sock: Connected, not blocking; it belongs to the transport from now on.
        protocol: Is told of everything, and first, before this returns, of ``connection_made``.

    """

    __slots__ = (
        "_backlog",
        "_backlog_size",
        "_closing",
        "_forks",
        "_high",
        "_loop",
        "_low",
        "_paused",
        "_protocol",
        "_protocol_paused",
        "_reader",
        "_sock",
        "_watched",
    )

    def __init__(
        self, loop: asyncio.AbstractEventLoop, sock: socket.socket, protocol: asyncio.BaseProtocol
    ) -> None:
        # Not asyncio's dictionary: what it would hold is asked of the socket.
        self._loop = loop
        self._sock = sock
        # None when there is nobody to tell: the connection is lost, or not made yet.
        self._protocol: asyncio.BaseProtocol | None = None
        self._backlog: deque[memoryview] | None = None
        self._backlog_size = 0
        self._high, self._low = 64 * 1024, 16 * 1024
        self._protocol_paused = False
        self._paused = False
        self._closing = False
        self._forks = forks()
        self._reader = None
        self._watch_for(protocol)
        self._protocol = protocol
        protocol.connection_made(self)

    def _watch_for(self, protocol: asyncio.BaseProtocol | None) -> None:
        self._watch(self._sock.fileno(), getattr(protocol, "_read_ready", self._read_ready))

    def _stop_watching(self) -> None:
        if not self._is_copy():
            self._unwatch(self._sock.fileno())

    def _read_on(self) -> None:
        if not self.is_reading():
            return
        try:
            self._watch_for(self._protocol)
        except (OSError, RuntimeError) as error:
            self._force_close(error)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Look up ``socket``, ``sockname`` or ``peername``."""
        try:
            match name:
                case "socket":
                    return TransportSocket(self._sock)
                case "sockname":
                    return self._sock.getsockname()
                case "peername":
                    return self._sock.getpeername()
                case _:
                    return default
        except OSError:
            return default

    @property
    def sock(self) -> socket.socket:
        """The socket itself, not what `get_extra_info` shows of it."""
        return self._sock

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Tell another protocol from now on."""
        self._protocol = protocol
        self._read_on()

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the protocol."""
        return cast("asyncio.BaseProtocol", self._protocol)

    def is_closing(self) -> bool:
        """Tell whether it is closed or about to be, or belongs to the parent process."""
        return self._closing or self._is_copy()

    def _is_copy(self) -> bool:
        # The child of a fork shares the socket with its parent, and with epoll the selector.
        return self._forks != forks()

    def is_reading(self) -> bool:
        """Tell whether it reads."""
        return not (self._paused or self.is_closing())

    def pause_reading(self) -> None:
        """Read no more until `resume_reading`."""
        if self._paused or self.is_closing():
            return
        self._paused = True
        # One's own reader notices, if anything comes before reading goes on: that saves a
        # handshake, which pauses for a moment, two calls of the selector.
        if hasattr(self._protocol, "_read_ready"):
            self._stop_watching()

    def resume_reading(self) -> None:
        """Read on."""
        if self._paused and not self.is_closing():
            self._paused = False
            try:
                self._read_on()
            except BaseException:
                # Interrupted.
                self._paused = True
                raise

    def _read_ready(self) -> None:
        if self.is_closing():
            return
        if self._paused:
            self._stop_watching()
            return
        try:
            data = self._sock.recv(_READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._force_close(error)
            return
        protocol = cast("asyncio.Protocol", self._protocol)
        if data:
            protocol.data_received(data)
        elif protocol.eof_received():
            self._stop_watching()
        else:
            self.close()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send, or queue what cannot be sent yet."""
        if not data or self.is_closing():
            return
        rest = memoryview(data)
        if self._backlog is None:
            rest = rest[self._send(rest) :]
            if not rest or self._closing:
                return
            try:
                self._loop.add_writer(self._sock.fileno(), self._write_ready)
            except Exception as error:  # noqa: BLE001 - a part may have left, which ends the rest
                self._send_failed(error)
                return
            self._backlog = deque()
        # A copy, if the caller may change it.
        self._backlog.append(rest if isinstance(data, bytes) else memoryview(bytes(rest)))
        self._backlog_size += len(rest)
        self._pause_protocol()

    def _send(self, data: memoryview) -> int:
        try:
            return self._sock.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            self._send_failed(error)
            return 0

    def _send_failed(self, error: Exception) -> None:
        """Lose the connection, but not what the peer had sent before it left."""
        self._force_close(error)
        protocol = cast("Any", self._protocol)
        receive = getattr(protocol, "feed", None) or protocol.data_received
        with contextlib.suppress(OSError):
            while data := self._sock.recv(_READ_SIZE):
                receive(data)

    def _write_ready(self) -> None:
        if self._is_copy():
            return
        backlog = self._backlog
        while backlog:
            sent = self._send(backlog[0])
            if self._backlog is None:  # an error has closed the connection
                return
            self._backlog_size -= sent
            if sent < len(backlog[0]):
                backlog[0] = backlog[0][sent:]
                break
            backlog.popleft()
        if not backlog:
            self._drop_backlog()
            if self._closing:
                self._loop.call_soon(self._lost, None)
        if self._protocol_paused and self._backlog_size <= self._low:
            self._protocol_paused = False
            cast("asyncio.BaseProtocol", self._protocol).resume_writing()

    def _pause_protocol(self) -> None:
        if not self._protocol_paused and self._backlog_size > self._high:
            self._protocol_paused = True
            cast("asyncio.BaseProtocol", self._protocol).pause_writing()

    def _drop_backlog(self) -> None:
        if self._backlog is not None:
            self._backlog = None
            self._backlog_size = 0
            if not self._is_copy():
                self._loop.remove_writer(self._sock.fileno())

    def get_write_buffer_size(self) -> int:
        """Return how many bytes are queued."""
        return self._backlog_size

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Return the sizes at which the protocol may send again, and at which it must not."""
        return self._low, self._high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set these sizes; see `asyncio.WriteTransport.set_write_buffer_limits`."""
        if high is None:
            high = 64 * 1024 if low is None else 4 * low
        if low is None:
            low = high // 4
        if not high >= low >= 0:
            raise ValueError(f"high is {high} and low is {low}, expected high >= low >= 0")
        self._high, self._low = high, low
        self._pause_protocol()

    def can_write_eof(self) -> bool:
        """Tell that only both directions end together."""
        return False

    def close(self) -> None:
        """Close when what is queued has been sent."""
        if self._closing:
            return
        if self._is_copy():
            self._backlog = None
        if self._backlog is None:
            # First: without memory for it, nothing has changed.
            self._loop.call_soon(self._lost, None)
        self._closing = True
        self._stop_watching()

    def abort(self) -> None:
        """Close at once."""
        self._force_close(None)

    def _force_close(self, error: Exception | None) -> None:
        if self._closing and self._backlog is None:
            return
        self._loop.call_soon(self._lost, error)
        self._closing = True
        self._stop_watching()
        self._drop_backlog()

    def _lost(self, error: Exception | None) -> None:
        protocol = self._protocol
        # Told already: there was no memory to close in one go, or a finalizer that ran inside
        # call_soon() has ended it, too.
        if protocol is None:
            return
        self._protocol = None
        try:
            protocol.connection_lost(error)
        finally:
            if not self._is_copy():
                self._end_watch(self._sock.fileno())
            self._sock.close()

    def __repr__(self) -> str:
        state = "closed" if self._protocol is None else "closing" if self._closing else "open"
        return f"<{type(self).__name__} {state}, {self._backlog_size} bytes queued>"

    def __del__(self) -> None:
        if self._protocol is None:
            return
        if not self._is_copy():
            warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=2)
        self._sock.close()
