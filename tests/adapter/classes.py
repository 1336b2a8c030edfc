"""Scenarios: subclasses, and what libraries reach for."""

import asyncio
import weakref

import aiohttp
from tests.conftest import CLOSE, TEXT, frame

from .scripts import scenario, settled


class Counting(aiohttp.ClientWebSocketResponse):
    """Overrides what discord.py does, and a little more."""

    log = []

    async def close(self, *, code=4000, message=b""):
        self.log.append(("close", code))
        return await super().close(code=code, message=message)


class Receiving(Counting):
    async def receive(self, timeout=None):
        msg = await super().receive(timeout)
        self.log.append(("receive", msg.type))
        return msg


class Constructed(aiohttp.ClientWebSocketResponse):
    def __init__(
        self, reader, writer, protocol, response, timeout, autoclose, autoping, loop, **rest
    ):
        super().__init__(
            reader, writer, protocol, response, timeout, autoclose, autoping, loop, **rest
        )
        self.mine = (protocol, response.status, autoclose, autoping)


async def with_class(script, kind, url, **options):
    session = await script.session(ws_response_class=kind)
    ws = await script.connect(url, session=session, **options)
    assert isinstance(ws, kind)
    return ws


@scenario()
async def overridden_close(script):
    async def server(wire):
        await wire.send(frame(TEXT, b"last"), frame(CLOSE, b"\x0f\xa1"))
        answer = await wire.receive()
        script.saw(answer.payload)

    url = await script.scripted(server)
    for kind in (Counting, Receiving):
        kind.log = []
        ws = await with_class(script, kind, url)
        await script.receive(ws, 3)
        script.state(ws)
        script.note(*kind.log)


@scenario()
async def overridden_close_called_by_the_user(script):
    Counting.log = []
    ws = await with_class(script, Counting, script.echo)
    await script.attempt("close", ws.close())
    script.state(ws)
    script.note(*Counting.log)


@scenario()
async def overridden_close_at_a_violation(script):
    async def server(wire):
        await wire.send(b"\x83\x00")
        script.saw((await wire.receive()).payload[:2])
        await wire.end()

    Counting.log = []
    ws = await with_class(script, Counting, await script.scripted(server))
    await script.receive(ws, 2)
    script.note(*Counting.log)


@scenario()
async def overridden_close_at_the_end_of_the_stream(script):
    async def server(wire):
        await wire.send(frame(TEXT, b"last"))

    Counting.log = []
    ws = await with_class(script, Counting, await script.scripted(server))
    await script.receive(ws, 3)
    script.note(*Counting.log)


@scenario()
async def overridden_receive(script):
    Receiving.log = []
    ws = await with_class(script, Receiving, script.echo)
    await ws.send_str("one")
    await ws.send_bytes(b"two")
    await script.attempt("str", ws.receive_str())
    async for msg in ws:
        script.note(msg.data)
        break
    script.note(*Receiving.log)


@scenario()
async def overridden_constructor(script):
    ws = await with_class(script, Constructed, script.echo, autoping=False)
    script.note(*ws.mine)
    await ws.send_str("text")
    await script.receive(ws)


@scenario()
async def class_that_is_none(script):
    session = await script.session(ws_response_class=aiohttp.ClientWebSocketResponse)
    await script.connect(script.echo, session=session)
    script.note("connected")


@scenario()
async def attributes(script):
    ws = await script.connect(script.echo, protocols=())
    script.note(ws.closed, ws.close_code, ws.protocol, ws.compress, ws.exception())
    script.note(ws.client_notakeover, {ws: 1}[ws], weakref.ref(ws)() is ws, ws == ws)  # noqa: PLR0124
    script.note(ws._response.status, ws._response.method, ws._response.url.path)
    script.note(ws._response.headers["Upgrade"], ws._conn.closed, ws._conn.transport is not None)
    script.note(ws.get_extra_info("peername")[0], ws.get_extra_info("none"))
    script.note(ws.get_extra_info("socket").getpeername() == ws.get_extra_info("peername"))
    script.note(ws._loop is asyncio.get_running_loop(), ws._autoclose, ws._autoping)
    await ws.close()
    script.note(ws._response.closed, ws._conn.closed, ws._response.connection)
    script.note(ws.get_extra_info("peername"), ws.get_extra_info("socket", "default"))


@scenario(since=(3, 11))
async def attributes_that_are_not_public(script):
    ws = await script.connect(script.echo)

    def note():
        script.note(ws._closed, ws._closing, ws._close_code, ws._exception, ws._compress)
        script.note(ws._writer.transport.is_closing(), ws._reader.is_eof(), ws._reader.exception())

    note()
    script.note(ws._writer.transport.get_extra_info("peername")[0])
    await ws._writer.send_frame(b"frame", aiohttp.WSMsgType.BINARY)
    await script.receive(ws)
    await ws.close()
    script.note(ws._closed, ws._close_code, ws._exception, ws._compress)
    script.note(ws._writer.transport.is_closing())
    ws._writer.transport.close()


@scenario()
async def transport_that_is_aborted(script):
    ws = await script.connect(script.echo)
    ws._writer.transport.abort()
    await script.receive(ws)
    script.state(ws)
    script.note(ws._writer.transport.is_closing())
    ws._writer.transport.abort()


@scenario()
async def texts_that_programs_look_for(script):
    ws = await script.connect(script.echo)
    await ws.close()
    for send in (
        lambda: ws.send_str("text"),
        lambda: ws.send_bytes(b"bytes"),
        lambda: ws.send_json({}),
        lambda: ws.ping(),
        lambda: ws.pong(),
    ):
        try:
            await send()
        except ConnectionResetError as error:
            script.note(str(error), type(error))


@scenario()
async def text_of_a_second_receiver(script):
    ws = await script.connect(script.echo)
    script.note(bool(ws._waiting))
    waiting = asyncio.ensure_future(ws.receive())
    await settled(waiting)
    script.note(bool(ws._waiting))
    try:
        await ws.receive()
    except RuntimeError as error:
        script.note(str(error))
    await ws.send_str("for the first")
    script.note((await waiting).data, bool(ws._waiting))


@scenario(since=(3, 14))
async def class_with_a_parameter(script):
    session = await script.session(ws_response_class=aiohttp.ClientWebSocketResponse[bool])
    ws = await script.connect(script.echo, session=session)
    script.note(isinstance(ws, aiohttp.ClientWebSocketResponse))

    class Mine(aiohttp.ClientWebSocketResponse[bool]):
        pass

    ws = await with_class(script, Mine, script.echo)
    await ws.send_str("text")
    await script.receive(ws)
