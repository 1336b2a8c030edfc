"""Test a bot against servers that play scripts: `pytest examples/test_bot.py`."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias, Unpack

import pytest

import wsclient
from wsclient.testing import FaultProxy, ProxiedConnection, Script, Server, refuse

pytestmark = pytest.mark.asyncio
SUBSCRIBE = {"subscribe": "BTC"}

Serve: TypeAlias = Callable[..., Awaitable[Server]]
Interfere: TypeAlias = Callable[..., Awaitable[FaultProxy]]


class Options(wsclient.ConnectOptions, total=False):
    """What `bot` hands on to `reconnect`."""

    reconnect_delays: Callable[[], list[float]]


async def bot(url: str, **options: Unpack[Options]) -> list[float]:
    """Collect prices until the server closes for the day, over as many connections as it takes."""
    prices: list[float] = []
    async for ws in wsclient.reconnect(url, **options):
        await ws.send_json(SUBSCRIBE)
        prices += [msg.json()["price"] async for msg in ws if msg.type is wsclient.WSMsgType.TEXT]
        if ws.close_code == wsclient.WSCloseCode.OK:
            break
    return prices


def at_once() -> list[float]:
    return [0] * 3


async def test_it_subscribes_and_collects(websocket_server: Serve) -> None:
    script = Script().expect(SUBSCRIBE).send({"price": 1}).send({"price": 2}).close()
    server = await websocket_server(script)
    assert await bot(server.url) == [1, 2]


async def test_it_comes_back(websocket_server: Serve) -> None:
    overloaded = refuse(503)
    lost = Script().expect(SUBSCRIBE).send({"price": 1}).drop()
    good = Script().expect(SUBSCRIBE).send({"price": 2}).close()
    server = await websocket_server(overloaded, lost, good)
    assert await bot(server.url, reconnect_delays=at_once) == [1, 2]


def lose_the_first(connection: ProxiedConnection) -> None:
    if connection.number == 1:
        connection.strike("half-open")


async def test_it_notices_a_dead_line(websocket_server: Serve, fault_proxy: Interfere) -> None:
    script = Script().expect(SUBSCRIBE).send({"price": 1}).close()
    proxy = await fault_proxy((await websocket_server(script)).url)
    proxy.on_connect = lose_the_first
    assert await bot(proxy.url, connect_timeout=0.2, reconnect_delays=at_once) == [1]
