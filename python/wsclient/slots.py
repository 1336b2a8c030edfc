"""How many connections there may be at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["Slot", "Slots"]


class Slot:
    """The place of one connection, which it has until `release`."""

    def __init__(self) -> None:
        self._held: list[asyncio.Semaphore] = []

    async def take_from(self, semaphore: asyncio.Semaphore) -> None:
        """Wait for room in one of the limits."""
        await semaphore.acquire()
        self._held.append(semaphore)

    def release(self) -> None:
        """Let the next one have the place; harmless when done before."""
        while self._held:
            self._held.pop().release()


class Slots:
    """Two limits, each 0 for none: for all connections and for those to one endpoint.

    Who comes first is served first.

    Args:
        limit: Connections in total.
        limit_per_host: Connections to one endpoint.

    Raises:
        ValueError: A limit is negative.
    """

    def __init__(self, limit: int, limit_per_host: int) -> None:
        for name, value in (("limit", limit), ("limit_per_host", limit_per_host)):
            if value < 0:
                raise ValueError(f"{name} is {value}, expected at least 0")
        self._limit_per_host = limit_per_host
        self._all = asyncio.Semaphore(limit) if limit else None
        # A semaphore lives while a connection holds it or waits for it.
        self._per_host: WeakValueDictionary[Hashable, asyncio.Semaphore] = WeakValueDictionary()

    async def acquire(self, endpoint: Hashable) -> Slot:
        """Wait for room. Cancelling the wait takes nothing.

        Args:
            endpoint: What `limit_per_host` counts together.
        """
        slot = Slot()
        try:
            if self._limit_per_host:
                fresh = asyncio.Semaphore(self._limit_per_host)
                await slot.take_from(self._per_host.setdefault(endpoint, fresh))
            if self._all is not None:
                await slot.take_from(self._all)
        except BaseException:
            slot.release()
            raise
        return slot
