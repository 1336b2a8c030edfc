"""Servers for the adapter's tests."""

import asyncio
import contextlib
import os
import socket
import ssl
from pathlib import Path

import pytest
import trustme
from aiohttp import web
from tests.conftest import trusting

AUTHORITY = trustme.CA()


def server_tls():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    AUTHORITY.issue_cert("127.0.0.1").configure_cert(context)
    return context


def connections():
    """How many sockets of TCP this process has; the event loops have some of other kinds."""
    count = 0
    for path in list(Path("/proc/self/fd").iterdir()):
        with contextlib.suppress(OSError):
            if str(path.readlink()).startswith("socket:"):
                with socket.socket(fileno=os.dup(int(path.name))) as sock:
                    count += sock.family == socket.AF_INET
    return count


@pytest.fixture
async def nothing_stays_open():
    """Ends when all sockets are closed, those of the servers, too."""
    before = connections()
    yield
    async with asyncio.timeout(10):
        while connections() > before:
            await asyncio.sleep(0.01)


@pytest.fixture
async def raw():
    """A function that starts a server that plays `await script(reader, writer)`; returns a port."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(script, *, tls=False):
            async def play(reader, writer):
                with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                    await script(reader, writer)
                writer.close()

            server = await asyncio.start_server(
                play, "127.0.0.1", 0, ssl=server_tls() if tls else None
            )
            stack.callback(server.close)
            return server.sockets[0].getsockname()[1]

        yield start


@pytest.fixture
async def web_server():
    """A function that starts an aiohttp server with `handler`; returns its URL."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(handler, *, tls=False):
            app = web.Application()
            app.router.add_route("*", "/{path:.*}", handler)
            runner = web.AppRunner(app)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server_tls() if tls else None)
            await site.start()
            port = site._server.sockets[0].getsockname()[1]
            return f"{'https' if tls else 'http'}://127.0.0.1:{port}/"

        yield start


@pytest.fixture
def client_tls():
    return trusting(AUTHORITY)


@pytest.fixture
def servers(scripted, raw, echo, web_server, client_tls, tmp_path):
    return {
        "folder": tmp_path,
        "scripted": scripted,
        "raw": raw,
        "echo": echo,
        "web_server": web_server,
        "client_tls": client_tls,
    }
