"""The key function of `Conflate`: Python code that may fail, interrupt, or use the connection."""

import asyncio
import gc
import weakref

import pytest
import uvloop
from tests.conftest import TEXT, accept, frame

from wsclient import Conflate, TCPConnector, ws_connect
from wsclient._core import Protocol, WebSocketBase

from .linked import deliver, gone, linked, threaded


def texts(*values):
    return [frame(TEXT, str(value).encode()) for value in values]


async def received(ws):
    return [msg.data for msg in await ws.receive_many()]


class Broken:
    """A key whose own code fails."""

    def __init__(self, in_hash=None, in_eq=None):
        self.in_hash, self.in_eq = in_hash, in_eq

    def __hash__(self):
        if self.in_hash:
            raise self.in_hash
        return 1

    def __eq__(self, other):
        if error := self.in_eq or other.in_eq:
            raise error
        return self is other


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        (lambda _: 1 / 0, ZeroDivisionError),
        (lambda _: [], TypeError),
        (lambda: 0, TypeError),
        (lambda _: Broken(in_hash=ValueError("no hash")), ValueError),
        (lambda _: Broken(in_hash=asyncio.CancelledError()), asyncio.CancelledError),
    ],
)
async def test_a_key_that_fails_loses_nothing(scripted, key, kind):
    reported = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    async with linked(scripted, queue=Conflate(key)) as (ws, wire):
        await deliver(wire, *texts("a", "b"))
        assert await received(ws) == ["a", "b"]
    assert [type(context["exception"]) for context in reported] == [kind, kind]
    assert "key function" in reported[0]["message"]


async def test_keys_that_cannot_be_compared_lose_nothing(scripted):
    reported = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    queue = Conflate(lambda _: Broken(in_eq=LookupError("no equal")))
    async with linked(scripted, queue=queue) as (ws, wire):
        await deliver(wire, *texts("a", "b", "c"))
        assert await received(ws) == ["a", "b", "c"]
    assert [type(context["exception"]) for context in reported] == [LookupError] * 2


class Interrupt(KeyboardInterrupt):
    """One that is the test's own."""


@pytest.mark.parametrize("kind", [Interrupt, ValueError])
async def test_a_key_that_raises_over_what_came_with_the_handshake(kind):
    """An interrupt comes out of the opening, which leaves nothing open and warns of nothing."""

    def key(_):
        raise kind("now")

    async def serve(reader, writer):
        writer.write(accept(await reader.readuntil(b"\r\n\r\n")) + b"".join(texts("a")))
        await reader.read()
        writer.close()

    connector = TCPConnector(limit=1)
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    told = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    async with asyncio.timeout(30), server:
        opening = ws_connect(url, connector=connector, queue=Conflate(key), timeout=0.1)
        if kind is Interrupt:
            with pytest.raises(Interrupt):
                await opening
        else:
            async with opening as ws:
                assert (await ws.receive()).data == "a"
        gc.collect()
        # Its place is free.
        async with ws_connect(url, connector=connector, timeout=0.1):
            pass
    assert len(told) == (kind is ValueError)


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("place", ["call", "hash", "eq"])
def test_an_interrupt_in_the_key_reaches_who_runs_the_loop(loop_factory, kind, place):
    """After all that was read with it has its place."""

    def key(message):
        if message.data == "b1":
            if place == "call":
                raise kind("now")
            if place == "hash":
                return Broken(in_hash=kind("now"))
            return Broken(in_eq=kind("now"))
        return Broken() if message.data == "x" else message.data[0]

    def script(sock):
        sock.recv(100)
        sock.sendall(b"".join(texts("x", "a1", "b1", "a2", "c1")))
        while sock.recv(100):
            pass

    loop = loop_factory()
    with threaded(script) as url:
        ws = loop.run_until_complete(ws_connect(url, queue=Conflate(key)))
        ws.ping()
        with pytest.raises(kind, match="now"):
            loop.run_until_complete(asyncio.sleep(20))
        assert loop.run_until_complete(received(ws)) == ["x", "a2", "b1", "c1"]
        assert ws.dropped == 1
        ws._connection.abort()
        loop.run_until_complete(gone(ws))
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


async def test_a_key_that_uses_the_connection_breaks_nothing(scripted):
    taken = []

    def key(_):
        message = ws.receive_nowait()
        if message is not None:
            taken.append(message.data)
        return 0

    async with linked(scripted, queue=Conflate(key)) as (ws, wire):
        for number in range(20):
            await deliver(wire, *texts(number, number + 100))
        taken += await received(ws)
        assert taken[-1] == "119"


async def test_a_cycle_through_the_key_is_collected():
    class Bot:
        def key(self, msg):
            return msg.data

    bot = Bot()
    protocol = Protocol(asyncio.get_running_loop(), resume_reading=lambda _: None)
    protocol.keep_newest(2, bot.key)
    bot.ws = WebSocketBase(protocol)
    gone = weakref.ref(bot)
    del bot, protocol
    gc.collect()
    assert gone() is None
