"""Real servers for the documented page."""

import contextlib
import ssl

import pytest
import trustme
from tests.conftest import trusting
from websockets.asyncio.server import serve as websockets_serve

AUTHORITY = trustme.CA()


@pytest.fixture
async def serve():
    """A function that starts a server of the `websockets` package and returns its port."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(handler, **options):
            server = await stack.enter_async_context(
                websockets_serve(handler, "localhost", 0, family=2, **options)
            )
            return server.sockets[0].getsockname()[1]

        yield start


async def echo_messages(ws):
    async for message in ws:
        await ws.send(message)


@pytest.fixture
def server_tls():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    AUTHORITY.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture
def client_tls():
    return trusting(AUTHORITY)
