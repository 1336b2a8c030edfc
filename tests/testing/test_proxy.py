"""`testing.FaultProxy`, between this client and `testing.serve`; the fault matrix has more."""

import asyncio

import pytest

from wsclient import (
    ClientConnectionResetError,
    MsgType,
    ServerDisconnectedError,
    reconnect,
    testing,
    ws_connect,
)


async def test_what_is_passed_on(tls):
    async with testing.serve(ssl=tls) as server, testing.FaultProxy(server.url) as proxy:
        assert (proxy.port != server.port, len(proxy.connections)) == (True, 0)
        async with ws_connect(proxy.url, ssl=server.ssl_context) as ws:
            await ws.send_bytes(b"x" * 1_000_000)
            assert await ws.receive_bytes() == b"x" * 1_000_000
            assert [connection.number for connection in proxy.connections] == [1]


async def test_the_url_is_the_targets():
    async with testing.FaultProxy("wss://example.org/feed?symbol=BTC") as proxy:
        assert proxy.url == f"wss://127.0.0.1:{proxy.port}/feed?symbol=BTC"


@pytest.mark.parametrize("target", ["/feed", "feed:", "other://host/"])
async def test_a_target_without_an_address(target):
    with pytest.raises(ValueError, match="must have a host, and a port"):
        testing.FaultProxy(target)


@pytest.mark.parametrize("fault", sorted(testing.HARMLESS))
async def test_what_harms_nobody(tls, fault):
    async with (
        testing.serve(ssl=tls) as server,
        testing.FaultProxy(server.url, pause=0.001) as proxy,
        ws_connect(proxy.url, ssl=server.ssl_context) as ws,
    ):
        proxy.strike(fault)
        for message in ("a", "b" * 100_000):
            await ws.send_str(message)
            assert await ws.receive_str() == message


async def test_a_fault_strikes_after_so_many_bytes():
    async with (
        testing.serve() as server,
        testing.FaultProxy(server.url) as proxy,
        ws_connect(proxy.url) as ws,
    ):
        proxy.strike("cut", after=2 * 7 + 3)
        for _ in range(3):
            await ws.send_str("hello")
        assert [await ws.receive_str() for _ in range(2)] == ["hello"] * 2
        assert (await ws.receive()).data == 1006
        assert isinstance(ws.exception(), ServerDisconnectedError)


async def test_one_connection_is_struck_and_others_are_not():
    async with (
        testing.serve() as server,
        testing.FaultProxy(server.url) as proxy,
        ws_connect(proxy.url) as first,
        ws_connect(proxy.url) as second,
    ):
        proxy.connections[0].strike("reset")
        assert (await first.receive()).data == 1006
        assert isinstance(first.exception(), ClientConnectionResetError)
        await second.send_str("still here")
        assert await second.receive_str() == "still here"


async def test_a_connection_that_is_gone_may_be_struck():
    async with testing.serve() as server, testing.FaultProxy(server.url) as proxy:
        async with ws_connect(proxy.url) as ws:
            (connection,) = proxy.connections
            connection.strike("reset")
            await ws.receive()
            while proxy.connections:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0)
        for fault in testing.FAULTS:
            connection.strike(fault)


@pytest.mark.parametrize("fault", ["reset", "cut"])
async def test_a_bot_comes_back_after_failures(fault):
    async with testing.serve(testing.Script().send("at last").expect_close()) as server:

        def strike(connection):
            if connection.number < 4:
                connection.strike(fault)

        async with testing.FaultProxy(server.url, on_connect=strike) as proxy:
            async for ws in reconnect(proxy.url, reconnect_delays=lambda: [0] * 5):
                assert await ws.receive_str() == "at last"
                await ws.close()
                break
        assert len(server.connections) == 1


@pytest.mark.parametrize("fault", ["half-open", "stall"])
async def test_a_proxy_ends_though_its_client_waits(fault):
    async with testing.serve() as server, asyncio.timeout(20):
        async with testing.FaultProxy(server.url) as proxy:
            ws = await ws_connect(proxy.url, timeout=0.1)
            proxy.strike(fault)
            await ws.send_bytes(b"x" * 5_000_000 if fault == "half-open" else b"lost")
        assert (await ws.receive()).tp in {MsgType.closed, MsgType.error}
        await ws.close()
    assert server.received == []


async def test_a_server_that_is_away_ends_connections():
    async with testing.serve() as server:
        pass
    async with testing.FaultProxy(server.url) as proxy:
        with pytest.raises(ServerDisconnectedError):
            await ws_connect(proxy.url)
        async with testing.serve(port=server.port), ws_connect(proxy.url) as ws:
            await ws.send_str("back")
            assert await ws.receive_str() == "back"


async def test_on_connect_may_fail():
    with pytest.raises(ZeroDivisionError):
        async with (
            testing.serve() as server,
            testing.FaultProxy(server.url, on_connect=lambda _: 1 / 0) as proxy,
        ):
            with pytest.raises(ServerDisconnectedError):
                await ws_connect(proxy.url)


async def test_a_fault_that_there_is_not():
    async with (
        testing.serve() as server,
        testing.FaultProxy(server.url) as proxy,
        ws_connect(proxy.url),
    ):
        with pytest.raises(ValueError, match=r"a fault is one of delay, split, .*, not 'slow'"):
            proxy.strike("slow")


async def test_it_runs_once_and_has_its_url_while_it_runs():
    proxy = testing.FaultProxy("ws://localhost:1/")
    with pytest.raises(RuntimeError, match="inside `async with`"):
        proxy.url  # noqa: B018
    async with proxy:
        with pytest.raises(RuntimeError, match="runs once"):
            await proxy.__aenter__()
