"""Scenarios: subclasses and factories of connections."""

import asyncio
import functools

import websockets.asyncio.client
from tests.conftest import BINARY, CLOSE, PING, PONG, TEXT, frame

from .pinging import answers_pings
from .receiving import CONTINUATION, sends
from .scripts import closing, scenario


async def converse(script, ws):
    """Receive, send, ping and close."""
    await script.recv(ws)
    await ws.send("text")
    await ws.send([b"frag", b"ment"])
    await (await ws.ping("ping"))
    await ws.close(4000, "why")
    await script.recv(ws)
    script.state(ws)


async def talks(script, *frames):
    """The URL of a server that greets, answers pings and close frames."""

    async def server(peer):
        await peer.send(frame(TEXT, b"hello"), *frames)
        while (received := await peer.hear()) is not None:
            if received.opcode == PING:
                await peer.send(frame(PONG, received.payload))
            if received.opcode == CLOSE:
                await peer.send(frame(CLOSE, received.payload))
                peer.end()

    return await script.server(server)


@scenario
async def process_event_is_overridden(script):
    events = []

    class Own(script.library.ClientConnection):
        def process_event(self, event):
            events.append(event)
            super().process_event(event)

    frames = [frame(PING, b"p"), frame(BINARY, b"a", fin=False), frame(CONTINUATION, b"b")]
    ws = await script.connect(await talks(script, *frames), create_connection=Own)
    script.note(type(ws) is Own, isinstance(ws, script.library.ClientConnection))
    await script.recv(ws)
    await converse(script, ws)
    script.note(type(events[0]), events[0] is ws.response)
    for event in events[1:]:
        script.note(type(event), event.opcode, bytes(event.data), event.fin)


@scenario
async def messages_are_filtered_by_process_event(script):
    class Own(script.library.ClientConnection):
        def process_event(self, event):
            if getattr(event, "data", None) != b"unwanted":
                super().process_event(event)

    frames = [frame(TEXT, b"unwanted"), frame(TEXT, b"wanted")]
    ws = await script.connect(await sends(script, *frames), create_connection=Own)
    await script.recv(ws)


@scenario
async def recv_is_overridden(script):
    class Own(script.library.ClientConnection):
        async def recv(self, *args, **kwargs):
            return "own", await super().recv(*args, **kwargs)

    ws = await script.connect(await talks(script, closing(1000)), create_connection=Own)
    async for message in ws:
        script.note(message)
    await script.recv(ws, decode=False)


@scenario
async def send_is_overridden(script):
    class Own(script.library.ClientConnection):
        async def send(self, message, *args, **kwargs):
            script.note("sends", message)
            await super().send(message, *args, **kwargs)

    await converse(script, await script.connect(await talks(script), create_connection=Own))


@scenario
async def control_frames_are_overridden(script):
    class Own(script.library.ClientConnection):
        async def ping(self, data=None):
            script.note("ping", data)
            return await super().ping(data)

        async def pong(self, data=b""):
            script.note("pong", data)
            await super().pong(data)

        async def close(self, code=4001, reason="own"):
            script.note("close", code, reason)
            await super().close(code, reason)

    url = await talks(script, frame(PING, b"p"), frame(TEXT, b"again"))
    ws = await script.connect(url, create_connection=Own)
    await script.recv(ws)
    await ws.pong("mine")
    await converse(script, ws)
    async with script.dial(await talks(script), create_connection=Own) as ws:
        pass
    script.state(ws)


@scenario
async def the_handshake_is_overridden(script):
    class Own(script.library.ClientConnection):
        async def handshake(self, *args, **kwargs):
            await super().handshake(*args, **kwargs)
            script.note("opened", self.response.status_code, self.state)
            if self.response.headers.get("X-Own") != "own":
                raise LookupError("not ours")

    async def server(peer):
        await peer.behave()

    url = await script.server(server)
    await script.attempt("connect", script.dial(url, create_connection=Own))
    url = await script.server(server, "X-Own: own")
    ws = await script.connect(url, create_connection=Own)
    await ws.send("text")


@scenario
async def attributes_are_initialized(script):
    class Own(script.library.ClientConnection):
        def __init__(self, protocol, *, name="default", **kwargs):
            super().__init__(protocol, **kwargs)
            self.name = name
            self.count = 0

        async def recv(self, decode=None):
            self.count += 1
            return await super().recv(decode)

    named = functools.partial(Own, name="given")
    for factory in (Own, named):
        ws = await script.connect(await talks(script), create_connection=factory)
        await script.recv(ws)
        script.note(ws.name, ws.count)


@scenario
async def a_function_makes_connections(script):
    def factory(protocol, **kwargs):
        script.note(type(protocol), sorted(kwargs.items()))
        return script.library.ClientConnection(protocol, **{**kwargs, "close_timeout": 7})

    ws = await script.connect(await talks(script), create_connection=factory, ping_interval=None)
    script.note(ws.close_timeout)
    await converse(script, ws)


@scenario
async def a_connection_of_websockets(script):
    theirs = websockets.asyncio.client.ClientConnection
    ws = await script.connect(await talks(script), create_connection=theirs)
    script.note(type(ws) is theirs)
    await converse(script, ws)


@scenario
async def the_keepalive_is_overridden(script):
    answered = asyncio.Event()

    class Own(script.library.ClientConnection):
        async def keepalive(self):
            script.note("keepalive", self.ping_interval)
            await (await self.ping("own"))
            answered.set()

    ws = await script.connect(await answers_pings(script), create_connection=Own)
    await answered.wait()
    await ws.close()


@scenario
async def callbacks_are_overridden(script):
    class Own(script.library.ClientConnection):
        def connection_made(self, transport):
            script.note("made", transport.is_closing())
            super().connection_made(transport)

        def connection_lost(self, exc):
            script.note("lost", exc)
            super().connection_lost(exc)

        def eof_received(self):
            script.note("eof")
            return super().eof_received()

    await converse(script, await script.connect(await talks(script), create_connection=Own))


@scenario
async def data_received_is_overridden(script):
    size = 0

    class Own(script.library.ClientConnection):
        def data_received(self, data):
            nonlocal size
            size += len(data)
            super().data_received(data)

    ws = await script.connect(await talks(script), create_connection=Own)
    await converse(script, ws)
    script.note(size)


@scenario
async def connect_is_subclassed(script):
    class Own(script.library.connect):
        def __init__(self, uri, **kwargs):
            super().__init__(uri, user_agent_header="own", **kwargs)

        async def __aenter__(self):
            script.note("enters")
            return await super().__aenter__()

    script.library = type("Library", (), {"connect": Own, "ClientConnection": None})
    async with script.dial(await talks(script)) as ws:
        script.note(ws.request.headers["User-Agent"])
        await script.recv(ws)
    script.note(isinstance(script.dial("ws://127.0.0.1/"), websockets.asyncio.client.connect))


@scenario
async def iteration_is_overridden(script):
    class Own(script.library.ClientConnection):
        async def __aiter__(self):
            async for message in super().__aiter__():
                yield message.upper()

    url = await talks(script, frame(TEXT, b"again"), closing(1001))
    ws = await script.connect(url, create_connection=Own)
    script.note([message async for message in ws])


@scenario
async def a_mixin_adds_a_method(script):
    class Counts:
        async def roundtrip(self, payload):
            async with asyncio.timeout(10):
                return await (await self.ping(payload)) >= 0

    class Own(Counts, script.library.ClientConnection):
        pass

    ws = await script.connect(await talks(script), create_connection=Own)
    script.note(await ws.roundtrip("a"))
    await converse(script, ws)
