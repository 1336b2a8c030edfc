"""`TCPConnector` and `UnixConnector`: limits, name resolution, sockets, pinned certificates."""

import asyncio
import contextlib
import hashlib
import socket
import ssl
from pathlib import Path

import pytest
import trustme
from tests.conftest import _handshake, trusting
from websockets.asyncio.server import serve, unix_serve

from wsclient import (
    ClientConnectorError,
    ClientSession,
    ClientWebSocketResponse,
    ConnectionTimeoutError,
    Fingerprint,
    ServerFingerprintMismatch,
    TCPConnector,
    UnixClientConnectorError,
    UnixConnector,
    ws_connect,
)

AUTHORITY = trustme.CA()


@pytest.fixture
async def server(echo):
    return echo


def port_of(url):
    return int(url.rpartition(":")[2].strip("/"))


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


async def turns(count=20):
    for _ in range(count):
        await asyncio.sleep(0)


# --- limits


@pytest.mark.parametrize(
    "limits", [{"limit": 2}, {"limit_per_host": 2}, {"limit": 2, "limit_per_host": 3}]
)
async def test_who_comes_beyond_the_limit_waits_for_a_connection_to_end(server, limits):
    async with ClientSession(connector=TCPConnector(**limits)) as session:
        first, second = [await session.ws_connect(server) for _ in range(2)]
        waiting = [asyncio.create_task(session.ws_connect(server)) for _ in range(2)]
        await turns()
        assert not any(task.done() for task in waiting)
        await first.close()
        third = await waiting[0]
        assert not waiting[1].done()
        second._connection.abort()
        fourth = await waiting[1]
        assert not third.closed
        assert not fourth.closed


async def test_limit_per_host_counts_each_host_by_itself(server):
    connector = TCPConnector(limit_per_host=1)
    async with ClientSession(connector=connector) as session, session.ws_connect(server):
        async with session.ws_connect(server.replace("127.0.0.1", "localhost")):
            pass
        with pytest.raises(ConnectionTimeoutError) as caught:
            await session.ws_connect(server, connect_timeout=0.01)
    assert caught.value.step == "limit"


async def test_sessions_share_the_limit_of_their_connector(server):
    connector = TCPConnector(limit=1)
    async with ClientSession(connector=connector) as one, ClientSession(connector=connector) as two:
        async with one.ws_connect(server):
            with pytest.raises(ConnectionTimeoutError):
                await two.ws_connect(server, connect_timeout=0.01)
        async with two.ws_connect(server):
            pass


async def test_whoever_stops_waiting_takes_nothing(server):
    async with ClientSession(connector=TCPConnector(limit=1, limit_per_host=1)) as session:
        async with session.ws_connect(server):
            waiting = [asyncio.create_task(session.ws_connect(server)) for _ in range(3)]
            await turns()
            waiting[0].cancel()
            await turns()
        waiting[1].cancel()  # its turn has come
        ws = await waiting[2]
        await ws.close()
        async with session.ws_connect(server):
            pass
        assert waiting[0].cancelled()
        assert waiting[1].cancelled()


async def test_whoever_stops_waiting_for_the_one_limit_gives_back_the_other(server):
    elsewhere = server.replace("127.0.0.1", "localhost")
    async with ClientSession(connector=TCPConnector(limit=2, limit_per_host=2)) as session:
        first = await session.ws_connect(elsewhere)
        async with session.ws_connect(server):
            with pytest.raises(ConnectionTimeoutError):
                await session.ws_connect(server, connect_timeout=0.01)
            await first.close()
            async with session.ws_connect(server):
                pass


async def test_failures_give_their_place_back(server):
    class Broken(ClientWebSocketResponse):
        def __init__(self, *args, **kwargs):
            raise ZeroDivisionError

    async with ClientSession(connector=TCPConnector(limit=1)) as session:
        for url in ("ws://nope.invalid/", "ws://127.0.0.1:1/", server.replace("ws:", "wss:")):
            with pytest.raises(ClientConnectorError):
                await session.ws_connect(url)
        with pytest.raises(ZeroDivisionError):
            await session.ws_connect(server, ws_response_class=Broken)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"ws://127.0.0.1:{silent.getsockname()[1]}/"
            with pytest.raises(ConnectionTimeoutError) as caught:
                await session.ws_connect(url, connect_timeout=0.2)
        assert caught.value.step == "handshake"
        async with session.ws_connect(server):
            pass


