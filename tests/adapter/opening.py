"""Scenarios: the handshake, and all that the session adds to it."""

import asyncio
import base64
import hashlib
import re
import warnings

import aiohttp
from aiohttp import web
from tests.conftest import CLOSE, GUID, TEXT, frame

from .scripts import limit, scenario, settled


def accept_of(request):
    key = re.search(rb"(?i)^sec-websocket-key: *(\S+)", request, re.MULTILINE)[1]
    return base64.b64encode(hashlib.sha1(key + GUID).digest())


def head(request, *lines, status=b"101 Switching Protocols", accept=None):
    return b"\r\n".join(
        [
            b"HTTP/1.1 " + status,
            b"Upgrade: websocket",
            b"Connection: Upgrade",
            b"Sec-WebSocket-Accept: " + (accept or accept_of(request)),
            *lines,
            b"",
            b"",
        ]
    )


def without_key(request):
    return re.sub(rb"(?i)(sec-websocket-key: )\S+", rb"\1...", request).split(b"\r\n")


async def closed_politely(reader, writer):
    """Answer a close frame, whose masked payload is not looked at."""
    await reader.readexactly(8)
    writer.write(frame(CLOSE, b"\x03\xe8"))


async def served(script, *lines, after=b"", **options):
    """The URL of a server that accepts, and notes the request."""

    async def server(reader, writer):
        request = await reader.readuntil(b"\r\n\r\n")
        script.saw(*without_key(request))
        writer.write(head(request, *lines, **options) + after)
        await closed_politely(reader, writer)

    port = await script.raw(server)
    script.port = port
    return f"http://127.0.0.1:{port}/path?a=1"


def without_port(script):
    port = str(script.port).encode()
    script.wire = [tuple(line.replace(port, b"PORT") for line in seen) for seen in script.wire]


@scenario()
async def plain_request(script):
    ws = await script.connect(await served(script))
    script.note(ws.protocol, ws.compress, ws._response.status, ws._response.headers["Upgrade"])
    without_port(script)


@scenario()
async def request_with_everything(script):
    session = await script.session(headers={"X-Session": "1"}, cookies={"a": "b"})
    ws = await script.connect(
        await served(script, b"Sec-WebSocket-Protocol: two"),
        session=session,
        protocols=("one", "two"),
        origin="https://example.org",
        params={"b": "2"},
        headers={"X-Call": "2", "Authorization-Not": "x"},
    )
    script.note(ws.protocol, ws._response.url.query_string)
    without_port(script)


@scenario()
async def request_with_auth(script):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        await script.connect(
            await served(script), auth=aiohttp.BasicAuth("name", "secret"), method="GET"
        )
    script.note(*[(warning.category, str(warning.message)) for warning in caught])
    without_port(script)


@scenario()
async def deprecated_arguments(script):
    for options in (
        {"timeout": 5.0},
        {"receive_timeout": 0.01},
        {"ssl": None},
        {"verify_ssl": False},
    ):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                ws = await script.connect(script.echo, **options)
            except Exception as error:  # noqa: BLE001 - noted
                script.note(error)
                continue
        script.note(*[(warning.category, str(warning.message)) for warning in caught])
        if "receive_timeout" in options:
            await script.receive(ws)


@scenario()
async def limits_in_one_object(script):
    ws = await script.connect(script.echo, timeout=limit(ws_receive=0.01, ws_close=5))
    await ws.send_str("in time")
    await script.receive(ws)


@scenario()
async def arguments_that_are_wrong(script):
    for options in (
        {"compress": 8},
        {"compress": 16},
        {"ssl": "wrong"},
        {"unknown": 1},
        {"proxy": 5},
    ):
        try:
            await script.connect(script.echo, **options)
        except Exception as error:  # noqa: BLE001 - noted
            script.note(error)


@scenario()
async def subprotocols(script):
    async def handler(request):
        ws = web.WebSocketResponse(protocols=("b", "c"))
        await ws.prepare(request)
        await ws.receive()
        return ws

    url = await script.web_server(handler)
    for offered in ((), ("b",), ("c", "b"), ("d",)):
        ws = await script.connect(url, protocols=offered)
        script.note(ws.protocol)


@scenario()
async def subprotocol_that_was_not_offered(script):
    ws = await script.connect(
        await served(script, b"Sec-WebSocket-Protocol: other"), protocols=("one",)
    )
    script.note(ws.protocol)
    without_port(script)


