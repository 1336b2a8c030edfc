"""A connection belongs to its event loop's thread; each thread may have connections of its own."""

import asyncio
import contextlib
import gc
import sys
import sysconfig
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from wsclient import ClientSession, ws_connect

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))

LOOKS = {
    "closed": lambda ws: ws.closed,
    "close_code": lambda ws: ws.close_code,
    "close_reason": lambda ws: ws.close_reason,
    "exception": lambda ws: ws.exception(),
    "compress": lambda ws: ws.compress,
    "client_notakeover": lambda ws: ws.client_notakeover,
    "latency": lambda ws: ws.latency,
    "latency_histogram": lambda ws: ws.latency_histogram,
    "dropped": lambda ws: ws.dropped,
    "buffered_amount": lambda ws: ws.buffered_amount,
    "peername": lambda ws: ws.get_extra_info("peername"),
    "stats": lambda ws: ws.stats,
}

CHANGES = {
    "receive": lambda ws: ws.receive_nowait(),
    "pause reading": lambda ws: ws.pause_reading(),
    "resume reading": lambda ws: ws.resume_reading(),
    "close": lambda ws: asyncio.run(ws.close()),
}


@pytest.mark.parametrize("doing", CHANGES)
async def test_another_thread_is_refused(echo, doing):
    """What sends and receives is refused when it is awaited: see test_calls.py."""
    async with ws_connect(echo) as ws:
        with pytest.raises(RuntimeError, match=rf"cannot {doing} from another thread .*use"):
            await asyncio.to_thread(CHANGES[doing], ws)
        await ws.send_str("hello")
        assert (await ws.receive()).data == "hello"


async def test_a_loop_that_goes_on_in_another_thread(echo):
    """It takes its connections with it."""
    kind = type(asyncio.get_running_loop())

    async def talk(ws):
        await ws.send_str("hello")
        assert await ws.receive_str() == "hello"
        assert not ws.closed
        ws.pause_reading()
        ws.resume_reading()

    def first(loop):
        ws = loop.run_until_complete(ws_connect(echo))
        loop.run_until_complete(talk(ws))
        return ws

    def then(loop, ws, later):
        loop.run_until_complete(talk(ws))
        loop.run_until_complete(later)
        assert loop.run_until_complete(ws.receive_str()) == "later"
        loop.run_until_complete(ws.close())
        assert ws.close_code == 1000

    def refused(ws):
        with pytest.raises(RuntimeError, match="cannot receive from another thread"):
            ws.receive_nowait()
        # It goes with the loop, too, where nothing runs yet.
        return ws.send_str("later")

    with contextlib.closing(kind()) as loop, contextlib.ExitStack() as stack:
        one, two = (stack.enter_context(ThreadPoolExecutor(1)) for _ in range(2))
        run = asyncio.get_running_loop().run_in_executor
        ws = await run(one, first, loop)
        later = await run(two, refused, ws)
        await run(two, then, loop, ws, later)
        (await run(one, refused, ws)).close()


@pytest.mark.parametrize("doing", CHANGES)
@pytest.mark.parametrize("running", ["task", "callback"])
async def test_a_loop_that_went_to_another_thread(echo, running, doing):
    """It need not have used the connection there yet."""
    kind = type(asyncio.get_running_loop())
    runs, over = threading.Event(), threading.Event()

    def block():
        runs.set()
        over.wait(20)

    async def in_task():
        block()

    def then(loop):
        if running == "task":
            loop.run_until_complete(in_task())
        else:
            loop.call_soon(block)
            loop.call_soon(loop.stop)
            loop.run_forever()

    def refused(ws):
        assert runs.wait(20)
        try:
            with pytest.raises(RuntimeError, match=rf"cannot {doing} from another thread"):
                CHANGES[doing](ws)
            ws.send_str("late").close()
        finally:
            over.set()

    with contextlib.closing(kind()) as loop, contextlib.ExitStack() as stack:
        one, two = (stack.enter_context(ThreadPoolExecutor(1)) for _ in range(2))
        run = asyncio.get_running_loop().run_in_executor
        ws = await run(one, loop.run_until_complete, ws_connect(echo))
        await asyncio.gather(run(two, then, loop), run(one, refused, ws))
        assert (await run(one, lambda: ws.stats)).messages_sent == 0
        await run(one, loop.run_until_complete, ws.close())


