"""Scenarios: closing from both sides, and being cut off."""

import asyncio
import contextlib
import datetime as dt
import decimal
import fractions
import warnings

import aiohttp
from aiohttp import WSMsgType
from tests.conftest import BINARY, CLOSE, TEXT, frame

from .scripts import limit, scenario, settled

GOING_AWAY = b"\x03\xe9"


@scenario()
async def server_closes(script):
    async def handler(request):
        ws = aiohttp.web.WebSocketResponse()
        await ws.prepare(request)
        await ws.close(code=4001, message="почему".encode())
        script.saw(ws.close_code is not None)
        return ws

    ws = await script.connect(await script.web_server(handler))
    await script.receive(ws)
    script.state(ws)
    await script.end(ws)
    await script.attempt("close", ws.close())
    await script.attempt("send", ws_send(ws))


async def ws_send(ws):
    await ws.send_str("late")


@scenario()
async def server_closes_without_autoclose(script):
    async def server(wire):
        await wire.send(frame(CLOSE, b"\x0f\xa1why"))
        answer = await wire.receive()
        script.saw(answer.opcode, answer.payload)

    ws = await script.connect(await script.scripted(server), autoclose=False)
    await script.receive(ws)
    script.note(ws.closed)
    await script.attempt("close", ws.close(code=4000, message=b"mine"))
    script.state(ws)
    await script.end(ws)


@scenario()
async def receiving_on_without_autoclose(script):
    async def server(wire):
        await wire.send(frame(CLOSE, b"\x0f\xa1why"))
        answer = await wire.receive()
        script.saw(answer.opcode, answer.payload)

    ws = await script.connect(await script.scripted(server), autoclose=False)
    await script.receive(ws, 2)
    script.state(ws)
    await script.attempt("close", ws.close())


@scenario()
async def client_closes_with_the_code_of_a_frame_without_one(script):
    async def server(wire):
        await wire.send(frame(CLOSE))
        await wire.receive()

    for code in (None, 0, 1005):
        url = await script.scripted(server)
        ws = await script.connect(url, autoclose=False, timeout=limit(ws_close=0.05))
        msg = await ws.receive()
        await script.attempt("close", ws.close(code=msg.data if code is None else code))
        script.note(ws.closed, ws._response.connection)
        await script.end(ws)


@scenario(differs="codes 0 and 1005, which stand for none, are sent (RFC 6455 §7.4.1)")
async def client_closes_with_a_code_that_stands_for_none(script):
    sent = []

    async def server(wire):
        received = await wire.receive()
        sent.append((received.opcode, received.payload))
        await wire.send(frame(CLOSE))

    for code in (0, 1005):
        ws = await script.connect(await script.scripted(server))
        await script.attempt("close", ws.close(code=code, message=b"why"))
        script.state(ws)
    script.note("sent", sent)
    return {
        "theirs": [("sent", [(CLOSE, b"\x00\x00why"), (CLOSE, b"\x03\xedwhy")])],
        "ours": [("sent", [(CLOSE, b""), (CLOSE, b"")])],
    }


def code_of(script, ws):
    """Note the close code, and whether it is one of aiohttp's enumeration."""
    script.note("code", ws.close_code, isinstance(ws.close_code, aiohttp.WSCloseCode))


@scenario()
async def server_closes_without_a_code(script):
    async def server(wire):
        await wire.send(frame(CLOSE))
        await wire.end()

    url = await script.scripted(server)
    # aiohttp waits for a second close frame until its time is up.
    ws = await script.connect(url, timeout=limit(ws_close=0.05))
    await script.receive(ws)
    code_of(script, ws)
    script.note(ws.close_code is aiohttp.WSCloseCode.ABNORMAL_CLOSURE)
    await script.end(ws)


@scenario()
async def server_closes_without_a_code_and_ends(script):
    async def server(wire):
        await wire.send(frame(TEXT, b"last"), frame(CLOSE))

    ws = await script.connect(await script.scripted(server))
    await script.receive(ws, 2)
    code_of(script, ws)
    await script.attempt("close", ws.close())
    await script.end(ws)


