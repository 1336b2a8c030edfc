"""Opening against servers and networks that misbehave, on asyncio and uvloop."""

import asyncio
import contextlib
import gc
import socket
import ssl
import warnings

import aiohttp.web
import pytest
import websockets
from tests.conftest import accept
from websockets.asyncio.server import serve as serve_websockets
from yarl import URL

from wsclient.exceptions import (
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientConnectorSSLError,
    ConnectionTimeoutError,
    InvalidURL,
)
from wsclient.network.fast_tls import resume_reading
from wsclient.network.tcp import TCPConnector
from wsclient.opening import Opened

from .conftest import FRAMES, Collect, failure, opening, take_over

# --- a connection that opens


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("split", [False, True])
async def test_no_byte_after_the_101_is_lost(serve, server_tls, client_tls, tls, split):
    async def script(exchange):
        pieces = [accept(exchange.request), FRAMES]
        for piece in pieces if split else [b"".join(pieces)]:
            await exchange.send(piece)
        await exchange.send(FRAMES * 2000)

    peer = await serve(script, tls=server_tls if tls else None)
    opened = await opening(peer.url, ssl=client_tls)
    assert isinstance(opened, Opened)
    assert (opened.response.status, opened.subprotocol, opened.agreement) == (101, None, None)
    await asyncio.sleep(0.05)  # what arrives meanwhile must wait in the socket
    assert await take_over(opened) == FRAMES * 2001


async def test_one_byte_at_a_time(serve):
    async def script(exchange):
        for byte in accept(exchange.request, "Sec-WebSocket-Protocol: b") + FRAMES:
            exchange.writer.write(bytes([byte]))
            await asyncio.sleep(0)

    peer = await serve(script)
    opened = await opening(peer.url, protocols=["a", "b"])
    assert opened.subprotocol == "b"
    assert await take_over(opened) == FRAMES


async def test_end_of_tls_that_came_with_the_101_is_seen(serve, server_tls, client_tls):
    # The server's TLS says good-bye and waits for ours: the socket has no more to say.
    peer = await serve(lambda request: accept(request) + FRAMES, tls=server_tls)
    assert await take_over(await opening(peer.url, ssl=client_tls)) == FRAMES


async def test_tls_survives_pausing_after_every_read(serve, server_tls, client_tls):
    class Hesitant(asyncio.BufferedProtocol):
        def __init__(self, transport):
            self.transport = transport
            self.buffer = bytearray(1024)
            self.data = bytearray()
            self.complete = asyncio.Event()

        def get_buffer(self, sizehint):
            return self.buffer

        def buffer_updated(self, nbytes):
            self.data += self.buffer[:nbytes]
            if len(self.data) == size:
                self.complete.set()
            self.transport.pause_reading()
            asyncio.get_running_loop().call_soon(resume_reading, self.transport)

    async def script(exchange):
        await exchange.send(accept(exchange.request))
        await exchange.send(FRAMES * 2000)
        await exchange.client_leaves()

    peer = await serve(script, tls=server_tls)
    opened = await opening(peer.url, ssl=client_tls)
    size = len(FRAMES) * 2000 - len(opened.trailing)
    protocol = Hesitant(opened.transport)
    opened.transport.set_protocol(protocol)
    resume_reading(opened.transport)
    await protocol.complete.wait()
    assert opened.trailing + protocol.data == FRAMES * 2000
    opened.transport.abort()


@pytest.mark.parametrize("tls", [False, True])
async def test_nagle_is_off(serve, server_tls, client_tls, tls):
    peer = await serve(accept, tls=server_tls if tls else None)
    opened = await opening(peer.url, ssl=client_tls)
    sock = opened.transport.get_extra_info("socket")
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
    opened.transport.abort()


async def test_default_tls_offers_http_1_1_only(serve, server_tls):
    peer = await serve(accept, tls=server_tls)
    server_tls.set_alpn_protocols(["h2", "http/1.1"])
    opened = await opening(peer.url, ssl=False)
    assert opened.transport.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
    opened.transport.abort()


@pytest.mark.parametrize("tls", [False, True])
async def test_without_aiofastnet(serve, server_tls, client_tls, tls, monkeypatch):
    monkeypatch.setattr("wsclient.network.fast_tls._is_there", False)
    peer = await serve(lambda r: accept(r) + FRAMES, tls=server_tls if tls else None)
    assert await take_over(await opening(peer.url, ssl=client_tls)) == FRAMES


