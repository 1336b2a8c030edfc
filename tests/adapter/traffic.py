"""Scenarios: messages, pings, timeouts, compression, sizes."""

import asyncio
import json

import aiohttp
from aiohttp import WSMsgType
from tests.conftest import BINARY, CLOSE, PING, PONG, TEXT, frame

from .scripts import limit, scenario, settled


@scenario()
async def echo_of_all_kinds(script):
    ws = await script.connect(script.echo)
    await script.attempt("send", ws.send_str("κείμενο"))
    await script.attempt("send", ws.send_bytes(b"\x00\xff"))
    await script.attempt("send", ws.send_bytes(bytearray(b"array")))
    await script.attempt("send", ws.send_bytes(memoryview(b"view")))
    await script.attempt("send", ws.send_json({"a": [1]}))
    await script.attempt("send", ws.send_json(2, dumps=lambda data: f"<{data}>"))
    await script.attempt("send", ws.send_str(""))
    await script.receive(ws, 7)
    script.state(ws)


@scenario()
async def helpers(script):
    ws = await script.connect(script.echo)
    for text in ("text", '{"a": 1}', "[2]", "not JSON"):
        await ws.send_str(text)
    await ws.send_bytes(b"bytes")
    await script.attempt("str", ws.receive_str())
    await script.attempt("json", ws.receive_json())
    await script.attempt("json", ws.receive_json(loads=lambda text: ("loaded", text)[1]))
    await script.attempt("json", ws.receive_json())
    await script.attempt("bytes", ws.receive_bytes())
    await ws.send_str("text")
    await ws.send_bytes(b"bytes")
    await script.attempt("bytes", ws.receive_bytes())
    await script.attempt("str", ws.receive_str())


@scenario()
async def shape_of_a_message(script):
    ws = await script.connect(script.echo)
    await ws.send_str('{"a": 1}')
    msg = await ws.receive()
    kind, data, extra = msg
    script.note(kind is WSMsgType.TEXT, data, extra, msg[1], len(msg), msg.json())
    script.note(msg == (WSMsgType.TEXT, '{"a": 1}', ""), hash(msg) == hash(tuple(msg)))
    script.note(repr(msg), msg._asdict(), msg._replace(data="b"), msg.json(loads=len))
    match msg:
        case aiohttp.WSMessage(type=WSMsgType.TEXT, data=found):
            script.note("matched", found)


@scenario()
async def hashes_of_messages(script):
    """Each is that of its own fields, also where the memory is that of an earlier message."""
    ws = await script.connect(script.echo)
    for text in "abc":
        await ws.send_str(text)
        msg = await ws.receive()
        script.note(hash(msg) == hash(tuple(msg)), {msg: msg.data}[msg.type, text, msg.extra])
        del msg


@scenario()
async def wrong_types(script):
    ws = await script.connect(script.echo)
    for call in (
        lambda: ws.send_str(b"bytes"),
        lambda: ws.send_bytes("text"),
        lambda: ws.send_json(object()),
        lambda: ws.send_str("\ud800"),
    ):
        try:
            await call()
        except Exception as error:  # noqa: BLE001 - noted
            script.note("send", error)
    await ws.send_str("works")
    await script.receive(ws)


@scenario()
async def iteration(script):
    async def server(wire):
        await wire.send(frame(TEXT, b"a"), frame(BINARY, b"b"), frame(CLOSE, b"\x03\xe8"))
        await wire.answer_close()

    ws = await script.connect(await script.scripted(server))
    async for msg in ws:
        script.note(msg.type, msg.data)
    script.state(ws)


@scenario()
async def fragments_with_a_ping_between(script):
    async def server(wire):
        await wire.send(frame(TEXT, b"a\xc3", fin=False), frame(PING, b"p"))
        await wire.send(frame(0, b"\xa9b", fin=False), frame(0, b"", fin=False), frame(0, b"c"))
        script.saw((await wire.receive()).payload)
        await wire.answer_close()

    ws = await script.connect(await script.scripted(server))
    await script.receive(ws)


@scenario()
async def bytes_one_by_one(script):
    async def server(wire):
        for byte in frame(TEXT, b"slow") + frame(BINARY, b"x" * 300):
            await wire.send(bytes([byte]))
            await asyncio.sleep(0)
        await wire.answer_close()

    ws = await script.connect(await script.scripted(server))
    await script.receive(ws, 2)


