"""The clients that are compared, each brought to one form.

A peer is an async context manager for one open connection. What it gives runs some round trips:
send the payload, wait for the message that comes back, and again.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import aiohttp
import websockets.asyncio.client

import wsclient

try:
    import picows
    import picows.websockets
except ImportError:
    picows = None

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

RoundTrips: TypeAlias = "Callable[[int], Awaitable[None]]"
Peer: TypeAlias = "Callable[[str, bytes], AbstractAsyncContextManager[RoundTrips]]"

PLAIN = {"compression": None, "ping_interval": None, "proxy": None}


def awaiting(
    send: Callable[[bytes], Awaitable[None]], receive: Callable[[], Awaitable[Any]], payload: bytes
) -> RoundTrips:
    """Make round trips of a client whose messages are awaited."""

    async def round_trips(count: int) -> None:
        reply = None
        for _ in range(count):
            await send(payload)
            reply = await receive()
        assert getattr(reply, "data", reply) == payload

    return round_trips


@asynccontextmanager
async def with_wsclient(url: str, payload: bytes) -> AsyncIterator[RoundTrips]:
    """This package."""
    async with wsclient.ws_connect(url) as ws:
        yield awaiting(ws.send_bytes, ws.receive, payload)


@asynccontextmanager
async def with_aiohttp(url: str, payload: bytes) -> AsyncIterator[RoundTrips]:
    """The client whose API this is."""
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as ws:
        yield awaiting(ws.send_bytes, ws.receive, payload)


@asynccontextmanager
async def with_websockets(url: str, payload: bytes) -> AsyncIterator[RoundTrips]:
    """The `websockets` package."""
    async with websockets.asyncio.client.connect(url, **PLAIN) as ws:
        yield awaiting(ws.send, ws.recv, payload)


@asynccontextmanager
async def with_picows_websockets(url: str, payload: bytes) -> AsyncIterator[RoundTrips]:
    """The awaitable API of picows."""
    async with picows.websockets.connect(url, **PLAIN) as ws:
        yield awaiting(ws.send, ws.recv, payload)


@asynccontextmanager
async def with_picows(url: str, payload: bytes) -> AsyncIterator[RoundTrips]:
    """The callback API of picows: nothing is awaited between the messages."""

    class Echoed(picows.WSListener):
        left = 0
        finished: asyncio.Future[None]

        def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
            assert len(frame.get_payload_as_bytes()) == len(payload)
            self.left -= 1
            if self.left:
                transport.send(picows.WSMsgType.BINARY, payload)
            else:
                self.finished.set_result(None)

    transport, listener = await picows.ws_connect(Echoed, url)

    async def round_trips(count: int) -> None:
        listener.left = count
        listener.finished = asyncio.get_running_loop().create_future()
        transport.send(picows.WSMsgType.BINARY, payload)
        await listener.finished

    yield round_trips
    transport.disconnect()
    await transport.wait_disconnected()


PEERS: dict[str, Peer] = {
    "wsclient": with_wsclient,
    "aiohttp": with_aiohttp,
    "websockets": with_websockets,
}
if picows is not None:
    PEERS["picows.websockets"] = with_picows_websockets
    PEERS["picows (callbacks)"] = with_picows
