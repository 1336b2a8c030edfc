"""Python code that runs where nobody calls it: collectors, finalizers, weak references."""

import asyncio
import contextlib
import gc
import itertools
import sys
import sysconfig
import threading
import weakref

import pytest
from tests.conftest import BINARY, CLOSE, PING, TEXT, frame

from wsclient import (
    ClientConnectionResetError,
    ClientError,
    Conflate,
    DropOldest,
    MsgType,
    ws_connect,
)

from .linked import deliver, gone, linked

STILL = 30


class Poker:
    """Uses a WebSocket in all ways, whenever it is called."""

    def __init__(self, ws, *, takes=True):
        self.ws = ws
        self.takes = takes
        self.count = 0
        self.busy = False
        self.thread = threading.get_ident()
        self.taken = []
        self.errors = []

    def __call__(self, *_):
        if self.busy or self.thread != threading.get_ident():
            return
        self.busy = True
        self.count += 1
        try:
            self.poke()
        except (ClientError, RuntimeError):
            pass
        except BaseException as error:  # noqa: BLE001 - a PanicException is none of Exception's
            self.errors.append(error)
        finally:
            self.busy = False

    def poke(self):
        ws = self.ws
        _ = ws.closed, ws.close_code, ws.close_reason, ws.stats, ws.latency, ws.dropped, repr(ws)
        _ = ws.exception(), ws.latency_histogram, ws.buffered_amount, ws.compress
        _ = ws.get_extra_info("peername"), ws._connection.outcome(), ws._connection.idle_time
        if self.count % 3 == 0:
            ws.pause_reading()
            ws.resume_reading()
        if self.count % 5 == 0:
            ws.send_str("x")
            ws.ping(b"y")
        if self.count % 7 == 0:
            with ws.cork():
                ws.send_many(["m", b"n"])
                ws.send_str("x")
        msg = ws.receive_nowait() if self.takes else None
        if msg is not None and msg.type in {MsgType.TEXT, MsgType.BINARY}:
            self.taken.append(msg)


@contextlib.contextmanager
def poked(ws, **options):
    """Let a collector, and with it a `Poker`, run at every allocation that may lead to one."""
    poker = Poker(ws, **options)
    before = gc.get_threshold()
    gc.callbacks.append(poker)
    gc.set_threshold(1, 1000, 1000)
    try:
        yield poker
    finally:
        gc.set_threshold(*before)
        gc.callbacks.remove(poker)
    assert poker.count
    assert not poker.errors


@pytest.mark.skipif(
    sysconfig.get_config_var("Py_GIL_DISABLED") == 1,
    reason="without the GIL, a collector waits for a quarter more objects",
)
@pytest.mark.parametrize("queue", [None, DropOldest(10), Conflate(lambda msg: msg.data[:1], 10)])
@pytest.mark.parametrize("compress", [0, 15])
async def test_a_collector_at_every_allocation(scripted, queue, compress):
    async def script(wire):
        for number in range(20):
            await wire.send(
                frame(TEXT, b"%d" % number), frame(PING, b""), frame(BINARY, bytes(100_000))
            )
        await wire.send(frame(TEXT, b"end"), frame(CLOSE, b"\x03\xe8"))
        await wire.end()

    extensions = "permessage-deflate" if compress else None
    url = await scripted(script, extensions=extensions)
    async with asyncio.timeout(STILL), ws_connect(url, queue=queue, compress=compress) as ws:
        with poked(ws, takes=False):
            received = []
            while (msg := await ws.receive(timeout=STILL)).type != MsgType.CLOSED:
                received.append(msg)
                ws.send_bytes(bytes(10))
            await ws.close()
        texts = [msg.data for msg in received if msg.type == MsgType.TEXT]
        if queue is None:
            assert texts == [*(str(number) for number in range(20)), "end"]


class Final:
    """Calls something when it is dropped."""

    def __init__(self, function):
        self.function = function

    def __del__(self):
        self.function()


class FinalError(ClientError):
    """An exception that does so."""


async def test_exceptions_that_are_replaced(scripted):
    async with linked(scripted) as (ws, _):
        poker = Poker(ws)
        for end in (ws._connection.abort, ws._connection.fail_with):
            error = FinalError("told")
            error.final = Final(poker)
            end(error)
            del error
        await deliver_end(ws)
        assert poker.count
        assert not poker.errors