def refused(name, *lines, **options):
    """A scenario with an answer that opens nothing."""

    async def play(script):
        session = await script.session()
        url = await served(script, *lines, **options)
        try:
            await session.ws_connect(url, **({"compress": 15} if name == "extension" else {}))
        except aiohttp.WSServerHandshakeError as error:
            script.note(error, error.status, error.message, error.headers.get("Upgrade"))
            script.note(error.request_info.url.path, error.history)
        script.note(len(session.connector._acquired))
        without_port(script)

    play.__name__ = f"answer_with_{name}"
    scenario()(play)


refused("another_status", b"Content-Length: 0", status=b"404 Not Found")
refused("a_wrong_key", accept=b"AAAAAAAAAAAAAAAAAAAAAAAAAAA=")


@scenario()
async def answer_without_upgrade(script):
    async def server(reader, writer):
        request = await reader.readuntil(b"\r\n\r\n")
        writer.write(head(request).replace(b"Upgrade: websocket", b"Upgrade: other"))
        await reader.read()

    port = await script.raw(server)
    session = await script.session()
    await script.attempt("connect", session.ws_connect(f"http://127.0.0.1:{port}"))
    script.note(len(session.connector._acquired))


@scenario(differs="an answer to the offer of compression that RFC 7692 §7.1 forbids is taken")
async def extension_that_was_not_offered_like_this(script):
    # The server's window is as large as it likes.
    url = await served(script, b"Sec-WebSocket-Extensions: permessage-deflate")
    session = await script.session()
    error = await script.attempt("connect", attempt_to_connect(session, url, compress=12))
    script.trace.pop()
    script.note("refused" if isinstance(error, aiohttp.WSServerHandshakeError) else "taken")
    script.wire.clear()
    return {"theirs": [("taken",)], "ours": [("refused",)]}


async def attempt_to_connect(session, url, **options):
    ws = await session.ws_connect(url, **options)
    await ws.close()


@scenario()
async def raise_for_status(script):
    async def handler(request):
        raise web.HTTPForbidden

    session = await script.session(raise_for_status=True)
    url = await script.web_server(handler)
    try:
        await session.ws_connect(url)
    except aiohttp.ClientResponseError as error:
        script.note(error, error.status)


@scenario()
async def server_that_is_not_there(script):
    session = await script.session()
    await script.attempt("connect", session.ws_connect("http://127.0.0.1:1/"))
    await script.attempt("connect", session.ws_connect("ftp://127.0.0.1/"))
    await script.attempt("connect", session.ws_connect("no URL"))


@scenario()
async def server_that_hangs_up(script):
    async def server(reader, writer):
        await reader.readuntil(b"\r\n\r\n")

    port = await script.raw(server)
    session = await script.session()
    await script.attempt("connect", session.ws_connect(f"http://127.0.0.1:{port}"))


@scenario()
async def server_that_does_not_answer(script):
    async def server(reader, writer):
        await reader.read()

    port = await script.raw(server)
    session = await script.session(timeout=aiohttp.ClientTimeout(total=0.05))
    await script.attempt("connect", session.ws_connect(f"http://127.0.0.1:{port}"))
    script.note(len(session.connector._acquired))


