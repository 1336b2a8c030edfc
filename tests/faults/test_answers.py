"""Answers that open nothing, and connections cut in the middle of one."""

import asyncio
import socket

import pytest
from tests.conftest import accept
from yarl import URL

from wsclient.exceptions import (
    ClientConnectorError,
    ServerDisconnectedError,
    WSServerHandshakeError,
)
from wsclient.network.tcp import TCPConnector

from .conftest import FRAMES, failure, opening, take_over


@pytest.mark.parametrize("status", [200, 401, 403, 404, 500])
async def test_other_status(serve, no_leak, status):
    head = f"HTTP/1.1 {status} No\r\nSet-Cookie: secret\r\nContent-Length: 5\r\n\r\n".encode()
    peer = await serve(head + b"\xffnope")
    async with no_leak():
        error = await failure(WSServerHandshakeError, peer.url)
    assert (error.status, error.body) == (status, b"\xffnope")
    assert error.headers["set-cookie"] == "secret"
    assert (error.url, error.history) == (URL(peer.url), ())


@pytest.mark.parametrize(
    ("endless", "start", "status", "body"),
    [
        (b"X: y\r\n", b"HTTP/1.1 101 x\r\n", 0, b""),
        (b"a" * 1000, b"HTTP/1.1 101 ", 0, b""),
        (b"a" * 1000, b"HTTP/1.1 500 x\r\n\r\n", 500, b"a" * 4096),
        (b"HTTP/1.1 103 x\r\n\r\n", b"", 0, b""),
    ],
)
async def test_endless_answers(serve, endless, start, status, body):
    async def script(exchange):
        await exchange.send(start)
        while True:
            await exchange.send(endless * 100)
            await asyncio.sleep(0)

    peer = await serve(script)
    error = await failure(WSServerHandshakeError, peer.url)
    assert (error.status, error.body) == (status, body)


@pytest.mark.parametrize("garbage", [b"SSH-2.0-x\r\n", b"\x00" * 100, b"HTTP/1.1 xyz\r\n\r\n"])
async def test_garbage(serve, garbage):
    peer = await serve(garbage)
    error = await failure(WSServerHandshakeError, peer.url)
    assert "not HTTP/1.1" in str(error)
    assert error.status == 0


@pytest.mark.parametrize(
    ("bend", "extra"),
    [
        ({"Sec_WebSocket_Accept": None}, []),
        ({"Sec_WebSocket_Accept": "c2VjcmV0"}, []),
        ({}, ["Sec-WebSocket-Accept: x"]),
        ({"Upgrade": "h2c"}, []),
        ({"Connection": "close"}, []),
        ({}, ["Sec-WebSocket-Protocol: z"]),
        ({}, ["Sec-WebSocket-Extensions: permessage-deflate"]),
    ],
)
async def test_101_that_is_not_ours(serve, no_leak, bend, extra):
    peer = await serve(lambda request: accept(request, *extra, **bend) + FRAMES)
    async with no_leak():
        error = await failure(WSServerHandshakeError, peer.url, protocols=["a"])
    assert error.status == 101


@pytest.mark.parametrize("reset", [False, True])
async def test_cut_at_every_byte_of_the_101(serve, no_leak, reset):
    async def script(exchange):
        await exchange.send(accept(exchange.request)[:cut])
        if reset:
            linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
            sock = exchange.writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            exchange.writer.transport.abort()

    cut = 0
    peer = await serve(script)
    size = len(accept(b"Sec-WebSocket-Key: x\r\n"))
    async with no_leak():
        for cut in range(0, size, 7 if reset else 1):
            error = await failure(ServerDisconnectedError, peer.url)
            assert peer.url in str(error)
            assert reset or f"{cut} bytes into its answer" in str(error)
        cut = size
        if not reset:
            assert await take_over(await opening(peer.url)) == b""


async def test_tls_connection_cut_in_the_answer(serve, server_tls, client_tls):
    peer = await serve(lambda request: accept(request)[:20], tls=server_tls)
    error = await failure(ServerDisconnectedError, peer.url, ssl=client_tls)
    assert "20 bytes" in str(error)


async def test_connection_lost_between_the_101_and_its_use(serve, no_leak):
    class Losing(TCPConnector):
        async def connect(self, url, protocol, **kwargs):
            transport = await super().connect(url, protocol, **kwargs)
            await protocol.answer()
            transport.abort()
            await asyncio.sleep(0.01)
            return transport

    peer = await serve(accept)
    async with no_leak():
        error = await failure(ServerDisconnectedError, peer.url, connector=Losing())
    assert "right after the handshake" in str(error)


async def test_server_that_hangs_up_on_tls(no_leak):
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with no_leak():
        error = await failure(ClientConnectorError, f"wss://127.0.0.1:{port}/")
    assert error.step == "tls"
    assert "ConnectionResetError" in str(error) or "reset" in str(error)
    server.close()
