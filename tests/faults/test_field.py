"""Reports about other clients, played again."""

import asyncio
import contextlib
import gc
import logging
import socket
import threading

import aiohttp
import pytest
from aiohttp import web

from wsclient import ClientError, MsgType, ws_connect

from .resetting import adapted

OPENS = pytest.mark.parametrize("opens", [ws_connect, adapted], ids=["native", "adapter"])
RESETS = (ClientError, aiohttp.ClientError)


@contextlib.asynccontextmanager
async def serving(handler):
    """Serve WebSockets with aiohttp; yields the URL."""
    app = web.Application()
    app.router.add_get("/", handler)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


@OPENS
async def test_the_servers_close_code_outlives_a_send_before_it_is_read(opens):
    """aiohttp issue 5180: 1006 where the server had said 1000."""
    closing = asyncio.Event()

    async def handler(request):
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        closing.set()
        await ws.close(code=4000, message=b"enough")
        return ws

    async with serving(handler) as url, asyncio.timeout(30), opens(url) as ws:
        await closing.wait()
        with contextlib.suppress(*RESETS):  # that it is closed may be known already
            await ws.send_str("some data")
        while (await ws.receive()).type not in {MsgType.CLOSE, MsgType.CLOSED}:
            pass
        assert ws.close_code == 4000


@OPENS
async def test_a_bot_that_only_sends_learns_that_the_server_is_gone(opens):
    """aiohttp issue 8171: open by all that it says, and gone."""
    gone = asyncio.Event()

    async def handler(request):
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        await ws.receive()
        request.transport.abort()
        gone.set()
        return ws

    async with serving(handler) as url, asyncio.timeout(30), opens(url) as ws:
        await ws.send_str("first")
        await gone.wait()
        with pytest.raises(RESETS):
            while not ws.closed:
                await ws.send_str("more")
        while (await ws.receive()).type != MsgType.CLOSED:
            pass
        assert ws.closed
        assert ws.close_code == 1006


@OPENS
@pytest.mark.parametrize("scheme", ["ws", "wss"])
async def test_a_server_that_accepts_and_closes(opens, scheme, caplog):
    """uvloop issue 279: the error is raised, and reported once more as never retrieved."""
    caplog.set_level(logging.WARNING)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    listener.accept()[0].close()

        thread = threading.Thread(target=accept)
        thread.start()
        for _ in range(10):
            with pytest.raises(RESETS):
                async with opens(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/"):
                    pass
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(30)
    gc.collect()
    await asyncio.sleep(0)
    assert not caplog.records