@scenario()
async def server_closes_without_a_code_and_without_autoclose(script):
    async def server(wire):
        await wire.send(frame(CLOSE))
        await wire.end()

    url = await script.scripted(server)
    ws = await script.connect(url, autoclose=False, timeout=limit(ws_close=0.05))
    await script.receive(ws)
    await script.attempt("close", ws.close())
    code_of(script, ws)


@scenario()
async def server_answers_without_a_code(script):
    async def server(wire):
        await wire.receive()
        await wire.send(frame(CLOSE))

    ws = await script.connect(await script.scripted(server))
    await script.attempt("close", ws.close())
    code_of(script, ws)
    await script.end(ws)


@scenario()
async def codes_that_are_members(script):
    async def cuts(wire):
        await wire.send(frame(TEXT, b"last"))

    async def resets(wire):
        await wire.receive()
        wire.reset()

    async def breaks_utf8(wire):
        await wire.send(frame(TEXT, b"\xff"))
        await wire.end()

    async def is_silent(wire):
        await wire.end()

    for server in (cuts, resets, breaks_utf8, is_silent):
        ws = await script.connect(await script.scripted(server), timeout=limit(ws_close=0.05))
        if server is resets:
            await ws.send_str("reset me")
        if server is not is_silent:
            msg = await ws.receive()
            code_of(script, ws)
            if msg.type is WSMsgType.ERROR:
                script.note(msg.data.code is aiohttp.WSCloseCode.INVALID_TEXT)
            await ws.receive()
        await ws.close()
        code_of(script, ws)


@scenario()
async def codes_that_the_server_says(script):
    for code in (1000, 1001, 1011, 4001):

        async def server(wire, code=code):
            await wire.send(frame(CLOSE, code.to_bytes(2, "big")))
            await wire.receive()

        ws = await script.connect(await script.scripted(server))
        await script.receive(ws, 2)
        code_of(script, ws)


@scenario(differs="every close frame is answered with code 1000 (RFC 6455 §5.5.1: with its own)")
async def code_of_the_answer(script):
    answered = asyncio.get_running_loop().create_future()

    async def server(wire):
        await wire.send(frame(CLOSE, GOING_AWAY))
        answered.set_result((await wire.receive()).payload[:2])

    ws = await script.connect(await script.scripted(server))
    await script.receive(ws)
    script.note("answered", await answered)
    return {"theirs": [("answered", b"\x03\xe8")], "ours": [("answered", GOING_AWAY)]}


@scenario()
async def client_closes(script):
    async def server(wire):
        closing = await wire.receive()
        script.saw(closing.opcode, closing.payload)
        await wire.send(frame(CLOSE, closing.payload))

    ws = await script.connect(await script.scripted(server))
    await script.attempt("close", ws.close(code=3000, message=b"done"))
    script.state(ws)
    await script.attempt("close", ws.close())
    await script.end(ws)
    script.note(ws.exception())


@scenario()
async def client_closes_a_server_that_answers_another_code(script):
    async def server(wire):
        await wire.receive()
        await wire.send(frame(CLOSE, GOING_AWAY))

    ws = await script.connect(await script.scripted(server))
    await script.attempt("close", ws.close())
    script.state(ws)


@scenario()
async def client_closes_while_it_receives(script):
    ws = await script.connect(script.echo)
    waiting = asyncio.ensure_future(ws.receive())
    await settled(waiting)
    await script.attempt("close", ws.close())
    await script.attempt("receive", waiting)
    await script.end(ws)


@scenario()
async def client_closes_while_it_iterates(script):
    ws = await script.connect(script.echo)

    async def iterate():
        async for msg in ws:
            script.note("message", msg.data)
        script.note("iteration ended")

    iterating = asyncio.ensure_future(iterate())
    await ws.send_str("one")
    while not script.trace:
        await asyncio.sleep(0)
    await settled(iterating)
    closed = await ws.close()
    await iterating
    script.note(closed)
    script.state(ws)


def tells_all(script):
    """A server that tells what comes, up to the close frame, and answers that."""

    async def server(wire):
        while (received := await wire.receive()).opcode != CLOSE:
            script.saw(received.opcode, received.payload)
        script.saw(received.opcode, received.payload)
        await wire.send(frame(CLOSE, received.payload))

    return server