async def test_a_redirect_needs_one_place_only(server):
    async def redirect(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 302 Found\r\nLocation: {server}\r\n\r\n".encode())
        await reader.read()
        writer.close()

    async with await asyncio.start_server(redirect, "127.0.0.1", 0) as redirecting:
        url = f"ws://127.0.0.1:{redirecting.sockets[0].getsockname()[1]}/"
        async with ws_connect(url, connector=TCPConnector(limit=1)) as ws:
            assert len(ws.response.history) == 1


@pytest.mark.parametrize("name", ["limit", "limit_per_host"])
async def test_a_negative_limit_is_refused(name):
    with pytest.raises(ValueError, match=f"{name} is -1, expected at least 0"):
        TCPConnector(**{name: -1})


async def test_a_connector_belongs_to_the_loop_that_it_connects_in(server):
    connector = TCPConnector()
    async with ws_connect(server, connector=connector):
        pass

    async def elsewhere():
        await ws_connect(server, connector=connector)

    def run():
        loop = asyncio.new_event_loop()
        try:
            loop.run_until_complete(elsewhere())
        finally:
            loop.close()

    with pytest.raises(RuntimeError, match="connector belongs to another event loop"):
        await asyncio.to_thread(run)


# --- sockets


def option(ws, level, name):
    return ws.get_extra_info("socket").getsockopt(level, name)


@pytest.mark.parametrize("own_factory", [False, True])
async def test_socket_options(server, own_factory):
    made = []

    def factory(address):
        # Without IPPROTO_TCP, for which transports would set TCP_NODELAY.
        made.append(socket.socket(address[0], address[1]))
        return made[-1]

    socket_factory = factory if own_factory else None
    connector = TCPConnector(socket_factory=socket_factory)
    async with ws_connect(server, connector=connector) as ws:
        assert option(ws, socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert option(ws, socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    connector = TCPConnector(
        socket_factory=socket_factory,
        socket_options=[
            (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0),
            (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 77),
        ],
    )
    async with ws_connect(server, connector=connector) as ws:
        assert not option(ws, socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert option(ws, socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 77
    assert len(made) == 2 * own_factory


async def test_a_socket_option_that_does_not_exist(server):
    connector = TCPConnector(socket_options=[(socket.SOL_SOCKET, 9999, 1)])
    with pytest.raises(ClientConnectorError) as caught:
        await ws_connect(server, connector=connector)
    assert caught.value.step == "tcp"


async def test_local_addr():
    async def handler(ws):
        await ws.send(ws.remote_address[0])

    async with serve(handler, "127.0.0.1", 0) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        connector = TCPConnector(local_addr=("127.0.0.9", 0), force_close=True)
        async with ws_connect(url, connector=connector) as ws:
            assert await ws.receive_str() == "127.0.0.9"


# --- Unix


@pytest.mark.parametrize("tls", [False, True])
async def test_unix_socket(tmp_path, tls):
    async def handler(ws):
        async for message in ws:
            await ws.send(f"{ws.request.headers['Host']} {message}")

    context = certificate("example.invalid")[0] if tls else None
    client_tls = trusting(AUTHORITY)
    path = str(tmp_path / "server")
    async with unix_serve(handler, path, ssl=context):
        connector = UnixConnector(path, ssl=client_tls, limit=1)
        assert connector.path == path
        async with ClientSession(connector=connector) as session:
            url = "wss://example.invalid/" if tls else "ws://example.invalid/"
            async with session.ws_connect(url) as ws:
                await ws.send_str("hello")
                assert await ws.receive_str() == "example.invalid hello"
            async with session.ws_connect(url):
                pass


async def test_unix_socket_that_nobody_serves(tmp_path):
    path = str(tmp_path / "nothing")
    with pytest.raises(UnixClientConnectorError) as caught:
        await ws_connect("ws://localhost/", connector=UnixConnector(path))
    assert (caught.value.path, caught.value.step) == (path, "unix")
    assert path in str(caught.value)
    assert isinstance(caught.value.os_error, FileNotFoundError)


async def test_unix_socket_that_is_silent(tmp_path):
    path = str(tmp_path / "silent")
    before = descriptors()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        with pytest.raises(ConnectionTimeoutError) as caught:
            await ws_connect("ws://h/", connector=UnixConnector(path), connect_timeout=0.01)
        assert caught.value.step == "handshake"
    await turns()
    assert descriptors() <= before


# --- fingerprints


def certificate(host):
    """A server's context, and the SHA-256 of its certificate."""
    issued = AUTHORITY.issue_cert(host)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    issued.configure_cert(context)
    der = ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())
    return context, hashlib.sha256(der).digest()


@pytest.mark.parametrize("by_call", [False, True])
async def test_a_pinned_certificate(by_call):
    """Its authority is not known and its name is another one: the fingerprint says all."""

    async def handler(ws):
        await ws.send("in")

    context, digest = certificate("another.invalid")
    async with serve(handler, "127.0.0.1", 0, ssl=context) as server:
        url = f"wss://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        pinned = Fingerprint(digest)
        connector = TCPConnector() if by_call else TCPConnector(ssl=pinned)
        options = {"ssl": pinned} if by_call else {}
        async with ws_connect(url, connector=connector, **options) as ws:
            assert await ws.receive_str() == "in"


async def test_a_certificate_that_is_not_the_pinned_one_gets_no_request():
    requests = []

    async def handler(reader, writer):
        request = b""
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1000):
                request += data
        requests.append(request)
        writer.close()

    context, digest = certificate("localhost")
    async with await asyncio.start_server(handler, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        async with ClientSession(connector=TCPConnector(limit=1)) as session:
            for _ in range(2):
                with pytest.raises(ServerFingerprintMismatch) as caught:
                    await session.ws_connect(
                        f"wss://u:secret@127.0.0.1:{port}/", ssl=Fingerprint(bytes(32))
                    )
        assert (caught.value.host, caught.value.port) == ("127.0.0.1", port)
        assert (caught.value.expected, caught.value.got) == (bytes(32), digest)
        assert digest.hex() in str(caught.value)
        async with asyncio.timeout(10):
            while len(requests) < 2:  # noqa: ASYNC110 - the server's tasks have no event
                await asyncio.sleep(0)
    assert requests == [b"", b""]


def test_fingerprints_are_of_sha_256():
    with pytest.raises(ValueError, match="fingerprint has 16 bytes, expected the 32 bytes"):
        Fingerprint(bytes(16))
    one, same, other = Fingerprint(bytes(32)), Fingerprint(bytes(32)), Fingerprint(b"a" * 32)
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert eval(repr(other)) == other
    assert other.fingerprint == b"a" * 32


async def test_a_server_that_speaks_first():
    """What a server sends before it is asked is read as the answer, which it is not."""

    async def speak_first(reader, writer):
        writer.write(b"HTTP/1.1 500 First\r\n\r\n")
        await _handshake(reader, writer)
        writer.close()

    async with await asyncio.start_server(speak_first, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(Exception, match="server answered 500"):
            await ws_connect(f"ws://127.0.0.1:{port}/")
