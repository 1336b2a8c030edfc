"""wsclient's WebSockets for users of `websockets`."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from wsclient.websockets import connect

from .with_websockets import connect_with

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from ssl import SSLContext

    from . import Connect


@asynccontextmanager
async def connecting(ssl: SSLContext | None) -> AsyncIterator[Connect]:
    """Share nothing."""
    yield connect_with(connect, ssl)
