"""`testing.serve`: what its clients see, and what a test is told."""

import asyncio
import re
import ssl

import pytest

from wsclient import (
    ClientConnectorCertificateError,
    MsgType,
    ServerDisconnectedError,
    WSServerHandshakeError,
    reconnect,
    testing,
    ws_connect,
)

from .conftest import HANDSHAKE, connect


async def test_what_is_sent_comes_back_without_a_handler(tls):
    async with testing.serve(ssl=tls) as server, connect(server) as ws:
        await ws.send_str("text")
        await ws.send_bytes(b"bytes")
        assert await ws.receive_str() == "text"
        assert await ws.receive_bytes() == b"bytes"
        assert server.received == ["text", b"bytes"]


async def test_a_handler_plays_the_server(tls):
    async def handler(ws):
        assert await ws.expect("hello") == "hello"
        await ws.send("welcome")
        await ws.send(b"\0")
        await ws.send({"price": 1})
        assert await ws.recv() == b"thanks"
        await ws.close(1001, "bye")

    async with testing.serve(handler, ssl=tls) as server:
        async with connect(server) as ws:
            await ws.send_str("hello")
            assert await ws.receive_str() == "welcome"
            assert await ws.receive_bytes() == b"\0"
            assert await ws.receive_json() == {"price": 1}
            await ws.send_bytes(b"thanks")
            assert (await ws.receive()) == (MsgType.closed, 1001, "bye")
        assert server.received == server.connections[0].received == ["hello", b"thanks"]
    assert server.url == f"{'wss' if tls else 'ws'}://127.0.0.1:{server.port}/"


async def test_when_a_handler_returns_the_websocket_is_closed_with_1000(tls):
    async def handler(ws):
        await ws.send("one")

    async with testing.serve(handler, ssl=tls) as server, connect(server) as ws:
        assert await ws.receive_str() == "one"
        assert await ws.receive() == (MsgType.closed, 1000, "")


async def test_messages_are_iterated_to_the_close():
    taken = []

    async def handler(ws):
        taken.extend([message async for message in ws])

    async with testing.serve(handler) as server:
        async with connect(server) as ws:
            await ws.send_str("a")
            await ws.send_str("b")
        await server.wait_finished()
    assert taken == ["a", "b"]


async def test_each_connection_has_its_handler_and_the_last_one_all_others():
    first, later = testing.Script().send("first").drop(), testing.Script().send("later")
    async with testing.serve(first, later) as server:
        seen = []
        delays = {"reconnect_delays": lambda: [0] * 5}
        async for ws in reconnect(server.url, **delays):
            seen.append(await ws.receive_str())
            if len(seen) == 3:
                break
            await ws.receive()
        assert seen == ["first", "later", "later"]
        assert [connection.number for connection in server.connections] == [1, 2, 3]
        await ws.close()


async def test_a_refusal(tls):
    refusal = testing.refuse(429, headers={"retry-after": "3"}, body="slower")
    async with testing.serve(refusal, testing.echo, ssl=tls) as server:
        with pytest.raises(WSServerHandshakeError) as caught:
            await connect(server)
        assert (caught.value.status, caught.value.body) == (429, b"slower")
        assert caught.value.headers["Retry-After"] == "3"
        async with connect(server) as ws:
            await ws.send_str("now")
            assert await ws.receive_str() == "now"
        assert len(server.connections) == 1


@pytest.mark.parametrize("status", [200, 299, 600])
async def test_a_refusal_is_one(status):
    with pytest.raises(ValueError, match=f"300 to 599, not {status}"):
        testing.refuse(status)


async def test_a_handshake_may_be_looked_at_first():
    def process_request(request):
        known = request.headers.get("Authorization") == "Bearer secret"
        return None if known else testing.refuse(401)

    async def handler(ws):
        await ws.send(ws.request.path)

    async with testing.serve(handler, process_request=process_request) as server:
        with pytest.raises(WSServerHandshakeError, match="401"):
            await connect(server)
        url = f"{server.url}feed?symbol=BTC"
        async with ws_connect(url, headers={"Authorization": "Bearer secret"}) as ws:
            assert await ws.receive_str() == "/feed?symbol=BTC"


