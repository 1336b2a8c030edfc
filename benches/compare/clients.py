"""A peer, ready to do a scenario."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING, Any, TypeAlias

import uvloop
from peers import connecting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from scenarios import Scenario

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
WARM_UP = 10

Doing: TypeAlias = "Callable[[int], Awaitable[Any]]"


class Opener:
    """Does the scenarios that are about the connections themselves."""

    def __init__(self, connect: Callable[[], Awaitable[Any]]) -> None:
        self._connect = connect
        self._connections: list[Any] = []

    async def hold(self, count: int) -> None:
        """Open connections, one after the other, and keep them."""
        for _ in range(count):
            self._connections.append(await self._connect())

    async def close(self) -> None:
        """Close them all."""
        while self._connections:
            await self._connections.pop().close()


@contextlib.asynccontextmanager
async def ready(scenario: Scenario, peer: str, url: str, authority: str) -> AsyncIterator[Any]:
    """Give a client that has warmed up; its method of the action's name does the scenario."""
    context = ssl.create_default_context(cafile=authority) if scenario.tls else None
    async with connecting(peer, context) as connect:
        if scenario.action == "hold":
            client: Any = Opener(lambda: connect(url, scenario.payload, "echo"))
        else:
            client = await connect(url, scenario.payload, scenario.action)
            prepare = getattr(client, f"prepare_{scenario.action}", None)
            if prepare is not None:
                await prepare()
        await getattr(client, scenario.action)(WARM_UP)
        try:
            yield client
        finally:
            await client.close()
