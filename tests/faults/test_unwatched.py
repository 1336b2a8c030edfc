"""Event loops that cannot watch one socket more, or let go of one by themselves."""

import asyncio
import contextlib
import errno
import gc

import aiohttp
import pytest
from tests.conftest import TEXT, accept, frame

import wsclient
import wsclient.aiohttp

ERRORS = [OSError(errno.ENOSPC, "no space for another watch"), MemoryError("no space")]


@pytest.fixture(params=["native", "adapter"])
def make_session(request):
    library = wsclient if request.param == "native" else wsclient.aiohttp
    connectors = wsclient if request.param == "native" else aiohttp
    return lambda: library.ClientSession(connector=connectors.TCPConnector(limit=1))


async def greet(reader, writer):
    with contextlib.suppress(asyncio.IncompleteReadError):
        request = await reader.readuntil(b"\r\n\r\n")
        writer.write(accept(request) + frame(TEXT, b"hello"))
        await reader.read(1)
    writer.close()


@pytest.mark.parametrize("error", ERRORS, ids=["OSError", "MemoryError"])
@pytest.mark.parametrize("before", [0, 1])
async def test_nothing_is_left(monkeypatch, make_session, before, error):
    loop = asyncio.get_running_loop()
    real, left = loop.add_reader, before

    def sometimes(*args):
        nonlocal left
        left -= 1
        if left < 0:
            raise error
        return real(*args)

    async with (
        asyncio.timeout(30),
        await asyncio.start_server(greet, "127.0.0.1", 0) as server,
        make_session() as session,
    ):
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        monkeypatch.setattr(loop, "add_reader", sometimes, raising=False)
        try:
            ws = await session.ws_connect(url)
        except (wsclient.ClientError, aiohttp.ClientError, MemoryError) as raised:
            assert "no space" in str(raised)  # noqa: PT017 - it need not be raised
        else:
            while (await ws.receive()).type.name.lower() != "closed":
                pass
            assert "no space" in str(ws.exception())
        assert left < 0
        monkeypatch.undo()
        # What is open still warns.
        gc.collect()
        async with session.ws_connect(url) as ws:
            assert (await ws.receive()).data == "hello"