async def receiving(script, server, **options):
    """A WebSocket, and a task that waits for its next message."""
    ws = await script.connect(await script.scripted(server), **options)
    waiting = asyncio.ensure_future(ws.receive())
    await settled(waiting)
    return ws, waiting


@scenario()
async def client_closes_after_a_send_that_is_scheduled(script):
    ws, waiting = await receiving(script, tells_all(script))
    sending = [asyncio.create_task(ws_send(ws)) for _ in range(3)]
    await script.attempt("close", ws.close(code=3000))
    for task in sending:
        await script.attempt("sent", task)
    await script.attempt("receive", waiting)
    await script.end(ws)


@scenario()
async def client_closes_after_a_writer_that_has_its_queue_full(script):
    ws = await script.connect(await script.scripted(tells_all(script)))
    queue = asyncio.Queue()

    async def write():
        while (text := await queue.get()) is not None:
            await ws.send_str(text)
            await asyncio.sleep(0)

    async def read():
        async for msg in ws:
            script.note("message", msg.data)
        script.note("ended")

    reading = asyncio.create_task(read())
    writing = asyncio.create_task(write())
    await settled(reading)
    for text in ("one", None):
        queue.put_nowait(text)
    await script.attempt("close", ws.close())
    await script.attempt("read", reading)
    await script.attempt("written", writing)
    script.state(ws)


@scenario()
async def client_closes_before_a_send_when_nobody_receives(script):
    ws = await script.connect(await script.scripted(tells_all(script)))
    sending = asyncio.create_task(ws_send(ws))
    await script.attempt("close", ws.close())
    await script.attempt("sent", sending)


@scenario()
async def state_between_close_and_the_close_frame(script):
    ws, waiting = await receiving(script, tells_all(script))
    closing = asyncio.create_task(ws.close())
    asyncio.get_running_loop().call_soon(script.state, ws)
    await script.attempt("close", closing)
    await script.attempt("receive", waiting)
    script.state(ws)


@scenario()
async def second_close_overtakes_the_first_that_has_a_reader_to_wake(script):
    ws, waiting = await receiving(script, tells_all(script))
    script.note(await asyncio.gather(ws.close(code=3000), ws.close(code=3001)))
    await script.attempt("receive", waiting)
    await script.end(ws)


def answers_later(script, answers):
    """A server that sends a message, tells what comes, and answers a close frame when told to."""

    async def server(wire):
        await wire.send(frame(TEXT, b"one"), frame(TEXT, b"two"))
        while (received := await wire.receive()).opcode != CLOSE:
            script.saw(received.opcode, received.payload)
        script.saw(received.opcode, received.payload)
        await answers.wait()
        await wire.send(frame(CLOSE, received.payload))

    return server


def two_close(name, *order):
    """A scenario in which two tasks close while one receives, in this order of beginning."""

    async def play(script):
        answers = asyncio.Event()
        ws = await script.connect(await script.scripted(answers_later(script, answers)))
        await script.receive(ws, 2)
        codes = iter((3000, 3001))
        closing, waiting = [], None
        for step in order:
            if step == "receive":
                waiting = asyncio.ensure_future(ws.receive())
            elif step == "turns":
                await settled(closing[0] if closing else waiting)
            else:
                closing.append(asyncio.ensure_future(ws.close(code=next(codes))))
        # The server has not answered.
        await script.attempt("receive", waiting)
        script.note("closed", ws.closed)
        answers.set()
        script.note(await asyncio.gather(*closing))
        await script.end(ws)

    play.__name__ = name
    scenario()(play)


two_close("receiving_before_two_close", "receive", "turns", "close", "close")
two_close("receiving_before_two_close_in_turn", "receive", "turns", "close", "turns", "close")
two_close("receiving_between_two_that_close", "close", "turns", "receive", "close")
two_close("receiving_between_two_that_close_at_once", "close", "receive", "close")
two_close("receiving_after_two_have_begun_to_close", "close", "close", "receive")
two_close("receiving_after_two_have_begun_to_close_in_turn", "close", "close", "turns", "receive")


@scenario()
async def what_has_arrived_is_not_received_while_another_task_closes(script):
    answers = asyncio.Event()
    ws = await script.connect(await script.scripted(answers_later(script, answers)))
    await script.receive(ws)
    closing = asyncio.ensure_future(ws.close())
    await settled(closing)
    await script.receive(ws)
    answers.set()
    await script.attempt("close", closing)
    await script.end(ws)


