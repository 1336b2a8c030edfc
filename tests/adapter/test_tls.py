"""TLS of the adapter's WebSockets: whose transports serve it, and whose they leave alone."""

import asyncio
import contextlib
import fcntl
import hashlib
import logging
import re
import socket
import ssl
import struct
import termios
import threading
import time
import warnings

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver
from tests.conftest import resolved
from tests.interop.proxies import installed, proxy_py, tinyproxy

import wsclient.aiohttp

from .conftest import AUTHORITY, connections, server_tls
from .scripts import VERSION

CLIENTS = [aiohttp.ClientSession, wsclient.aiohttp.ClientSession]


async def handler(request):
    if request.path == "/refused":
        return web.Response(status=401)
    if request.path == "/refused-at-length":
        return web.Response(status=401, body=bytes(100_000))
    if request.path == "/moved":
        raise web.HTTPFound("/")
    if request.path == "/peer":
        return web.Response(text=str(request.transport.get_extra_info("peername")))
    if request.path == "/large":
        return web.Response(body=bytes(10_000_000))
    if request.path == "/slow":
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"begun")
        await request.app["go"].wait()
        return response
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    await ws.send_str(str(request.transport.get_extra_info("peername")))
    async for msg in ws:
        await ws.send_bytes(msg.data)
    return ws


pytestmark = pytest.mark.usefixtures("nothing_stays_open")


@pytest.fixture
async def url(web_server):
    return await web_server(handler, tls=True)


@pytest.fixture
async def session(client_tls):
    connector = aiohttp.TCPConnector(ssl=client_tls)
    async with wsclient.aiohttp.ClientSession(connector=connector) as session:
        yield session
        untouched(session)


def untouched(session):
    """Nothing is left on the connector that a request of ours was made with."""
    assert not {"_wrap_create_connection", "_start_tls_connection"} & vars(session.connector).keys()


def is_fast(ws):
    """Whether the transport is aiofastnet's: the loops' own have an object of `ssl`."""
    return not isinstance(ws.get_extra_info("ssl_object"), ssl.SSLObject)


async def echoes(ws):
    """Send a message of several reads there and back."""
    await ws.receive()
    await ws.send_bytes(bytes(500_000))
    return (await ws.receive()).data == bytes(500_000)


async def test_a_websocket_gets_the_faster_transport(url, session):
    async with session.ws_connect(url) as ws:
        assert is_fast(ws)
        assert await echoes(ws)
    async with session.ws_connect(f"{url}moved") as ws:
        assert await echoes(ws)


async def test_where_aiofastnet_does_not_find_openssl(url, session, monkeypatch):
    monkeypatch.setattr("wsclient.network.fast_tls._direct", False)
    async with session.ws_connect(url) as ws:
        assert not is_fast(ws)
        assert await echoes(ws)


async def test_with_a_session_of_aiohttp(url, client_tls):
    async with aiohttp.ClientSession() as session:
        async with wsclient.aiohttp.ws_connect(session, url, ssl=client_tls) as ws:
            assert is_fast(ws)
            untouched(session)
        async with session.ws_connect(url, ssl=client_tls) as ws:
            assert not is_fast(ws)


async def test_other_requests_of_the_session_do_not(client_tls):
    """Not even while one for a WebSocket waits for its connection."""
    accepted, go = asyncio.Event(), asyncio.Event()

    async def slow(reader, writer):
        accepted.set()
        await reader.read(1)
        await go.wait()
        writer.close()

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nbegun")
        await go.wait()
        writer.close()

    one = await asyncio.start_server(slow, "127.0.0.1", 0)
    other = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_tls())
    urls = [f"https://127.0.0.1:{s.sockets[0].getsockname()[1]}/" for s in (one, other)]
    async with one, other, wsclient.aiohttp.ClientSession() as session:
        opening = asyncio.ensure_future(session.ws_connect(urls[0], ssl=client_tls))
        await accepted.wait()
        async with session.get(urls[1], ssl=client_tls) as response:
            transport = response.connection.transport
            assert isinstance(transport.get_extra_info("ssl_object"), ssl.SSLObject)
            go.set()
            assert await response.read() == b"begun"
        with pytest.raises(aiohttp.ClientConnectorError):
            await opening
        untouched(session)


