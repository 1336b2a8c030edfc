"""Scenarios: recv() and async for."""

import asyncio

from tests.conftest import BINARY, PING, PONG, TEXT, frame

from .scripts import closing, scenario, settled, since, until

CONTINUATION = 0


def sends(script, *frames, **options):
    """The URL of a server that sends frames at once, then waits for a close frame."""

    async def server(peer):
        await peer.send(*frames)
        await peer.behave()

    return script.server(server, **options)


@scenario
async def messages_of_all_kinds(script):
    messages = [(TEXT, b"text"), (TEXT, "κείμενο".encode()), (TEXT, b""), (BINARY, b"\0\xff")]
    messages += [(BINARY, b""), (TEXT, b"x" * 125), (BINARY, b"y" * 126), (TEXT, b"z" * 65536)]
    ws = await script.connect(await sends(script, *[frame(*message) for message in messages]))
    for _ in messages:
        message = await ws.recv()
        script.note(type(message), len(message), message[:4])


@scenario
async def a_large_message(script):
    size = 1 << 20
    ws = await script.connect(await sends(script, frame(BINARY, bytes(size)), frame(TEXT, b"next")))
    message = await ws.recv()
    script.note(type(message), message == bytes(size))
    await script.recv(ws)


@scenario
async def the_real_server_echoes(script):
    async def handler(ws):
        async for message in ws:
            await ws.send(message)

    ws = await script.connect(await script.serve(handler))
    for message in ("text", "κείμενο", b"bytes", "", b"", "x" * 70_000):
        await ws.send(message)
    for _ in range(6):
        script.note(hash_of(await ws.recv()))
    await ws.close()
    script.state(ws)


def hash_of(message):
    return type(message), len(message), message[:3]


@scenario
async def fragments(script):
    ws = await script.connect(
        await sends(
            script,
            frame(TEXT, "κ".encode()[:1], fin=False),
            frame(CONTINUATION, "κ".encode()[1:], fin=False),
            frame(CONTINUATION, b"", fin=False),
            frame(CONTINUATION, b"!"),
            frame(BINARY, b"", fin=False),
            frame(CONTINUATION, b""),
            frame(BINARY, b"a", fin=False),
            frame(CONTINUATION, b"b"),
        )
    )
    await script.recv(ws, 3)


@scenario
async def control_frames_between_fragments(script):
    ws = await script.connect(
        await sends(
            script,
            frame(TEXT, b"one ", fin=False),
            frame(PING, b"first"),
            frame(CONTINUATION, b"two ", fin=False),
            frame(PONG, b"unsolicited"),
            frame(PING, b""),
            frame(CONTINUATION, b"three"),
        )
    )
    await script.recv(ws)


@scenario
async def decoding(script):
    frames = [frame(TEXT, "π".encode()), frame(BINARY, "π".encode())] * 3
    ws = await script.connect(await sends(script, *frames))
    for decode in (None, True, False):
        await script.recv(ws, 2, decode=decode)


@scenario
async def decoding_what_is_not_utf8(script):
    ws = await script.connect(await sends(script, frame(BINARY, b"a\xffb"), frame(TEXT, b"next")))
    await script.attempt("recv", ws.recv(decode=True))
    await script.ended(ws)


@scenario
async def invalid_text_that_is_not_decoded(script):
    # Nobody looks at text before it is received.
    ws = await script.connect(await sends(script, frame(TEXT, b"a\xffb"), frame(TEXT, b"next")))
    await script.recv(ws, decode=False)
    await script.recv(ws)
    await ws.close()
    script.state(ws)


@scenario
async def decoding_fragments(script):
    fragments = (frame(BINARY, "π".encode()[:1], fin=False), frame(CONTINUATION, "π".encode()[1:]))
    ws = await script.connect(await sends(script, *fragments * 2))
    await script.recv(ws, decode=True)
    await script.recv(ws, decode=False)


@scenario
async def two_tasks_receive(script):
    go = asyncio.Event()

    async def server(peer):
        await go.wait()
        await peer.send(frame(TEXT, b"first"), frame(TEXT, b"second"))
        await peer.behave()

    ws = await script.connect(await script.server(server))
    task = asyncio.create_task(ws.recv())
    await settled(task)
    await script.recv(ws)
    await script.attempt("streaming", anext(ws.recv_streaming()))
    await script.attempt("iteration", anext(aiter(ws)))
    go.set()
    script.note(await task)
    await script.recv(ws)


@scenario
async def a_cancelled_recv_loses_nothing(script):
    go = asyncio.Event()

    async def server(peer):
        await go.wait()
        await peer.send(frame(TEXT, b"first"), frame(TEXT, b"second"))
        await peer.behave()

    ws = await script.connect(await script.server(server))
    for _ in range(3):
        task = asyncio.create_task(ws.recv())
        await settled(task)
        task.cancel()
        await asyncio.wait([task])
        script.note(task.cancelled())
    go.set()
    await script.recv(ws, 2)


@scenario
async def a_timeout_loses_nothing(script):
    go = asyncio.Event()

    async def server(peer):
        await go.wait()
        await peer.send(frame(TEXT, b"first"), frame(TEXT, b"second"))
        await peer.behave()

    ws = await script.connect(await script.server(server))
    await script.attempt("wait_for", asyncio.wait_for(ws.recv(), 0.01))
    try:
        async with asyncio.timeout(0.01):
            await ws.recv()
    except TimeoutError as error:
        script.note(error)
    go.set()
    await script.recv(ws)
    await script.attempt("wait_for", asyncio.wait_for(ws.recv(), 5))


