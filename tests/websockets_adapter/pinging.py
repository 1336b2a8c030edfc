"""Scenarios: pings and pongs, and the keepalive."""

import asyncio

from tests.conftest import CLOSE, PING, PONG, TEXT, frame

from .receiving import sends
from .scripts import closing, scenario, settled, since, until


def answers_pings(script, *, until_ping=None, **options):
    """The URL of a server that answers pings, and closes with the pong for ping `until_ping`."""

    async def server(peer):
        pings = 0
        while (received := await peer.hear()) is not None:
            if received.opcode == PING:
                pings += 1
                last = [closing(1000)] if pings == until_ping else []
                await peer.send(frame(PONG, received.payload), *last)
            if received.opcode == CLOSE:
                if pings != until_ping:
                    await peer.send(frame(CLOSE, received.payload))
                peer.end()

    return script.server(server, **options)


@scenario
async def pings_of_the_server(script):
    frames = [frame(PING, payload) for payload in (b"", b"ping", b"\0\xff", b"p" * 125)]
    ws = await script.connect(await sends(script, *frames, frame(TEXT, b"text")))
    await script.recv(ws)


@scenario
async def pongs_of_the_server(script):
    frames = [frame(PONG, payload) for payload in (b"", b"unsolicited", b"p" * 125)]
    ws = await script.connect(await sends(script, *frames, frame(TEXT, b"text")))
    await script.recv(ws)
    script.note(ws.latency)


@scenario
async def pings_of_the_client(script):
    ws = await script.connect(await answers_pings(script))
    script.note(ws.latency)
    for payload in ("text", "κείμενο", b"bytes", bytearray(b"array"), memoryview(b"view"), "", b""):
        pong = await ws.ping(payload)
        latency = await pong
        script.note(asyncio.isfuture(pong), type(latency), latency == ws.latency, latency >= 0)


@scenario
async def a_ping_of_random_bytes(script):
    async def server(peer):
        received = await peer.receive()
        peer.saw(received.opcode, len(received.payload))
        await peer.send(frame(PONG, received.payload))
        await peer.behave()

    for arguments in ((), (None,)):
        ws = await script.connect(await script.server(server))
        latency = await (await ws.ping(*arguments))
        script.note(latency == ws.latency)


@scenario
async def the_real_server_answers(script):
    async def handler(ws):
        await ws.wait_closed()

    ws = await script.connect(await script.serve(handler))
    pongs = [await ws.ping() for _ in range(3)]
    script.note([latency >= 0 for latency in await asyncio.gather(*pongs)])


@scenario
async def payloads_that_are_wrong(script):
    ws = await script.connect(await answers_pings(script))
    for payload in (1, ["list"], object):
        await script.attempt("ping", ws.ping(payload))
        await script.attempt("pong", ws.pong(payload))
    await script.attempt("pong", ws.pong(None))
    await script.attempt("pong", ws.pong(b"x" * 126))
    script.state(ws)
    await (await ws.ping("still open"))


@scenario
async def pongs_of_the_client(script):
    ws = await script.connect(await sends(script))
    for arguments in (
        (),
        ("text",),
        (b"bytes",),
        (bytearray(b"a"),),
        (memoryview(b"v"),),
        ("p" * 125,),
    ):
        await script.attempt("pong", ws.pong(*arguments))


@scenario
async def the_same_payload_twice(script):
    go = asyncio.Event()

    async def server(peer):
        await peer.hear()
        await go.wait()
        await peer.send(frame(PONG, b"same"))
        await peer.hear()
        await peer.send(frame(PONG, b"same"))
        await peer.behave()

    ws = await script.connect(await script.server(server))
    pong = await ws.ping("same")
    await script.attempt("ping", ws.ping(b"same"))
    go.set()
    await pong
    pong = await ws.ping(b"same")
    await pong
    script.note(pong.done())


@scenario
async def a_pong_answers_all_pings_before(script):
    heard = asyncio.Event()

    async def server(peer):
        for _ in range(4):
            await peer.hear()
        await peer.send(frame(PONG, b"2"), frame(TEXT, b"then"))
        await heard.wait()
        await peer.send(frame(PONG, b"0"), frame(PONG, b"3"), frame(TEXT, b"end"))
        await peer.behave()

    ws = await script.connect(await script.server(server))
    pongs = [await ws.ping(str(number)) for number in range(4)]
    await script.recv(ws)
    script.note([pong.done() for pong in pongs])
    heard.set()
    await script.recv(ws)
    script.note([pong.done() for pong in pongs], all(pong.result() >= 0 for pong in pongs))
    script.note(ws.latency == pongs[3].result())


