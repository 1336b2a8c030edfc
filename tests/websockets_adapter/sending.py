"""Scenarios: send()."""

import asyncio

from tests.conftest import TEXT, frame
from websockets.protocol import State

from .scripts import closing, scenario, settled


def listens(script, **options):
    """The URL of a server that notes what it hears."""

    async def server(peer):
        await peer.behave()

    return script.server(server, **options)


@scenario
async def sends_of_all_kinds(script):
    ws = await script.connect(await listens(script))
    array = bytearray(b"array")
    for message in (
        "text", "κείμενο", "", b"bytes", b"", array, memoryview(b"view"), memoryview(b"abcdef")[::2],
        "x" * 200, b"y" * 70_000,
    ):  # fmt: skip
        await script.attempt("send", ws.send(message))
    array[:] = b"ARRAY"


@scenario
async def text_or_not(script):
    ws = await script.connect(await listens(script))
    for message in ("text", b"bytes", bytearray(b"array"), b"\xff"):
        for text in (None, True, False):
            await script.attempt("send", ws.send(message, text=text))


@scenario
async def text_or_not_in_fragments(script):
    ws = await script.connect(await listens(script))
    for message in (["te", "xt"], [b"by", b"tes"]):
        for text in (None, True, False):
            await script.attempt("send", ws.send(message, text=text))

            async def fragments(message=message):
                for fragment in message:
                    yield fragment

            await script.attempt("send", ws.send(fragments(), text=text))


@scenario
async def iterables(script):
    ws = await script.connect(await listens(script))
    for message in (
        ["one"],
        ("a", "b", ""),
        (str(number) for number in range(3)),
        [b"bytes", bytearray(b"array"), memoryview(b"view")],
        {"key": 1}.keys(),
        [],
        iter(()),
        [""],
    ):
        await script.attempt("send", ws.send(message))
    await ws.send("after")


@scenario
async def asynchronous_iterables(script):
    async def fragments(*pieces):
        for piece in pieces:
            await asyncio.sleep(0)
            yield piece

    ws = await script.connect(await listens(script))
    for pieces in (("a", "b"), (b"a", bytearray(b"b")), ("",), ()):
        await script.attempt("send", ws.send(fragments(*pieces)))
    await ws.send("after")


@scenario
async def types_that_are_wrong(script):
    ws = await script.connect(await listens(script))
    for message in ({"a": 1}, {}, 1, None, object, 1.5):
        await script.attempt("send", ws.send(message))
    script.state(ws)
    await script.attempt("surrogate", ws.send("after"))


def fails_midway(name, make):
    """A scenario with a message whose fragments are wrong."""

    async def play(script):
        ws = await script.connect(await listens(script))
        await script.attempt("send", ws.send(make()))
        script.state(ws)
        if ws.state is State.OPEN:
            # Nothing of the message has been sent.
            await ws.send("after")
            return
        await script.ended(ws)

    play.__name__ = f"fragments_{name}"
    scenario(play)


def raises():
    yield "one"
    yield "two"
    raise LookupError("midway")


def raises_first():
    raise LookupError("at first")
    yield "never"


async def raises_later():
    yield b"one"
    raise LookupError("midway")


async def mixed_later():
    yield b"one"
    yield "two"


async def wrong_later():
    yield 1


fails_midway("that_are_mixed", lambda: ["text", b"bytes"])
fails_midway("that_are_mixed_the_other_way", lambda: [b"bytes", "text"])
fails_midway("that_are_mixed_asynchronously", mixed_later)
fails_midway("of_another_type", lambda: [1, 2])
fails_midway("of_another_type_asynchronously", wrong_later)
fails_midway("that_raise", raises)
fails_midway("that_raise_at_first", raises_first)
fails_midway("that_raise_asynchronously", raises_later)


@scenario
async def text_that_cannot_be_encoded(script):
    ws = await script.connect(await listens(script))
    await script.attempt("send", ws.send("\ud800"))
    await script.ended(ws)


@scenario
async def sends_after_close(script):
    ws = await script.connect(await listens(script))
    await ws.close()
    for message in ("text", b"bytes", ["frag", "ments"], [], 1, {"a": 1}, mixed_later()):
        await script.attempt("send", ws.send(message))


