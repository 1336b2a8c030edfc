"""No WebSocket client at all: an `asyncio.Protocol` that knows its frames beforehand.

It writes the same bytes each time and counts the bytes that come. What a round trip costs here,
the event loop and the kernel take.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from . import BURST
from .callbacks import Counting, Draining, Timing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from ssl import SSLContext

    from . import Connect, Payload

REQUEST = (
    "GET {} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
TWO_BYTES, EIGHT_BYTES = 126, 127


def header(first: int, size: int, *, masked: bool) -> bytes:
    """Encode the header of a frame (RFC 6455 §5.2); the masking key is 0, which masks nothing."""
    mask = 0x80 if masked else 0
    if size < TWO_BYTES:
        encoded = bytes([first, mask | size])
    elif size < 1 << 16:
        encoded = bytes([first, mask | TWO_BYTES]) + size.to_bytes(2, "big")
    else:
        encoded = bytes([first, mask | EIGHT_BYTES]) + size.to_bytes(8, "big")
    return encoded + bytes(4) * masked


def frame(payload: Payload) -> bytes:
    """Encode a frame from a client."""
    first, data = (0x81, payload.encode()) if isinstance(payload, str) else (0x82, payload)
    return header(first, len(data), masked=True) + data


class Opening(asyncio.Protocol):
    """Sends the opening handshake, and waits for the end of the answer."""

    def __init__(self, url: str) -> None:
        self.request = REQUEST.format(urlsplit(url).path).encode()
        self.answer = b""
        self.opened = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Send. Called by the loop."""
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        """Wait. Called by the loop."""
        self.answer += data
        if self.answer.endswith(b"\r\n\r\n"):
            self.opened.set_result(None)


class Connection(Counting, Timing, Draining, asyncio.Protocol):
    """Counts bytes; what that means is each action's."""

    def __init__(self, transport: asyncio.Transport, payload: bytes) -> None:
        self.transport = transport
        self.frame = frame(payload)
        self.answer_size = len(header(0x82, len(payload), masked=False)) + len(payload)

    async def close(self) -> None:
        """Close the connection."""
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take bytes until all have come. Called by the loop."""
        self.left -= len(data)
        if self.left <= 0:
            self.finished.set_result(None)


class Echoes(Connection):
    """Sends the next message when one has come back."""

    def data_received(self, data: bytes) -> None:
        """Take a message, or a part. Called by the loop."""
        self.missing -= len(data)
        if self.missing > 0:
            return
        self.missing = self.answer_size
        self.left -= 1
        if self.left:
            self.transport.write(self.frame)
        else:
            self.finished.set_result(None)

    async def echo(self, count: int) -> None:
        """Make round trips."""
        self.missing = self.answer_size
        finished = self.expect(count)
        self.transport.write(self.frame)
        await finished


class TimedEchoes(Echoes):
    """As `Echoes`, with a look at the clock."""

    def data_received(self, data: bytes) -> None:
        """Take a message, which is small enough to come at once. Called by the loop."""
        self.stamp()
        super().data_received(data)

    async def timed_echo(self, count: int) -> list[int]:
        """Make round trips; return the nanoseconds of each."""
        self.start()
        await self.echo(count)
        return self.durations()


class Receives(Connection):
    """Takes what the server pushes."""

    async def prepare_receive(self) -> None:
        """Tell the server what to push."""
        self.transport.write(self.frame)

    async def receive(self, count: int) -> None:
        """Have `count` messages pushed."""
        finished = self.expect(count * self.answer_size)
        self.transport.write(frame(str(count)))
        await finished


class Bursts(Connection):
    """Sends some messages at once when all before have come back."""

    def data_received(self, data: bytes) -> None:
        """Take messages, or parts. Called by the loop."""
        self.missing -= len(data)
        if self.missing > 0:
            return
        if self.left:
            self.send_some()
        else:
            self.finished.set_result(None)

    def send_some(self) -> None:
        """Write copies of the frame, which is the least that masking could cost."""
        some = min(self.left, BURST)
        self.left -= some
        self.missing = some * self.answer_size
        self.transport.write(self.frame * some)

    async def burst(self, count: int) -> None:
        """Send some at a time, and take as many."""
        finished = self.expect(count)
        self.send_some()
        await finished


class Sends(Connection):
    """Sends, and waits until all has arrived."""

    async def send(self, count: int) -> None:
        """Copy the frame, which is the least that masking could cost, and write the copy."""
        transport, source, target = self.transport, self.frame, bytearray(len(self.frame))
        for _ in range(count):
            target[:] = source
            transport.write(target)
            if self.paused is not None:
                await self.paused
        finished = self.expect(1)
        transport.write(frame("arrived?"))
        await finished


PROTOCOLS = {
    "echo": Echoes,
    "timed_echo": TimedEchoes,
    "burst": Bursts,
    "receive": Receives,
    "send": Sends,
}


@asynccontextmanager
async def connecting(ssl: SSLContext | None) -> AsyncIterator[Connect]:
    """Share nothing."""

    async def connect(url: str, payload: bytes, action: str) -> Connection:
        address = urlsplit(url)
        transport, opening = await asyncio.get_running_loop().create_connection(
            lambda: Opening(url), address.hostname, address.port, ssl=ssl
        )
        await opening.opened
        connection = PROTOCOLS[action](transport, payload)
        transport.set_protocol(connection)
        return connection

    yield connect
