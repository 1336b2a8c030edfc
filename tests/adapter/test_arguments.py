"""Limits of time that are none, and what is said of an opening or a ping that comes to nothing."""

import asyncio
import math

import aiohttp
import pytest
from aiohttp import web

import wsclient.aiohttp
from wsclient import Heartbeat


async def handler(request):
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    await ws.send_str("hello")
    await ws.receive()
    return ws


def of_module(session, url, **options):
    return wsclient.aiohttp.ws_connect(session, url, **options)


def of_session(session, url, **options):
    return session.ws_connect(url, **options)


@pytest.fixture(params=["a function", "a session", "installed"])
async def connect(request):
    """A function that connects by one of the adapter's doors."""
    kind = wsclient.aiohttp.ClientSession if request.param == "a session" else aiohttp.ClientSession
    async with kind() as session:
        if request.param == "installed":
            with wsclient.aiohttp.install():
                yield lambda url, **options: of_session(session, url, **options)
        else:
            door = of_module if request.param == "a function" else of_session
            yield lambda url, **options: door(session, url, **options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"timeout": aiohttp.ClientWSTimeout(ws_close=math.nan)}, "ws_close of timeout is nan"),
        ({"timeout": aiohttp.ClientWSTimeout(ws_receive=math.nan)}, "ws_receive of timeout is nan"),
        ({"timeout": math.nan}, "timeout is nan"),
        ({"receive_timeout": math.nan}, "receive_timeout is nan"),
        ({"heartbeat": math.nan}, "heartbeat is nan"),
        ({"heartbeat": -1}, "heartbeat is -1"),
    ],
)
async def test_what_is_no_number_is_refused_at_the_call(connect, options, said):
    with pytest.raises(ValueError, match=f"^{said}"):
        connect("ws://127.0.0.1:1/", **options)


async def test_infinity_is_no_limit(connect, web_server):
    forever = aiohttp.ClientWSTimeout(ws_receive=math.inf, ws_close=math.inf)
    url = await web_server(handler)
    async with connect(url, timeout=forever, heartbeat=math.inf) as ws:
        assert await ws.receive_str() == "hello"
        waiting = asyncio.create_task(ws.receive())
        await asyncio.sleep(0)
        assert not waiting.done()
        await ws.close()
        assert (await waiting).type is aiohttp.WSMsgType.CLOSING


def forget(_):
    pass


async def test_an_opening_that_is_never_awaited_warns_by_its_name(connect):
    with pytest.warns(RuntimeWarning) as caught:
        forget(connect("ws://127.0.0.1:1/"))
    assert [str(one.message) for one in caught] == ["coroutine 'ws_connect' was never awaited"]


@pytest.mark.parametrize("periodic", [False, True])
async def test_a_ping_that_finds_the_connection_closed_is_silent(connect, web_server, periodic):
    reported, opened = [], []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))

    def payload():
        opened[0]._connection.abort()
        return b"late"

    heartbeat = Heartbeat(0.02, payload=payload, periodic=periodic)
    async with asyncio.timeout(10), connect(await web_server(handler), heartbeat=heartbeat) as ws:
        opened.append(ws)
        assert await ws.receive_str() == "hello"
        assert (await ws.receive()).type is aiohttp.WSMsgType.CLOSED
        await asyncio.sleep(0.06)
    assert reported == []
