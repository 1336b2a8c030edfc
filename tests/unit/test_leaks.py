"""Nothing of a connection outlives it: no objects, no descriptors, no cycles."""

import asyncio
import gc
import warnings
import weakref
from pathlib import Path

import pytest
from tests.conftest import CLOSE, TEXT, frame

from wsclient import ClientWebSocketResponse, MsgType, ws_connect
from wsclient._core import Receive
from wsclient.heartbeat import Watch
from wsclient.protocol import WebSocketProtocol

pytestmark = pytest.mark.slow

OURS = (ClientWebSocketResponse, WebSocketProtocol, Receive, Watch)


async def alive():
    """Count objects of ours, after those whose callbacks this task may be woken by have ended."""
    for _ in range(10):
        await asyncio.sleep(0)
    gc.collect()
    return sum(isinstance(thing, OURS) for thing in gc.get_objects())


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


async def echo_once(wire):
    """Send a message, then behave as the client's request says."""
    await wire.send(frame(TEXT, b"a"))
    if b"GET /leave " in wire.request:
        return
    if b"GET /close " in wire.request:
        await wire.send(frame(CLOSE, b"\x03\xe8"))
    elif b"GET /err " in wire.request:
        await wire.send(b"\x83\x00")
    else:
        await wire.answer_close()
        return
    await wire.receive()


async def drain(ws):
    while (await ws.receive()).tp is not MsgType.closed:
        pass


async def closed_by_us(url):
    async with ws_connect(url, heartbeat=10) as ws:
        await ws.receive()


async def closed_while_waiting(url):
    async with ws_connect(url) as ws:
        await ws.receive()
        task = asyncio.create_task(ws.receive(timeout=10))
        await asyncio.sleep(0)
    await task


async def cancelled(url):
    async with ws_connect(url) as ws:
        await ws.receive()
        task = asyncio.create_task(ws.receive(timeout=10))
        await asyncio.sleep(0)
        task.cancel()


async def aborted(url):
    ws = await ws_connect(url, heartbeat=10)
    await ws.receive()
    ws._connection.abort()
    await drain(ws)


async def closed_by_both(url):
    async with ws_connect(url + "close") as ws:
        await ws.receive()


async def left_by_the_server(url):
    await drain(await ws_connect(url + "leave"))


async def closed_by_the_server(url):
    await drain(await ws_connect(url + "close", heartbeat=10))


async def failed_by_the_server(url):
    await drain(await ws_connect(url + "err"))


WAYS = [
    closed_by_us,
    closed_while_waiting,
    cancelled,
    aborted,
    closed_by_both,
    left_by_the_server,
    closed_by_the_server,
    failed_by_the_server,
]


@pytest.mark.parametrize("way", WAYS)
async def test_connections_leave_nothing(scripted, way):
    url = await scripted(echo_once)
    before, open_before = await alive(), descriptors()
    async with asyncio.timeout(60):
        for _ in range(60):
            await way(url)
    # What an earlier test has left may go meanwhile.
    assert await alive() <= before
    assert descriptors() <= open_before


async def test_a_cycle_through_a_closed_websocket_is_collected(scripted):
    ws = await ws_connect(await scripted(echo_once))
    ws.itself = ws
    ws.receive_again = ws.receive
    await ws.close()
    dead = weakref.ref(ws)
    del ws
    gc.collect()
    assert dead() is None


async def test_a_cycle_through_an_open_websocket_is_collected(scripted):
    ws = await ws_connect(await scripted(echo_once), heartbeat=10)
    ws.itself = ws
    connection, dead = ws._connection, weakref.ref(ws)
    del ws
    with pytest.warns(ResourceWarning, match="unclosed"):
        gc.collect()
    assert dead() is None
    lost = connection.wait_lost()
    assert lost is not None
    await lost


async def test_a_cycle_through_its_reader_is_collected(scripted):
    ws = await ws_connect(await scripted(echo_once))

    async def read(ws):
        await drain(ws)
        return ws

    ws.reader = asyncio.create_task(read(ws))
    await ws.close()
    await ws.reader
    dead = weakref.ref(ws)
    del ws
    gc.collect()
    assert dead() is None


async def test_a_connection_forgets_the_tasks_that_have_received(scripted):
    """From CPython 3.14 on a future knows who waits for it, and the connection uses it again."""

    async def script(wire):
        while (received := await wire.receive()) is not None:
            await wire.send(frame(TEXT, received.payload))

    ws = await ws_connect(await scripted(script))
    dead = []
    for _ in range(5):
        task = asyncio.create_task(ws.receive())
        await asyncio.sleep(0)
        await ws.send_str("a")
        await task
        dead.append(weakref.ref(task))
        del task
    # The last one's callbacks have to end first.
    await alive()
    assert [reference() for reference in dead] == [None] * 5
    ws._connection.abort()
    await drain(ws)


@pytest.mark.parametrize("end", ["message", "cancel", "timeout"])
async def test_a_timer_keeps_no_finished_receive(scripted, end):
    ws = await ws_connect(await scripted(echo_once))
    if end != "message":
        await ws.receive()
    receive = ws.receive(timeout=0.001 if end == "timeout" else 3600)
    dead = weakref.ref(receive)
    task = asyncio.create_task(receive)
    await asyncio.sleep(0)
    if end == "cancel":
        task.cancel()
    await asyncio.wait([task])
    if end == "timeout":
        assert isinstance(task.exception(), TimeoutError)
    del receive, task
    await ws.close()
    gc.collect()
    assert dead() is None


async def test_a_collection_in_the_middle_of_a_failure(scripted):
    """Making an exception may run the collector, and that may run anything."""

    async def script(wire):
        await wire.end()

    threshold = gc.get_threshold()
    gc.disable()
    try:
        ws = await ws_connect(await scripted(script))
        connection, dead = ws._connection, weakref.ref(ws)
        ws.itself = ws
        feed = connection.feed
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            del ws
            gc.set_threshold(1)
            gc.enable()
            feed(b"\x83\x00")
            gc.collect()
    finally:
        gc.enable()
        gc.set_threshold(*threshold)
    assert dead() is None
    lost = connection.wait_lost()
    if lost is not None:
        await lost
