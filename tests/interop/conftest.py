"""The client against real servers: `websockets`, aiohttp, and nginx in front of either."""

import asyncio
import contextlib
import os
import shutil
from pathlib import Path

import pytest
import trustme
from tests.conftest import trusting
from websockets.asyncio import server as websockets_server

from wsclient import ws_connect

from . import proxies
from .servers import SERVERS, nginx, server_tls

NGINX = shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
ROUTES = [
    pytest.param((server, front), id="-".join(filter(None, (front, server))))
    for front in ("ws", "wss", "nginx")
    for server in SERVERS
]


@pytest.fixture(scope="session")
def authority():
    return trustme.CA()


@pytest.fixture(scope="session")
def certificate(authority):
    return authority.issue_cert("127.0.0.1", "localhost")


@pytest.fixture(scope="session")
def client_tls(authority):
    """A client's context that trusts the servers."""
    return trusting(authority)


@pytest.fixture(scope="session")
def nginx_program():
    if NGINX is None:
        pytest.skip("nginx is not installed")
    return NGINX


@pytest.fixture(params=ROUTES)
def route(request):
    """The server, and how TLS comes before it: `ws` not at all, `wss`, `nginx`."""
    if request.param[1] == "nginx":
        request.getfixturevalue("nginx_program")
    return request.param


@pytest.fixture
def serve(route, certificate, tmp_path):
    """A function that serves a script on the route, as a context manager that yields the URL.

    It ends when the script has, and raises what the script raised.
    """
    server, front = route

    @contextlib.asynccontextmanager
    async def serve(script, *, subprotocols=()):
        finished = asyncio.get_running_loop().create_future()

        async def play(peer):
            try:
                await script(peer)
            except Exception as error:  # noqa: BLE001 - raised by who awaits `finished`
                finished.set_exception(error)
            else:
                finished.set_result(None)

        tls = server_tls(certificate) if front == "wss" else None
        async with contextlib.AsyncExitStack() as stack:
            port = await stack.enter_async_context(
                SERVERS[server](play, subprotocols=subprotocols, tls=tls)
            )
            if front == "nginx":
                port = stack.enter_context(nginx(NGINX, certificate, port, tmp_path))
            yield f"{'ws' if front == 'ws' else 'wss'}://127.0.0.1:{port}/"
            async with asyncio.timeout(30):
                await finished

    return serve


@pytest.fixture
def link(serve, client_tls):
    """A function that serves a script and connects to it; a context manager for the client."""

    @contextlib.asynccontextmanager
    async def link(script, *, subprotocols=(), **options):
        async with serve(script, subprotocols=subprotocols) as url:
            options.setdefault("ssl", client_tls)
            async with ws_connect(url, protocols=subprotocols, **options) as ws:
                yield ws

    return link


@pytest.fixture(scope="session")
def start(certificate, tmp_path_factory):
    """A function that starts a kind of proxy, once for all tests, and returns its port."""
    started = {}
    with contextlib.ExitStack() as stack:

        def start(kind, *, auth=False):
            if kind in proxies.DEBIAN and proxies.installed(kind) is None:
                pytest.skip(f"{kind} is not installed")
            if (kind, auth) not in started:
                options = {"auth": True} if auth else {}
                if kind.endswith("-tls"):
                    options["certificate"] = certificate
                run = proxies.KINDS[kind][0](tmp_path_factory.mktemp("proxy"), **options)
                started[kind, auth] = stack.enter_context(run)
            return started[kind, auth]

        yield start


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
async def echoes(certificate):
    """The URLs of an echo server, without and with TLS, by scheme.

    In the end nothing may be open that was not open before.
    """

    async def handler(ws):
        async for message in ws:
            await ws.send(message)

    async with contextlib.AsyncExitStack() as stack:
        urls = {}
        for scheme, tls in (("ws", None), ("wss", server_tls(certificate))):
            server = websockets_server.serve(
                handler, "127.0.0.1", 0, ssl=tls, max_size=None, compression=None
            )
            port = (await stack.enter_async_context(server)).sockets[0].getsockname()[1]
            urls[scheme] = f"{scheme}://localhost:{port}/"
        before = descriptors()
        yield urls
        async with asyncio.timeout(10):
            # The server closes its end a little later, and there is no event for it.
            while descriptors() > before:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
