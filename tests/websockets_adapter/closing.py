"""Scenarios: the closing handshake, from both sides, and ends without one."""

import asyncio
import warnings

from tests.conftest import CLOSE, PING, TEXT, frame
from websockets.frames import CloseCode
from websockets.protocol import State

from .receiving import sends
from .scripts import closing, scenario, settled, until


def says(script, *frames):
    """The URL of a server that sends frames, hears one, and ends the stream."""

    async def server(peer):
        await peer.send(*frames)
        await peer.hear()
        peer.end()
        await peer.hear_all()

    return script.server(server)


@scenario
async def the_client_closes(script):
    ws = await script.connect(await sends(script))
    script.state(ws)
    await script.attempt("close", ws.close())
    await script.ended(ws)


@scenario
async def the_client_closes_with_codes(script):
    for arguments in ((3000,), (4000, "why"), (1001, "κλείνω"), (CloseCode.GOING_AWAY,), (1011,)):
        ws = await script.connect(await sends(script))
        await script.attempt("close", ws.close(*arguments))
        script.state(ws)
        await script.recv(ws)


@scenario
async def the_client_closes_with_names(script):
    ws = await script.connect(await sends(script))
    await script.attempt("close", ws.close(code=4999, reason="why"))
    script.state(ws)


@scenario
async def codes_that_are_wrong(script):
    ws = await script.connect(await sends(script))
    for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 70_000, -1):
        await script.attempt(code, ws.close(code))
        script.state(ws)
    await ws.send("still open")


@scenario
async def reasons_that_are_too_long(script):
    ws = await script.connect(await sends(script))
    await script.attempt("long", ws.close(1000, "x" * 124))
    script.state(ws)
    await script.attempt("longest", ws.close(1000, "x" * 123))
    script.state(ws)


@scenario
async def close_twice(script):
    ws = await script.connect(await sends(script))
    await script.attempt("close", ws.close(4000))
    await script.attempt("close", ws.close(4001))
    await script.recv(ws)


@scenario
async def close_in_two_tasks(script):
    ws = await script.connect(await sends(script))
    tasks = [asyncio.create_task(ws.close(code)) for code in (4000, 4001, 4002)]
    script.note(await asyncio.gather(*tasks))
    await script.recv(ws)


@scenario
async def states_while_the_client_closes(script):
    heard, go, answered, end = (asyncio.Event() for _ in range(4))

    async def server(peer):
        await peer.hear()
        heard.set()
        await go.wait()
        await peer.send(frame(PING, b"read?"), closing(4000, b"yours"))
        await peer.hear()
        answered.set()
        await end.wait()
        peer.end()
        await peer.hear_all()

    ws = await script.connect(await script.server(server))
    script.state(ws)
    task = asyncio.create_task(ws.close(4001, "mine"))
    await heard.wait()
    script.state(ws)
    go.set()
    await answered.wait()
    await settled(task)
    script.state(ws)
    end.set()
    await task
    script.state(ws)
    await script.recv(ws)


@scenario
async def states_while_the_server_closes(script):
    end = asyncio.Event()

    async def server(peer):
        await peer.send(frame(TEXT, b"last"), closing(4000, b"mine"))
        await peer.hear()
        await end.wait()
        peer.end()
        await peer.hear_all()

    ws = await script.connect(await script.server(server))
    await until(lambda: ws.state is State.CLOSING)
    script.state(ws)
    await script.recv(ws)
    tasks = [
        asyncio.create_task(call)
        for call in (ws.recv(), ws.send("late"), ws.wait_closed(), ws.close(4001))
    ]
    for task in tasks:
        await settled(task)
    script.state(ws)
    end.set()
    for task in tasks:
        await script.attempt("waited", task)
    script.state(ws)


def server_closes(name, *frames):
    """A scenario with a server that closes."""

    async def play(script):
        ws = await script.connect(await says(script, *frames))
        await script.ended(ws)

    play.__name__ = f"server_closes_with_{name}"
    scenario(play)


server_closes("1000", closing(1000))
server_closes("1001", closing(1001, "φεύγω".encode()))
server_closes("4001", closing(4001, b"why"))
server_closes("1012", closing(1012))
server_closes("no_code", frame(CLOSE))
server_closes("1011_after_a_message", frame(TEXT, b"text"), closing(1011, b"x" * 123))
server_closes("two_frames", closing(1000, b"first"), closing(4000, b"second"))


