"""This package with `busy_poll`: what it does for a bot that has a processor core of its own."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from . import with_wsclient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from ssl import SSLContext

    from . import Connect

SECONDS = 0.001
"""Some ten times what a round trip takes here."""


@asynccontextmanager
async def connecting(ssl: SSLContext | None) -> AsyncIterator[Connect]:
    """Share a session."""
    async with with_wsclient.connecting(ssl, busy_poll=SECONDS) as connect:
        yield connect
