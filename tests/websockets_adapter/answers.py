"""Scenarios: answers to the opening handshake, and what comes with them."""

import asyncio

from tests.conftest import BINARY, CLOSE, PING, TEXT, accept, frame
from websockets.exceptions import InvalidStatus

from .scripts import closing, reset, scenario


def answers(script, *replies, **options):
    """The URL of a server that gives each connection the next reply, or makes it of the request."""
    remaining = list(replies)

    async def server(reader, writer, saw):
        request = await reader.readuntil(b"\r\n\r\n")
        saw(request.split(b"\r\n")[0])
        reply = remaining.pop(0)
        writer.write(reply if isinstance(reply, bytes) else reply(request))
        await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
        await reader.read()

    return script.raw(server, **options)


def http(status, *lines, body=b""):
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode() + body


def sized(status, body, *lines):
    return http(status, f"Content-Length: {len(body)}", *lines, body=body)


async def refused(script, url, **options):
    error = await script.attempt("connect", script.dial(url, **options))
    if isinstance(error, InvalidStatus):
        response = error.response
        script.note(response.reason_phrase, sorted(response.headers.raw_items()), response.body)
    return error


@scenario
async def statuses_with_a_body(script):
    for status in ("401 Unauthorized", "404 Not Found", "500 Oops", "503 Service Unavailable"):
        reply = sized(status, b"<p>why</p>", "Content-Type: text/html", "WWW-Authenticate: Basic")
        await refused(script, await answers(script, reply))


@scenario
async def statuses_without_a_body(script):
    for status in ("200 OK", "204 No Content", "301 Moved", "400", "426 Upgrade Required"):
        await refused(script, await answers(script, sized(status, b"")))


@scenario
async def bodies_of_other_lengths(script):
    chunked = b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"
    for reply in (
        http("404 Not Found", body=b"up to the end"),
        http("404 Not Found", "Transfer-Encoding: chunked", body=chunked),
        http("404 Not Found", "Content-Length: 100", body=b"cut"),
        http("404 Not Found", "Content-Length: many", body=b"cut"),
    ):
        await refused(script, await answers(script, reply))


@scenario
async def the_real_server_refuses(script):
    def process_request(connection, request):
        return connection.respond(403, "no entry\n")

    async def handler(ws):
        raise AssertionError

    url = await script.serve(handler, process_request=process_request, server_header=None)
    error = await script.attempt("connect", script.dial(url))
    script.note(error.response.headers["Content-Length"], error.response.headers["Content-Type"])


@scenario
async def answers_that_are_no_http(script):
    for reply in (
        b"SSH-2.0-OpenSSH_9.0\r\n",
        b"HTTP/1.1 abc Bad\r\n\r\n",
        b"HTTP/1.0 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 101\r\n\r\n",
        b"HTTP/1.1 99 Low\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nno colon\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nX: \x00\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nX: " + b"y" * 10_000 + b"\r\n\r\n",
        b"HTTP/1.1 " + b"y" * 10_000 + b"\r\n\r\n",
        b"\0\xff",
    ):
        await refused(script, await answers(script, reply))