@scenario()
async def large_messages(script):
    ws = await script.connect(script.echo)
    for size in (125, 126, 65535, 65536, 1 << 20):
        data = bytes(range(256)) * (size // 256 + 1)
        await ws.send_bytes(data[:size])
        msg = await ws.receive()
        script.note(size, msg.type, msg.data == data[:size])


@scenario()
async def pings_are_answered(script):
    async def server(wire):
        await wire.send(frame(PING, b"one"), frame(PONG, b"unasked"), frame(TEXT, b"after"))
        answer = await wire.receive()
        script.saw(answer.opcode, answer.payload)
        await wire.answer_close()

    ws = await script.connect(await script.scripted(server))
    await script.receive(ws)


@scenario()
async def pings_are_the_users(script):
    async def server(wire):
        await wire.send(frame(PING, b"one"), frame(PONG, b"two"), frame(TEXT, b"after"))
        answer = await wire.receive()
        script.saw(answer.opcode, answer.payload)
        await wire.answer_close()

    ws = await script.connect(await script.scripted(server), autoping=False)
    await script.receive(ws, 3)
    await script.attempt("pong", ws.pong(b"mine"))


@scenario()
async def pings_of_the_user(script):
    async def server(wire):
        for _ in range(3):
            ping = await wire.receive()
            script.saw(ping.opcode, ping.payload)
        await wire.send(frame(TEXT, b"seen"))
        await wire.answer_close()

    ws = await script.connect(await script.scripted(server))
    await script.attempt("ping", ws.ping())
    await script.attempt("ping", ws.ping(b"payload"))
    await script.attempt("pong", ws.pong(b"unasked"))
    await script.receive(ws)


@scenario(since=(3, 11))
async def frames_of_the_user(script):
    async def server(wire):
        for _ in range(4):
            received = await wire.receive()
            script.saw(received.opcode, received.payload)
        await wire.send(frame(TEXT, b"seen"))
        await wire.answer_close()

    ws = await script.connect(await script.scripted(server))
    for opcode in (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.PING, WSMsgType.PONG):
        await script.attempt("frame", ws.send_frame(b"data", opcode))
    await script.receive(ws)


@scenario()
async def heartbeat_that_is_answered(script):
    async def server(wire):
        ping = await wire.receive()
        script.saw(ping.opcode)
        await wire.send(frame(PONG, ping.payload), frame(TEXT, b"alive"))
        await wire.answer_close()

    ws = await script.connect(await script.scripted(server), heartbeat=0.05)
    await script.receive(ws)
    script.state(ws)


@scenario()
async def heartbeat_that_is_not_answered(script):
    async def server(wire):
        script.saw((await wire.receive()).opcode)
        await wire.end()

    ws = await script.connect(await script.scripted(server), heartbeat=0.05)
    await script.receive(ws)
    script.state(ws)
    script.note(ws.exception())
    await script.end(ws)


@scenario(
    differs="close_code is set to 1006 by a receive() that timed out, on an open connection; close()"
    " then does not wait for the server's close frame"
)
async def timeout_of_a_call(script):
    ws = await script.connect(script.echo)
    await script.receive(ws, timeout=0.01)
    script.note("close code", ws.close_code)
    await ws.send_str("late")
    await script.receive(ws, timeout=5)
    await script.attempt("close", ws.close())
    script.note("closed with", ws.close_code)
    return {
        "theirs": [("close code", 1006), ("closed with", 1006)],
        "ours": [("close code", None), ("closed with", 1000)],
    }


@scenario()
async def timeout_of_no_seconds_is_none(script):
    ws = await script.connect(script.echo)
    waiting = asyncio.ensure_future(ws.receive(timeout=0))
    await settled(waiting)
    await ws.send_str("there")
    await script.attempt("receive", waiting)


@scenario()
async def cancelled_receive_loses_nothing(script):
    ws = await script.connect(script.echo)
    waiting = asyncio.ensure_future(ws.receive())
    await settled(waiting)
    waiting.cancel()
    await ws.send_str("kept")
    try:
        await waiting
    except asyncio.CancelledError:
        script.note("cancelled")
    await script.receive(ws)


@scenario()
async def two_receivers(script):
    ws = await script.connect(script.echo)
    waiting = asyncio.ensure_future(ws.receive())
    await settled(waiting)
    await script.receive(ws)
    await ws.send_str("for the first")
    await script.attempt("first", waiting)


@scenario()
async def many_senders(script):
    ws = await script.connect(script.echo)
    await asyncio.gather(*(ws.send_str(str(number)) for number in range(20)))
    script.note(sorted([int((await ws.receive()).data) for _ in range(20)]))


@scenario()
async def compression(script):
    ws = await script.connect(script.echo, compress=15)
    script.note(ws.compress, ws.client_notakeover)
    for text in ("aaaa" * 100, "", "aaaa" * 100):
        await script.attempt("send", ws.send_str(text))
    await script.receive(ws, 3)


@scenario()
async def compression_as_it_is_reported(script):
    async def server(wire):
        await wire.end()

    for asked in (9, 12, 15):
        window = "" if asked == 15 else f"; server_max_window_bits={asked}"
        for more in ("", "; client_no_context_takeover", f"; client_max_window_bits={asked}"):
            answer = f"permessage-deflate{window}{more}"
            url = await script.scripted(server, extensions=answer)
            ws = await script.connect(url, compress=asked, timeout=limit(ws_close=0.05))
            script.note(asked, answer, ws.compress, ws.client_notakeover)


@scenario()
async def compression_that_is_declined(script):
    async def server(wire):
        received = await wire.receive()
        script.saw(received.rsv, received.payload)
        await wire.send(frame(TEXT, b"plain"))
        await wire.answer_close()

    ws = await script.connect(await script.scripted(server), compress=15)
    script.note(ws.compress)
    await script.attempt("send", ws.send_str("text"))
    await script.receive(ws)


@scenario()
async def compression_without_takeover(script):
    async def handler(request):
        ws = aiohttp.web.WebSocketResponse()
        await ws.prepare(request)
        async for msg in ws:
            await ws.send_str(msg.data)
        return ws

    url = await script.web_server(handler)
    for bits in (9, 12, 15):
        ws = await script.connect(url, compress=bits)
        for _ in range(2):
            await ws.send_str(json.dumps(list(range(100))))
            await script.receive(ws)


@scenario(differs="compress= of a message compresses on a connection without compression")
async def compressed_message_without_negotiation(script):
    async def server(wire):
        received = await wire.receive()
        await wire.send(frame(TEXT, str(received.rsv).encode()))
        await wire.answer_close()

    ws = await script.connect(await script.scripted(server))
    await ws.send_str("text", compress=15)
    msg = await ws.receive()
    script.note("reserved bits", msg.data)
    return {"theirs": [("reserved bits", "4")], "ours": [("reserved bits", "0")]}


@scenario(differs="a message of exactly max_msg_size is refused")
async def message_of_the_largest_size(script):
    async def server(wire):
        await wire.send(frame(BINARY, bytes(100)))
        await wire.answer_close()

    ws = await script.connect(await script.scripted(server), max_msg_size=100)
    msg = await ws.receive()
    script.note(msg.type)
    return {"theirs": [(WSMsgType.ERROR,)], "ours": [(WSMsgType.BINARY,)]}


@scenario()
async def message_that_is_too_large(script):
    async def server(wire):
        await wire.send(frame(TEXT, b"before"), frame(BINARY, bytes(101)))
        closing = await wire.receive()
        script.saw(closing.opcode, closing.payload[:2])
        await wire.answer_close()

    ws = await script.connect(await script.scripted(server), max_msg_size=100)
    await script.receive(ws)
    await script.receive(ws)
    script.state(ws)
    await script.end(ws)


@scenario()
async def message_size_without_limit(script):
    ws = await script.connect(script.echo, max_msg_size=0)
    await ws.send_bytes(bytes(5 << 20))
    script.note(len((await ws.receive()).data))


@scenario(differs="a ping of more than 125 bytes is sent, which RFC 6455 §5.5 forbids")
async def ping_that_is_too_long(script):
    async def server(wire):
        await wire.end()

    ws = await script.connect(await script.scripted(server), timeout=limit(ws_close=0.05))
    try:
        await ws.ping(bytes(126))
        script.note("sent")
    except ValueError:
        script.note("refused")
    return {"theirs": [("sent",)], "ours": [("refused",)]}


@scenario(since=(3, 14))
async def text_that_is_not_decoded(script):
    ws = await script.connect(script.echo, decode_text=False)
    await ws.send_str('{"a": "é"}')
    msg = await ws.receive()
    kind = aiohttp.http.WSMessageTextBytes
    script.note(isinstance(msg, kind), msg.type, msg.data, msg.extra, msg.json())
    await ws.send_str("text")
    await script.attempt("str", ws.receive_str())