@scenario()
async def who_is_told_that_another_task_closes_can_still_send(script):
    ws = await script.connect(await script.scripted(tells_all(script)))

    async def read():
        async for msg in ws:
            script.note("message", msg.data)
        await ws.send_str("goodbye")

    reading = asyncio.ensure_future(read())
    await settled(reading)
    await script.attempt("close", ws.close(code=3000))
    await script.attempt("read", reading)
    await script.end(ws)


@scenario()
async def who_is_told_that_another_task_closes_can_close(script):
    ws = await script.connect(await script.scripted(tells_all(script)))

    async def read():
        await script.receive(ws)
        await script.attempt("reader closes", ws.close(code=3001))

    reading = asyncio.ensure_future(read())
    await settled(reading)
    closing = asyncio.ensure_future(ws.close(code=3000))
    await reading
    await script.attempt("close", closing)
    await script.end(ws)


@scenario(differs="who receives on while another task closes sends 1000 in place of its code")
async def who_is_told_that_another_task_closes_receives_on(script):
    codes = []

    async def server(wire):
        received = await wire.receive()
        codes.append(received.payload)
        await wire.send(frame(CLOSE, received.payload))

    ws = await script.connect(await script.scripted(server))

    async def read():
        await script.receive(ws, 2)

    reading = asyncio.ensure_future(read())
    await settled(reading)
    closed = await ws.close(code=3000)
    await reading
    script.note("sent", closed, codes)
    return {
        "theirs": [("sent", False, [b"\x03\xe8"])],
        "ours": [("sent", True, [b"\x0b\xb8"])],
    }


@scenario()
async def close_that_is_cancelled_while_the_reader_is_woken(script):
    async def server(wire):
        await wire.end()

    ws, waiting = await receiving(script, server, timeout=limit(ws_close=0.05))
    closing = asyncio.ensure_future(ws.close())
    await asyncio.sleep(0)
    closing.cancel()
    try:
        await closing
    except asyncio.CancelledError:
        script.note("cancelled")
    await waiting
    await ws.close()
    await script.end(ws)


@scenario()
async def two_close_at_once(script):
    ws = await script.connect(script.echo)
    script.note(sorted(await asyncio.gather(ws.close(), ws.close())))
    script.state(ws)


@scenario()
async def what_is_not_received_before_close_is_dropped(script):
    arrived = asyncio.Event()

    async def server(wire):
        await wire.send(frame(TEXT, b"unread"), frame(BINARY, b"unread"), frame(9, b""))
        await wire.receive()
        arrived.set()
        await wire.answer_close()

    ws = await script.connect(await script.scripted(server))
    await script.receive(ws)
    # aiohttp answers a ping when a task receives.
    waiting = asyncio.ensure_future(ws.receive())
    await script.attempt("receive", waiting)
    await script.attempt("ping", ws.ping())
    await arrived.wait()
    await script.attempt("close", ws.close())
    await script.end(ws)


@scenario()
async def server_that_does_not_answer_close(script):
    async def server(wire):
        script.saw((await wire.receive()).opcode)
        await wire.end()

    ws = await script.connect(await script.scripted(server), timeout=limit(ws_close=0.05))
    await script.attempt("close", ws.close())
    script.state(ws)
    script.note(isinstance(ws.exception(), TimeoutError))
    await script.end(ws)


@scenario(differs="close() is not bounded if the server keeps sending: each message starts it anew")
async def chatty_server_that_does_not_answer_close(script):
    async def server(wire):
        # uvloop's transport raises a RuntimeError when it is lost.
        with contextlib.suppress(ConnectionError, RuntimeError):
            while not wire.transport.is_closing():
                await wire.send(frame(TEXT, b"chatter"))
                await asyncio.sleep(0.001)

    ws = await script.connect(await script.scripted(server), timeout=limit(ws_close=0.4))
    try:
        async with asyncio.timeout(1.2):
            await ws.close()
        script.note("closed in time")
    except TimeoutError:
        script.note("closes for ever")
    return {"theirs": [("closes for ever",)], "ours": [("closed in time",)]}


