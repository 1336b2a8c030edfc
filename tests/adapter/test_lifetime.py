"""The end of connections that were handed over."""

import asyncio
import gc
import warnings
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

import wsclient.aiohttp


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


async def handler(request):
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    await ws.send_str("hello")
    if request.path == "/reset":
        request.transport.abort()
    elif request.path == "/away":
        await ws.close(code=1001)
    elif request.path == "/end":
        await ws.close()
    await ws.receive()
    return ws


async def closed(ws):
    await ws.close()


async def received_to_the_end(ws):
    async for _ in ws:
        pass


async def left_to_the_session(ws):
    await ws.receive()


async def cancelled(ws):
    await ws.receive()
    task = asyncio.ensure_future(ws.receive())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    await ws.close()


WAYS = {
    "closed": ("", closed),
    "ended by the server": ("end", received_to_the_end),
    "reset by the server": ("reset", received_to_the_end),
    "closed after the server": ("end", closed),
    "left to the session": ("", left_to_the_session),
    "cancelled": ("", cancelled),
}


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("way", WAYS)
async def test_nothing_stays_open(web_server, client_tls, way, tls):
    path, end = WAYS[way]
    url = await web_server(handler, tls=tls) + path

    async def session_of(connections):
        held = []
        connector = aiohttp.TCPConnector(ssl=client_tls, force_close=True)
        async with wsclient.aiohttp.ClientSession(connector=connector) as session:
            for _ in range(connections):
                held.append(await session.ws_connect(url))
                await end(held[-1])
        # The server's ends are closed in turns of the loop that nobody waits for.
        async with asyncio.timeout(10):
            while descriptors() > before:
                await asyncio.sleep(0.01)

    # The first connection opens what stays open: the resolver's threads, what uvloop keeps.
    before = descriptors() + 100
    await session_of(1)
    await asyncio.sleep(0.01)
    before = descriptors()
    await session_of(20)
    assert descriptors() <= before


@pytest.mark.parametrize("by", ["the session", "a library"])
async def test_one_that_nobody_closed_says_where_it_was_made(echo, by):
    # aiohttp warns in debug mode only.
    asyncio.get_running_loop().set_debug(True)
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    with wsclient.aiohttp.install():
        sessions = wsclient.aiohttp.ClientSession if by == "the session" else aiohttp.ClientSession
        async with sessions() as session:
            ws = await session.ws_connect(echo)
            other = await session.ws_connect(echo)
            assert 0 < ws.id < other.id
            await other.close()
            with pytest.warns(ResourceWarning, match=r"unclosed .*, made at .*test_lifetime\.py:"):
                del ws


@pytest.mark.parametrize("sessions", [aiohttp.ClientSession, wsclient.aiohttp.ClientSession])
async def test_one_that_nobody_closed_is_silent_without_debug_mode(echo, sessions):
    asyncio.get_running_loop().set_debug(False)
    async with sessions() as session:
        ws = await session.ws_connect(echo)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            del ws
            gc.collect()
    assert caught == []


class Own(aiohttp.ClientWebSocketResponse):
    async def close(self, *, code=4000, message=b""):
        return await super().close(code=code, message=message)


@pytest.mark.parametrize("received", range(3))
@pytest.mark.parametrize("autoclose", [False, True])
@pytest.mark.parametrize("kind", [aiohttp.ClientWebSocketResponse, Own])
async def test_one_that_the_server_has_closed_is_not_called_unclosed(
    web_server, kind, autoclose, received
):
    asyncio.get_running_loop().set_debug(True)
    url = await web_server(handler)
    async with wsclient.aiohttp.ClientSession(ws_response_class=kind) as session:
        ws = await session.ws_connect(url + "away", autoclose=autoclose)
        while not ws.stats.control_frames_received:
            await asyncio.sleep(0.001)
        for _ in range(received):
            await ws.receive()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            del ws
            gc.collect()
    assert caught == []