async def test_many_at_once(url, session):
    opened = await asyncio.gather(*(session.ws_connect(url) for _ in range(20)))
    assert all(is_fast(ws) for ws in opened)
    for ws in opened:
        assert await echoes(ws)
        await ws.close()


async def test_a_pooled_connection_serves_a_websocket(url, session):
    """One that another request has made, with the loop's own transport."""
    async with session.get(f"{url}peer") as response:
        peer = await response.text()
    async with session.ws_connect(url) as ws:
        assert not is_fast(ws)
        assert (await ws.receive()).data == peer


@pytest.mark.parametrize("path", ["refused", "refused-at-length"])
async def test_after_a_refusal_ordinary_requests_are_served(url, session, path):
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await session.ws_connect(url + path)
    assert caught.value.status == 401
    peers = []
    for _ in range(3):
        async with session.get(f"{url}peer") as response:
            peers.append(await response.text())
    assert len(set(peers)) == 1
    async with session.ws_connect(url) as ws:
        assert (await ws.receive()).data == peers[0]
        assert is_fast(ws) or path != "refused"


async def test_a_connection_of_ours_that_aiohttp_reads_from_with_pauses(url, session, caplog):
    """aiohttp pauses the reading from within, and resumes it by itself."""
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await session.ws_connect(f"{url}refused")
    get = session.get(f"{url}large", read_bufsize=1000)
    async with asyncio.timeout(30), get as response:
        assert type(response.connection.transport).__module__.startswith("aiofastnet")
        received = 0
        async for chunk in response.content.iter_any():
            received += len(chunk)
            await asyncio.sleep(0)
        assert received == 10_000_000
    assert not caplog.records


async def test_what_is_left_undecrypted_when_aiohttp_pauses_is_read(client_tls):
    """A little more than aiofastnet passes on at once, and nothing after it."""
    sizes = [1 << 18, 100]
    go, over = threading.Event(), threading.Event()

    def serve():
        sock, _ = listening.accept()
        with server_tls().wrap_socket(sock, server_side=True) as secured:
            secured.recv(65536)
            secured.sendall(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n")
            for size in (50 << 20, 0):
                secured.recv(65536)
                secured.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (size or sum(sizes))
                )
                secured.sendall(bytes(size))
            go.wait(30)
            for size in sizes:
                secured.sendall(bytes(size))
            while struct.unpack("i", fcntl.ioctl(secured, termios.TIOCOUTQ, bytes(4)))[0]:
                time.sleep(0.001)  # the kernel has no event for it
            over.set()
            secured.recv(1)

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        url = f"https://127.0.0.1:{listening.getsockname()[1]}/"
        connector = aiohttp.TCPConnector(ssl=client_tls)
        async with (
            asyncio.timeout(30),
            wsclient.aiohttp.ClientSession(connector=connector) as session,
        ):
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await session.ws_connect(url)
            async with session.get(url) as response:  # the system makes its buffers larger
                await response.read()
            async with session.get(url, read_bufsize=1000) as response:
                go.set()
                assert over.wait(30)
                received = 0
                async for chunk in response.content.iter_any():
                    received += len(chunk)
                    await asyncio.sleep(0)
                assert received == sum(sizes)
        await asyncio.to_thread(thread.join, 30)


@pytest.mark.parametrize("kind", [proxy_py, tinyproxy])
async def test_through_a_proxy(url, session, tmp_path, kind):
    if kind is tinyproxy and not installed("tinyproxy"):
        pytest.skip("tinyproxy is not installed")
    with kind(tmp_path) as port, warnings.catch_warnings():
        # aiohttp 3.10 warns on uvloop of TLS within TLS, where there is none.
        warnings.filterwarnings("ignore", "An HTTPS request is being sent", RuntimeWarning)
        async with session.ws_connect(url, proxy=f"http://127.0.0.1:{port}") as ws:
            assert is_fast(ws)
            assert await echoes(ws)