@scenario
async def answers_that_end_too_early(script):
    for reply in (b"", b"HTTP/1.1", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"):
        await refused(script, await answers(script, reply))


@scenario
async def fields_that_are_wrong(script):
    for replaced in (
        {"Upgrade": "other"},
        {"Upgrade": None},
        {"Upgrade": "websocket, other"},
        {"Connection": "keep-alive"},
        {"Connection": None},
        {"Sec_WebSocket_Accept": "AAAAAAAAAAAAAAAAAAAAAAAAAAA="},
        {"Sec_WebSocket_Accept": None},
        {"Sec_WebSocket_Accept": "not base64"},
    ):
        url = await answers(script, lambda request, replaced=replaced: accept(request, **replaced))
        await script.attempt(replaced, script.dial(url))


@scenario
async def fields_that_come_twice(script):
    def answer(request):
        again = accept(request).split(b"\r\n")[3].decode()
        return accept(request, again)

    await script.attempt("connect", script.dial(await answers(script, answer)))


@scenario
async def fields_in_other_words(script):
    async def server(reader, writer, saw):
        reply = accept(await reader.readuntil(b"\r\n\r\n"), Connection="keep-alive, upgrade")
        writer.write(reply.replace(b"websocket", b"WebSocket").replace(b"Upgrade:", b"UPGRADE:"))
        await reader.read()

    ws = await script.connect(await script.raw(server), close_timeout=0.01)
    script.state(ws)


@scenario
async def reset_before_the_answer(script):
    async def server(reader, writer, saw):
        await reader.readuntil(b"\r\n\r\n")
        reset(writer)

    await script.attempt("connect", script.dial(await script.raw(server)))


def redirects(name, *replies, **options):
    """A scenario with a server that redirects within its origin, then accepts."""

    async def play(script):
        url = await answers(script, *[redirect(reply) for reply in replies], accepted)
        await script.attempt("connect", follows(script, url, **options))

    play.__name__ = f"redirect_{name}"
    scenario(play)


def redirect(reply):
    status, location = reply
    return sized(f"{status} Moved", b"", f"Location: {location}")


def accepted(request):
    return accept(request) + closing(1000)


async def follows(script, url, **options):
    connecting = script.dial(url, **options)
    ws = script.keep(await connecting)
    script.note(connecting.uri, ws.request.path, ws.response.status_code)
    await script.recv(ws)


for status in (300, 301, 302, 303, 307, 308):
    redirects(f"by_{status}", (status, "/there?a=b"))
redirects("by_304", (304, "/there"))
redirects("twice", (301, "there"), (302, "../other"))
redirects("to_another_scheme", (301, "http://127.0.0.1/"))
redirects("to_nonsense", (301, "ws://"))
redirects("in_a_loop", *[(302, "/")] * 12)


@scenario
async def redirect_across_origins(script):
    async def server(reader, writer, saw):
        request = await reader.readuntil(b"\r\n\r\n")
        saw(*sorted(request.split(b"\r\n")))
        writer.write(accepted(request))
        await reader.read(1)

    there = await script.raw(server)
    url = await answers(script, redirect((307, f"{there}path")))
    headers = {"Authorization": "Bearer token", "Cookie": "a=b", "X-Own": "1"}
    await follows(script, url, additional_headers=headers, origin="https://example.org")


@scenario
async def redirect_that_is_not_followed(script):
    there = "ws://127.0.0.1:1/"
    url = await answers(script, *[redirect((302, there))] * 2)
    await script.attempt(
        "host", script.dial("ws://example.org", host="127.0.0.1", port=script._ports[0])
    )
    path = script.folder / "socket"
    await answers(script, redirect((302, there)), path=path)
    await script.attempt("unix", script.library.unix_connect(str(path)))
    await script.attempt("refused", script.dial(url))


@scenario
async def redirect_without_a_location(script):
    await refused(script, await answers(script, sized("302 Found", b"body")))


def comes_with_the_answer(name, *frames):
    """A scenario with frames in the same segment as the answer."""

    async def play(script):
        async def server(peer):
            await peer.behave()

        ws = await script.connect(await script.server(server, after=b"".join(frames)))
        await script.recv(ws, len(frames))
        await ws.close()
        script.state(ws)

    play.__name__ = f"with_the_answer_{name}"
    scenario(play)


comes_with_the_answer("a_message", frame(TEXT, b"at once"))
comes_with_the_answer("many_messages", *[frame(BINARY, b"%d" % number) for number in range(40)])
comes_with_the_answer("fragments", frame(TEXT, b"a", fin=False) + frame(0, b"b"), frame(TEXT, b"c"))
comes_with_the_answer("a_ping", frame(PING, b"p") + frame(TEXT, b"text"))
comes_with_the_answer("an_unknown_opcode", frame(TEXT, b"text"), b"\x83\0")


@scenario
async def with_the_answer_the_end(script):
    for after in (closing(1000, b"bye"), frame(TEXT, b"text") + closing(4000), frame(CLOSE)):

        async def server(peer):
            await peer.hear()
            peer.end()
            await peer.hear_all()

        ws = await script.connect(await script.server(server, after=after))
        await script.ended(ws)


@scenario
async def with_the_answer_a_part_of_a_frame(script):
    async def server(peer):
        await peer.send(frame(TEXT, b"in two parts")[7:], frame(TEXT, b"next"))
        await peer.behave()

    url = await script.server(server, after=frame(TEXT, b"in two parts")[:7])
    ws = await script.connect(url)
    await script.recv(ws, 2)


@scenario
async def with_the_answer_the_end_of_the_stream(script):
    async def server(peer):
        peer.end()
        await peer.hear_all()

    for after in (b"", frame(TEXT, b"text"), frame(TEXT, b"text")[:3]):
        ws = await script.connect(await script.server(server, after=after))
        await script.ended(ws)


@scenario
async def the_answer_byte_by_byte(script):
    async def server(reader, writer, saw):
        for byte in accept(await reader.readuntil(b"\r\n\r\n")) + frame(TEXT, b"text"):
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        writer.write(closing(1000))
        await reader.read(1)

    ws = await script.connect(await script.raw(server))
    await script.recv(ws, 2)
