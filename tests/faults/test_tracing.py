"""What can be watched of a connection: the steps of opening it, and what is logged."""

import asyncio
import logging
import re

import pytest
from tests.conftest import CLOSE, TEXT, accept, frame

from wsclient import (
    BasicAuth,
    ClientConnectorError,
    ClientSession,
    ConnectionTimeoutError,
    MsgType,
    ServerDisconnectedError,
    TCPConnector,
    WSServerHandshakeError,
    reconnect,
    ws_connect,
)

SECRET = "Pa55w0rd"


class Trace(list):
    """Keeps the steps; each must end before the next begins."""

    def __call__(self, step):
        self.append(step)

    def names(self):
        starts, ends = self[::2], self[1::2]
        assert [step.phase for step in starts] == ["start"] * len(starts)
        assert [step.phase for step in ends] == ["end"] * len(ends)
        assert [step.step for step in starts] == [step.step for step in ends]
        assert all(step.elapsed == 0 for step in starts)
        assert all(step.elapsed > 0 for step in ends)
        assert SECRET not in str(self)
        return [step.step for step in starts]


async def test_the_steps_of_opening(echo):
    trace = Trace()
    connector = TCPConnector(limit=1)
    async with ClientSession(connector=connector, trace=trace) as session:
        async with session.ws_connect(echo) as ws:
            assert trace.names() == ["limit", "dns", "tcp", "handshake"]
            assert {step.connection for step in trace} == {ws.id}
            assert {str(step.url) for step in trace} == {echo}
            assert {step.error for step in trace} == {None}
        other = Trace()
        async with session.ws_connect(echo, trace=other) as second:
            assert second.id == ws.id + 1
        assert len(trace) == 8, "a call's trace goes before the session's"
        assert {step.connection for step in other} == {second.id}


async def test_tls_is_a_step(serve, server_tls):
    peer = await serve(accept, tls=server_tls)
    trace = Trace()
    with pytest.raises(ClientConnectorError):
        await ws_connect(peer.url, trace=trace)
    assert trace.names() == ["dns", "tcp", "tls"]
    assert isinstance(trace[-1].error, ClientConnectorError)


async def test_a_redirect_begins_anew(serve):
    peer = await serve(
        lambda request: (
            b"HTTP/1.1 302 x\r\nLocation: /b?k=v\r\n\r\n"
            if b" /feed " in request
            else b"HTTP/1.1 403 No\r\n\r\n"
        )
    )
    trace = Trace()
    with pytest.raises(WSServerHandshakeError):
        await ws_connect(peer.url.replace("//", f"//u:{SECRET}@"), trace=trace)
    assert trace.names() == ["dns", "tcp", "handshake"] * 2
    assert [step.url.path for step in trace] == ["/feed"] * 6 + ["/b"] * 6
    assert [type(step.error) for step in trace[1::2]].count(type(None)) == 5
    assert isinstance(trace[-1].error, WSServerHandshakeError)


async def say_nothing(exchange):
    await exchange.client_leaves()


async def test_a_step_that_takes_too_long(serve):
    peer = await serve(say_nothing)
    trace = Trace()
    with pytest.raises(ConnectionTimeoutError):
        await ws_connect(peer.url, trace=trace, connect_timeout=0.05)
    assert trace.names() == ["dns", "tcp", "handshake"]
    assert isinstance(trace[-1].error, TimeoutError)


async def test_a_step_that_is_cancelled(serve):
    peer = await serve(say_nothing)
    trace = Trace()
    task = asyncio.ensure_future(ws_connect(peer.url, trace=trace))
    while len(trace) < 5:  # noqa: ASYNC110 - it is the event
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert trace.names() == ["dns", "tcp", "handshake"]
    assert isinstance(trace[-1].error, asyncio.CancelledError)


async def test_a_trace_that_fails_changes_nothing(echo):
    reported = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    async with ws_connect(echo, trace=lambda _: 1 / 0) as ws:
        await ws.send_str("a")
        assert (await ws.receive()).data == "a"
    assert [type(context["exception"]) for context in reported] == [ZeroDivisionError] * 6


# --- logging


def lines(caplog):
    return [
        (record.levelname, re.sub(r"\d+\.\d+ s", "T s", record.getMessage()))
        for record in caplog.records
        if record.name.startswith("wsclient")
    ]


async def test_the_life_of_a_connection_is_logged(scripted, caplog):
    async def script(wire):
        await wire.send(frame(TEXT, SECRET.encode()), frame(CLOSE, b"\x03\xe9" + SECRET.encode()))
        await wire.answer_close()

    caplog.set_level(logging.INFO, "wsclient")
    counted = "1 messages received, 1 sent"
    origin = (await scripted(script)).rstrip("/")
    url = f"{origin.replace('ws://', f'ws://u:{SECRET}@')}/{SECRET}?key={SECRET}"
    headers = {"X-Key": SECRET}
    async with ws_connect(url, headers=headers) as ws:
        await ws.send_str(SECRET)
        assert (await ws.receive()).data == SECRET
        assert (await ws.receive()).tp == MsgType.closed
    await ws.close()
    await asyncio.sleep(0)
    assert lines(caplog) == [
        ("INFO", f"connection {ws.id}: open, {origin}"),
        ("INFO", f"connection {ws.id}: closed, {origin}, code 1001 after T s; {counted}"),
    ]
    assert SECRET not in caplog.text


async def test_a_connection_that_fails_is_warned_of(scripted, caplog):
    async def script(wire):
        await wire.send(b"\x83\x00")
        await wire.end()

    caplog.set_level(logging.INFO, "wsclient")
    async with ws_connect(await scripted(script)) as ws:
        assert (await ws.receive()).tp == MsgType.error
    (_, (level, text)) = lines(caplog)
    assert level == "WARNING"
    assert "code 1002 after T s, WebSocketError; 0 messages" in text


async def test_debug_tells_the_steps_and_no_credentials(echo, caplog):
    caplog.set_level(logging.DEBUG, "wsclient")
    url = echo.replace("ws://", f"ws://u:{SECRET}@")
    async with ws_connect(url, auth=BasicAuth("u", SECRET), headers={"X-Key": SECRET}) as ws:
        pass
    said = [text for level, text in lines(caplog) if level == "DEBUG"]
    assert said == [
        f"connection {ws.id}: {step} done after T s" for step in ("dns", "tcp", "handshake")
    ]
    assert SECRET not in caplog.text


async def test_reconnecting_is_logged(serve, caplog):
    caplog.set_level(logging.INFO, "wsclient")
    peer = await serve(b"")
    with pytest.raises(ServerDisconnectedError):
        async for _ in reconnect(f"{peer.url}?key={SECRET}", reconnect_delays=lambda: [0.0, 0.001]):
            pass
    assert lines(caplog) == [
        ("INFO", f"attempt {number}: ServerDisconnectedError; the next in T s") for number in (1, 2)
    ]