async def test_through_a_proxy_with_tls(url, session, tmp_path):
    """TLS within TLS is the loop's own."""
    with (
        proxy_py(tmp_path, certificate=AUTHORITY.issue_cert("127.0.0.1")) as port,
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", "An HTTPS request is being sent", RuntimeWarning)
        async with session.ws_connect(url, proxy=f"https://127.0.0.1:{port}") as ws:
            assert not is_fast(ws)
            assert await echoes(ws)


async def test_a_proxy_and_a_certificate_that_is_not_trusted(url, tmp_path):
    with proxy_py(tmp_path) as port, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "An HTTPS request is being sent", RuntimeWarning)
        async with wsclient.aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await session.ws_connect(url, proxy=f"http://127.0.0.1:{port}")


def certificate_at(url):
    port = int(url.rpartition(":")[2].strip("/"))
    return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", port)))


@pytest.mark.parametrize("proxied", [False, True])
async def test_a_fingerprint(url, tmp_path, proxied):
    certificate = await asyncio.to_thread(certificate_at, url)
    right = aiohttp.Fingerprint(hashlib.sha256(certificate).digest())
    wrong = aiohttp.Fingerprint(bytes(32))
    with contextlib.ExitStack() as stack:
        options = {}
        if proxied:
            stack.enter_context(warnings.catch_warnings())
            warnings.filterwarnings("ignore", "An HTTPS request is being sent", RuntimeWarning)
            options["proxy"] = f"http://127.0.0.1:{stack.enter_context(proxy_py(tmp_path))}"
        async with wsclient.aiohttp.ClientSession() as session:
            async with session.ws_connect(url, ssl=right, **options) as ws:
                assert is_fast(ws)
                assert await echoes(ws)
            if proxied and VERSION < (3, 14):
                return  # before that, aiohttp does not compare it
            with pytest.raises(aiohttp.ServerFingerprintMismatch) as caught:
                await session.ws_connect(url, ssl=wrong, **options)
            assert caught.value.got == right.fingerprint


async def refusals(url, **options):
    """The error of aiohttp and that of the adapter."""
    errors = []
    for sessions in CLIENTS:
        async with sessions() as session:
            with pytest.raises(aiohttp.ClientError) as caught:
                await session.ws_connect(url, **options)
            errors.append(caught.value)
    return errors


def text_of(error):
    # The line in CPython's source, and what only newer ones have.
    return re.sub(r" ?\(_ssl\.c:\d+\)", "", str(error))


@pytest.mark.parametrize(
    "options", [{}, *({"server_hostname": name} for name in ("other.example", "127.0.0.2"))]
)
async def test_a_certificate_that_will_not_do(url, client_tls, options):
    if options and VERSION < (3, 11):
        pytest.skip("came with aiohttp 3.11")
    trust = {"ssl": client_tls} if options else {}
    theirs, ours = await refusals(url, **trust, **options)
    assert type(ours) is type(theirs) is aiohttp.ClientConnectorCertificateError
    assert text_of(ours) == text_of(theirs)
    theirs, ours = theirs.certificate_error, ours.certificate_error
    assert type(ours) is type(theirs)
    for name in ("errno", "library", "reason", "verify_code", "verify_message"):
        assert getattr(ours, name) == getattr(theirs, name)


async def test_a_server_without_tls(web_server):
    url = await web_server(handler)
    theirs, ours = await refusals(url.replace("http:", "https:"))
    assert type(ours) is type(theirs) is aiohttp.ClientConnectorSSLError
    assert text_of(ours) == text_of(theirs)
    assert ours.os_error.reason == theirs.os_error.reason


@pytest.mark.parametrize("options", [{"ssl": False}, {"server_hostname": "127.0.0.1"}])
async def test_how_it_is_verified(url, client_tls, options):
    if "server_hostname" in options and VERSION < (3, 11):
        pytest.skip("came with aiohttp 3.11")
    async with (
        wsclient.aiohttp.ClientSession() as session,
        session.ws_connect(
            url.replace("127.0.0.1", "localhost"), **{"ssl": client_tls, **options}
        ) as ws,
    ):
        assert is_fast(ws)
        assert await echoes(ws)


