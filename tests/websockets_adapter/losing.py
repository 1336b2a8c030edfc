"""Scenarios: connections that end without a closing handshake."""

import asyncio

from tests.conftest import PING, TEXT, frame

from .scripts import scenario, settled, until


def cut(name, *frames, wait=False):
    """A scenario with a server that ends the stream without a close frame."""

    async def play(script):
        go = asyncio.Event()

        async def server(peer):
            await peer.send(*frames)
            await go.wait()
            peer.end()
            await peer.hear_all()

        ws = await script.connect(await script.server(server))
        receiving = asyncio.create_task(ws.recv())
        pong = await ws.ping("never answered")
        if wait:
            await settled(receiving)
        go.set()
        await script.attempt("recv", receiving)
        await script.attempt("pong", pong)
        await script.ended(ws)

    play.__name__ = f"stream_ends_{name}"
    scenario(play)


cut("without_a_word", wait=True)
cut("after_a_message", frame(TEXT, b"text"))
cut("in_a_head", b"\x81", wait=True)
cut("in_a_length", b"\x82\x7e\0", wait=True)
cut("in_a_payload", frame(TEXT, b"text")[:4], wait=True)
cut("between_fragments", frame(TEXT, b"one", fin=False), wait=True)
cut("in_a_ping", frame(TEXT, b"text"), frame(PING, b"ping")[:3])


@scenario
async def the_server_resets(script):
    for frames in ([], [frame(TEXT, b"in the middle")[:5]], [frame(TEXT, b"one", fin=False)]):
        go = asyncio.Event()

        async def server(peer, go=go, frames=frames):
            await peer.send(frame(PING, b"heard?"), *frames)
            await peer.hear()
            await go.wait()
            peer.reset()

        ws = await script.connect(await script.server(server))
        receiving = asyncio.create_task(ws.recv())
        await settled(receiving)
        pong = await ws.ping("never answered")
        go.set()
        await script.attempt("recv", receiving)
        await script.attempt("pong", pong)
        await script.ended(ws)


@scenario
async def the_server_resets_while_the_client_closes(script):
    async def server(peer):
        await peer.hear()
        peer.reset()

    ws = await script.connect(await script.server(server))
    await script.attempt("close", ws.close(4000))
    await script.ended(ws)


@scenario
async def the_transport_is_aborted(script):
    async def server(peer):
        await peer.hear_all()

    ws = await script.connect(await script.server(server))
    receiving = asyncio.create_task(ws.recv())
    await settled(receiving)
    ws.transport.abort()
    await script.attempt("recv", receiving)
    await script.ended(ws)


@scenario
async def the_transport_is_closed(script):
    async def server(peer):
        await peer.hear_all()

    ws = await script.connect(await script.server(server))
    await ws.send("text")
    ws.transport.close()
    script.note(ws.transport.is_closing())
    await ws.wait_closed()
    await script.ended(ws)


@scenario
async def sending_finds_the_server_gone(script):
    """The first who sees a reset is who sends: the event loop has not looked yet."""
    peers = []

    async def server(peer):
        peers.append(peer)
        await peer.hear_all()

    async def gone():
        peers.pop().reset()
        await asyncio.sleep(0)

    async def fragments():
        yield "one"
        await gone()
        yield "two"

    def after(send):
        async def play(ws):
            await gone()
            await send(ws)

        return play

    for play in (
        lambda ws: ws.send(fragments()),
        after(lambda ws: ws.send(["one", "two"])),
        after(lambda ws: ws.send("text")),
        after(lambda ws: ws.pong()),
        after(lambda ws: ws.ping("never answered")),
        after(lambda ws: ws.close()),
    ):
        ws = await script.connect(await script.server(server))
        await until(lambda: peers)
        await script.attempt("send", play(ws))
        script.state(ws)
        await script.ended(ws)