@scenario
async def sends_after_the_server_closed(script):
    async def server(peer):
        await peer.close(4001, b"why")

    ws = await script.connect(await script.server(server))
    await ws.wait_closed()
    for message in ("text", ["frag", "ments"]):
        await script.attempt("send", ws.send(message))


@scenario
async def a_send_while_the_client_closes(script):
    heard, go = asyncio.Event(), asyncio.Event()

    async def server(peer):
        await peer.hear()
        heard.set()
        await go.wait()
        await peer.send(closing(1000))
        peer.end()
        await peer.hear_all()

    ws = await script.connect(await script.server(server))
    close = asyncio.create_task(ws.close())
    await heard.wait()
    script.state(ws)
    sending = [asyncio.create_task(call) for call in (ws.send("late"), ws.ping(), ws.pong())]
    for task in sending:
        await settled(task)
    go.set()
    for task in sending:
        await script.attempt("sending", task)
    await script.attempt("close", close)


@scenario
async def sends_wait_for_a_fragmented_message(script):
    go = asyncio.Event()

    async def fragments():
        yield "one"
        await go.wait()
        yield "two"

    ws = await script.connect(await listens(script))
    tasks = [asyncio.create_task(ws.send(fragments()))]
    await settled(tasks[0])
    for message in ("second", ["thi", "rd"], b"fourth"):
        tasks.append(asyncio.create_task(ws.send(message)))
        await settled(tasks[-1])
    # Control frames may go between.
    await ws.pong("between")
    await ws.ping("between")
    go.set()
    await asyncio.gather(*tasks)


@scenario
async def close_during_a_fragmented_message(script):
    async def fragments():
        yield "one"
        await asyncio.Event().wait()

    ws = await script.connect(await listens(script))
    task = asyncio.create_task(ws.send(fragments()))
    await settled(task)
    await script.attempt("close", ws.close(4000, "mine"))
    script.state(ws)
    await script.recv(ws)
    task.cancel()
    await asyncio.wait([task])
    script.note(task.cancelled())


@scenario
async def the_server_closes_during_a_fragmented_message(script):
    go, closed = asyncio.Event(), asyncio.Event()

    async def fragments():
        yield "one"
        go.set()
        await closed.wait()
        yield "two"

    async def server(peer):
        await go.wait()
        await peer.hear()
        await peer.close(1001)

    ws = await script.connect(await script.server(server))
    task = asyncio.create_task(ws.send(fragments()))
    await ws.wait_closed()
    closed.set()
    await script.attempt("send", task)
    await script.ended(ws)


@scenario
async def a_send_that_is_cancelled_between_fragments(script):
    async def fragments():
        yield "one"
        await asyncio.Event().wait()

    ws = await script.connect(await listens(script))
    task = asyncio.create_task(ws.send(fragments()))
    await settled(task)
    task.cancel()
    await asyncio.wait([task])
    script.note(task.cancelled(), ws.state)
    await script.attempt("close", ws.close())
    script.state(ws)


@scenario
async def sends_in_many_tasks(script):
    ws = await script.connect(await listens(script))
    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(ws.send(f"{number}"))


@scenario
async def sends_from_another_thread(script):
    ws = await script.connect(await listens(script))
    loop = asyncio.get_running_loop()

    def work():
        for message in ("text", b"bytes", ["frag", "ments"]):
            asyncio.run_coroutine_threadsafe(ws.send(message), loop).result(10)

    script.note(await asyncio.to_thread(work))


@scenario
async def a_send_that_is_cancelled_before_it_runs(script):
    ws = await script.connect(await listens(script))
    task = asyncio.create_task(ws.send("never"))
    task.cancel()
    await asyncio.wait([task])
    ws.send("never").close()
    script.note(task.cancelled())
    await ws.send("after")


@scenario
async def a_message_for_each_message(script):
    async def server(peer):
        for number in range(100):
            await peer.send(frame(TEXT, b"%d" % number))
            await peer.hear()
        await peer.behave()

    ws = await script.connect(await script.server(server))
    for _ in range(100):
        await ws.send(await ws.recv())
    script.state(ws)
