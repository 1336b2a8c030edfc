"""The same servers and faults for other clients: `websockets` and aiohttp."""

import asyncio

import aiohttp
import pytest
import websockets
import websockets.sync.client

from wsclient import testing
from wsclient.testing import Script

# Without a proxy that the environment may have; older releases know of none.
DIRECT = {"proxy": None} if int(websockets.__version__.split(".")[0]) >= 15 else {}


@pytest.mark.parametrize("tls", [False, True], ids=["ws", "wss"])
async def test_websockets(tls):
    script = Script().expect({"op": "hello"}).send("welcome", fragments=3).close(4000, "end")
    async with testing.serve(script, ssl=tls, compression=True) as server:
        options = {"ssl": server.ssl_context} if tls else {}
        async with websockets.connect(server.url, **DIRECT, **options) as ws:
            await ws.send('{"op": "hello"}')
            assert await ws.recv() == "welcome"
            assert server.connections[0].compressed
            with pytest.raises(websockets.ConnectionClosedError) as caught:
                await ws.recv()
            assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (4000, "end")


@pytest.mark.parametrize("tls", [False, True], ids=["ws", "wss"])
async def test_aiohttp(tls):
    script = Script().expect(b"hello").send(b"welcome", fragments=2).drop()
    async with testing.serve(testing.refuse(503), script, ssl=tls) as server:
        connector = aiohttp.TCPConnector(ssl=server.ssl_context or False)
        async with aiohttp.ClientSession(connector=connector) as session:
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await session.ws_connect(server.url)
            async with session.ws_connect(server.url) as ws:
                await ws.send_bytes(b"hello")
                assert await ws.receive_bytes() == b"welcome"
                assert (await ws.receive()).type is aiohttp.WSMsgType.CLOSED


async def test_faults_for_websockets():
    async with (
        testing.serve() as server,
        testing.FaultProxy(server.url) as proxy,
        websockets.connect(proxy.url, **DIRECT) as ws,
    ):
        await ws.send("before")
        assert await ws.recv() == "before"
        proxy.strike("reset")
        with pytest.raises(websockets.ConnectionClosedError):
            await ws.recv()


async def test_faults_for_aiohttp():
    async with (
        testing.serve() as server,
        testing.FaultProxy(server.url) as proxy,
        aiohttp.ClientSession() as session,
        session.ws_connect(proxy.url) as ws,
    ):
        await ws.send_str("before")
        assert await ws.receive_str() == "before"
        proxy.strike("cut")
        assert (await ws.receive()).type is aiohttp.WSMsgType.CLOSED


@pytest.mark.parametrize("tls", [False, True], ids=["ws", "wss"])
def test_a_client_without_an_event_loop(tls):
    script = Script().expect("hello").send("welcome")
    with testing.serve(script, ssl=tls) as server:
        connecting = websockets.sync.client.connect(server.url, ssl=server.ssl_context, **DIRECT)
        with connecting as ws:
            ws.send("hello")
            assert ws.recv() == "welcome"
    assert server.received == ["hello"]


def test_an_expectation_that_fails_in_another_thread():
    with (
        pytest.raises(testing.ExpectationError, match="expected text 'hello', got text 'bye'"),
        testing.serve(Script().expect("hello")) as server,
        websockets.sync.client.connect(server.url, **DIRECT) as ws,
    ):
        ws.send("bye")


def test_a_failure_of_a_test_without_an_event_loop():
    with (
        pytest.raises(ZeroDivisionError) as caught,
        testing.serve(Script().expect("hello")) as server,
        websockets.sync.client.connect(server.url, **DIRECT),
    ):
        _ = 1 / 0
    assert "expected text 'hello'" in caught.value.__notes__[0]


def test_a_server_that_cannot_start_in_another_thread():
    with (
        testing.serve() as server,
        pytest.raises(OSError, match=r"(?i)address already in use"),
        testing.serve(port=server.port),
    ):
        pass


async def test_a_server_of_another_thread_from_an_event_loop():
    with testing.serve() as server:
        async with websockets.connect(server.url, **DIRECT) as ws:
            await ws.send("hello")
            assert await ws.recv() == "hello"
    await asyncio.sleep(0)
