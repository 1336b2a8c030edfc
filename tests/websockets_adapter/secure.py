"""Scenarios: connections over TLS and through proxies."""

import asyncio
import contextlib

from tests.conftest import PING, TEXT, accept, frame

from .scripts import client_tls, closing, scenario, settled, since


@scenario
async def tls_both_close(script):
    async def closes(peer):
        await peer.close(4001, b"why")

    async def behaves(peer):
        await peer.behave()

    for server in (closes, behaves):
        ws = await script.connect(await script.server(server, tls=True), ssl=client_tls())
        if server is behaves:
            await script.attempt("close", ws.close(4000, "mine"))
        await script.ended(ws)


@scenario
async def tls_frames_with_the_answer(script):
    async def server(reader, writer, saw):
        frames = [frame(TEXT, b"%d" % number) for number in range(20)]
        request = await reader.readuntil(b"\r\n\r\n")
        writer.write(accept(request) + b"".join(frames) + closing(1000))
        await reader.read(1)

    ws = await script.connect(await script.raw(server, tls=True), ssl=client_tls())
    await script.recv(ws, 21)


@scenario
async def tls_and_the_server_resets(script):
    go = asyncio.Event()

    async def server(peer):
        await peer.send(frame(PING, b"heard?"))
        await peer.hear()
        await go.wait()
        peer.reset()

    ws = await script.connect(await script.server(server, tls=True), ssl=client_tls())
    receiving = asyncio.create_task(ws.recv())
    await settled(receiving)
    go.set()
    error = await asyncio.wait_for(asyncio.gather(receiving, return_exceptions=True), 10)
    script.note(type(error[0]), error[0].rcvd, error[0].sent)
    script.state(ws)


@scenario
async def tls_and_a_violation(script):
    async def server(peer):
        await peer.send(frame(TEXT, b"before"), b"\x83\0")
        await peer.behave()

    ws = await script.connect(await script.server(server, tls=True), ssl=client_tls())
    await script.recv(ws)
    await script.ended(ws)


@scenario
async def tls_and_the_server_never_answers(script):
    async def server(peer):
        await peer.hear_all()

    url = await script.server(server, tls=True)
    ws = await script.connect(url, ssl=client_tls(), close_timeout=0.05)
    await script.attempt("close", ws.close())
    await script.ended(ws)


@scenario
async def tls_and_a_server_that_does_not_read(script):
    go = asyncio.Event()

    async def server(peer):
        await go.wait()
        await peer.behave()

    ws = await script.connect(await script.server(server, tls=True), ssl=client_tls())
    tasks = [asyncio.create_task(ws.send(message)) for message in (bytes(8 << 20), "second")]
    await asyncio.sleep(0)
    go.set()
    script.note(await asyncio.gather(*tasks))


def proxy(script, *replies):
    """The URL of an HTTP proxy that gives each request a reply, and connects after a 200."""
    remaining = list(replies)

    async def server(reader, writer, saw):
        request = await reader.readuntil(b"\r\n\r\n")
        saw(*sorted(request.split(b"\r\n")))
        reply = remaining.pop(0)
        writer.write(reply)
        if b" 200 " not in reply:
            await reader.read()
            return
        port = int(request.split()[1].rpartition(b":")[2])
        there_reader, there = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, there), pump(there_reader, writer))

    return script.raw(server)


async def pump(reader, writer):
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()


CONNECTED = b"HTTP/1.1 200 Connected\r\n\r\n"


async def through(script, *replies, tls=False, **options):
    """Talk to a server through a proxy."""

    async def server(peer):
        await peer.send(frame(TEXT, b"hello"))
        await peer.behave()

    url = await script.server(server, tls=tls)
    address = (await proxy(script, *replies)).replace("ws://", "http://name:secret@")
    if tls:
        options["ssl"] = client_tls()
    async with script.dial(url, proxy=address, **options) as ws:
        await script.recv(ws)
        await ws.send("text")
        script.note(ws.remote_address)
    await script.ended(ws)


@scenario
@since(15)
async def through_a_proxy(script):
    await through(script, CONNECTED)


@scenario
@since(15)
async def tls_through_a_proxy(script):
    await through(script, CONNECTED, tls=True, user_agent_header="own")


@scenario
@since(15)
async def proxies_that_refuse(script):
    for reply in (
        b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno",
        b"SSH-2.0-OpenSSH_9.0\r\n\r\n",
    ):
        await script.attempt("connect", through(script, reply))
