"""What goes wrong while a `receive()` begins to wait leaves the connection usable."""

import asyncio
import contextlib
import math
import os
import signal
import subprocess
import sys
import textwrap
import time
import warnings

import aiohttp
import pytest
from tests.conftest import TEXT, frame

import wsclient.aiohttp
from wsclient._core import Protocol, WebSocketBase

from .linked import deliver, linked

A, B = frame(TEXT, b"a"), frame(TEXT, b"b")

NAN, INFINITY = math.nan, math.inf
REFUSED = "^timeout is nan, expected a number of seconds$"


async def still_works(ws, wire):
    """A reader waits, and gets what comes."""
    task = asyncio.create_task(ws.receive())
    await asyncio.sleep(0)
    await wire.send(A)
    assert (await task).data == "a"
    await deliver(wire, B)
    assert ws.receive_nowait().data == "b"


@contextlib.contextmanager
def once(name, then):
    """Let the first call of the running loop's method `name` be `then(method, *args)`."""
    loop = asyncio.get_running_loop()
    method = getattr(loop, name)

    def first(*args, **kwargs):
        delattr(loop, name)
        return then(method, *args, **kwargs)

    setattr(loop, name, first)
    yield
    assert name not in vars(loop), "it was not called"


def failing(error, *, afterwards=False):
    def fail(method, *args, **kwargs):
        if afterwards:
            method(*args, **kwargs)
        raise error

    return fail


@pytest.mark.parametrize("name", ["receive", "receive_many", "receive_str", "receive_many_bytes"])
async def test_nan_is_refused_by_name(scripted, name):
    async with linked(scripted) as (ws, wire):
        with pytest.raises(ValueError, match=REFUSED):
            getattr(ws, name)(timeout=NAN).send(None)
        await still_works(ws, wire)


async def test_nan_is_refused_when_it_is_called():
    ws = WebSocketBase(Protocol(asyncio.get_running_loop(), resume_reading=print))
    with pytest.raises(ValueError, match=REFUSED):
        ws.receive(NAN)
    with pytest.raises(ValueError, match=r"^receive_timeout is nan, expected"):
        WebSocketBase(ws._connection, receive_timeout=NAN)


async def test_the_adapter_refuses_nan(echo):
    with wsclient.aiohttp.install():
        async with aiohttp.ClientSession() as session, session.ws_connect(echo) as ws:
            with pytest.raises(ValueError, match=REFUSED):
                ws.receive(timeout=NAN).send(None)
            await ws.send_str("hello")
            assert await ws.receive_str() == "hello"


@pytest.mark.parametrize("own", [None, 0.001, INFINITY])
async def test_infinity_is_no_limit(scripted, own):
    async with linked(scripted, receive_timeout=own) as (ws, wire):
        with once("call_later", failing(AssertionError("a timer"))):
            task = asyncio.create_task(ws.receive(INFINITY))
            await asyncio.sleep(0)
            assert not task.done()
            with pytest.raises(AssertionError, match="a timer"):
                asyncio.get_running_loop().call_later(0, print)
        await wire.send(A)
        assert (await task).data == "a"


@pytest.mark.parametrize("seconds", [-1, -INFINITY, 0, 1e-320])
async def test_no_time_is_no_time(scripted, seconds):
    async with linked(scripted) as (ws, wire):
        with pytest.raises(TimeoutError):
            await ws.receive(seconds)
        await still_works(ws, wire)


ERRORS = [MemoryError, OverflowError, KeyboardInterrupt, SystemExit, asyncio.CancelledError]


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("place", ["timer", "timer, afterwards", "future"])
async def test_what_it_waits_with_cannot_be_made(scripted, place, error):
    """The future asks the loop for its debug mode."""
    async with linked(scripted) as (ws, wire):
        name = "get_debug" if place == "future" else "call_later"
        receive = ws.receive(timeout=0.001)
        with once(name, failing(error, afterwards="afterwards" in place)), pytest.raises(error):
            receive.send(None)
        with pytest.raises(RuntimeError, match="already awaited"):
            receive.send(None)
        # The timer that was made after all does no harm.
        await asyncio.sleep(0.002)
        await still_works(ws, wire)


class Interrupt(KeyboardInterrupt):
    """One that is the test's own."""


@pytest.mark.parametrize("name", ["receive", "receive_many", "receive_many_str"])
async def test_an_interrupt_when_reading_is_to_go_on(scripted, name):
    """Nothing that was taken is lost, and reading goes on when somebody receives again."""
    async with linked(scripted) as (ws, wire):
        numbers = [str(number) for number in range(20_000)]
        frames = [frame(TEXT, number.encode()) for number in numbers]
        sent = asyncio.create_task(wire.send(*frames))
        while not ws._connection.reading_paused:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0)
        received = []
        with once("add_reader", failing(Interrupt)), pytest.raises(Interrupt):
            while True:
                if name == "receive_many_str":
                    received += await ws.receive_many_str()
                elif name == "receive_many":
                    received += [msg.data for msg in await ws.receive_many()]
                else:
                    received.append((await ws.receive()).data)
        while len(received) < len(numbers):
            received.append(await ws.receive_str())
        assert received == numbers
        await sent


@pytest.mark.parametrize("place", ["timer", "future"])
async def test_in_a_task(scripted, place):
    async with linked(scripted) as (ws, wire):
        name = {"timer": "call_later", "future": "get_debug"}[place]

        async def read():
            # Here, as making a task asks for the debug mode as well.
            with once(name, failing(MemoryError)):
                await ws.receive(timeout=10)

        with pytest.raises(MemoryError):
            await asyncio.create_task(read())
        await still_works(ws, wire)