async def test_websockets_server(server_tls, client_tls):
    async def handler(ws):
        await ws.send(ws.subprotocol)

    async with serve_websockets(
        handler, "localhost", 0, ssl=server_tls, subprotocols=["chat"], compression=None
    ) as server:
        port = server.sockets[0].getsockname()[1]
        opened = await opening(f"https://localhost:{port}/", ssl=client_tls, protocols=["chat"])
        assert opened.subprotocol == "chat"
        assert opened.response.url == URL(f"wss://localhost:{port}/")
        assert opened.response.headers["Server"].endswith(f"websockets/{websockets.__version__}")
        opened.transport.abort()


async def test_aiohttp_server():
    async def handler(request):
        ws = aiohttp.web.WebSocketResponse()
        await ws.prepare(request)
        await ws.send_str(f"{request.query['a']} {request.headers['X-A']}")
        await ws.receive()
        return ws

    app = aiohttp.web.Application()
    app.router.add_get("/ws", handler)
    runner = aiohttp.web.AppRunner(app)
    await runner.setup()
    site = aiohttp.web.TCPSite(runner, "localhost", 0)
    await site.start()
    port = runner.addresses[0][1]
    opened = await opening(f"ws://localhost:{port}/ws?a=b", headers={"X-A": "c"})
    protocol = Collect()
    protocol.data += opened.trailing
    opened.transport.set_protocol(protocol)
    resume_reading(opened.transport)
    while len(protocol.data) < 5:  # noqa: ASYNC110 - no event without more of a protocol
        await asyncio.sleep(0)
    assert protocol.data == b"\x81\x03b c"
    opened.transport.abort()
    await runner.cleanup()
    error = await failure(ClientConnectorError, f"ws://localhost:{port}/ws")
    assert error.port == port


# --- what never reaches a server


@pytest.mark.parametrize(
    "url", ["not a url", "ftp://h/", "ws://", "ws://h:0/", "ws://u:secret@h:x"]
)
async def test_bad_url(url):
    await failure(InvalidURL, url)


@pytest.mark.parametrize(
    "kwargs",
    [
        {"headers": {"X": "a\r\nY: secret"}},
        {"headers": {"Upgrade": "secret"}},
        {"origin": "a\nsecret"},
        {"protocols": ["a b"]},
    ],
)
async def test_bad_arguments_send_nothing(serve, kwargs):
    peer = await serve(b"")
    await failure(ValueError, peer.url, **kwargs)
    assert peer.writers == []


async def test_ssl_of_a_wrong_type(serve):
    with pytest.raises(
        TypeError, match=r"ssl must be bool, ssl\.SSLContext or Fingerprint, got str"
    ):
        TCPConnector(ssl="no")
    with pytest.raises(TypeError, match="ssl must be bool"):
        await opening((await serve(b"")).url, ssl=0)


async def test_closed_connector():
    connector = TCPConnector()
    assert not connector.closed
    connector.close()
    await connector.close()
    assert connector.closed
    with pytest.raises(RuntimeError, match="closed"):
        await opening("ws://localhost:1/", connector=connector)


async def test_connector_of_another_loop(serve):
    other = asyncio.new_event_loop()
    with pytest.raises(RuntimeError, match="another event loop"):
        await opening("ws://localhost:1/", connector=TCPConnector(loop=other))
    other.close()
    peer = await serve(accept)
    mine = TCPConnector(loop=asyncio.get_running_loop(), local_addr=("127.0.0.1", 0))
    (await opening(peer.url, connector=mine)).transport.abort()


# --- DNS, TCP, TLS


async def test_refused(no_leak):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    async with no_leak():
        error = await failure(ClientConnectorError, f"ws://u:secret@127.0.0.1:{port}/")
    assert type(error) is ClientConnectorError
    assert (error.host, error.port, error.step, error.ssl) == ("127.0.0.1", port, "tcp", None)
    assert isinstance(error.__cause__, ConnectionRefusedError)
    assert f"127.0.0.1:{port}, step tcp" in str(error)


@pytest.mark.parametrize("host", ["nope.invalid", "a..b", "x" * 70])
async def test_unknown_host(host):
    error = await failure(ClientConnectorDNSError, f"wss://{host}/")
    assert (error.host, error.port, error.step, error.ssl) == (host, 443, "dns", True)
    assert error.__cause__ is not None


async def test_family_is_insisted_on(serve):
    peer = await serve(accept)
    connector = TCPConnector(family=socket.AF_INET6)
    await failure(ClientConnectorError, peer.url, connector=connector)
    await failure(ClientConnectorDNSError, f"ws://127.0.0.1:{peer.port}/", connector=connector)


async def test_untrusted_certificate(serve, server_tls, no_leak):
    peer = await serve(b"", tls=server_tls)
    async with no_leak():
        error = await failure(ClientConnectorCertificateError, peer.url)
    assert (error.host, error.port, error.step, error.ssl) == ("localhost", peer.port, "tls", True)
    assert isinstance(error.__cause__, ssl.SSLCertVerificationError)
    assert peer.requests == []