@scenario
async def the_real_server_closes(script):
    async def handler(ws):
        await ws.send("text")
        await ws.close(4002, "enough")

    ws = await script.connect(await script.serve(handler))
    await script.recv(ws)
    await script.ended(ws)


@scenario
async def the_real_server_shuts_down(script):
    go = asyncio.Event()
    servers = []

    async def handler(ws):
        servers.append(ws.server)
        go.set()
        await ws.wait_closed()

    ws = await script.connect(await script.serve(handler))
    await go.wait()
    servers[0].close()
    await script.ended(ws)


@scenario
async def attributes_of_the_exception(script):
    for end in ([closing(4001, b"why")], []):
        ws = await script.connect(await says(script, *end, frame(PING)))
        if not end:
            await ws.pong()
        error = await script.attempt("recv", ws.recv())
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            script.note(error.code, error.reason)
        script.note(*[(warning.category, str(warning.message)) for warning in caught])
        script.note(error.args, error.rcvd, error.sent, error.rcvd_then_sent)
        script.note((await script.attempt("recv", ws.recv())) is error)


@scenario
async def close_codes_that_cross(script):
    heard = asyncio.Event()

    async def server(peer):
        await heard.wait()
        await peer.send(closing(4001, b"theirs"))
        await peer.hear()
        peer.end()
        await peer.hear_all()

    ws = await script.connect(await script.server(server))
    task = asyncio.create_task(ws.close(4000, "ours"))
    await settled(task)
    heard.set()
    await script.attempt("close", task)
    await script.recv(ws)
    script.state(ws)


@scenario
async def close_while_recv_waits(script):
    ws = await script.connect(await sends(script))
    receiving = asyncio.create_task(ws.recv())
    await settled(receiving)
    await script.attempt("close", ws.close(4000, "mine"))
    await script.attempt("recv", receiving)
    script.state(ws)


@scenario
async def a_cancelled_close(script):
    heard, go = asyncio.Event(), asyncio.Event()

    async def server(peer):
        await peer.hear()
        heard.set()
        await go.wait()
        await peer.send(closing(4000))
        peer.end()
        await peer.hear_all()

    ws = await script.connect(await script.server(server))
    task = asyncio.create_task(ws.close(4000))
    await heard.wait()
    task.cancel()
    await asyncio.wait([task])
    script.note(task.cancelled(), ws.state)
    go.set()
    await script.attempt("close", ws.close())
    script.state(ws)
    await script.recv(ws)


@scenario
async def the_server_never_answers(script):
    async def server(peer):
        await peer.hear_all()

    for call in ("close", "context"):
        ws = await script.connect(await script.server(server), close_timeout=0.05)
        receiving = asyncio.create_task(ws.recv())
        await settled(receiving)
        if call == "close":
            await script.attempt("close", ws.close())
        else:
            async with ws:
                pass
        await script.attempt("recv", receiving)
        await script.ended(ws)


@scenario
async def the_server_never_ends_the_stream(script):
    async def server(peer):
        while (received := await peer.hear()) is not None:
            await peer.send(frame(CLOSE, received.payload))

    ws = await script.connect(await script.server(server), close_timeout=0.2)
    await script.attempt("close", ws.close(4000, "mine"))
    await script.ended(ws)


@scenario
async def the_server_closes_and_never_ends_the_stream(script):
    async def server(peer):
        await peer.send(closing(1000))
        await peer.hear_all()

    ws = await script.connect(await script.server(server), close_timeout=0.05)
    await until(lambda: ws.state is State.CLOSING)
    # Nobody waits for the end of the stream but who sends.
    await script.attempt("send", ws.send("late"))
    await script.ended(ws)


@scenario
async def no_time_to_close(script):
    async def server(peer):
        await peer.hear_all()

    ws = await script.connect(await script.server(server), close_timeout=0)
    await script.attempt("close", ws.close())
    script.state(ws)
    await script.recv(ws)


@scenario
async def many_wait_for_the_end(script):
    async def server(peer):
        await peer.hear()
        await peer.close(4001, b"why")

    ws = await script.connect(await script.server(server))
    tasks = [asyncio.create_task(ws.wait_closed()) for _ in range(3)]
    for task in tasks:
        await settled(task)
    tasks[0].cancel()
    await ws.send("go")
    await asyncio.wait(tasks)
    script.note([task.cancelled() for task in tasks])
    script.state(ws)
