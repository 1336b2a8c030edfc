"""The client against real servers: `websockets`, aiohttp, and nginx in front of either."""

import asyncio
import contextlib
import os
import shutil
import ssl

import pytest
import trustme

from wsclient import ws_connect

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
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


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