async def test_certificate_of_another_host(serve, server_tls, client_tls):
    peer = await serve(accept, tls=server_tls)
    by_address = peer.url.replace("localhost", "127.0.0.1")
    await failure(ClientConnectorCertificateError, by_address, ssl=client_tls)
    await failure(
        ClientConnectorCertificateError, peer.url, ssl=client_tls, server_hostname="other.example"
    )
    assert peer.requests == []
    opened = await opening(by_address, ssl=client_tls, server_hostname="localhost")
    opened.transport.abort()


async def test_impossible_server_hostname(serve, server_tls, no_leak):
    peer = await serve(b"", tls=server_tls)
    async with no_leak():
        error = await failure(ValueError, peer.url, server_hostname=".example")
    assert "server_hostname" in str(error)


async def test_verification_can_be_switched_off_but_not_tls(serve, server_tls):
    peer = await serve(accept, tls=server_tls)
    opened = await opening(peer.url, connector=TCPConnector(ssl=False))
    assert opened.transport.get_extra_info("ssl_object").version().startswith("TLS")
    opened.transport.abort()


async def test_tls_to_a_plain_server(no_leak):
    async def talk(reader, writer):
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with no_leak():
        error = await failure(ClientConnectorSSLError, f"wss://127.0.0.1:{port}/")
    assert error.step == "tls"
    server.close()


async def test_ssl_is_harmless_without_tls(serve, client_tls):
    peer = await serve(accept)
    (await opening(peer.url, ssl=client_tls, server_hostname="x")).transport.abort()


# --- time


class Stuck:
    """A resolver that never answers."""

    async def resolve(self, host, port=0, family=0):
        await asyncio.get_running_loop().create_future()


@contextlib.asynccontextmanager
async def stuck_at(step, serve, reached):
    """A URL and a connector whose opening never gets past one step."""

    async def say_nothing(exchange):
        reached.set()
        await exchange.client_leaves()

    connector = TCPConnector(resolver=Stuck(), limit=1 if step == "limit" else 0)
    with contextlib.ExitStack() as stack:
        if step == "limit":
            peer = await serve(say_nothing)
            url = f"ws://u:secret@127.0.0.1:{peer.port}/"
            first = asyncio.create_task(opening(url, connector=connector))
            await reached.wait()
            reached.clear()
            try:
                yield url, connector
            finally:
                first.cancel()
        elif step == "dns":
            yield "ws://u:secret@example.invalid/", connector
        elif step == "tcp":
            listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
            address = listening.getsockname()
            # Nobody accepts, and Linux queues one connection more than the backlog.
            stack.enter_context(socket.create_connection(address))
            yield f"ws://u:secret@127.0.0.1:{address[1]}/", connector
        elif step == "tls":
            listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            yield f"wss://u:secret@127.0.0.1:{listening.getsockname()[1]}/", connector
        else:
            peer = await serve(say_nothing)
            yield f"ws://u:secret@127.0.0.1:{peer.port}/", connector


STEPS = ["limit", "dns", "tcp", "tls", "handshake"]


@pytest.mark.parametrize("step", STEPS)
async def test_time_runs_out(step, serve, no_leak):
    async with stuck_at(step, serve, asyncio.Event()) as (url, connector), no_leak():
        error = await failure(ConnectionTimeoutError, url, connector=connector, connect_timeout=0.1)
    assert error.step == step
    assert f"not open after 0.1 s, step {step}, url=" in str(error)


@pytest.mark.parametrize("step", STEPS)
async def test_cancellation_passes_through_and_leaves_nothing(step, serve, no_leak):
    reached = asyncio.Event()
    async with stuck_at(step, serve, reached) as (url, connector), no_leak():
        tasks = asyncio.all_tasks()
        connect = connector.connect

        async def watched(url, protocol, *, progress, **kwargs):
            def note(name):
                progress(name)
                if name == step:
                    reached.set()

            return await connect(url, protocol, progress=note, **kwargs)

        connector.connect = watched
        task = asyncio.create_task(opening(url, connector=connector, connect_timeout=None))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)
        if step != "handshake":  # there the server's tasks come and go
            assert asyncio.all_tasks() <= tasks


async def test_cancellation_at_every_turn_of_the_loop(serve, server_tls, client_tls, no_leak):
    peer = await serve(accept, tls=server_tls)
    (await opening(peer.url, ssl=client_tls)).transport.abort()
    finished = False
    async with no_leak():
        turns = 0
        while not finished:
            task = asyncio.create_task(opening(peer.url, ssl=client_tls))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                (await task).transport.abort()
                finished = True
            turns += 3
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        gc.collect()
