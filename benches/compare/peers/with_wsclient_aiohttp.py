"""This package's WebSockets, opened by aiohttp's session."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp

from wsclient.aiohttp import ClientSession

from . import aiohttp_options
from .with_wsclient import Connection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from ssl import SSLContext

    from . import Connect, Payload


@asynccontextmanager
async def connecting(ssl: SSLContext | None) -> AsyncIterator[Connect]:
    """Share a session."""
    async with ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def connect(url: str, payload: Payload, action: str) -> Connection:
            ws = await session.ws_connect(url, ssl=ssl or True, **aiohttp_options(action))
            return Connection(ws, payload)

        yield connect