@scenario
async def cancelled_between_fragments(script):
    go = asyncio.Event()

    async def server(peer):
        await peer.send(frame(TEXT, b"one "), frame(TEXT, b"two ", fin=False))
        await go.wait()
        await peer.send(frame(CONTINUATION, b"three"), frame(TEXT, b"four"))
        await peer.behave()

    ws = await script.connect(await script.server(server))
    await script.recv(ws)
    for _ in range(2):
        task = asyncio.create_task(ws.recv())
        await settled(task)
        task.cancel()
        await asyncio.wait([task])
    go.set()
    await script.recv(ws, 2)


@scenario
async def cancelled_when_the_message_is_there(script):
    go = asyncio.Event()

    async def server(peer):
        await go.wait()
        await peer.send(frame(TEXT, b"first"), frame(PING, b"heard"), frame(TEXT, b"second"))
        await peer.behave()

    ws = await script.connect(await script.server(server))
    task = asyncio.create_task(ws.recv())
    await settled(task)
    # In this iteration of the loop both happen: the message comes, and the task is cancelled.
    task.cancel()
    go.set()
    await asyncio.wait([task])
    script.note(task.cancelled())
    await script.recv(ws, 2)


@scenario
async def messages_are_queued_when_the_end_comes(script):
    async def server(peer):
        await peer.send(frame(TEXT, b"first"), frame(BINARY, b"second"), closing(1000, b"bye"))
        await peer.hear()

    ws = await script.connect(await script.server(server))
    await ws.wait_closed()
    script.state(ws)
    await script.attempt("send", ws.send("late"))
    await script.recv(ws, 2)
    await script.ended(ws)


@scenario
async def messages_are_queued_when_the_client_closes(script):
    heard = asyncio.Event()

    async def server(peer):
        await peer.send(frame(TEXT, b"first"), frame(TEXT, b"second"))
        await peer.send(frame(TEXT, b"cut", fin=False), frame(PING, b"now"))
        await peer.hear()
        heard.set()
        await peer.behave()

    ws = await script.connect(await script.server(server))
    await heard.wait()
    await ws.close()
    await script.recv(ws, 2)
    await script.ended(ws)


@scenario
async def messages_after_the_close_frame_of_the_client(script):
    # They are taken until the server's close frame comes.
    async def server(peer):
        await peer.hear()
        await peer.send(frame(TEXT, b"late"), frame(PING, b"?"), closing(1000), frame(TEXT, b"no"))
        peer.end()
        await peer.hear_all()

    ws = await script.connect(await script.server(server))
    await ws.close()
    await script.recv(ws, 2)
    script.state(ws)


@scenario
async def compressed_messages(script):
    # "Hello" of RFC 7692 §7.2.3: compressed, in a window shared, in a block without compression.
    hello, again = bytes.fromhex("f248cdc9c90700"), bytes.fromhex("f200110000")
    stored = bytes.fromhex("000500faff48656c6c6f00")
    ws = await script.connect(
        await sends(
            script,
            frame(TEXT, hello, rsv=4),
            frame(BINARY, again, rsv=4),
            frame(TEXT, b"plain"),
            frame(TEXT, stored[:3], rsv=4, fin=False),
            frame(PING, b"between"),
            frame(CONTINUATION, stored[3:]),
            frame(TEXT, b"\0", rsv=4),
            extensions="permessage-deflate",
        )
    )
    await script.recv(ws, 5)


def fills_the_queue(script, done):
    """The URL of a server that sends 50 large messages, and tells when it has."""

    async def server(peer):
        for number in range(50):
            await peer.send(frame(TEXT, str(number).encode() + b" " * 20_000))
        done.set()
        await peer.behave()

    return script.server(server)


@scenario
async def more_than_the_queue_holds(script):
    for limit in (0, 1, 16, (10, 0)):
        url = await fills_the_queue(script, asyncio.Event())
        ws = await script.connect(url, max_queue=limit)
        script.note([(await ws.recv()).strip() for _ in range(50)])
        await ws.close()
        script.state(ws)


@scenario
@since(14, 1)
async def a_queue_without_an_end(script):
    for limit in (None, (None, None), (None, 20)):
        done = asyncio.Event()
        ws = await script.connect(await fills_the_queue(script, done), max_queue=limit)
        await done.wait()
        script.note([(await ws.recv()).strip() for _ in range(50)])


@scenario
async def the_end_comes_while_the_queue_is_full(script):
    async def server(peer):
        await peer.send(*[frame(TEXT, b"%d" % number) for number in range(40)], closing(1000))
        await peer.hear()

    ws = await script.connect(await script.server(server), max_queue=2)
    script.note([await ws.recv() for _ in range(40)])
    await script.recv(ws)
    script.state(ws)


@scenario
async def recv_before_anything_comes(script):
    async def server(peer):
        await peer.send(frame(TEXT, b"at once"))
        await peer.behave()

    ws = await script.connect(await script.server(server))
    # A coroutine that is never awaited takes nothing.
    ws.recv().close()
    ws.recv_streaming()
    task = asyncio.create_task(ws.recv())
    await until(task.done)
    script.note(task.result())


@scenario
@since(17)
async def too_many_fragments(script):
    many = [frame(CONTINUATION, b"", fin=False)] * 5000
    url = await sends(script, frame(TEXT, b"", fin=False), *many)
    ws = await script.connect(url, max_queue=None)
    await script.ended(ws)
