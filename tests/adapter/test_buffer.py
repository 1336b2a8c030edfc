"""aiohttp's queue, where it is not as in aiohttp."""

import asyncio
import gc
import weakref

import pytest
from tests.conftest import TEXT, frame

import wsclient.aiohttp

from .bursts import arrived, queue, sends


@pytest.fixture
async def ws(scripted):
    url = await scripted(sends(frame(TEXT, b"one"), frame(TEXT, b"two")))
    async with wsclient.aiohttp.ClientSession() as session, session.ws_connect(url) as ws:
        await ws.send_str("go")
        await arrived(ws, 2)
        yield ws


async def test_a_message_is_not_replaced(ws):
    waiting = queue(ws)
    message, size = waiting[0]
    with pytest.raises(ValueError, match="cannot be replaced"):
        waiting[0] = (message._replace(data="another"), size)
    with pytest.raises(ValueError, match="length 2"):
        waiting[0] = message
    for index in (1, -1):
        with pytest.raises(IndexError, match="only the first"):
            waiting[index]
        with pytest.raises(IndexError, match="only the first"):
            waiting[index] = (message, size)
    assert [(await ws.receive()).data for _ in range(2)] == ["one", "two"]


async def test_it_belongs_to_the_thread_of_the_event_loop(ws):
    waiting = queue(ws)
    for attempt in (waiting.popleft, lambda: waiting[0]):
        with pytest.raises(RuntimeError, match="another thread"):
            await asyncio.to_thread(attempt)
    assert waiting.popleft()[0].data == "one"


async def test_nothing_is_left_for_the_garbage_collector(echo):
    gc.collect()
    gc.disable()
    try:
        async with wsclient.aiohttp.ClientSession() as session:
            ws = await session.ws_connect(echo)
            handler = ws._conn.protocol
            gone = [weakref.ref(handler._payload), weakref.ref(ws)]
            await ws.close()
            assert handler._payload is None
            del ws
            await asyncio.sleep(0)
            assert [reference() for reference in gone] == [None, None]
    finally:
        gc.enable()
