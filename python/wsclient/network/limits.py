"""How many connections there may be at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from wsclient.arguments import read_count

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["Limits", "Slot"]


class Slot:
    """The place of one connection, which it has until `release`.

    Args:
        limits: Where it counts from `count` on.
    """

    __slots__ = ("_held", "_limits")

    def __init__(self, limits: Limits) -> None:
        self._limits: Limits | None = limits
        self._held: tuple[asyncio.Semaphore, ...] = ()

    async def take_from(self, semaphore: asyncio.Semaphore) -> None:
        """Wait for room in one of the limits."""
        await semaphore.acquire()
        self._held = (*self._held, semaphore)

    def release(self) -> None:
        """Let the next one have the place; harmless when done before."""
        limits, self._limits = self._limits, None
        held, self._held = self._held, ()
        if limits is not None:
            limits.count -= 1
        for semaphore in reversed(held):
            semaphore.release()


class Limits:
    """Two limits, each 0 for none: for all connections and for those to one endpoint.

    Who comes first is served first.

    Args:
        limit: Connections in total.
        limit_per_host: Connections to one endpoint.

    Attributes:
        count: Connections that have a place, or wait for one.

    Raises:
        TypeError: A limit is not `int`.
        ValueError: A limit is negative.
    """

    __slots__ = ("_all", "_limit", "_limit_per_host", "_per_host", "count")

    def __init__(self, limit: int, limit_per_host: int) -> None:
        for name, value in (("limit", limit), ("limit_per_host", limit_per_host)):
            read_count(name, value, expected="int, of which 0 is no limit")
        self.count: int = 0
        self._limit = limit
        self._limit_per_host = limit_per_host
        self._all = asyncio.Semaphore(limit) if limit else None
        # A semaphore lives while a connection holds it or waits for it.
        self._per_host: WeakValueDictionary[Hashable, asyncio.Semaphore] | None = (
            WeakValueDictionary() if limit_per_host else None
        )

    @property
    def limited(self) -> bool:
        """Whether there is a limit."""
        return bool(self._limit or self._limit_per_host)

    async def acquire(self, endpoint: Hashable) -> Slot:
        """Wait for room. Cancelling the wait takes nothing.

        Args:
            endpoint: What `limit_per_host` counts together.
        """
        slot = Slot(self)
        self.count += 1
        try:
            if self._per_host is not None:
                fresh = asyncio.Semaphore(self._limit_per_host)
                await slot.take_from(self._per_host.setdefault(endpoint, fresh))
            if self._all is not None:
                await slot.take_from(self._all)
        except BaseException:
            slot.release()
            raise
        return slot

    def __str__(self) -> str:
        limits = (("limit", self._limit), ("limit_per_host", self._limit_per_host))
        set_ones = [f"{name} {value}" for name, value in limits if value]
        return ", ".join([f"{self.count} connections", *(set_ones or ["no limit"])])
