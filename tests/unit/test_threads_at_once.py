"""Threads that run at the same time: those without the GIL do, those with it change often here."""

import asyncio
import contextlib
import sys
import threading

import pytest

import wsclient.aiohttp
from wsclient import ws_connect

THREADS = 4
ROUNDS = 40


@pytest.fixture(autouse=True)
def restless():
    """Threads change as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


@pytest.fixture
async def together():
    """A function that awaits `work(number)` in several threads, each with a loop of its own."""
    kind = type(asyncio.get_running_loop())

    async def run(work):
        start = threading.Barrier(THREADS)

        def one(number):
            with contextlib.closing(kind()) as loop:
                start.wait(20)
                loop.run_until_complete(asyncio.wait_for(work(number), 60))

        await asyncio.gather(*(asyncio.to_thread(one, number) for number in range(THREADS)))

    return run


async def cork(ws):
    with ws.cork():
        pass


async def make(function, ws):
    """What a synchronous method does, and what it returns if that is to be awaited."""
    function(ws)


# What other threads than the event loop's must not do. None of it sends or receives.
REFUSED = {
    "send_str": lambda ws: ws.send_str("no"),
    "send_bytes": lambda ws: ws.send_bytes(b"no"),
    "send_many": lambda ws: ws.send_many(["no", "no"]),
    "ping": lambda ws: ws.ping(),
    "receive": lambda ws: ws.receive(),
    "receive_many": lambda ws: ws.receive_many(),
    "receive_str": lambda ws: ws.receive_str(),
    "anext": lambda ws: anext(aiter(ws)),
    "close": lambda ws: ws.close(),
    "cork": cork,
    "receive_nowait": lambda ws: make(type(ws).receive_nowait, ws),
    "pause_reading": lambda ws: make(type(ws).pause_reading, ws),
    "resume_reading": lambda ws: make(type(ws).resume_reading, ws),
}
LOOKS = ["closed", "close_code", "latency", "buffered_amount", "stats", "compress", "_waiting"]


async def abuse(ws):
    """Do to another thread's connection what must fail, and what must do nothing."""
    for attempt in REFUSED.values():
        with pytest.raises(RuntimeError, match="from another thread than the event loop's"):
            await attempt(ws)
    for name in LOOKS:
        # Refused without the GIL alone.
        with contextlib.suppress(RuntimeError):
            getattr(ws, name)
    ws.send_str("no").close()
    ws.receive().close()
    assert "WebSocket" in repr(ws)


@pytest.mark.parametrize("adapted", [False, True])
async def test_a_connection_that_other_threads_abuse(echo, together, adapted):
    """Its own thread sends and receives meanwhile; nothing is lost, nothing comes from them."""
    async with contextlib.AsyncExitStack() as stack:
        if adapted:
            session = await stack.enter_async_context(wsclient.aiohttp.ClientSession())
            ws = await stack.enter_async_context(session.ws_connect(echo))
        else:
            ws = await stack.enter_async_context(ws_connect(echo))
        over = asyncio.Event()

        async def converse():
            number = 0
            while not over.is_set() or not number:
                await ws.send_str(str(number))
                assert await ws.receive_str() == str(number)
                number += 1
            return number

        async def work(_):
            for _ in range(ROUNDS):
                await abuse(ws)

        conversing = asyncio.create_task(converse())
        try:
            await together(work)
        finally:
            over.set()
        assert await conversing == ws.stats.messages_received


async def test_what_other_threads_send_through_the_loop(echo, together):
    """All of it arrives, in each thread's order."""
    loop = asyncio.get_running_loop()

    async with ws_connect(echo) as ws:

        async def work(number):
            for turn in range(ROUNDS):
                sending = asyncio.run_coroutine_threadsafe(ws.send_str(f"{number} {turn}"), loop)
                await asyncio.wrap_future(sending)
                loop.call_soon_threadsafe(ws.send_str, f"{number} {turn} too")

        working = asyncio.create_task(together(work))
        received = [await ws.receive_str(timeout=60) for _ in range(2 * THREADS * ROUNDS)]
        await working
    for number in range(THREADS):
        own = [text for text in received if text.startswith(f"{number} ")]
        assert [text for text in own if not text.endswith("too")] == [
            f"{number} {turn}" for turn in range(ROUNDS)
        ]
        assert [text for text in own if text.endswith("too")] == [
            f"{number} {turn} too" for turn in range(ROUNDS)
        ]


async def test_connections_of_their_own(echo, together):
    """Tasks are cancelled before they begin, and what they would await belongs to no thread."""

    async def work(number):
        async with ws_connect(echo) as ws:
            for turn in range(4 * ROUNDS):
                tasks = [asyncio.create_task(ws.send_str(f"{number} {turn}")) for _ in range(2)]
                tasks[0].cancel()
                receiving = asyncio.create_task(ws.receive())
                receiving.cancel()
                await asyncio.wait([*tasks, receiving])
                assert tasks[0].cancelled()
                assert receiving.cancelled()
                assert tasks[1].result() is None
                for _ in range(2):
                    assert await ws.receive_str() == f"{number} {turn}"

    await together(work)


async def test_what_serves_all_sends(echo, together):
    """A send with room returns the same object in all threads."""
    async with ws_connect(echo) as ws:
        done = ws.send_str("hello")

        async def work(_):
            for _ in range(100 * ROUNDS):
                done.close()
                assert await done is None

        await together(work)