@pytest.mark.parametrize("proxied", [False, True])
async def test_a_context_that_needs_the_ssl_module(url, client_tls, tmp_path, caplog, proxied):
    caplog.set_level(logging.DEBUG, "wsclient")
    client_tls.keylog_filename = str(tmp_path / "keys")
    with contextlib.ExitStack() as stack:
        options = {}
        if proxied:
            stack.enter_context(warnings.catch_warnings())
            warnings.filterwarnings("ignore", "An HTTPS request is being sent", RuntimeWarning)
            options["proxy"] = f"http://127.0.0.1:{stack.enter_context(proxy_py(tmp_path))}"
        async with (
            wsclient.aiohttp.ClientSession() as session,
            session.ws_connect(url, ssl=client_tls, **options) as ws,
        ):
            assert not is_fast(ws)
            assert await echoes(ws)
    assert "SECRET" in (tmp_path / "keys").read_text()
    (line,) = [r.getMessage() for r in caplog.records if r.name == "wsclient.transport"]
    assert "keylog_filename" in line


class Unfamiliar(aiohttp.TCPConnector):
    async def _wrap_create_connection(self, *args, **options):
        return await super()._wrap_create_connection(*args, **options)


def another(connector):
    """What a connector may have been given before."""
    return lambda *args, **options: type(connector)._start_tls_connection(
        connector, *args, **options
    )


@pytest.mark.parametrize("on", ["its class", "itself"])
async def test_connectors_that_are_not_as_expected(url, client_tls, caplog, on):
    caplog.set_level(logging.DEBUG, "wsclient")
    if on == "its class":
        connector = Unfamiliar(ssl=client_tls)
    else:
        connector = aiohttp.TCPConnector(ssl=client_tls)
        connector._start_tls_connection = another(connector)
    async with (
        wsclient.aiohttp.ClientSession(connector=connector) as session,
        session.ws_connect(url) as ws,
    ):
        assert not is_fast(ws)
        assert await echoes(ws)
    (line,) = [r.getMessage() for r in caplog.records if r.name == "wsclient.transport"]
    assert type(connector).__name__ in line
    vars(connector).pop("_start_tls_connection", None)


class Answers(AbstractResolver):
    """Knows these ports of one host."""

    def __init__(self, *ports):
        self.ports = ports

    async def resolve(self, host, port=0, family=socket.AF_INET):
        return [resolved(host, port) for port in self.ports]

    async def close(self):
        pass


