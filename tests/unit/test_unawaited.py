"""A `receive()` that is never awaited warns, as a coroutine does; a send does not."""

import asyncio
import gc
import subprocess
import sys
import textwrap
import warnings

import aiohttp
import pytest
from tests.conftest import CLOSE, TEXT, frame

import wsclient.aiohttp
from wsclient import ws_connect
from wsclient.framing import encode_close

from .linked import deliver, linked

A, B = frame(TEXT, b"a"), frame(TEXT, b"b")

CALLS = {
    "receive": lambda ws: ws.receive(),
    "receive(timeout)": lambda ws: ws.receive(timeout=1),
    "receive_many": lambda ws: ws.receive_many(),
    "receive_str": lambda ws: ws.receive_str(),
    "receive_bytes": lambda ws: ws.receive_bytes(timeout=1),
    "receive_json": lambda ws: ws.receive_json(loads=len),
    "receive_many_str": lambda ws: ws.receive_many_str(),
    "receive_many_bytes": lambda ws: ws.receive_many_bytes(timeout=1),
    "__anext__": anext,
}


def warns(name):
    text = rf"^coroutine 'ClientWebSocketResponse\.{name}' was never awaited$"
    return pytest.warns(RuntimeWarning, match=text)


@pytest.mark.parametrize("call", CALLS)
async def test_it_warns_where_it_is_dropped(scripted, call):
    name = call.partition("(")[0]
    async with linked(scripted) as (ws, wire):
        with warns(name) as caught:
            CALLS[call](ws)
        assert [warning.filename for warning in caught] == [__file__]
        # The second uses the object of one that was awaited, if there is a spare one.
        await deliver(wire, A, B)
        assert (await ws.receive()).data == "a"
        with warns(name) as caught:
            CALLS[call](ws)
        assert [warning.filename for warning in caught] == [__file__]
        assert (await ws.receive()).data == "b"


async def test_one_that_is_kept_warns_when_it_goes(scripted):
    async with linked(scripted) as (ws, wire):
        kept = [ws.receive()]
        await deliver(wire, A)
        assert (await ws.receive()).data == "a"
        with warns("receive"):
            kept.clear()


async def test_one_that_is_kept_beyond_the_connection(scripted):
    async with linked(scripted) as (ws, _):
        kept = [ws.receive()]
    with warns("receive"):
        kept.clear()


async def test_one_in_a_cycle(scripted):
    async with linked(scripted) as (ws, _):
        cycle = []
        cycle.extend((cycle, ws.receive()))
        del cycle
        with warns("receive"):
            gc.collect()


async def test_what_was_awaited_ended_or_closed_is_silent(scripted):
    async with linked(scripted) as (ws, wire):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            # Waits; is cancelled before it starts, and while it waits.
            for passes in (1, 0, 2):
                task = asyncio.create_task(ws.receive())
                for _ in range(passes):
                    await asyncio.sleep(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            ws.receive().close()
            with pytest.raises(LookupError):
                ws.receive().throw(LookupError)
            with pytest.raises(TimeoutError):
                await ws.receive(timeout=0)
            task = asyncio.create_task(ws.receive())
            await asyncio.sleep(0)
            with pytest.raises(RuntimeError, match="already waiting"):
                await ws.receive()
            await wire.send(A)
            assert (await task).data == "a"
            await wire.send(frame(CLOSE, encode_close(1000)))
            assert [msg async for msg in ws] == []
            del task
            gc.collect()


async def test_sends_that_are_not_awaited_are_silent(scripted):
    async with linked(scripted) as (ws, wire):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            ws.send_str("1")
            ws.send_bytes(b"2")
            ws.send_json(3)
            ws.ping()
            ws.pong()
            ws._connection.pause_writing()
            ws.send_str("4")
            gc.collect()
        payloads = [(await wire.receive()).payload for _ in range(6)]
        assert payloads == [b"1", b"2", b"3", b"", b"", b"4"]


async def test_the_adapter(echo):
    with wsclient.aiohttp.install():
        async with aiohttp.ClientSession() as session, session.ws_connect(echo) as ws:
            with warns("receive"):
                ws.receive()
            await ws.send_str("hello")
            assert (await ws.receive()).data == "hello"


async def test_one_that_another_thread_drops(echo):
    async with ws_connect(echo) as ws:
        held = [ws.receive()]
        with warns("receive"):
            await asyncio.to_thread(held.clear)
        await ws.send_str("hello")
        assert (await ws.receive()).data == "hello"


async def test_a_warning_that_is_an_error_is_not_raised_but_shown(scripted, monkeypatch):
    shown = []
    monkeypatch.setattr(sys, "unraisablehook", lambda info: shown.append(info.exc_value))
    async with linked(scripted) as (ws, _):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            ws.receive()
            try:
                raise LookupError  # noqa: TRY301 - one is on its way
            except LookupError:
                ws.receive()
        assert [type(error) for error in shown] == [RuntimeWarning, RuntimeWarning]


async def test_what_shows_a_warning_may_use_the_connection(scripted, monkeypatch):
    async with linked(scripted) as (ws, wire):
        seen = []

        def show(message, *_):
            seen.append(str(message))
            ws.send_str("warned")
            ws.receive().close()

        await deliver(wire, A)
        assert (await ws.receive()).data == "a"
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            monkeypatch.setattr(warnings, "showwarning", show)
            ws.receive()
        assert len(seen) == 1
        assert (await wire.receive()).payload == b"warned"


PROGRAM = """
    import asyncio, sys, threading
    from wsclient._core import Protocol, WebSocketBase

    async def main():
        ws = WebSocketBase(Protocol(asyncio.get_running_loop(), resume_reading=print))
        return ws.receive()

    kept = asyncio.run(main())
    {more}
"""


@pytest.mark.parametrize(
    "more",
    [
        "",
        "sys.modules['kept'] = kept; del kept",
        "cycle = [kept]; cycle.append(cycle); del kept, cycle",
        "threading.Thread(target=lambda held: held, args=(kept,)).start()",
    ],
)
@pytest.mark.parametrize("options", [(), ("-W", "error"), ("-X", "dev")])
def test_the_interpreters_end_is_safe(more, options):
    program = textwrap.dedent(PROGRAM).format(more=more)
    done = subprocess.run(
        [sys.executable, *options, "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "panicked" not in done.stderr
