"""Ordinary requests with this client's TLS, where that is asked for."""

import asyncio
import hashlib
import io
import ssl
import warnings

import aiohttp
import pytest
from aiohttp import web
from tests.interop.proxies import proxy_py

import wsclient.aiohttp

from .conftest import AUTHORITY


async def handler(request):
    if request.path == "/peer":
        return web.Response(text=str(request.transport.get_extra_info("peername")))
    if request.path == "/upload":
        digest = hashlib.sha256()
        async for chunk in request.content.iter_chunked(1 << 16):
            digest.update(chunk)
        return web.Response(text=digest.hexdigest())
    if request.path == "/download":
        response = web.StreamResponse()
        response.enable_compression()
        await response.prepare(request)
        for number in range(100):
            await response.write(bytes([number]) * 50_000)
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


@pytest.fixture(params=["a connector", "installed"])
async def session(request, client_tls):
    if request.param == "installed":
        with wsclient.aiohttp.install(requests=True):
            connector = aiohttp.TCPConnector(ssl=client_tls)
            async with aiohttp.ClientSession(connector=connector) as session:
                yield session
    else:
        connector = wsclient.aiohttp.TCPConnector(ssl=client_tls)
        async with aiohttp.ClientSession(connector=connector) as session:
            yield session


def is_fast(transport):
    """Whether it is aiofastnet's: the loops' own have an object of `ssl`."""
    return not isinstance(transport.get_extra_info("ssl_object"), ssl.SSLObject)


def kept(session):
    """The transports in the pool."""
    pool = session.connector._conns.values()
    return [protocol.transport for protocols in pool for protocol, _ in protocols]


async def peer_of(session, url, **options):
    """Whom the server sees, and whether all transports are the faster ones."""
    async with session.get(f"{url}peer", **options) as response:
        peer = await response.text()
    assert kept(session)
    return peer, all(is_fast(transport) for transport in kept(session))


async def test_connections_are_kept(url, session):
    (first, fast), (second, _) = [await peer_of(session, url) for _ in range(2)]
    assert fast
    assert first == second
    together = await asyncio.gather(*(peer_of(session, url) for _ in range(10)))
    assert all(fast for _, fast in together)


async def test_a_pooled_connection_serves_a_websocket(url, client_tls):
    connector = wsclient.aiohttp.TCPConnector(ssl=client_tls)
    async with wsclient.aiohttp.ClientSession(connector=connector) as session:
        peer, _ = await peer_of(session, url)
        async with session.ws_connect(url) as ws:
            assert (await ws.receive()).data == peer
            assert is_fast(ws._conn.transport)
            await ws.send_bytes(bytes(500_000))
            assert (await ws.receive()).data == bytes(500_000)


async def test_a_websocket_of_aiohttps(url, client_tls):
    connector = wsclient.aiohttp.TCPConnector(ssl=client_tls)
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.ws_connect(url) as ws,
    ):
        await ws.receive()
        assert is_fast(ws._conn.transport)
        await ws.send_bytes(bytes(500_000))
        assert (await ws.receive()).data == bytes(500_000)


async def test_large_bodies_both_ways(url, session):
    body = bytes(range(256)) * 40_000

    async def pieces():
        for begin in range(0, len(body), 100_000):
            yield body[begin : begin + 100_000]

    for data in (io.BytesIO(body), pieces()):
        async with session.post(f"{url}upload", data=data) as response:
            assert await response.text() == hashlib.sha256(body).hexdigest()
    expected = b"".join(bytes([number]) * 50_000 for number in range(100))
    async with session.get(f"{url}download", read_bufsize=1000) as response:
        received = b""
        async for chunk in response.content.iter_any():
            received += chunk
            await asyncio.sleep(0)
        assert received == expected


async def test_a_body_that_ends_with_the_connection(raw, session):
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(1_000_000))
        await writer.drain()

    async with session.get(f"https://127.0.0.1:{await raw(serve, tls=True)}/") as response:
        assert await response.read() == bytes(1_000_000)


async def test_a_server_that_ends_a_kept_connection(raw, session):
    served, go = 0, asyncio.Event()

    async def serve(reader, writer):
        nonlocal served
        served += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await go.wait()

    url = f"https://127.0.0.1:{await raw(serve, tls=True)}/"
    for number in (1, 2):
        go.clear()
        async with session.get(url) as response:
            assert await response.read() == b"ok"
        (transport,) = kept(session)
        go.set()
        while not transport.is_closing():
            await asyncio.sleep(0)
        assert served == number


async def test_a_server_that_ends_within_a_body(raw, session):
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok")

    async with session.get(f"https://127.0.0.1:{await raw(serve, tls=True)}/") as response:
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


async def test_limits_and_cancellation_within_a_body(raw, session):
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nbegun")
        await reader.read()

    url = f"https://127.0.0.1:{await raw(serve, tls=True)}/"
    timeout = aiohttp.ClientTimeout(sock_read=0.05)
    async with session.get(url, timeout=timeout) as response:
        assert await response.content.read(5) == b"begun"
        with pytest.raises(aiohttp.SocketTimeoutError):
            await response.read()
    begun = asyncio.Event()

    async def read():
        async with session.get(url) as response:
            await response.content.read(5)
            begun.set()
            await response.read()

    reading = asyncio.create_task(read())
    await begun.wait()
    reading.cancel()
    await asyncio.wait([reading])
    assert reading.cancelled()


async def test_certificates_are_judged(url, session, client_tls):
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        await session.get(f"{url}peer", ssl=ssl.create_default_context())
    port = int(url.rpartition(":")[2].strip("/"))
    certificate = await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", port))
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).digest()
    assert (await peer_of(session, url, ssl=aiohttp.Fingerprint(digest)))[1]
    with pytest.raises(aiohttp.ServerFingerprintMismatch):
        await session.get(f"{url}peer", ssl=aiohttp.Fingerprint(bytes(32)))


async def test_a_context_that_needs_the_ssl_module(url, session, client_tls, tmp_path):
    client_tls.keylog_filename = str(tmp_path / "keys")
    assert not (await peer_of(session, url, ssl=client_tls))[1]
    assert "SECRET" in (tmp_path / "keys").read_text()


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_through_a_proxy(url, session, tmp_path, scheme):
    """With the proxy itself, and through that, TLS is the loop's own."""
    certificate = AUTHORITY.issue_cert("127.0.0.1") if scheme == "https" else None
    with proxy_py(tmp_path, certificate=certificate) as port, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "An HTTPS request is being sent", RuntimeWarning)
        proxy = f"{scheme}://127.0.0.1:{port}"
        assert (await peer_of(session, url, proxy=proxy))[1] == (scheme == "http")


async def test_what_is_installed_is_undone(url, client_tls):
    async def is_served():
        connector = aiohttp.TCPConnector(ssl=client_tls)
        async with aiohttp.ClientSession(connector=connector) as session:
            return (await peer_of(session, url))[1]

    with wsclient.aiohttp.install():
        assert not await is_served()
        with wsclient.aiohttp.install(requests=True):
            assert await is_served()
            with wsclient.aiohttp.install():
                assert await is_served()
            assert await is_served()
        assert not await is_served()
        wsclient.aiohttp.install(requests=True)
        wsclient.aiohttp.uninstall()
        assert not await is_served()
