"""Scenarios: connections over TLS, which are handed over with their transports."""

import aiohttp
from aiohttp import web
from tests.conftest import TEXT, frame
from tests.interop.proxies import proxy_py

from .opening import closed_politely, head
from .scripts import scenario


@scenario()
async def tls(script):
    async def handler(request):
        ws = web.WebSocketResponse(max_msg_size=0)
        await ws.prepare(request)
        async for msg in ws:
            await ws.send_bytes(msg.data)
        return ws

    url = await script.web_server(handler, tls=True)
    ws = await script.connect(url, ssl=script.client_tls, max_msg_size=0)
    script.note(ws.get_extra_info("ssl_object") is not None, ws.get_extra_info("none", "default"))
    for size in (1, 1000, 100_000, 1 << 20):
        await ws.send_bytes(bytes(size))
        script.note(len((await ws.receive()).data))
    await script.attempt("close", ws.close(code=3000))
    script.state(ws)


@scenario()
async def tls_that_is_not_trusted(script):
    async def handler(request):
        return web.Response()

    url = await script.web_server(handler, tls=True)
    session = await script.session()
    await script.attempt("connect", session.ws_connect(url))


@scenario()
async def tls_frames_with_the_answer(script):
    async def server(reader, writer):
        request = await reader.readuntil(b"\r\n\r\n")
        frames = b"".join(frame(TEXT, str(number).encode()) for number in range(3))
        writer.write(head(request) + frames)
        await closed_politely(reader, writer)

    url = f"https://127.0.0.1:{await script.raw(server, tls=True)}/"
    ws = await script.connect(url, ssl=script.client_tls)
    await script.receive(ws, 3)
    await script.attempt("close", ws.close())
    script.state(ws)


@scenario()
async def tls_that_ends_without_a_word(script):
    async def server(reader, writer):
        request = await reader.readuntil(b"\r\n\r\n")
        writer.write(head(request) + frame(TEXT, b"last"))

    url = f"https://127.0.0.1:{await script.raw(server, tls=True)}/"
    ws = await script.connect(url, ssl=script.client_tls)
    await script.receive(ws)
    await script.end(ws)


# aiohttp 3.10 warns on uvloop of TLS within TLS, where there is none.
@scenario(since=(3, 11))
async def tls_through_a_proxy(script):
    """By CONNECT, which aiohttp does for TLS only."""

    async def handler(request):
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        async for msg in ws:
            await ws.send_str(msg.data)
        return ws

    url = await script.web_server(handler, tls=True)
    with proxy_py(script.folder) as port:
        proxy = f"http://127.0.0.1:{port}"
        ws = await script.connect(url, ssl=script.client_tls, proxy=proxy)
        for size in (1, 1000, 100_000):
            await ws.send_str("x" * size)
            script.note(len((await ws.receive()).data))
        await script.attempt("close", ws.close(code=3000))
        script.state(ws)
        session = await script.session()
        refused = session.ws_connect("https://127.0.0.1:1/", ssl=script.client_tls, proxy=proxy)
        error = await script.attempt("connect", refused)
        script.note(isinstance(error, aiohttp.ClientError))
