"""Scenarios: what a connection tells about itself, and what else it has."""

import asyncio
import gc
import inspect
import re
import uuid
import weakref

import websockets.asyncio.client
from tests.conftest import PING, TEXT, frame
from websockets.protocol import State

from .receiving import sends
from .scripts import closing, scenario, since


@scenario
async def addresses(script):
    ws = await script.connect(await sends(script))
    script.note(ws.remote_address, ws.local_address[0], type(ws.local_address[1]))
    await ws.close()
    script.note(ws.remote_address, ws.local_address[0])


@scenario
async def addresses_after_a_lost_connection(script):
    async def server(peer):
        peer.reset()

    ws = await script.connect(await script.server(server))
    await ws.wait_closed()
    script.note(ws.remote_address, ws.local_address[0])


@scenario
async def the_transport(script):
    ws = await script.connect(await sends(script))
    transport = ws.transport
    script.note(transport.get_extra_info("peername"), transport.get_extra_info("sockname")[0])
    script.note(transport.get_extra_info("socket") is not None)
    script.note(transport.get_extra_info("ssl_object"), transport.get_extra_info("x", "default"))
    script.note(transport.is_closing(), transport.get_write_buffer_size())
    await ws.close()
    script.note(transport.is_closing())


@scenario
async def the_handshake(script):
    url = await sends(script, extensions="permessage-deflate")
    ws = await script.connect(f"{url}path?a=b", subprotocols=["one"])
    script.note(type(ws.request), ws.request.path, ws.request.headers["Upgrade"])
    script.note(ws.request.headers.get_all("sec-websocket-protocol"))
    script.note(type(ws.response), ws.response.status_code, ws.response.reason_phrase)
    script.note(ws.response.headers["sec-websocket-extensions"], ws.subprotocol)
    await ws.close()
    script.note(ws.request.path, ws.response.status_code, ws.subprotocol)


@scenario
async def identity(script):
    ws = await script.connect(await sends(script))
    other = await script.connect(await sends(script))
    script.note(type(ws.id) is uuid.UUID, ws.id == ws.protocol.id, ws.id != other.id)
    script.note(ws == other, len({ws, other, ws}))
    script.note(isinstance(ws, websockets.asyncio.client.ClientConnection))
    script.note(isinstance(ws, script.library.ClientConnection), isinstance(ws, asyncio.Protocol))
    script.note(ws.loop is asyncio.get_running_loop())


@scenario
async def representations(script):
    ws = await script.connect(await sends(script))
    for text in (repr(ws), str(ws), f"{ws}"):
        script.note(re.sub(r"<[\w.]+\.(\w+) object at \w+>", r"\1", text))


@scenario
async def attributes_of_the_users(script):
    ws = await script.connect(await sends(script))
    ws.own = "own"
    reference = weakref.ref(ws)
    script.note(ws.own, reference() is ws, "own" in vars(ws))
    ws.latency = 5.0
    ws.ping_interval = 7
    script.note(ws.latency, ws.ping_interval)


@scenario
async def settings(script):
    options = {"ping_interval": 3, "ping_timeout": 4, "close_timeout": 5}
    ws = await script.connect(await sends(script), max_queue=(6, 2), write_limit=(7, 3), **options)
    script.note(ws.ping_interval, ws.ping_timeout, ws.close_timeout)
    script.note(ws.debug, ws.protocol.side, ws.protocol.origin)


@scenario
async def all_that_is_public(script):
    theirs = websockets.asyncio.client.ClientConnection
    ws = await script.connect(await sends(script))
    public = [name for name in dir(theirs) if not name.startswith("_")]
    script.note([name for name in public if not hasattr(type(ws), name)])
    script.note([name for name in public if callable(getattr(type(ws), name))])
    for name in ("id", "logger", "debug", "loop", "transport", "protocol", "request", "response"):
        script.note(name, getattr(ws, name) is not None)


@scenario
async def signatures(script):
    library = script.library
    for function in (
        library.connect,
        library.unix_connect,
        library.ClientConnection,
        library.ClientConnection.recv,
        library.ClientConnection.recv_streaming,
        library.ClientConnection.send,
        library.ClientConnection.ping,
        library.ClientConnection.pong,
        library.ClientConnection.close,
        library.ClientConnection.wait_closed,
    ):
        for parameter in inspect.signature(function).parameters.values():
            default = re.sub(" at 0x.*", "", repr(parameter.default))
            script.note(function.__name__, parameter.name, parameter.kind, default)


@scenario
async def kinds_of_methods(script):
    ws = await script.connect(await sends(script))
    for name in ("recv", "send", "ping", "pong", "close", "wait_closed"):
        script.note(name, inspect.iscoroutinefunction(getattr(ws, name)))
    script.note(inspect.isasyncgenfunction(ws.recv_streaming), hasattr(aiter(ws), "asend"))


@scenario
async def states_of_the_protocol(script):
    ws = await script.connect(await sends(script))
    script.note(ws.protocol.state, ws.state is State.OPEN, ws.state == 1, ws.state.name)
    script.note(ws.protocol.close_code, ws.protocol.close_reason)
    await ws.close(4000, "why")
    script.note(ws.protocol.state, ws.protocol.close_code, ws.protocol.close_reason)
    script.note(ws.protocol.close_sent, ws.protocol.close_rcvd, ws.protocol.close_rcvd_then_sent)


@scenario
async def the_exception_of_the_protocol(script):
    async def server(peer):
        await peer.close(4001, b"why")

    ws = await script.connect(await script.server(server))
    await ws.wait_closed()
    script.note(ws.protocol.close_exc)
    script.note(ws.protocol.close_sent, ws.protocol.close_rcvd, ws.protocol.close_rcvd_then_sent)


@scenario
async def the_latency(script):
    async def handler(ws):
        await ws.wait_closed()

    ws = await script.connect(await script.serve(handler))
    script.note(ws.latency)
    first = await (await ws.ping())
    script.note(ws.latency == first)
    second = await (await ws.ping())
    script.note(ws.latency == second, 0 <= second < 60)
    await ws.close()
    script.note(ws.latency == second)


@scenario
async def coroutines_that_are_not_awaited(script):
    ws = await script.connect(await sends(script))
    for coroutine in (ws.send("x"), ws.recv(), ws.ping(), ws.pong(), ws.close(), ws.wait_closed()):
        script.note(coroutine.__name__, inspect.iscoroutine(coroutine))
        coroutine.close()
    script.state(ws)


@scenario
@since(17)
async def nothing_is_left_of_a_connection(script):
    async def server(peer):
        await peer.send(frame(TEXT, b"text"), frame(PING), closing(1000))
        await peer.hear()
        await peer.hear()

    ws = await script.library.connect(await script.server(server), ping_interval=1000)
    await ws.wait_closed()
    reference = weakref.ref(ws)
    del ws
    await asyncio.sleep(0)
    gc.collect()
    script.note(reference() is None)
