"""Scenarios: the ways to use connect(), and `async for` that reconnects."""

import asyncio

from tests.conftest import TEXT, accept, frame
from websockets.exceptions import ConnectionClosed, InvalidStatus

from .answers import answers, sized
from .receiving import sends
from .scripts import closing, scenario, settled, since

UNAVAILABLE = sized("503 Service Unavailable", b"later")
FORBIDDEN = sized("403 Forbidden", b"never")


def greets(request):
    return accept(request) + frame(TEXT, b"hello") + closing(1001, b"bye")


def cuts(request):
    return accept(request) + frame(TEXT, b"hello")


def raises():
    raise LookupError("in the body")


async def reconnect(script, url, times, **options):
    """Receive all that comes on some connections."""
    connecting = script.dial(url, **script.retry_at_once(options))
    try:
        async for ws in connecting:
            times -= 1
            script.note("connected", type(ws) is script.library.ClientConnection)
            try:
                async for message in ws:
                    script.note(message)
            except ConnectionClosed as error:
                script.note(error)
            script.state(ws)
            if not times:
                break
    except Exception as error:  # noqa: BLE001 - noted
        script.note("raised", error)


@scenario
async def awaited(script):
    connecting = script.dial(await sends(script, frame(TEXT, b"text")))
    ws = script.keep(await connecting)
    script.note(type(ws) is script.library.ClientConnection)
    await script.recv(ws)


@scenario
async def awaited_twice(script):
    connecting = script.dial(await sends(script, frame(TEXT, b"text")))
    for _ in range(2):
        await script.recv(script.keep(await connecting))


@scenario
async def as_a_context(script):
    async with script.dial(await sends(script, frame(TEXT, b"text"))) as ws:
        await script.recv(ws)
    script.state(ws)
    await script.recv(ws)


@scenario
async def as_a_context_again(script):
    connecting = script.dial(await sends(script, frame(TEXT, b"text")))
    for _ in range(2):
        async with connecting as ws:
            await script.recv(ws)
        script.state(ws)


@scenario
@since(17)
async def contexts_are_not_reentrant(script):
    connecting = script.dial(await sends(script, frame(TEXT, b"text")))
    async with connecting as ws:
        await script.attempt("again", connecting.__aenter__())
        await script.recv(ws)


@scenario
async def a_context_whose_body_raises(script):
    try:
        async with script.dial(await sends(script)) as ws:
            raises()
    except LookupError as error:
        script.note(error)
    script.state(ws)


@scenario
async def a_context_whose_body_is_cancelled(script):
    entered = asyncio.Event()

    async def body():
        async with script.dial(url) as ws:
            entered.set()
            await ws.recv()

    url = await sends(script)
    task = asyncio.create_task(body())
    await entered.wait()
    await settled(task)
    task.cancel()
    await asyncio.wait([task])
    script.note(task.cancelled())


@scenario
async def a_context_whose_connection_is_lost(script):
    url = await answers(script, cuts, cuts)
    async with script.dial(url) as ws:
        await ws.wait_closed()
        await script.recv(ws)
    try:
        async with script.dial(url) as ws:
            await script.recv(ws)
            await ws.recv()
    except ConnectionClosed as error:
        script.note(error)
    script.state(ws)


@scenario
async def a_connection_as_a_context(script):
    ws = await script.connect(await sends(script))
    async with ws as same:
        script.note(same is ws)
    script.state(ws)
    async with ws:
        script.note("may be entered again")


@scenario
async def reconnects_when_the_server_closes(script):
    await reconnect(script, await answers(script, *[greets] * 3), 3)


@scenario
async def reconnects_when_the_connection_is_lost(script):
    await reconnect(script, await answers(script, cuts, cuts, greets), 3)


@scenario
async def reconnects_when_the_server_is_unavailable(script):
    replies = [UNAVAILABLE, greets, UNAVAILABLE, b"", sized("500 Oops", b""), greets]
    await reconnect(script, await answers(script, *replies), 2)


@scenario
async def does_not_reconnect_when_it_is_forbidden(script):
    await reconnect(script, await answers(script, greets, FORBIDDEN), 3)


@scenario
async def does_not_reconnect_when_the_body_raises(script):
    url = await answers(script, cuts, cuts)
    connecting = script.dial(url, **script.retry_at_once({}))
    try:
        async for ws in connecting:
            await script.recv(ws)
            raises()
    except LookupError as error:
        script.note(error)


@scenario
async def reconnects_from_continue(script):
    seen = 0
    url = await answers(script, *[greets] * 3)
    async for ws in script.dial(url, **script.retry_at_once({})):
        seen += 1
        try:
            await script.recv(ws)
            script.note(await ws.recv())
        except ConnectionClosed:
            if seen < 3:
                continue
            break
    script.note(seen)


@scenario
async def exceptions_are_processed(script):
    def process(error):
        script.note("processes", error)
        status = error.response.status_code if isinstance(error, InvalidStatus) else None
        if status == 403:
            return None
        if status == 404:
            return LookupError("instead")
        if status == 500:
            raise ArithmeticError("raised")
        return error

    for last in ("404 Not Found", "500 Oops", "418 Teapot"):
        url = await answers(script, FORBIDDEN, sized(last, b""))
        await reconnect(script, url, 1, process_exception=process)


@scenario
async def redirected_when_it_reconnects(script):
    moved = sized("302 Found", b"", "Location: /there")
    await reconnect(script, await answers(script, moved, greets, greets), 2)


@scenario
@since(17)
async def delays_between_attempts(script):
    def delays():
        script.note("delays")
        yield from (0.001, 0.002)
        yield 0.003

    replies = [UNAVAILABLE] * 3 + [greets, UNAVAILABLE, FORBIDDEN]
    url = await answers(script, *replies)
    await reconnect(script, url, 3, reconnect_delays=delays)