@scenario()
async def close_that_is_cancelled(script):
    async def server(wire):
        await wire.end()

    ws = await script.connect(await script.scripted(server))
    closing = asyncio.ensure_future(ws.close())
    await settled(closing)
    closing.cancel()
    try:
        await closing
    except asyncio.CancelledError:
        script.note("cancelled")
    script.note(ws.closed)
    await script.end(ws)


@scenario()
async def end_of_stream(script):
    async def server(wire):
        await wire.send(frame(TEXT, b"last"))

    ws = await script.connect(await script.scripted(server))
    await script.receive(ws)
    await script.end(ws)
    await script.attempt("close", ws.close())


@scenario()
async def end_of_stream_within_a_message(script):
    async def server(wire):
        await wire.send(frame(TEXT, b"cut off")[:-3])

    ws = await script.connect(await script.scripted(server))
    await script.end(ws)


@scenario()
async def reset(script):
    async def server(wire):
        await wire.receive()
        wire.reset()

    ws = await script.connect(await script.scripted(server))
    await ws.send_str("reset me")
    await script.end(ws)


@scenario(differs="a close code that must not be sent is sent (RFC 6455 §7.4.1)")
async def close_code_that_must_not_be_sent(script):
    async def server(wire):
        await wire.receive()
        await wire.send(frame(CLOSE, b"\x03\xe8"))

    ws = await script.connect(await script.scripted(server))
    try:
        await ws.close(code=1006)
        script.note("sent")
    except ValueError:
        script.note("refused")
        await ws.close()
    return {"theirs": [("sent",)], "ours": [("refused",)]}


def refuses_to_wait(name, limits):
    """A scenario with a limit of time that aiohttp takes, but cannot wait for: it closes at once."""

    async def play(script):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            ws = await script.connect(await script.scripted(tells_all(script)), timeout=limits)
        await script.attempt("close", ws.close())
        script.note("closed with", ws.close_code, type(ws.exception()))
        await script.end(ws)
        return {
            "theirs": [("closed with", 1006, TypeError), ("state", True, 1006)],
            "ours": [("closed with", 1000, type(None)), ("state", True, 1000)],
        }

    play.__name__ = f"limit_that_is_{name}"
    scenario(differs="what is no number of seconds fails close()")(play)


refuses_to_wait("a_client_timeout", aiohttp.ClientTimeout(total=10))
refuses_to_wait("a_timedelta", dt.timedelta(seconds=10))
refuses_to_wait("text", "10")
refuses_to_wait("a_decimal", decimal.Decimal(10))
refuses_to_wait("a_pair", (10, 10))


@scenario(since=(3, 11))
async def limits_that_are_fractions(script):
    half = fractions.Fraction(1, 20)
    limits = aiohttp.ClientWSTimeout(ws_receive=half, ws_close=half)

    async def server(wire):
        await wire.end()

    ws = await script.connect(await script.scripted(server), timeout=limits)
    await script.receive(ws)
    await ws.close()
    script.note(ws.close_code)


def breaks(name, *frames, since=(3, 10)):
    """A scenario in which the server breaks the protocol."""

    async def play(script):
        async def server(wire):
            await wire.send(frame(TEXT, b"before"), *frames)
            closing = await wire.receive()
            script.saw(closing.opcode, closing.payload[:2])
            await wire.end()

        ws = await script.connect(await script.scripted(server))
        await script.receive(ws)
        await script.receive(ws)
        script.state(ws)
        await script.end(ws)

    play.__name__ = f"server_sends_{name}"
    scenario(since=since)(play)


breaks("a_reserved_opcode", b"\x83\x00")
# aiohttp waits for ever before 3.14.
breaks("a_reserved_bit", b"\xc1\x00", since=(3, 14))
breaks("text_that_is_not_utf8", frame(TEXT, b"\xff"))
# aiohttp 3.10 loses what came before.
breaks("a_fragmented_ping", b"\x09\x00", since=(3, 11))
breaks("a_long_ping", b"\x89\x7e\x00\x7e" + bytes(126), since=(3, 11))
breaks("a_new_message_within_one", frame(TEXT, b"a", fin=False), frame(TEXT, b"b"))
breaks("a_close_code_that_must_not_be_sent", b"\x88\x02\x03\xed")


