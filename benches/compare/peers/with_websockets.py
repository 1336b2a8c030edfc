"""The `websockets` package."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import websockets.asyncio.client

from . import OPENING
from .awaiting import Awaiting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from ssl import SSLContext

    from . import Connect, Payload

OPTIONS = {
    "compression": None,
    "max_size": None,
    "max_queue": None,
    "ping_interval": None,
    "open_timeout": OPENING,
    "proxy": None,
}


def connect_with(function: Callable[..., Any], ssl: SSLContext | None) -> Connect:
    """Connect with a function that has the parameters of `websockets`."""

    async def connect(url: str, payload: Payload, _action: str) -> Awaiting:
        ws = await function(url, ssl=ssl, **OPTIONS)
        return Awaiting(ws.send, ws.send, ws.recv, ws.close, payload)

    return connect


@asynccontextmanager
async def connecting(ssl: SSLContext | None) -> AsyncIterator[Connect]:
    """Share nothing."""
    yield connect_with(websockets.asyncio.client.connect, ssl)