@scenario()
async def opening_that_is_cancelled(script):
    asked, ended = asyncio.Event(), asyncio.Event()

    async def server(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()
        script.saw("closed")
        ended.set()

    port = await script.raw(server)
    session = await script.session()
    opening = asyncio.ensure_future(session.ws_connect(f"http://127.0.0.1:{port}")._coro)
    await asked.wait()
    opening.cancel()
    try:
        await opening
    except asyncio.CancelledError:
        script.note("cancelled", len(session.connector._acquired))
    await ended.wait()


@scenario()
async def frames_with_the_answer(script):
    ws = await script.connect(
        await served(
            script, after=frame(TEXT, b"one") + frame(TEXT, b"two") + frame(TEXT, b"3")[:2]
        )
    )
    await script.receive(ws, 2)
    script.wire.clear()


@scenario()
async def the_end_with_the_answer(script):
    async def server(reader, writer):
        request = await reader.readuntil(b"\r\n\r\n")
        writer.write(head(request) + frame(TEXT, b"one") + frame(CLOSE, b"\x03\xe8"))

    port = await script.raw(server)
    ws = await script.connect(f"http://127.0.0.1:{port}")
    await script.receive(ws, 3)
    script.state(ws)


@scenario()
async def redirects(script):
    async def handler(request):
        if request.path != "/there":
            status = {"/301": 301, "/302": 302, "/307": 307}[request.path]
            return web.Response(
                status=status, headers={"Location": "/there?x=1", "Set-Cookie": "r=1"}
            )
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        await ws.send_str(request.headers.get("Cookie", "none"))
        await ws.receive()
        return ws

    url = await script.web_server(handler)
    session = await script.session(cookie_jar=aiohttp.CookieJar(unsafe=True))
    for path in ("301", "302", "307"):
        ws = await script.connect(url + path, session=session)
        await script.receive(ws)
        script.note(ws._response.url.path_qs, [seen.status for seen in ws._response.history])


@scenario()
async def cookies_of_the_answer(script):
    session = await script.session(cookie_jar=aiohttp.CookieJar(unsafe=True))
    url = await served(script, b"Set-Cookie: token=1; Path=/")
    for _ in range(2):
        ws = await script.connect(url, session=session)
        script.note(ws._response.cookies["token"].value)
    script.note([(cookie.key, cookie.value) for cookie in session.cookie_jar])
    without_port(script)


@scenario()
async def relative_url(script):
    async def handler(request):
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        await ws.send_str(request.path)
        await ws.receive()
        return ws

    session = await script.session(base_url=await script.web_server(handler))
    await script.receive(await script.connect("/relative", session=session))


@scenario()
async def http_proxy(script):
    url = await served(script)
    await script.connect("http://example.org/behind", proxy=url, proxy_headers={"X-Proxy": "1"})
    script.note("connected")
    without_port(script)


@scenario()
async def traces(script):
    config = aiohttp.TraceConfig()
    for name in (
        "request_start",
        "request_headers_sent",
        "request_end",
        "request_exception",
        "connection_create_start",
        "connection_create_end",
        "connection_reuseconn",
    ):

        async def on(session, context, params, name=name):
            script.note(name)

        getattr(config, f"on_{name}").append(on)
    session = await script.session(trace_configs=[config])
    ws = await script.connect(script.echo, session=session)
    await ws.send_str("traced")
    await script.receive(ws)


@scenario(since=(3, 12))
async def middlewares(script):
    async def middleware(request, handler):
        request.headers["X-Middleware"] = "1"
        response = await handler(request)
        await asyncio.sleep(0)
        script.note("middleware", response.status)
        return response

    session = await script.session(middlewares=(middleware,))
    await script.connect(await served(script), session=session)
    without_port(script)


@scenario()
async def slow_middle(script):
    """What comes while the session is busy with the answer is kept."""
    released = asyncio.Event()
    config = aiohttp.TraceConfig()

    async def on_request_end(session, context, params):
        await released.wait()

    config.on_request_end.append(on_request_end)
    session = await script.session(trace_configs=[config])

    async def server(wire):
        await wire.send(*(frame(TEXT, str(number).encode() * 1000) for number in range(100)))
        released.set()
        await wire.answer_close()

    ws = await script.connect(await script.scripted(server), session=session)
    received = [(await ws.receive()).data for _ in range(100)]
    script.note(received == [str(number) * 1000 for number in range(100)])


@scenario()
async def as_a_coroutine(script):
    session = await script.session()
    opening = session.ws_connect(script.echo)
    script.note(asyncio.iscoroutine(opening))
    ws = await asyncio.create_task(opening)
    await ws.send_str("text")
    await script.receive(ws)
    await ws.close()
    session.ws_connect(script.echo).close()
    async with session.ws_connect(script.echo) as ws:
        script.note(ws.closed)
    script.note(ws.closed, ws.close_code)


@scenario()
async def closed_session(script):
    session = await script.session()
    await session.close()
    await script.attempt("connect", session.ws_connect(script.echo))


@scenario()
async def second_connection_waits_for_the_first(script):
    session = await script.session(connector=aiohttp.TCPConnector(limit_per_host=1))
    first = await session.ws_connect(script.echo)
    second = asyncio.ensure_future(session.ws_connect(script.echo)._coro)
    await settled(second)
    await first.close()
    await script.attempt("close", (await second).close())
