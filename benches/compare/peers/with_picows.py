"""The callback API of picows, its fastest; a payload is taken as `bytes`."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import picows
from feed import messages, order

from . import BURST, FEED, HEARTBEAT, OPENING
from .callbacks import Counting, Draining, Timing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from ssl import SSLContext

    from . import Connect, Payload

TEXT, BINARY = picows.WSMsgType.TEXT, picows.WSMsgType.BINARY
UNLIMITED = 2**31 - 1
READ_BUFFER = 16 * 1024
"""The default, which grows when it is found full."""


class Connection(Counting, picows.WSListener):
    """A connection, and what is called back for it."""

    def begin(self, transport: picows.WSTransport, payload: Payload) -> None:
        """Know what to send."""
        self.transport = transport
        self.payload = payload
        self.kind = TEXT if isinstance(payload, str) else BINARY

    async def close(self) -> None:
        """Close the connection."""
        self.transport.disconnect()
        await self.transport.wait_disconnected()


class Echoes(Connection):
    """Sends the next message when one has come back."""

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        """Take a message. Called by picows."""
        frame.get_payload_as_bytes()
        self.left -= 1
        if self.left:
            transport.send(BINARY, self.payload)
        else:
            self.finished.set_result(None)

    async def echo(self, count: int) -> None:
        """Make round trips."""
        finished = self.expect(count)
        self.transport.send(self.kind, self.payload)
        await finished


class TextEchoes(Echoes):
    """As `Echoes`, with `str` in place of `bytes`."""

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        """Take a message. Called by picows."""
        frame.get_payload_as_utf8_text()
        self.left -= 1
        if self.left:
            transport.send(TEXT, self.payload)
        else:
            self.finished.set_result(None)


class TimedEchoes(Timing, Echoes):
    """As `Echoes`, with a look at the clock."""

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        """Take a message. Called by picows."""
        frame.get_payload_as_bytes()
        self.stamp()
        self.left -= 1
        if self.left:
            transport.send(BINARY, self.payload)
        else:
            self.finished.set_result(None)

    async def timed_echo(self, count: int) -> list[int]:
        """Make round trips; return the nanoseconds of each."""
        self.start()
        await self.echo(count)
        return self.durations()


class Receives(Connection):
    """Takes what the server pushes."""

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:  # noqa: ARG002
        """Take a message. Called by picows."""
        frame.get_payload_as_bytes()
        self.left -= 1
        if not self.left:
            self.finished.set_result(None)

    async def prepare_receive(self) -> None:
        """Tell the server what to push."""
        self.transport.send(self.kind, self.payload)

    async def receive(self, count: int) -> None:
        """Have `count` messages pushed."""
        finished = self.expect(count)
        self.transport.send(TEXT, str(count))
        await finished


class TextReceives(Receives):
    """As `Receives`, with `str` in place of `bytes`."""

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:  # noqa: ARG002
        """Take a message. Called by picows."""
        frame.get_payload_as_utf8_text()
        self.left -= 1
        if not self.left:
            self.finished.set_result(None)


class Bursts(Connection):
    """Sends some messages when all before have come back."""

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:  # noqa: ARG002
        """Take a message. Called by picows."""
        frame.get_payload_as_bytes()
        self.missing -= 1
        if self.missing:
            return
        if self.left:
            self.send_some()
        else:
            self.finished.set_result(None)

    def send_some(self) -> None:
        """Send; picows has no call for more than one message."""
        self.missing = min(self.left, BURST)
        self.left -= self.missing
        send, payload = self.transport.send, self.payload
        for _ in range(self.missing):
            send(BINARY, payload)

    async def burst(self, count: int) -> None:
        """Send some at a time, and take as many."""
        finished = self.expect(count)
        self.send_some()
        await finished


class Sends(Draining, Connection):
    """Sends, and waits until all has arrived."""

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:  # noqa: ARG002
        """Take the server's word that all has arrived. Called by picows."""
        self.finished.set_result(None)

    async def send(self, count: int) -> None:
        """Send."""
        transport, kind, payload = self.transport, self.kind, self.payload
        for _ in range(count):
            transport.send(kind, payload)
            if self.paused is not None:
                await self.paused
        finished = self.expect(1)
        transport.send(TEXT, "arrived?")
        await finished


class Feeds(Connection):
    """Takes market data."""

    fed = 0

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:  # noqa: ARG002
        """Take a message, or the answer to the ping that asked for them. Called by picows."""
        if frame.msg_type != TEXT:
            return
        text = frame.get_payload_as_utf8_text()
        self.left -= 1
        if not self.left:
            self.finished.set_result(text)

    async def feed(self, count: int) -> None:
        """Ask for messages."""
        finished = self.expect(count)
        self.transport.send_ping(order(count))
        self.fed += count
        if await finished != messages()[(self.fed - 1) % len(messages())]:
            raise RuntimeError("received another message than was expected")


LISTENERS = {
    ("echo", bytes): Echoes,
    ("echo", str): TextEchoes,
    ("timed_echo", bytes): TimedEchoes,
    ("burst", bytes): Bursts,
    ("receive", bytes): Receives,
    ("receive", str): TextReceives,
    ("send", bytes): Sends,
    (FEED, str): Feeds,
}


@asynccontextmanager
async def connecting(ssl: SSLContext | None) -> AsyncIterator[Connect]:
    """Share nothing."""

    async def connect(url: str, payload: Payload, action: str) -> Connection:
        transport, listener = await picows.ws_connect(
            LISTENERS[action, type(payload)],
            url,
            ssl_context=ssl,
            max_frame_size=UNLIMITED,
            # As its author's benchmark does it: a message fits.
            read_buffer_init_size=max(READ_BUFFER, len(payload) + 1024),
            use_aiofastnet=True,
            enable_auto_ping=action == FEED,
            auto_ping_idle_timeout=HEARTBEAT,
            websocket_handshake_timeout=OPENING,
        )
        listener.begin(transport, payload)
        return listener

    yield connect