@pytest.mark.parametrize("name", ["call_later", "get_debug"])
async def test_a_signal_in_between(scripted, name):
    def interrupt(*_):
        raise KeyboardInterrupt

    def send_signal(method, *args, **kwargs):
        os.kill(os.getpid(), signal.SIGUSR1)
        return method(*args, **kwargs)

    async with linked(scripted) as (ws, wire):
        before = signal.signal(signal.SIGUSR1, interrupt)
        try:
            receive = ws.receive(timeout=10)
            with once(name, send_signal), pytest.raises(KeyboardInterrupt):
                receive.send(None)
        finally:
            signal.signal(signal.SIGUSR1, before)
        await still_works(ws, wire)


@pytest.mark.parametrize("name", ["call_later", "get_debug"])
async def test_a_message_that_comes_in_between(scripted, name):
    async with linked(scripted) as (ws, wire):
        made = []

        def deliver_first(method, *args, **kwargs):
            ws._connection.feed(frame(TEXT, b"early"))
            made.append(method(*args, **kwargs))
            return made[0]

        with once(name, deliver_first), pytest.raises(StopIteration) as returned:
            ws.receive(timeout=10).send(None)
        assert returned.value.value.data == "early"
        assert name == "get_debug" or made[0].cancelled()
        await still_works(ws, wire)


@pytest.mark.parametrize("name", ["call_later", "get_debug"])
async def test_another_reader_that_comes_in_between(scripted, name):
    async with linked(scripted) as (ws, wire):
        other = ws.receive()

        def read_first(method, *args, **kwargs):
            assert asyncio.isfuture(other.send(None))
            return method(*args, **kwargs)

        with once(name, read_first), pytest.raises(RuntimeError, match="already waiting"):
            ws.receive(timeout=10).send(None)
        await deliver(wire, A)
        with pytest.raises(StopIteration) as returned:
            other.send(None)
        assert returned.value.value.data == "a"
        await still_works(ws, wire)


async def test_it_is_closed_in_between(scripted):
    async with linked(scripted) as (ws, wire):
        receive = ws.receive(timeout=10)

        def close_first(method, *args, **kwargs):
            receive.close()
            return method(*args, **kwargs)

        with once("call_later", close_first), pytest.raises(RuntimeError, match="already awaited"):
            receive.send(None)
        await still_works(ws, wire)


async def test_the_connection_ends_in_between(scripted):
    async with linked(scripted) as (ws, _):

        def end_first(method, *args, **kwargs):
            ws._connection.abort()
            ws._connection.connection_lost(None)
            return method(*args, **kwargs)

        with once("call_later", end_first), pytest.raises(StopIteration) as returned:
            ws.receive(timeout=10).send(None)
        assert returned.value.value[:2] == (wsclient.MsgType.closed, 1006)


async def test_a_failed_poll_of_the_socket(scripted):
    """Whatever raises, the awaitable is done and warns of nothing."""
    async with linked(scripted, busy_poll=0.001) as (ws, wire):
        with once("get_debug", failing(MemoryError)), pytest.raises(MemoryError):
            ws.receive().send(None)
        await still_works(ws, wire)


PROGRAM = """
    import asyncio, sys
    import _testcapi
    from wsclient._core import Protocol, WebSocketBase

    MESSAGE = b"\\x81\\x01a"

    async def works(ws):
        task = asyncio.create_task(ws.receive())
        await asyncio.sleep(0)
        ws._connection.feed(MESSAGE)
        assert (await task).data == "a"
        # What is given up has no future to be used again.
        receive = ws.receive(timeout=10)
        receive.send(None)
        receive.close()

    async def main(timeout):
        ws = WebSocketBase(Protocol(asyncio.get_running_loop(), resume_reading=print))
        await works(ws)
        for number in range(200):
            receive = ws.receive(timeout=timeout)
            error = None
            _testcapi.set_nomemory(number, number + 1)
            try:
                receive.send(None)
            except BaseException as caught:
                error = caught
            _testcapi.remove_mem_hooks()
            if error is None:
                receive.close()
                print("failures:", number)
                return
            assert isinstance(error, MemoryError), repr(error)
            del receive
            await works(ws)

    asyncio.run(main(float(sys.argv[1]) if sys.argv[1] else None))
"""


@pytest.mark.parametrize("timeout", ["", "10"])
def test_no_memory(timeout):
    pytest.importorskip("_testcapi")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(PROGRAM), timeout],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert int(done.stdout.split()[1]) >= 1


async def test_an_object_that_is_used_again_has_its_own_timeout(scripted):
    async with linked(scripted) as (ws, wire):
        await deliver(wire, A)
        assert (await ws.receive(timeout=0.001)).data == "a"
        task = asyncio.create_task(ws.receive())
        await asyncio.sleep(0.002)
        await wire.send(B)
        assert (await task).data == "b"


async def test_the_warnings_of_the_failed(scripted):
    async with linked(scripted) as (ws, _):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with once("call_later", failing(MemoryError)), pytest.raises(MemoryError):
                await ws.receive(timeout=10)


@pytest.mark.parametrize("turns", [0, 1])
async def test_the_timer_of_a_cancelled_receive_wakes_no_other(scripted, turns):
    async with linked(scripted) as (ws, wire):
        first = asyncio.create_task(ws.receive(timeout=0.01))
        await asyncio.sleep(0)
        due = time.monotonic() + 0.02
        while time.monotonic() < due:  # the loop finds that time is up when it looks next
            pass
        for _ in range(turns):
            await asyncio.sleep(0)
        first.cancel()
        asyncio.get_running_loop().call_later(0.02, asyncio.ensure_future, deliver_hello(wire))
        assert (await ws.receive()).data == "hello"
        await asyncio.wait([first])


async def deliver_hello(wire):
    await deliver(wire, frame(TEXT, b"hello"))
