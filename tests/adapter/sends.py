"""Scenarios: sends are coroutines."""

import asyncio
import gc
import inspect
import threading
import warnings
from collections.abc import Coroutine

from tests.conftest import CLOSE, frame

from .scripts import scenario


def hears(script):
    """A server that tells what it hears, and answers a close frame."""

    async def server(wire):
        while (received := await wire.receive()) is not None:
            script.saw(received.opcode, received.payload)
            if received.opcode == CLOSE:
                await wire.send(frame(CLOSE, received.payload))
                return

    return server


def calls(ws):
    """Each method that sends, with arguments that are right and some that are wrong."""
    return {
        "send_str": (ws.send_str, ["text"], [b"bytes", None, 1]),
        "send_bytes": (ws.send_bytes, [b"bytes", bytearray(b"array"), memoryview(b"view")], ["s"]),
        "send_json": (ws.send_json, [{"a": 1}], [object()]),
        "ping": (ws.ping, [b"ping"], []),
        "pong": (ws.pong, [b"pong"], []),
    }


@scenario()
async def errors_belong_to_the_awaitable(script):
    ws = await script.connect(await script.scripted(hears(script)))
    for name, (method, _, wrong) in calls(ws).items():
        for argument in wrong:
            # Nothing is raised here.
            waiting = method(argument)
            await script.attempt(name, waiting)
    await ws.close()
    for name, (method, right, _) in calls(ws).items():
        waiting = method(right[0])
        await script.attempt(f"{name}, closed", waiting)


@scenario()
async def one_closed_websocket_of_many(script):
    first = await script.connect(await script.scripted(hears(script)))
    closed = await script.connect(await script.scripted(hears(script)))
    await closed.close()
    sends = [ws.send_str("all") for ws in (closed, first)]
    for outcome in await asyncio.gather(*sends, return_exceptions=True):
        script.note("outcome", outcome)


@scenario()
async def sends_in_tasks(script):
    ws = await script.connect(await script.scripted(hears(script)))
    tasks = [asyncio.create_task(ws.send_str(str(number))) for number in range(2)]
    async with asyncio.TaskGroup() as group:
        group.create_task(ws.send_bytes(b"2"))
    script.note("done", [task.done() for task in tasks], [await task for task in tasks])


@scenario()
async def nothing_is_sent_before_it_is_awaited(script):
    ws = await script.connect(await script.scripted(hears(script)))
    late = ws.send_str("second")
    data = bytearray(b"first")
    early = ws.send_bytes(data)
    data[:] = b"FIRST"
    await early
    await late
    await ws.ping(b"third")
    await script.attempt("again", late)


@scenario()
async def what_is_never_awaited_warns(script):
    ws = await script.connect(await script.scripted(hears(script)))
    for name, (method, right, _) in calls(ws).items():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            method(right[0])
            gc.collect()
        texts = [str(warning.message).rpartition(".")[2] for warning in caught]
        script.note(name, texts, [warning.category for warning in caught])
    # It is the first that the server hears of.
    await ws.send_str("after")


@scenario()
async def sends_from_another_thread(script):
    ws = await script.connect(await script.scripted(hears(script)))
    loop = asyncio.get_running_loop()
    outcomes = []

    def work():
        for send in (ws.send_str, ws.send_bytes):
            data = "text" if send == ws.send_str else b"bytes"
            outcomes.append(asyncio.run_coroutine_threadsafe(send(data), loop).result(30))

    thread = threading.Thread(target=work)
    thread.start()
    while thread.is_alive():
        await asyncio.sleep(0.001)
    script.note("outcomes", outcomes)


@scenario()
async def a_cancelled_send_before_it_runs(script):
    ws = await script.connect(await script.scripted(hears(script)))
    task = asyncio.create_task(ws.send_str("never"))
    task.cancel()
    await asyncio.wait([task])
    script.note("cancelled", task.cancelled())
    await ws.send_str("after")


@scenario()
async def what_is_awaited_is_a_coroutine(script):
    ws = await script.connect(await script.scripted(hears(script)))
    made = {name: method(right[0]) for name, (method, right, _) in calls(ws).items()}
    for name in ("receive", "receive_str", "receive_bytes", "receive_json", "close", "__anext__"):
        made[name] = getattr(ws, name)()
    for name, coroutine in made.items():
        is_one = asyncio.iscoroutine(coroutine), isinstance(coroutine, Coroutine)
        script.note(name, is_one, inspect.isawaitable(coroutine), coroutine.__name__)
        coroutine.close()


@scenario()
async def a_coroutine_by_hand(script):
    ws = await script.connect(await script.scripted(hears(script)))
    coroutine = ws.send_str("never")
    coroutine.close()
    await script.attempt("closed", coroutine)
    await ws.send_str("after")
