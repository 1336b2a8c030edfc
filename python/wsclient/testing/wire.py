"""The stream of one connection under the sans-I/O protocol of `websockets`."""

from __future__ import annotations

import asyncio
import math
import ssl
from collections import deque
from typing import TYPE_CHECKING, cast

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State

from .expectations import ClientGone
from .streams import end, reset

if TYPE_CHECKING:
    from collections.abc import Callable

    from websockets.http11 import Response
    from websockets.server import ServerProtocol

    from .expectations import Received

__all__ = ["Wire"]

_READ = 1 << 16
_DATA = {Opcode.TEXT, Opcode.BINARY, Opcode.CONT}


class Wire:
    """Reads and writes for a server's end, and answers what the protocol answers by itself.

    Args:
        protocol: Knows what the bytes mean.
        reader: What the client sends.
        writer: What is sent to it.

    Attributes:
        inbox: Messages that have come, and wait.
        end: How the client has left, in words; None before.
        over: Whether this side has ended the stream, after which nothing is sent.
        test_ends: Whether the test has, so that nothing more will come.
        on_message: Is called with each message when it has come.
        progress: Grows with all that happens here.
    """

    def __init__(
        self,
        protocol: ServerProtocol,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.protocol = protocol
        self.inbox: deque[Received] = deque()
        self.end: str | None = None
        self.over: bool = False
        self.test_ends = False
        self.progress: int = 0
        self.on_message: Callable[[Received], None] | None = None
        self._reader = reader
        self._writer = writer
        self._parts: list[bytes] = []
        self._text = False
        self._news = asyncio.Event()
        self._sending = asyncio.Lock()
        self._reads = asyncio.Event()
        self._reads.set()
        self._held = False

    async def changed(self) -> None:
        """Wait until something has happened."""
        self._news.clear()
        await self._news.wait()

    async def request(self) -> Request | None:
        """Read the opening handshake; None if the client left, or sent something else."""
        try:
            while data := await self._reader.read(_READ):
                self.protocol.receive_data(data)
                for event in self.protocol.events_received():
                    if isinstance(event, Request):
                        return event
                if self.protocol.close_expected():
                    break
        except (OSError, ssl.SSLError):
            return None
        self.flush()
        return None

    def answer(self, response: Response) -> None:
        """Send the answer to the opening handshake."""
        self.protocol.send_response(response)
        self.flush()

    async def pump(self) -> None:
        """Read to the end of the stream."""
        how = "the end of the stream without a close frame"
        self._take()
        try:
            while data := await self._reader.read(_READ):
                await self._reads.wait()
                self.progress += 1
                if not self.over:
                    self.protocol.receive_data(data)
                    self._take()
                    self.flush()
        except (OSError, ssl.SSLError) as error:
            how = f"the loss of the connection: {error}"
        if self.end is None:
            self.end = how
        self._news.set()

    def _take(self) -> None:
        """Make messages of the frames that have come, and see whether they were the last."""
        for event in self.protocol.events_received():
            if isinstance(event, Frame) and event.opcode in _DATA:
                self._take_frame(event)
        close, wrong = self.protocol.close_rcvd, self.protocol.parser_exc
        if close is not None:
            self.end = f"the client's close frame with {close.code} and {close.reason!r}"
        elif wrong is not None:
            self.end = f"a breach of the protocol: {wrong}"
        self._news.set()

    def _take_frame(self, frame: Frame) -> None:
        if frame.opcode is not Opcode.CONT:
            self._text = frame.opcode is Opcode.TEXT
        self._parts.append(bytes(frame.data))
        if frame.fin:
            whole = b"".join(self._parts)
            self._parts.clear()
            try:
                message = whole.decode() if self._text else whole
            except UnicodeDecodeError as error:  # RFC 6455 §8.1
                self.protocol.fail(1007, "text is not UTF-8")
                self.protocol.parser_exc = error
                return
            self.inbox.append(message)
            if self.on_message is not None:
                self.on_message(message)

    def flush(self) -> None:
        """Write what the protocol has to say, unless the stream is held."""
        if self._held or self.over:
            return
        for data in self.protocol.data_to_send():
            if not data:
                self.end_stream()
            elif not self._writer.transport.is_closing():
                self._writer.write(data)

    async def send(
        self, frames: list[tuple[Opcode, bytes, bool]], slow: float, cut_after: int | None
    ) -> None:
        """Send frames: opcode, payload and whether it is the last. See `ServerConnection.send`."""
        async with self._sending:
            if self.end is not None:
                raise ClientGone(f"the client has left: {self.end}")
            if self.over or self.protocol.state is not State.OPEN:
                raise RuntimeError("this server has ended the connection")
            for opcode, payload, fin in frames:
                if opcode is Opcode.CONT:
                    self.protocol.send_continuation(payload, fin)
                elif opcode is Opcode.TEXT:
                    self.protocol.send_text(payload, fin)
                elif opcode is Opcode.PING:
                    self.protocol.send_ping(payload)
                else:
                    self.protocol.send_binary(payload, fin)
            data = b"".join(self.protocol.data_to_send())[:cut_after]
            # Held also if it is cancelled: nothing may come into the middle of a message.
            self._held = True
            await self._write(data, slow)
            self._held = False
            if cut_after is None:
                self.flush()
            else:
                self.end_stream()

    async def _write(self, data: bytes, slow: float) -> None:
        size = 1 if slow else max(len(data), 1)
        try:
            for start in range(0, len(data), size):
                # uvloop's has another error for that.
                if self._writer.transport.is_closing():
                    raise ConnectionResetError("it is closed")
                self._writer.write(data[start : start + size])
                await self._writer.drain()
                self.progress += 1
                if slow:
                    await asyncio.sleep(slow)
        except (OSError, ssl.SSLError) as error:
            raise ClientGone(f"the client has left: {error}") from error

    async def close(self, code: int | None, reason: str) -> None:
        """Send a close frame, unless the closing handshake has begun."""
        async with self._sending:
            if not self.over and self.protocol.state is State.OPEN:
                self.protocol.send_close(code, reason)
                self.flush()

    async def stall(self, seconds: float) -> None:
        """Neither send nor read."""
        async with self._sending:
            transport = cast("asyncio.Transport", self._writer.transport)
            self._held = True
            self._reads.clear()
            if not transport.is_closing():
                transport.pause_reading()
            try:
                await (asyncio.Event().wait() if seconds == math.inf else asyncio.sleep(seconds))
            finally:
                self._held = False
                self._reads.set()
                if not transport.is_closing():
                    transport.resume_reading()
            self.flush()

    def end_stream(self) -> None:
        """End the stream; what the client still sends is read."""
        self.over = True
        end(self._writer)

    def reset(self) -> None:
        """Reset the TCP connection."""
        self.over = True
        reset(self._writer)

    def go_away(self) -> None:
        """Close with 1001 (RFC 6455 §7.4.1), where that can still be said."""
        if self.protocol.state is State.OPEN and not self._held and not self.over:
            self.protocol.send_close(1001)
            self.flush()