async def test_looking_at_a_handshake_may_fail():
    def process_request(request):
        raise LookupError(request.path)

    with pytest.raises(LookupError, match=r"^/$"):
        async with testing.serve(process_request=process_request) as server:
            with pytest.raises(ServerDisconnectedError):
                await connect(server)


@pytest.mark.parametrize("handler", [None, "echo", [testing.echo]])
async def test_what_is_no_handler(handler):
    with pytest.raises(TypeError, match=rf"not {type(handler).__name__}$"):
        testing.serve(testing.echo, handler)


async def test_a_subprotocol_is_agreed_on():
    async with testing.serve(subprotocols=["b", "a"]) as server:
        async with connect(server, protocols=["a", "b"]) as ws:
            assert ws.protocol == "b"
            assert server.connections[0].subprotocol == "b"
        with pytest.raises(WSServerHandshakeError, match="missing subprotocol"):
            await connect(server)


async def test_compression_is_agreed_on_where_both_want_it():
    async with testing.serve(compression=True) as server:
        async with connect(server, compress=15) as ws:
            await ws.send_str("x" * 1000)
            assert await ws.receive_str() == "x" * 1000
            assert server.connections[0].compressed
            assert 0 < ws.stats.deflated_bytes_received < 200
        async with connect(server, compress=0) as ws:
            assert not server.connections[1].compressed
    async with testing.serve() as server, connect(server, compress=15):
        assert not server.connections[0].compressed


async def test_a_server_may_come_back_at_its_port():
    async with testing.serve() as server:
        pass
    async with testing.serve(port=server.port) as again, connect(again) as ws:
        assert again.url == server.url
        await ws.send_str("back")
        assert await ws.receive_str() == "back"


async def test_nobody_else_trusts_its_certificate():
    async with testing.serve(ssl=True) as server:
        with pytest.raises(ClientConnectorCertificateError):
            await ws_connect(server.url)


async def test_a_context_of_your_own(monkeypatch):
    from wsclient.testing import certificates

    own = certificates.server_context()
    async with testing.serve(ssl=own) as server:
        assert server.ssl_context is None
        async with ws_connect(server.url, ssl=certificates.client_context()) as ws:
            await ws.send_str("own")
            assert await ws.receive_str() == "own"
    assert isinstance(own, ssl.SSLContext)


async def test_pings_are_answered_while_a_handler_is_busy():
    async with (
        testing.serve(lambda ws: asyncio.Event().wait()) as server,
        connect(server) as ws,
        asyncio.timeout(10),
    ):
        reading = asyncio.ensure_future(ws.receive())
        assert await ws.round_trip() >= 0
        reading.cancel()


async def test_what_is_no_handshake_is_answered_as_http():
    async with testing.serve(testing.Script().send("hi")) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 426 ")
        writer.transport.abort()
        async with connect(server) as ws:
            assert await ws.receive_str() == "hi"


async def test_what_is_no_http_is_dropped():
    async with testing.serve() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"\0" * 100 + b"\r\n\r\n")
        assert await reader.read() == b""
        writer.transport.abort()


@pytest.mark.parametrize(
    ("sent", "code", "told"),
    [
        (b"\x81\x05hello", 1002, "a breach of the protocol: incorrect masking"),
        (b"\x81\x81\0\0\0\0\xff", 1007, "a breach of the protocol: 'utf-8' codec"),
    ],
)
async def test_a_client_that_breaks_the_protocol(sent, code, told):
    script = testing.Script().expect("hello")
    with pytest.raises(testing.ExpectationError, match=re.escape(f"got {told}")):
        async with testing.serve(script) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(HANDSHAKE)
            await reader.readuntil(b"\r\n\r\n")
            writer.write(sent)
            assert (await reader.read())[2:4] == code.to_bytes(2)
            writer.transport.abort()


async def test_it_runs_once_and_has_its_url_while_it_runs():
    server = testing.serve()
    with pytest.raises(RuntimeError, match="inside `async with`"):
        server.url  # noqa: B018
    assert repr(server) == "<Server not started, 0 connections>"
    async with server:
        with pytest.raises(RuntimeError, match="runs once"):
            await server.__aenter__()
