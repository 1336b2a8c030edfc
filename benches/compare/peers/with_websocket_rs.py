"""websocket-rs, a client in Rust on asyncio."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import websocket_rs
from feed import order

from .awaiting import Awaiting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from ssl import SSLContext

    from . import Connect, Payload


class Connection(Awaiting):
    """A connection whose sends are no coroutines."""

    def __init__(self, ws: Any, payload: Payload) -> None:
        self._ws = ws
        super().__init__(
            self._send_one, self._send_one, ws.recv, self._close, payload, ping=self._send_ping
        )

    async def _send_one(self, payload: Payload) -> None:
        self._ws.send(payload)

    async def _send_ping(self, data: bytes) -> None:
        self._ws.ping(data)

    async def feed(self, count: int) -> None:
        """Ask for messages, and take them one at a time; text comes as its bytes."""
        receive = self._receive
        await self._ping(order(count))
        text = ""
        for _ in range(count):
            text = str(await receive(), "utf-8")
        self._check_fed(text, count)

    async def _send_some(self, count: int) -> None:
        send, payload = self._ws.send, self._payload
        for _ in range(count):
            send(payload)

    async def _close(self) -> None:
        self._ws.close()


@asynccontextmanager
async def connecting(ssl: SSLContext | None) -> AsyncIterator[Connect]:
    """Share nothing."""

    async def connect(url: str, payload: Payload, _action: str) -> Connection:
        return Connection(await websocket_rs.connect(url, ssl_context=ssl), payload)

    yield connect