@scenario
@since(14, 2)
async def a_pong_that_is_not_awaited(script):
    ws = await script.connect(await answers_pings(script))
    ignored = await ws.ping("ignored")
    cancelled = await ws.ping("cancelled")
    cancelled.cancel()
    await (await ws.ping("last"))
    script.note(ignored.done(), cancelled.cancelled())


@scenario
async def the_connection_ends_before_the_pong(script):
    async def closes(peer):
        await peer.hear()
        await peer.close(4001, b"why")

    async def cuts(peer):
        await peer.hear()

    for server in (closes, cuts):
        ws = await script.connect(await script.server(server))
        pong = await ws.ping("never answered")
        await script.attempt("pong", pong)
        await script.attempt("ping", ws.ping())


@scenario
async def the_client_closes_before_the_pong(script):
    ws = await script.connect(await sends(script))
    pong = await ws.ping("never answered")
    await ws.close(4000)
    await script.attempt("pong", pong)


@scenario
async def pongs_do_not_wait_for_recv(script):
    async def server(peer):
        await peer.send(*[frame(TEXT, b"unread")] * 3)
        received = await peer.hear()
        await peer.send(frame(PONG, received.payload))
        await peer.behave()

    ws = await script.connect(await script.server(server))
    await (await ws.ping("now"))
    await script.recv(ws, 3)


@scenario
async def keepalive_that_is_answered(script):
    async def server(peer):
        for last in ([], [], [closing(1000)]):
            received = await peer.receive()
            peer.saw(received.opcode, len(received.payload))
            await peer.send(frame(PONG, received.payload), *last)
        # Who does not wait for pongs may have sent another ping.
        while (received := await peer.receive()).opcode == PING:
            pass
        peer.saw(received.opcode, received.payload)
        peer.end()
        await peer.hear_all()

    for timeout in (10, None):
        ws = await script.connect(
            await script.server(server), ping_interval=0.01, ping_timeout=timeout
        )
        await script.recv(ws)
        script.note(ws.latency >= 0)
        script.state(ws)


@scenario
async def keepalive_that_is_not_answered(script):
    async def server(peer):
        received = await peer.receive()
        peer.saw(received.opcode, len(received.payload))
        await peer.behave()

    ws = await script.connect(await script.server(server), ping_interval=0.01, ping_timeout=0.02)
    await script.ended(ws)


@scenario
async def keepalive_of_a_dead_server(script):
    async def server(peer):
        for _ in range(2):
            received = await peer.receive()
            peer.saw(received.opcode, len(received.payload))
        await peer.hear_all()

    ws = await script.connect(
        await script.server(server), ping_interval=0.01, ping_timeout=0.02, close_timeout=0.02
    )
    receiving = asyncio.create_task(ws.recv())
    pong = await ws.ping("never answered")
    await script.attempt("recv", receiving)
    await script.attempt("pong", pong)
    await script.ended(ws)


@scenario
async def no_keepalive(script):
    ws = await script.connect(await answers_pings(script), ping_interval=None)
    script.note(ws.keepalive_task)
    await (await ws.ping("mine"))


@scenario
async def keepalive_ends_with_the_connection(script):
    before = asyncio.all_tasks()
    ws = await script.connect(await sends(script), ping_interval=1000)
    await ws.close()
    await until(lambda: all(task in before or task.done() for task in asyncio.all_tasks()))
    script.note(ws.keepalive_task is None or ws.keepalive_task.done())


@scenario
async def a_ping_while_the_client_closes(script):
    heard, go = asyncio.Event(), asyncio.Event()

    async def server(peer):
        await peer.hear()
        heard.set()
        await peer.send(frame(PING, b"are you there"))
        await peer.hear()
        await go.wait()
        await peer.send(closing(1000))
        peer.end()
        await peer.hear_all()

    ws = await script.connect(await script.server(server))
    task = asyncio.create_task(ws.close())
    await heard.wait()
    await settled(task)
    go.set()
    await task
    script.state(ws)
