"""Test a bot against servers that play scripts: `pytest examples/test_bot.py`."""

import pytest

import wsclient
from wsclient.testing import Script, refuse

pytestmark = pytest.mark.asyncio
SUBSCRIBE = {"subscribe": "BTC"}


async def bot(url, **options):
    """Collect prices until the server closes for the day, over as many connections as it takes."""
    prices = []
    async for ws in wsclient.reconnect(url, **options):
        await ws.send_json(SUBSCRIBE)
        prices += [msg.json()["price"] async for msg in ws if msg.type is wsclient.WSMsgType.TEXT]
        if ws.close_code == wsclient.WSCloseCode.OK:
            break
    return prices


def at_once():
    return [0] * 3


async def test_it_subscribes_and_collects(websocket_server):
    script = Script().expect(SUBSCRIBE).send({"price": 1}).send({"price": 2}).close()
    server = await websocket_server(script)
    assert await bot(server.url) == [1, 2]


async def test_it_comes_back(websocket_server):
    overloaded = refuse(503)
    lost = Script().expect(SUBSCRIBE).send({"price": 1}).drop()
    good = Script().expect(SUBSCRIBE).send({"price": 2}).close()
    server = await websocket_server(overloaded, lost, good)
    assert await bot(server.url, reconnect_delays=at_once) == [1, 2]


async def test_it_notices_a_dead_line(websocket_server, fault_proxy):
    script = Script().expect(SUBSCRIBE).send({"price": 1}).close()
    proxy = await fault_proxy((await websocket_server(script)).url)
    proxy.on_connect = lambda connection: connection.number == 1 and connection.strike("half-open")
    options = {"connect_timeout": 0.2, "reconnect_delays": at_once}
    assert await bot(proxy.url, **options) == [1]
