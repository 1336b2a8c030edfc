"""Scenarios: programs that empty aiohttp's queue themselves, as ccxt does, before they await."""

import asyncio

import aiohttp
from aiohttp import WSMsgType
from tests.conftest import BINARY, CLOSE, PING, PONG, TEXT, frame

from .scripts import scenario, settled


def queue(ws):
    """What ccxt reaches for."""
    protocol = None if ws._conn is None else ws._conn.protocol
    payload = None if protocol is None else protocol._payload
    return None if payload is None else payload._buffer


class Drain:
    """Receives as ccxt does: what waits behind the first is taken from the queue without awaiting.

    Attributes:
        messages: What was received, in order.
        drained: How many of them were taken from the queue.
        ended: Is done when there is no more.
    """

    def __init__(self, ws):
        self.ws = ws
        self.messages = []
        self.drained = 0
        self.loop = asyncio.get_running_loop()
        self.ended = self.loop.create_future()
        self.loop.call_soon(self.receive)

    def receive(self):
        if self.ws.closed:
            self.ended.set_result(None)
            return
        waiting = queue(self.ws)
        if waiting and len(waiting) > 1:
            taken = 0
            while len(waiting) > 1:
                message, size = waiting.popleft()
                taken += size
                self.drained += 1
                self.messages.append(message)
            waiting[0] = (waiting[0][0], waiting[0][1] + taken)
        task = self.loop.create_task(self.ws.receive())
        task.add_done_callback(self.received)

    def received(self, task):
        message = task.result()
        self.messages.append(message)
        if message.type in {WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.ERROR}:
            self.ended.set_result(None)
        else:
            self.loop.call_soon(self.receive)


def sends(*frames):
    """A server that sends all at once when it is asked, and waits for the answer to its close."""

    async def server(wire):
        await wire.receive()
        await wire.send(*frames)
        await wire.receive()

    return server


async def arrived(ws, count):
    while len(queue(ws)) < count:
        await asyncio.sleep(0)


@scenario()
async def a_burst_that_is_drained(script):
    texts = [frame(TEXT, f"{number} é".encode()) for number in range(20)]
    others = frame(PING, b"ping"), frame(BINARY, b"bytes"), frame(PONG), frame(CLOSE, b"\x0f\xa1")
    server = sends(*texts, *others)
    ws = await script.connect(await script.scripted(server), autoping=False, autoclose=False)
    await ws.send_str("go")
    drain = Drain(ws)
    await drain.ended
    script.note("drained", drain.drained)
    for message in drain.messages:
        assert isinstance(message, aiohttp.WSMessage)
        script.note(*message)
    await ws.close()
    script.state(ws)


@scenario()
async def bursts_larger_than_what_is_queued(script):
    frames = [frame(BINARY, bytes([number]) * 20_000) for number in range(200)]

    async def server(wire):
        for _ in range(2):
            await wire.receive()
            await wire.send(*frames)
        await wire.send(frame(CLOSE, b"\x03\xe8"))
        await wire.receive()

    ws = await script.connect(await script.scripted(server), autoping=False, autoclose=False)
    await ws.send_str("go")
    drain = Drain(ws)
    while len(drain.messages) < len(frames):
        await asyncio.sleep(0)
    await ws.send_str("on")
    await drain.ended
    script.note([(message.type, message.data[:1]) for message in drain.messages[:-1]])
    script.note(*drain.messages[-1])
    await ws.close()


@scenario()
async def a_burst_that_ends_with_a_violation(script):
    server = sends(frame(TEXT, b"one"), frame(TEXT, b"two"), b"\x83\x00")
    ws = await script.connect(await script.scripted(server), autoping=False, autoclose=False)
    await ws.send_str("go")
    drain = Drain(ws)
    await drain.ended
    script.note([(message.type, message.data) for message in drain.messages[:-1]])
    script.note(drain.messages[-1].type, drain.messages[-1].data)
    script.state(ws)


@scenario()
async def the_queue_is_like_a_deque(script):
    ws = await script.connect(
        await script.scripted(sends(frame(TEXT, "é".encode()), frame(BINARY, b"two")))
    )
    waiting = queue(ws)
    script.note(len(waiting), bool(waiting))
    for wrong in (lambda: waiting[0], waiting.popleft):
        try:
            wrong()
        except IndexError as error:
            script.note(error)
    await ws.send_str("go")
    await arrived(ws, 2)
    script.note(len(waiting), bool(waiting))
    message, size = waiting[0]
    script.note(*message, size, type(waiting[0]) is tuple)
    waiting[0] = (message, size + 10)
    script.note(len(waiting), *waiting[0][0])
    await script.receive(ws)
    message, size = waiting.popleft()
    script.note(*message, size)
    script.note(len(waiting), bool(waiting))


@scenario(since=(3, 14))
async def the_queue_of_text_that_is_not_decoded(script):
    url = await script.scripted(sends(frame(TEXT, "é".encode())))
    ws = await script.connect(url, decode_text=False)
    await ws.send_str("go")
    await arrived(ws, 1)
    message, size = queue(ws).popleft()
    script.note(*message, size, isinstance(message, aiohttp.http.WSMessageTextBytes))


@scenario()
async def the_queue_while_a_task_receives(script):
    ws = await script.connect(await script.scripted(sends(frame(TEXT, b"one"))))
    waiting = asyncio.ensure_future(ws.receive())
    await settled(waiting)
    script.note(len(queue(ws)))
    await ws.send_str("go")
    script.note(*(await waiting))
    script.note(len(queue(ws)))


@scenario()
async def the_queue_after_the_end(script):
    async def cuts(wire):
        await wire.receive()
        await wire.send(frame(TEXT, b"last"))

    ws = await script.connect(await script.scripted(cuts))
    transport = ws._conn.transport
    await ws.send_str("go")
    while not transport.is_closing():
        await asyncio.sleep(0)
    for _ in range(3):
        await asyncio.sleep(0)
    script.note(queue(ws))
    await script.receive(ws)
    await script.end(ws)
    ws = await script.connect(script.echo)
    await ws.close()
    script.note(queue(ws))