@pytest.mark.parametrize("first", ["dead", "without TLS"])
async def test_the_next_address_is_tried(url, web_server, first):
    good = int(url.rpartition(":")[2].strip("/"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        bad = listening.getsockname()[1]
    if first == "without TLS":
        bad = int((await web_server(handler)).rpartition(":")[2].strip("/"))
    connector = aiohttp.TCPConnector(resolver=Answers(bad, good))
    async with (
        wsclient.aiohttp.ClientSession(connector=connector) as session,
        session.ws_connect("wss://some.example/", ssl=False) as ws,
    ):
        assert is_fast(ws)
        assert await echoes(ws)


@pytest.mark.skipif(VERSION < (3, 12), reason="came with aiohttp 3.12")
async def test_a_socket_factory(url, client_tls):
    made = []

    def make(info):
        made.append(socket.socket(*info[:3]))
        return made[-1]

    connector = aiohttp.TCPConnector(ssl=client_tls, socket_factory=make)
    async with (
        wsclient.aiohttp.ClientSession(connector=connector) as session,
        session.ws_connect(url) as ws,
    ):
        assert is_fast(ws)
        assert ws.get_extra_info("socket").fileno() == made[0].fileno()
        assert await echoes(ws)


@pytest.mark.skipif(VERSION < (3, 12), reason="came with aiohttp 3.12")
@pytest.mark.parametrize("seconds", [0, 0.1])
async def test_ssl_shutdown_timeout(client_tls, seconds):
    """A server that never says goodbye is waited for as long as that, and not half a minute."""
    over = threading.Event()

    def serve():
        sock, _ = listening.accept()
        with server_tls().wrap_socket(sock, server_side=True) as secured:
            secured.recv(65536)
            secured.sendall(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n")
            over.wait(60)

    with socket.create_server(("127.0.0.1", 0)) as listening, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        thread = threading.Thread(target=serve)
        thread.start()
        url = f"wss://127.0.0.1:{listening.getsockname()[1]}/"
        connector = aiohttp.TCPConnector(ssl=client_tls, ssl_shutdown_timeout=seconds)
        try:
            session = wsclient.aiohttp.ClientSession(connector=connector)
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await session.ws_connect(url)
            (pooled,) = [proto for held in connector._conns.values() for proto, *_ in held]
            transport = pooled.transport
            async with asyncio.timeout(10):
                await session.close()
                while transport.get_extra_info("socket").fileno() != -1:
                    await asyncio.sleep(0.01)
        finally:
            over.set()
            await asyncio.to_thread(thread.join, 30)


@contextlib.asynccontextmanager
async def silent():
    """A server that says nothing during TLS; yields its URL and an event: it was spoken to."""
    spoken = asyncio.Event()

    async def serve(reader, writer):
        await reader.read(1)
        spoken.set()
        with contextlib.suppress(ConnectionError):
            while await reader.read(65536):
                pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"wss://127.0.0.1:{server.sockets[0].getsockname()[1]}/", spoken


@pytest.mark.parametrize("proxied", [False, True])
async def test_cancelled_during_tls(session, tmp_path, proxied):
    async with contextlib.AsyncExitStack() as stack:
        options = {}
        if proxied:
            stack.enter_context(warnings.catch_warnings())
            warnings.filterwarnings("ignore", "An HTTPS request is being sent", RuntimeWarning)
            options["proxy"] = f"http://127.0.0.1:{stack.enter_context(proxy_py(tmp_path))}"
        url, spoken = await stack.enter_async_context(silent())
        for _ in range(3):
            spoken.clear()
            before = connections()
            opening = asyncio.ensure_future(session.ws_connect(url, **options))
            await spoken.wait()
            opening.cancel()
            with pytest.raises(asyncio.CancelledError):
                await opening
            untouched(session)
            async with asyncio.timeout(10):
                while connections() > before:
                    await asyncio.sleep(0.01)


async def test_a_limit_of_time_during_tls():
    timeout = aiohttp.ClientTimeout(sock_connect=0.2)
    async with silent() as (url, _):
        for sessions in CLIENTS:
            async with sessions(timeout=timeout) as limited:
                with pytest.raises((aiohttp.ServerTimeoutError, asyncio.TimeoutError)):
                    await limited.ws_connect(url)


async def test_the_session_is_closed_while_opening(client_tls):
    async with silent() as (url, spoken):
        session = wsclient.aiohttp.ClientSession()
        opening = asyncio.ensure_future(session.ws_connect(url, ssl=client_tls))
        await spoken.wait()
        connector = session.connector
        await session.close()
        opening.cancel()
        with pytest.raises((asyncio.CancelledError, aiohttp.ClientError)):
            await opening
        assert "_wrap_create_connection" not in vars(connector)


@pytest.mark.parametrize("greeting", [b"", b"\x16\x03\x03"])
async def test_a_server_that_hangs_up_during_tls(caplog, greeting):
    contexts = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: contexts.append(context))

    async def leave(reader, writer):
        await reader.read(65536)
        writer.write(greeting)
        writer.close()

    server = await asyncio.start_server(leave, "127.0.0.1", 0)
    async with server:
        theirs, ours = await refusals(f"wss://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    assert type(ours) is type(theirs) is aiohttp.ClientConnectorError
    assert type(ours.os_error) is type(theirs.os_error) is ConnectionResetError
    assert contexts == []
    assert not caplog.records
