"""Scenarios: recv_streaming()."""

import asyncio

from tests.conftest import BINARY, PING, TEXT, frame

from .receiving import CONTINUATION, sends
from .scripts import closing, scenario, settled

PI = "π".encode()


async def stream(script, ws, **options):
    """Note the fragments of a message, and how it ends."""
    try:
        async for fragment in ws.recv_streaming(**options):
            script.note("fragment", fragment)
        script.note("complete")
    except Exception as error:  # noqa: BLE001 - noted
        script.note(error)


@scenario
async def streaming_fragments(script):
    ws = await script.connect(
        await sends(
            script,
            frame(TEXT, b"one", fin=False),
            frame(CONTINUATION, b"", fin=False),
            frame(PING, b"between"),
            frame(CONTINUATION, b"two"),
            frame(BINARY, b"1", fin=False),
            frame(CONTINUATION, b"2"),
        )
    )
    await stream(script, ws)
    await stream(script, ws)


@scenario
async def streaming_what_is_not_fragmented(script):
    frames = [frame(TEXT, b"text"), frame(BINARY, b"bytes"), frame(TEXT, b""), frame(BINARY, b"")]
    ws = await script.connect(await sends(script, *frames))
    for _ in frames:
        await stream(script, ws)


@scenario
async def streaming_between_messages(script):
    frames = [frame(TEXT, b"1"), frame(TEXT, b"2", fin=False), frame(CONTINUATION, b"3")]
    ws = await script.connect(await sends(script, *frames, frame(TEXT, b"4")))
    await script.recv(ws)
    await stream(script, ws)
    await script.recv(ws)


@scenario
async def streaming_decoded_characters_that_are_cut(script):
    pieces = [PI[:1], PI[1:] + PI, b"", PI[:1], PI[1:]]
    text = [frame(TEXT, pieces[0], fin=False)]
    text += [frame(CONTINUATION, piece, fin=False) for piece in pieces[1:-1]]
    text += [frame(CONTINUATION, pieces[-1])]
    binary = [frame(BINARY, pieces[0], fin=False), *text[1:]]
    ws = await script.connect(await sends(script, *(text + binary) * 3))
    for decode in (None, True, False):
        await stream(script, ws, decode=decode)
        await stream(script, ws, decode=decode)


@scenario
async def streaming_invalid_utf8(script):
    frames = [frame(TEXT, b"good", fin=False), frame(CONTINUATION, b"b\xffd", fin=False)]
    ws = await script.connect(await sends(script, *frames, frame(CONTINUATION, b"more")))
    await stream(script, ws)
    script.state(ws)
    await script.attempt("send", ws.send("late"))


@scenario
async def streaming_a_character_that_does_not_end(script):
    frames = [frame(TEXT, b"good", fin=False), frame(CONTINUATION, PI[:1])]
    ws = await script.connect(await sends(script, *frames, frame(TEXT, b"next")))
    await stream(script, ws)
    script.state(ws)


@scenario
async def streaming_bytes_that_are_no_text(script):
    frames = [frame(BINARY, b"\xff", fin=False), frame(CONTINUATION, b"\xfe")]
    ws = await script.connect(await sends(script, *frames * 2))
    await stream(script, ws)
    await stream(script, ws, decode=True)
    script.state(ws)


@scenario
async def streaming_as_the_fragments_come(script):
    got = asyncio.Queue()

    async def server(peer):
        await peer.send(frame(TEXT, b"0", fin=False))
        for number in range(1, 4):
            await got.get()
            await peer.send(frame(CONTINUATION, b"%d" % number, fin=number == 3))
        await peer.behave()

    ws = await script.connect(await script.server(server))
    async for fragment in ws.recv_streaming():
        script.note(fragment)
        got.put_nowait(None)


@scenario
async def streaming_is_cancelled_before_the_first_fragment(script):
    go = asyncio.Event()

    async def server(peer):
        await go.wait()
        await peer.send(frame(TEXT, b"1", fin=False), frame(CONTINUATION, b"2"), frame(TEXT, b"3"))
        await peer.behave()

    ws = await script.connect(await script.server(server))
    task = asyncio.create_task(stream(script, ws))
    await settled(task)
    task.cancel()
    await asyncio.wait([task])
    go.set()
    await stream(script, ws)
    await script.recv(ws)


@scenario
async def streaming_is_cancelled_between_fragments(script):
    heard = asyncio.Event()

    async def server(peer):
        await peer.send(frame(TEXT, b"1", fin=False), frame(PING))
        await peer.hear()
        heard.set()
        await peer.behave()

    ws = await script.connect(await script.server(server))
    task = asyncio.create_task(stream(script, ws))
    await heard.wait()
    await settled(task)
    task.cancel()
    await asyncio.wait([task])
    await script.recv(ws)
    await stream(script, ws)
    await ws.close()
    script.state(ws)


@scenario
async def streaming_is_broken_off(script):
    frames = [frame(TEXT, b"1", fin=False), frame(CONTINUATION, b"2"), frame(TEXT, b"3")]
    ws = await script.connect(await sends(script, *frames))
    streaming = ws.recv_streaming()
    script.note(await anext(streaming))
    await script.recv(ws)
    await stream(script, ws)
    script.note(await anext(streaming))
    await script.attempt("end", anext(streaming, "nothing"))
    await script.recv(ws)


@scenario
async def streaming_is_closed(script):
    frames = [frame(TEXT, b"1", fin=False), frame(CONTINUATION, b"2"), frame(TEXT, b"3")]
    ws = await script.connect(await sends(script, *frames))
    streaming = ws.recv_streaming()
    script.note(await anext(streaming))
    await streaming.aclose()
    await script.recv(ws)
    await ws.close()
    script.state(ws)


@scenario
async def streaming_and_the_connection_ends(script):
    async def server(peer):
        await peer.send(frame(TEXT, b"1", fin=False), frame(CONTINUATION, b"2", fin=False))
        await peer.send(closing(1001, b"away"))
        await peer.hear()

    ws = await script.connect(await script.server(server))
    await stream(script, ws)
    script.state(ws)


@scenario
async def streaming_and_the_server_is_gone(script):
    async def server(peer):
        await peer.send(frame(TEXT, b"1", fin=False))

    ws = await script.connect(await script.server(server))
    await stream(script, ws)
    script.state(ws)


@scenario
async def streaming_after_the_end(script):
    async def server(peer):
        await peer.send(frame(TEXT, b"1", fin=False), frame(CONTINUATION, b"2"), closing(1000))
        await peer.hear()

    ws = await script.connect(await script.server(server))
    await ws.wait_closed()
    await stream(script, ws)
    await stream(script, ws)
