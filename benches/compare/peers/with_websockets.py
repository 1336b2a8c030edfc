"""The `websockets` package."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import websockets.asyncio.client

from . import DEFLATED, FEED, HEARTBEAT, OPENING
from .awaiting import Awaiting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from ssl import SSLContext

    from . import Connect, Payload


def options(action: str) -> dict[str, Any]:
    """Return what `connect` is called with."""
    return {
        "compression": "deflate" if action == DEFLATED else None,
        "max_size": None,
        "max_queue": None,
        "ping_interval": HEARTBEAT if action in {FEED, DEFLATED} else None,
        "open_timeout": OPENING,
        "proxy": None,
    }


def connect_with(function: Callable[..., Any], ssl: SSLContext | None) -> Connect:
    """Connect with a function that has the parameters of `websockets`."""

    async def connect(url: str, payload: Payload, action: str) -> Awaiting:
        ws = await function(url, ssl=ssl, **options(action))
        return Awaiting(ws.send, ws.send, ws.recv, ws.close, payload, ping=ws.ping)

    return connect


@asynccontextmanager
async def connecting(ssl: SSLContext | None) -> AsyncIterator[Connect]:
    """Share nothing."""
    yield connect_with(websockets.asyncio.client.connect, ssl)
