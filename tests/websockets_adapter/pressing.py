"""Scenarios: sends to servers that do not read, and to many at once."""

import asyncio

import websockets.asyncio.server

from .scripts import scenario, settled, since, until
from .sending import listens


def slow(script, go):
    """The URL of a server that reads nothing before it is told to."""

    async def server(peer):
        await go.wait()
        await peer.behave()

    return script.server(server)


LARGE = b"x" * (8 << 20)
"""More than the kernel keeps for a server that does not read."""


@scenario
async def a_server_that_does_not_read(script):
    go = asyncio.Event()
    ws = await script.connect(await slow(script, go), write_limit=(1 << 15, 1 << 10))
    tasks = []
    for message in (LARGE, "second", ["thi", "rd"]):
        tasks.append(asyncio.create_task(ws.send(message)))
        await settled(tasks[-1])
    script.note(ws.state)
    go.set()
    script.note(await asyncio.gather(*tasks))


@scenario
async def a_cancelled_send_to_a_server_that_does_not_read(script):
    go = asyncio.Event()
    ws = await script.connect(await slow(script, go))
    task = asyncio.create_task(ws.send(LARGE))
    await settled(task)
    task.cancel()
    await asyncio.wait([task])
    script.note(task.cancelled(), ws.state)
    go.set()
    await ws.send("after")


@scenario
async def a_server_that_resets_instead_of_reading(script):
    go = asyncio.Event()

    async def server(peer):
        await go.wait()
        peer.reset()

    ws = await script.connect(await script.server(server))
    task = asyncio.create_task(ws.send(LARGE))
    await settled(task)
    go.set()
    await until(task.done)
    script.note(type(task.exception()))
    await script.recv(ws)
    script.state(ws)


@scenario
async def broadcasts(script):
    ws = await script.connect(await listens(script))
    closed = await script.connect(await listens(script))
    await closed.close()
    websockets.asyncio.server.broadcast([ws, closed], "text")
    websockets.asyncio.server.broadcast([ws], b"bytes")
    await ws.send("after")


@scenario
@since(15)
async def broadcasts_during_a_fragmented_message(script):
    go = asyncio.Event()

    async def fragments():
        yield "one"
        await go.wait()

    ws = await script.connect(await listens(script))
    task = asyncio.create_task(ws.send(fragments()))
    await settled(task)
    websockets.asyncio.server.broadcast([ws], "skipped")
    try:
        websockets.asyncio.server.broadcast([ws], "skipped", raise_exceptions=True)
    except ExceptionGroup as group:
        script.note(group, *group.exceptions)
    go.set()
    await task
