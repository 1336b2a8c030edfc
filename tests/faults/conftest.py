"""Raw servers that do as they are told, on asyncio and on uvloop."""

import asyncio
import contextlib
import inspect
import ssl
from pathlib import Path

import pytest
import trustme
import uvloop
from tests.conftest import trusting

from wsclient.handshake.urls import parse_url
from wsclient.network.fast_tls import resume_reading
from wsclient.network.tcp import TCPConnector
from wsclient.opening import open_websocket

FRAMES = b"\x81\x05hello\x82\x7e\x01\x00" + bytes(range(256))


def pytest_asyncio_loop_factories(config, item):
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


class Exchange:
    """One request that a `Peer` received, and the means to answer it."""

    def __init__(self, request, reader, writer):
        self.request = request
        self.reader = reader
        self.writer = writer

    async def send(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def client_leaves(self):
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(65536):
                pass


class Peer:
    """A server on loopback that plays a script for each request.

    The script is the answer's bytes, a function from the request to them, or a coroutine
    function that takes an `Exchange`. After bytes, the server closes.
    """

    def __init__(self, script, scheme):
        self.script = script
        self.scheme = scheme
        self.requests = []
        self.writers = []
        self.port = 0

    @property
    def url(self):
        return f"{self.scheme}://localhost:{self.port}/feed"

    async def serve(self, reader, writer):
        self.writers.append(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            request = await reader.readuntil(b"\r\n\r\n")
            self.requests.append(request)
            if inspect.iscoroutinefunction(self.script):
                await self.script(Exchange(request, reader, writer))
            else:
                writer.write(self.script(request) if callable(self.script) else self.script)
        writer.close()


@pytest.fixture
async def serve():
    """A function that starts a `Peer`; all of them end with the test."""
    started = []

    async def start(script, *, scheme=None, tls=None):
        peer = Peer(script, scheme or ("wss" if tls else "ws"))
        server = await asyncio.start_server(peer.serve, "localhost", 0, ssl=tls, family=2)
        peer.port = server.sockets[0].getsockname()[1]
        started.append((peer, server))
        return peer

    yield start
    for peer, server in started:
        server.close()
        for writer in peer.writers:
            writer.transport.abort()
    # Aborted transports close their sockets in the next turn of the loop.
    await asyncio.sleep(0)
    await asyncio.sleep(0)


@pytest.fixture
async def start():
    """A function that starts a `dying.Server` and returns it with its URL."""
    from .dying import Server

    async with contextlib.AsyncExitStack() as stack:

        async def start(*scripts, tls=None):
            server = Server(*scripts)
            listening = await asyncio.start_server(server.play, "localhost", 0, ssl=tls, family=2)
            stack.push_async_callback(server.close)
            stack.callback(listening.close)
            port = listening.sockets[0].getsockname()[1]
            return server, f"{'wss' if tls else 'ws'}://localhost:{port}/"

        yield start


@pytest.fixture(scope="session")
def authority():
    return trustme.CA()


@pytest.fixture(scope="session")
def server_tls(authority):
    """Server context with a certificate for localhost."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture
def client_tls(authority):
    """Client context that trusts the server's."""
    return trusting(authority)


class Collect(asyncio.Protocol):
    """Takes over from the handshake, as the core will."""

    def __init__(self):
        self.data = bytearray()
        self.lost = asyncio.get_running_loop().create_future()

    def data_received(self, data):
        self.data += data

    def connection_lost(self, exc):
        self.lost.set_result(exc)


def opening(url, **kwargs):
    kwargs.setdefault("connector", TCPConnector())
    return open_websocket(parse_url(url), **kwargs)


async def failure(kind, url, **kwargs):
    with pytest.raises(kind) as caught:
        await opening(url, **kwargs)
    assert "secret" not in f"{caught.value} {caught.value!r}"
    return caught.value


async def take_over(opened):
    """Read on to the end of the stream the way the core does."""
    protocol = Collect()
    protocol.data += opened.trailing
    opened.transport.set_protocol(protocol)
    resume_reading(opened.transport)
    await protocol.lost
    return bytes(protocol.data)


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def no_leak():
    """An async context manager that fails if its body leaves a descriptor open."""

    @contextlib.asynccontextmanager
    async def watch():
        before = descriptors()
        yield
        async with asyncio.timeout(10):
            # The peers close theirs a little later, and there is no event for it.
            while descriptors() > before:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    return watch
