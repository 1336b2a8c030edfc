"""This package."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import wsclient

from . import BURST, OPENING, aiohttp_options
from .awaiting import Awaiting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from ssl import SSLContext

    from . import Connect, Payload


class Connection(Awaiting):
    """A connection that can be received from in batches, and without messages."""

    def __init__(self, ws: wsclient.ClientWebSocketResponse, payload: Payload) -> None:
        send = ws.send_str if isinstance(payload, str) else ws.send_bytes
        super().__init__(send, ws.send_str, ws.receive, ws.close, payload, ping=ws.ping)
        self._receive_many = ws.receive_many
        text = isinstance(payload, str)
        self._receive_typed = ws.receive_str if text else ws.receive_bytes
        self._receive_many_typed = ws.receive_many_str if text else ws.receive_many_bytes
        self._send_many = ws.send_many

    async def burst(self, count: int) -> None:
        """Send some at once, and take as many, all that are there at a time."""
        send_many, receive_many, payload = self._send_many, self._receive_many, self._payload
        batch = []
        while count > 0:
            some = min(count, BURST)
            await send_many([payload] * some)
            while some > 0:
                batch = await receive_many()
                for message in batch:
                    message.data  # noqa: B018  # what is received is looked at
                some -= len(batch)
            count -= BURST
        self._check(batch[-1])

    async def receive_batches(self, count: int) -> None:
        """Have `count` messages pushed; take all that are there at a time."""
        receive_many = self._receive_many
        await self._command(str(count))
        batch = []
        while count > 0:
            batch = await receive_many()
            for message in batch:
                message.data  # noqa: B018  # what is received is looked at
            count -= len(batch)
        self._check(batch[-1])

    async def receive_typed(self, count: int) -> None:
        """Have `count` messages pushed; take their data one at a time."""
        receive_typed = self._receive_typed
        await self._command(str(count))
        data = None
        for _ in range(count):
            data = await receive_typed()
        self._check(data)

    async def receive_typed_batches(self, count: int) -> None:
        """Have `count` messages pushed; take the data of all that are there at a time."""
        receive_many_typed = self._receive_many_typed
        await self._command(str(count))
        batch = []
        while count > 0:
            batch = await receive_many_typed()
            for data in batch:
                data  # noqa: B018  # what is received is looked at
            count -= len(batch)
        self._check(batch[-1])


@asynccontextmanager
async def connecting(ssl: SSLContext | None, *, busy_poll: float = 0) -> AsyncIterator[Connect]:
    """Share a session."""
    async with wsclient.ClientSession(busy_poll=busy_poll) as session:

        async def connect(url: str, payload: Payload, action: str) -> Connection:
            ws = await session.ws_connect(
                url, ssl=ssl, connect_timeout=OPENING, **aiohttp_options(action)
            )
            return Connection(ws, payload)

        yield connect
