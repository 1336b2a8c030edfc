"""The client whose API wsclient has."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp

from . import aiohttp_options
from .awaiting import Awaiting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from ssl import SSLContext

    from . import Connect, Payload


@asynccontextmanager
async def connecting(ssl: SSLContext | None) -> AsyncIterator[Connect]:
    """Share a session."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def connect(url: str, payload: Payload, action: str) -> Awaiting:
            ws = await session.ws_connect(url, ssl=ssl or True, **aiohttp_options(action))
            send = ws.send_str if isinstance(payload, str) else ws.send_bytes
            return Awaiting(send, ws.send_str, ws.receive, ws.close, payload, ping=ws.ping)

        yield connect
