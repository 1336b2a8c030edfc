"""What the kit's tests share; and whatever they do, nothing is left of it."""

import asyncio
from pathlib import Path

import pytest

from wsclient import ws_connect

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


def connect(server, **options):
    """This client's connection to a server of the kit."""
    return ws_connect(server.url, ssl=server.ssl_context, **options)


@pytest.fixture(params=["ws", "wss"])
def tls(request):
    """Whether a test is with TLS: it is without, too."""
    return request.param == "wss"


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def others():
    return asyncio.all_tasks() - {asyncio.current_task()}


@pytest.fixture(autouse=True)
async def nothing_is_left():
    """Ends when all tasks and descriptors are gone; complains of what the loop complained of."""
    loop, complaints = asyncio.get_running_loop(), []
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    # uvloop opens descriptors of its own with the first server.
    (await asyncio.start_server(lambda *_: None, "localhost", 0)).close()
    await asyncio.sleep(0)
    files, tasks = descriptors(), others()
    yield
    async with asyncio.timeout(10):
        # The other ends of connections close a little later, and there is no event for it.
        while descriptors() > files or others() - tasks:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert complaints == []
