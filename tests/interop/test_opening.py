"""The opening handshake with real servers."""

import asyncio

import pytest
from tests.ports import free_port

from wsclient import ClientSession, WSServerHandshakeError, ws_connect

from .conftest import NGINX
from .servers import nginx


@pytest.mark.parametrize(
    ("offered", "known", "chosen"),
    [
        ((), (), {None}),
        (("a",), (), {None}),
        (("a", "b"), ("b",), {"b"}),
        # aiohttp goes by the client's order, `websockets` by its own.
        (("a", "b"), ("b", "a"), {"a", "b"}),
    ],
)
async def test_subprotocol(serve, client_tls, offered, known, chosen):
    async def script(peer):
        assert await peer.receive() == "done"

    async with (
        serve(script, subprotocols=known) as url,
        ws_connect(url, protocols=offered, ssl=client_tls) as ws,
    ):
        assert ws.protocol in chosen
        await ws.send_str("done")


async def test_the_response(link):
    async def script(peer):
        assert await peer.receive() == "done"

    async with link(script) as ws:
        assert ws.response.status == 101
        assert ws.response.headers["upgrade"].lower() == "websocket"
        assert ws.response.url.path == "/"
        assert ws.get_extra_info("peername")[0] == "127.0.0.1"
        await ws.send_str("done")


@pytest.mark.parametrize("scheme", [{"ws": "http", "wss": "https"}, {"ws": "WS", "wss": "WSS"}])
async def test_other_names_of_the_scheme(serve, client_tls, scheme):
    async def script(peer):
        assert await peer.receive() == "done"

    async with serve(script) as url:
        name, rest = url.split(":", 1)
        async with ws_connect(f"{scheme[name]}:{rest}", ssl=client_tls) as ws:
            await ws.send_str("done")


async def test_many_connections_of_a_session(echo):
    async with ClientSession() as session:
        connecting = [session.ws_connect(echo) for _ in range(20)]
        connected = await asyncio.gather(*connecting)
        for number, ws in enumerate(connected):
            ws.send_str(str(number))
        received = await asyncio.gather(*(ws.receive_str() for ws in connected))
        assert received == [str(number) for number in range(20)]
    assert all(ws.closed and ws.close_code == 1001 for ws in connected)


async def test_nginx_has_no_server_behind_it(nginx_program, certificate, client_tls, tmp_path):
    port = free_port()
    with (
        nginx(NGINX, certificate, port, tmp_path) as front,
        pytest.raises(WSServerHandshakeError) as caught,
    ):
        await ws_connect(f"wss://127.0.0.1:{front}/", ssl=client_tls)
    assert caught.value.status == 502
    assert b"Bad Gateway" in caught.value.body
    assert caught.value.headers["server"].startswith("nginx")