@pytest.mark.parametrize("corked", [False, True])
async def test_a_batch_that_is_sent_inside_another(scripted, corked):
    """As by a signal's handler, in what the core calls before it writes."""
    async with linked(scripted) as (ws, wire):
        inside = ["get_write_buffer_size", "call_soon"]

        def handler(code, event, _):
            if event == "call" and code.f_code.co_name in inside:
                inside.clear()
                ws.send_many(["c", "d"])

        with ws.cork() if corked else contextlib.nullcontext():
            sys.setprofile(handler)
            try:
                ws.send_many(["a", "b"])
            finally:
                sys.setprofile(None)
        received = [(await wire.receive()).payload for _ in range(4)]
        assert received == [b"a", b"b", b"c", b"d"]
        assert ws.buffered_amount == 0


async def deliver_end(ws):
    while not ws._connection.lost:  # noqa: ASYNC110 - it has no event here
        await asyncio.sleep(0)
    while (await ws.receive()).type != MsgType.CLOSED:
        pass


async def test_a_spare_receive_with_a_weak_reference(scripted):
    async with linked(scripted) as (ws, wire):
        poker = Poker(ws)
        await deliver(wire, frame(TEXT, b"one"))
        receiving = ws.receive()
        reference = weakref.ref(receiving, poker)
        await receiving
        del receiving
        wire.reset()
        await deliver_end(ws)
        gc.collect()
        assert reference() is None
        assert poker.count
        assert not poker.errors


@pytest.mark.slow
async def test_sends_that_are_refused(scripted):
    async with linked(scripted) as (ws, _):
        waiting = ws.send_bytes(bytes(50_000_000))
        ws._connection.abort()
        await deliver_end(ws)
        sends = (
            lambda: waiting.send(None),
            lambda: ws.send_str("x"),
            lambda: ws.send_bytes(b"x"),
            lambda: ws.send_json({}),
            lambda: ws.ping(b"x"),
            lambda: ws.pong(b"x"),
        )
        with poked(ws):
            for send, allocations in itertools.product(sends, range(10)):
                with pytest.raises(ClientConnectionResetError):
                    gc.collect()
                    gc.set_threshold(allocations + 1)
                    send()


@pytest.mark.parametrize("end", ["abort", "reset", "close"])
async def test_two_ends_at_once(scripted, monkeypatch, end):
    """A finalizer that runs inside the loop's call_soon() ends what is about to end."""
    loop = asyncio.get_running_loop()
    call_soon, told, ended = loop.call_soon, [], []

    def interrupted(callback, *args, **options):
        if getattr(callback, "__name__", "") == "_lost" and not ended:
            ended.append(callback)
            ws._connection.abort()
        return call_soon(callback, *args, **options)

    loop.set_exception_handler(lambda _, context: told.append(context))
    async with linked(scripted) as (ws, wire):
        monkeypatch.setattr(loop, "call_soon", interrupted, raising=False)
        if end == "abort":
            ws._connection.abort()
        elif end == "reset":
            wire.reset()
        else:
            wire.transport.close()
        await gone(ws)
        monkeypatch.undo()
        await asyncio.sleep(0)
    assert ended
    assert not told


async def test_a_reader_whose_task_ends_something(scripted):
    async with linked(scripted) as (ws, _):
        poker = Poker(ws)

        async def read(_held):
            await ws.receive()

        task = asyncio.create_task(read(Final(poker)))
        await asyncio.sleep(0)
        task.cancel()
        # Asking finds that it is cancelled, and forgets its future.
        assert ws.receive_nowait() is None
        del task
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        gc.collect()
        assert poker.count
        assert not poker.errors


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="a collector waits for the next bytecode")
async def test_the_first_read_of_a_thread(scripted):
    """The read buffer is made then."""

    async def script(wire):
        await wire.send(frame(TEXT, b"hello"))
        await wire.answer_close()

    url = await scripted(script)
    failed = []

    def in_thread():
        async def read():
            async with asyncio.timeout(STILL), ws_connect(url) as ws:
                with poked(ws, takes=False):
                    assert (await ws.receive()).data == "hello"
                await ws.close()

        try:
            asyncio.run(read())
        except BaseException as error:  # noqa: BLE001 - raised below
            failed.append(error)

    await asyncio.to_thread(in_thread)
    assert not failed
