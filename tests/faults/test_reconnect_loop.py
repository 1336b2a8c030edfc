"""The delays of `reconnect`, and the life of its loop."""

import asyncio
import contextlib
import itertools
from math import inf

import pytest
from tests.conftest import accept

from wsclient import (
    ClientSession,
    ClientWebSocketResponse,
    MsgType,
    ServerDisconnectedError,
    WSServerHandshakeError,
    reconnect,
)

from .dying import (
    CLOSE,
    HELLO,
    at_once,
    never,
    opening,
    refusing,
    serve_well,
    until_hello,
)


def counting():
    """Delays that never come twice, and are not waited for: each makes the loop end."""
    made = []

    def delays():
        made.append([])
        for number in itertools.count():
            made[-1].append(number)
            yield 0

    return delays, made


@pytest.mark.parametrize(("healthy_after", "sequences"), [(0, [[0], [0], [0]]), (inf, [[0, 1, 2]])])
async def test_delays_begin_anew_after_a_healthy_connection(start, healthy_after, sequences):
    _, url = await start(opening(CLOSE), opening(CLOSE), opening(CLOSE), serve_well)
    delays, made = counting()
    events = await until_hello(url, reconnect_delays=delays, healthy_after=healthy_after, timeout=1)
    assert [sequence for sequence in made if sequence] == sequences
    attempts = [event.attempt for event in events if event.state == "connecting"]
    assert attempts == ([1, 1, 1, 1] if healthy_after == 0 else [1, 2, 3, 4])


async def test_failures_go_on_with_the_delays(start):
    _, url = await start(refusing(500), opening(CLOSE), refusing(500), serve_well)
    delays, made = counting()
    await until_hello(url, reconnect_delays=delays, timeout=1)
    assert made == [[0, 1, 2]]


async def test_delays_that_come_to_an_end(start):
    server, url = await start(refusing(503), refusing(502))
    with pytest.raises(WSServerHandshakeError) as caught:
        await until_hello(url, reconnect_delays=lambda: [0])
    assert caught.value.status == 502
    assert server.played == 2


async def test_delays_that_come_to_an_end_after_a_connection(start):
    server, url = await start(opening(CLOSE))
    attempts = reconnect(url, reconnect_delays=lambda: [0], timeout=1, healthy_after=inf)
    assert [(await ws.receive()).data async for ws in attempts] == [1001, 1001]
    assert server.played == 2


# --- the life of the loop


async def test_each_websocket_is_closed_when_the_body_has_ended(start):
    _, url = await start(serve_well)
    websockets = []
    attempts = reconnect(url, reconnect_delays=at_once, timeout=5)
    async with contextlib.aclosing(attempts):
        async for ws in attempts:
            assert all(earlier.close_code == 1000 for earlier in websockets)
            websockets.append(ws)
            if len(websockets) == 3:
                break
            continue
        assert not websockets[-1].closed
    assert [ws.close_code for ws in websockets] == [1000] * 3


async def test_the_loop_closes_what_break_has_left(start, no_leak):
    _, url = await start(serve_well)
    websockets = []
    async with no_leak():
        async for ws in reconnect(url, timeout=5):
            websockets.append(ws)
            break
        lost = websockets[0]._connection.wait_lost()
        if lost is not None:
            await lost
        assert websockets[0].close_code == 1000
        for _ in range(10):  # the loop's task ends, which closes the iterator
            await asyncio.sleep(0)


async def test_an_exception_in_the_body(start):
    _, url = await start(serve_well)
    websockets = []
    with pytest.raises(ZeroDivisionError):
        async with contextlib.aclosing(reconnect(url, timeout=5)) as attempts:
            async for ws in attempts:
                websockets.append(ws)
                1 // 0  # noqa: B018
    assert websockets[0].close_code == 1000


@pytest.mark.parametrize("where", ["connecting", "waiting", "receiving", "closing"])
async def test_cancellation(start, no_leak, where):
    scripts = {
        "connecting": never,
        "waiting": refusing(503, "Content-Length: 0"),
        "receiving": opening(read=True),
        "closing": opening(read=True),
    }
    _, url = await start(scripts[where])
    states = asyncio.Queue()

    async def run():
        attempts = reconnect(
            url, on_state=states.put_nowait, reconnect_delays=lambda: [3600], timeout=0.1
        )
        async with contextlib.aclosing(attempts):
            async for ws in attempts:
                if where == "receiving":
                    await ws.receive()

    async with no_leak():
        task = asyncio.create_task(run())
        awaited = "open" if where in {"receiving", "closing"} else where
        while (await states.get()).state != awaited:
            pass
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert states.empty()


async def test_from_a_session(start):
    server, url = await start(opening(CLOSE), serve_well)

    class Own(ClientWebSocketResponse):
        pass

    async with ClientSession(url, ws_response_class=Own, timeout=5) as session:
        async for ws in session.reconnect("feed", reconnect_delays=at_once):
            assert type(ws) is Own
            async for msg in ws:
                if msg.tp is MsgType.text:
                    break
            else:
                continue
            break
        assert not session.closed
    assert server.played == 2
    assert ws.close_code in {1000, 1001}


async def test_a_session_that_is_closed_ends_the_loop(start):
    _, url = await start(serve_well)
    session = ClientSession(timeout=5)
    with pytest.raises(RuntimeError, match="session is closed"):
        async for ws in session.reconnect(url, reconnect_delays=at_once):
            assert await ws.receive_str() == "hello"
            await session.close()


async def test_cookies_outlive_connections(start):
    requests = []

    async def script(reader, writer):
        request = await reader.readuntil(b"\r\n\r\n")
        requests.append(b"Cookie: sid=1\r\n" in request)
        writer.write(accept(request, "Set-Cookie: sid=1") + CLOSE)

    _, url = await start(script, script, serve_well)
    await until_hello(url, timeout=5)
    assert requests == [False, True]


async def test_what_went_wrong_with_an_open_connection_is_told(start):
    _, url = await start(opening(HELLO[:3]), serve_well)
    events = await until_hello(url, timeout=5)
    closed = next(event for event in events if event.state == "closed")
    assert isinstance(closed.exception, ServerDisconnectedError)
    assert closed.ws.close_code == 1006
    assert next(event for event in events if event.state == "open").ws is closed.ws