async def test_what_the_error_recommends(echo):
    loop = asyncio.get_running_loop()
    async with ws_connect(echo) as ws:
        await asyncio.to_thread(loop.call_soon_threadsafe, ws.send_str, "hello")
        assert (await ws.receive()).data == "hello"


@pytest.mark.parametrize("name", LOOKS)
async def test_another_thread_looks_while_messages_come(echo, name):
    look = LOOKS[name]
    looked, over = threading.Event(), threading.Event()
    failures = []

    def watch(ws):
        while not over.is_set():
            try:
                look(ws)
            except RuntimeError as error:
                failures.append(str(error))
            looked.set()

    async with ws_connect(echo) as ws:
        watching = asyncio.create_task(asyncio.to_thread(watch, ws))
        number = 0
        while number < 300 or not looked.is_set():
            await ws.send_str(str(number))
            assert (await ws.receive()).data == str(number)
            number += 1
        over.set()
        await watching
        assert await asyncio.to_thread(lambda: ws.id) == ws.id
    if FREE_THREADED:
        assert failures
        assert all("cannot look at a WebSocket from another thread" in text for text in failures)
    else:
        assert not failures


async def test_another_thread_shows_it(echo):
    async with ws_connect(echo) as ws:
        state = "of another thread" if FREE_THREADED else "open"
        assert await asyncio.to_thread(repr, ws) == f"<ClientWebSocketResponse {echo} {state}>"


async def talk(url, name):
    async with ClientSession() as session:
        sockets = [await session.ws_connect(url) for _ in range(4)]
        for number in range(100):
            for place, ws in enumerate(sockets):
                await ws.send_str(f"{name} {place} {number} " + "x" * number)
                await ws.send_bytes(bytes([place]) * (number * 97))
            for place, ws in enumerate(sockets):
                text = await ws.receive_str()
                assert text == f"{name} {place} {number} " + "x" * number
                assert await ws.receive_bytes() == bytes([place]) * (number * 97)
        for ws in sockets:
            await ws.close()


@pytest.mark.slow
async def test_each_thread_has_connections_of_its_own(echo):
    """Whenever the interpreter changes threads, each gets its own messages, in order, unaltered.

    Meanwhile one thread looks at all objects, as the garbage collector does.
    """
    kind = type(asyncio.get_running_loop())
    over = threading.Event()

    def collect():
        while not over.wait(0.01):
            gc.collect()

    def run(name):
        # Not asyncio.run(): its all_tasks() fails when several threads are there at once (CPython
        # 3.14.5 without the GIL, with any client).
        with contextlib.closing(kind()) as loop:
            loop.run_until_complete(asyncio.wait_for(talk(echo, name), 60))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    collecting = asyncio.create_task(asyncio.to_thread(collect))
    try:
        names = [f"thread {number}" for number in range(4)]
        await asyncio.gather(*(asyncio.to_thread(run, name) for name in names))
    finally:
        sys.setswitchinterval(interval)
        over.set()
        await collecting


async def test_a_websocket_that_another_thread_collects(scripted):
    """Its connection is dropped in its own thread, with the warning."""
    # Now the loop complains of what is done in another.
    asyncio.get_running_loop().set_debug(True)
    ended = asyncio.Event()

    async def script(wire):
        await wire.end()
        ended.set()

    ws = await ws_connect(await scripted(script), heartbeat=10)
    dead = weakref.ref(ws)
    threads = []
    lost = ws._connection.wait_lost()
    lost.add_done_callback(lambda _: threads.append(threading.get_ident()))
    ws.itself = ws
    del ws
    with pytest.warns(ResourceWarning, match="unclosed"):  # noqa: PT031 - it comes later
        await asyncio.to_thread(gc.collect)
        async with asyncio.timeout(10):
            await ended.wait()
            await lost
    assert threads == [threading.get_ident()]
    assert dead() is None


async def test_a_websocket_that_is_collected_after_its_loop(echo):
    elsewhere = []

    def run():
        with asyncio.Runner() as runner:
            elsewhere.append(runner.run(ws_connect(echo)))

    await asyncio.to_thread(run)
    elsewhere.clear()
    with pytest.warns(ResourceWarning, match="unclosed"):
        gc.collect()