@scenario()
async def session_is_closed_under_it(script):
    session = await script.session()
    ws = await session.ws_connect(script.echo)
    waiting = asyncio.ensure_future(ws.receive())
    await settled(waiting)
    await session.close()
    await script.attempt("receive", waiting)
    await script.end(ws)


@scenario()
async def connector_is_closed_under_it(script):
    connector = aiohttp.TCPConnector()
    session = await script.session(connector=connector)
    ws = await session.ws_connect(script.echo)
    await connector.close()
    await script.end(ws)


@scenario()
async def response_is_closed_under_it(script):
    session = await script.session()
    ws = await session.ws_connect(script.echo)
    script.note(ws._response.connection is ws._conn, len(session.connector._acquired))
    ws._response.close()
    script.note(ws._response.connection, ws._conn.closed, len(session.connector._acquired))
    await script.end(ws)


@scenario()
async def place_in_the_pool(script):
    session = await script.session(connector=aiohttp.TCPConnector(limit=1))
    first = await session.ws_connect(script.echo)
    second = asyncio.ensure_future(session.ws_connect(script.echo)._coro)
    await settled(second)
    script.note(len(session.connector._acquired))
    await first.close()
    ws = await second
    script.note(len(session.connector._acquired))
    await ws.send_str("second")
    await script.receive(ws)
    await ws.close()
    script.note(len(session.connector._acquired), len(session.connector._conns))


@scenario(
    differs="the place in the pool of a connection that the server has ended is not given back before"
    " somebody receives"
)
async def place_in_the_pool_of_a_lost_connection(script):
    async def server(wire):
        await wire.receive()

    session = await script.session(connector=aiohttp.TCPConnector(limit=1))
    ws = await script.connect(await script.scripted(server), session=session)
    transport = ws._conn.transport
    await ws.send_str("go")
    while not transport.is_closing():
        await asyncio.sleep(0)
    for _ in range(3):
        await asyncio.sleep(0)
    script.note("acquired", len(session.connector._acquired))
    return {"theirs": [("acquired", 1)], "ours": [("acquired", 0)]}


@scenario()
async def closed_of_a_lost_connection(script):
    async def server(wire):
        await wire.receive()

    ws = await script.connect(await script.scripted(server))
    transport = ws._conn.transport
    await ws.send_str("go")
    while not transport.is_closing():
        await asyncio.sleep(0)
    for _ in range(3):
        await asyncio.sleep(0)
    script.note("closed", ws.closed)
    await script.receive(ws)
    assert WSMsgType.CLOSED in script.trace[-1]
    script.note("closed", ws.closed)


@scenario()
async def closed_with_the_last_message_of_a_lost_connection(script):
    async def server(wire):
        await wire.receive()
        await wire.send(frame(TEXT, b"last"))

    ws = await script.connect(await script.scripted(server))
    transport = ws._conn.transport
    await ws.send_str("go")
    while not transport.is_closing():
        await asyncio.sleep(0)
    await script.receive(ws)
    script.note("closed", ws.closed, ws.close_code)
    await script.receive(ws)
    script.note("closed", ws.closed)


@scenario()
async def sends_before_the_servers_close_frame_is_received(script):
    async def server(wire):
        await wire.send(frame(TEXT, b"last"), frame(CLOSE, b"\x03\xe8"))
        for _ in range(2):
            received = await wire.receive()
            script.saw(received.opcode, received.payload[:2])

    ws = await script.connect(await script.scripted(server))
    # The close frame came with it.
    await script.receive(ws)
    script.note("open", ws.closed, ws.close_code)
    await script.attempt("send", ws_send(ws))
    await script.receive(ws)
    script.note("closed", ws.closed, ws.close_code)
    await script.end(ws)


@scenario()
async def sends_after_the_servers_close_frame_without_autoclose(script):
    async def server(wire):
        await wire.send(frame(CLOSE, b"\x0f\xa1"))
        for _ in range(2):
            received = await wire.receive()
            script.saw(received.opcode, received.payload[:2])

    ws = await script.connect(await script.scripted(server), autoclose=False)
    await script.receive(ws)
    script.note("open", ws.closed)
    await script.attempt("send", ws_send(ws))
    await script.attempt("close", ws.close(code=4002))
    script.note("closed", ws.closed)
