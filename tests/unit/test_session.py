"""`ClientSession`, `ws_connect`, and the life of a `ClientWebSocketResponse`."""

import asyncio
import contextlib
import re

import pytest
from multidict import CIMultiDict
from tests.conftest import BINARY, CLOSE, TEXT, _handshake, frame

from wsclient import (
    ClientSession,
    ClientWebSocketResponse,
    ClientWSTimeout,
    HandshakeResponse,
    MsgType,
    ServerTimeoutError,
    TCPConnector,
    ws_connect,
)
from wsclient.framing import encode_close


@pytest.fixture
async def server(scripted):
    """The URL of a server that answers the close frame, and what its clients sent."""
    received = []

    async def script(wire):
        fields = re.findall(rb"(?m)^([^:\r\n]+): ?([^\r\n]*)\r$", wire.request)
        received.append(CIMultiDict((name.decode(), value.decode()) for name, value in fields))
        while (item := await wire.receive()) is not None:
            received.append((item.opcode, item.payload))
            if item.opcode == CLOSE:
                await wire.send(frame(CLOSE, item.payload))
                return

    return await scripted(script), received


@pytest.fixture
async def silent(scripted):
    """The URL of a server that sends nothing, and an event for the end of its connection."""
    ended = asyncio.Event()

    async def script(wire):
        await wire.end()
        ended.set()

    return await scripted(script), ended


async def test_headers_of_the_session_and_of_the_call(server):
    url, received = server
    async with ClientSession(headers={"X-A": "1", "x-b": "1"}) as session:
        ws = await session.ws_connect(url, headers=[("X-B", "2"), ("X-B", "3"), ("X-C", "4")])
        await ws.close()
        async with session.ws_connect(url):
            pass
    first, _, second, _ = received
    assert [first.getall(name) for name in ("X-A", "X-B", "X-C")] == [["1"], ["2", "3"], ["4"]]
    assert [second.getall(name, None) for name in ("X-A", "X-B", "X-C")] == [["1"], ["1"], None]


async def test_origin(server):
    url, received = server
    async with ws_connect(url, origin="https://example.org"):
        pass
    async with ws_connect(url):
        pass
    assert received[0].getall("Origin") == ["https://example.org"]
    assert "Origin" not in received[2]


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"headers": {"X": "a\r\nb"}}, ValueError, "header X contains a control character"),
        ({"headers": {"X": 1}}, TypeError, "header X must be str"),
        ({"origin": "a\nb"}, ValueError, "header Origin contains a control character"),
        ({"protocols": "chat"}, TypeError, "protocols must be a sequence of str"),
        ({"protocols": ["a b"]}, ValueError, "subprotocol"),
        ({"ssl": 1}, TypeError, "ssl must be bool, ssl.SSLContext or"),
        ({"timeout": "1"}, TypeError, "timeout"),
        ({"receive_timeout": "1"}, TypeError, "receive_timeout"),
        ({"heartbeat": "1"}, TypeError, "heartbeat"),
        ({"heartbeat": -1}, ValueError, "heartbeat"),
        ({"max_msg_size": "1"}, TypeError, "max_msg_size"),
        ({"max_msg_size": -1}, ValueError, "max_msg_size"),
        ({"connect_timeout": "1"}, TypeError, "connect_timeout"),
        ({"timeout": ClientWSTimeout(ws_connect=-1)}, ValueError, "connect_timeout"),
        ({"haedres": {}, "x": 1}, TypeError, r"arguments 'haedres' \(.*'headers'\?\), 'x'$"),
    ],
)
async def test_wrong_arguments_reach_no_server(server, options, error, text):
    url, received = server
    with pytest.raises(error, match=text):
        async with ws_connect(url, **options):
            pass
    assert received == []


async def test_the_answer_to_the_handshake(server):
    url, _ = server
    async with ws_connect(url) as ws:
        assert isinstance(ws.response, HandshakeResponse)
        assert ws.response.status == 101
        assert ws.response.reason == "Switching Protocols"
        assert ws.response.headers["upgrade"] == "websocket"
        assert str(ws.response.url) == url
        assert ws.response.history == ()


async def test_extra_info_of_the_transport(server):
    url, _ = server
    async with ws_connect(url) as ws:
        assert ws.get_extra_info("peername")[1] == ws.response.url.port
        assert ws.get_extra_info("socket").fileno() >= 0
        assert ws.get_extra_info("ssl_object") is None
        assert ws.get_extra_info("no such thing") is None
        assert ws.get_extra_info("no such thing", 5) == 5


async def test_closing_the_session_closes_its_websockets(server):
    url, received = server
    session = ClientSession()
    assert repr(session) == "<ClientSession 0 WebSockets>"
    first, second, third = [await session.ws_connect(url) for _ in range(3)]
    await second.close()
    reader = asyncio.create_task(first.receive())
    await asyncio.sleep(0)
    assert not session.closed
    await session.close()
    assert session.closed
    assert repr(session) == "<ClientSession closed>"
    assert [ws.close_code for ws in (first, second, third)] == [1001, 1000, 1001]
    assert received.count((CLOSE, encode_close(1001))) == 2
    assert (await reader).tp is MsgType.closing
    await session.close()


async def test_a_close_that_fails_does_not_keep_the_session_from_closing_the_others(server):
    class Stubborn(ClientWebSocketResponse):
        async def close(self, *, code=1000, message=b""):
            if code == 1001:
                raise ZeroDivisionError
            return await super().close(code=code, message=message)

    class Slow(ClientWebSocketResponse):
        async def close(self, *, code=1000, message=b""):
            for _ in range(20):
                await asyncio.sleep(0)
            return await super().close(code=code, message=message)

    url, _ = server
    session = ClientSession()
    slow = await session.ws_connect(url, ws_response_class=Slow)
    async with session.ws_connect(url, ws_response_class=Stubborn):
        with pytest.raises(ZeroDivisionError):
            await session.close()
        assert slow.close_code == 1001


async def test_a_closed_session_opens_nothing(server):
    url, received = server
    async with ClientSession() as session:
        pass
    with pytest.raises(RuntimeError, match="session is closed"):
        await session.ws_connect(url)
    assert received == []


async def test_a_session_that_closes_meanwhile_opens_nothing():
    requested, answered, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def serve(reader, writer):
        requested.set()
        await answered.wait()
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await _handshake(reader, writer)
            await reader.read()
        writer.transport.abort()
        ended.set()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        session = ClientSession()
        url = "ws://127.0.0.1:{}/".format(*listening.sockets[0].getsockname()[1:])
        connecting = asyncio.create_task(session.ws_connect(url, timeout=0.1))
        await requested.wait()
        await session.close()
        answered.set()
        outcome = (await asyncio.gather(connecting, return_exceptions=True))[0]
        if isinstance(outcome, ClientWebSocketResponse):
            await outcome.close()
        await asyncio.wait_for(ended.wait(), 10)
    assert isinstance(outcome, RuntimeError)
    assert str(outcome) == "session is closed"


async def test_the_connector_of_the_caller_stays_open(server):
    url, _ = server
    connector = TCPConnector()
    async with ClientSession(connector=connector) as session, session.ws_connect(url):
        pass
    assert not connector.closed
    async with ws_connect(url, connector=connector):
        pass
    connector.close()
    with pytest.raises(RuntimeError, match="connector is closed"):
        await ws_connect(url, connector=connector)


async def test_async_with_closes(server):
    url, received = server
    async with ws_connect(url) as ws:
        async with ws as same:
            assert same is ws
        assert ws.closed
    with pytest.raises(ZeroDivisionError):
        async with ws_connect(url) as ws:
            1 // 0  # noqa: B018
    assert ws.closed
    assert [item for item in received if type(item) is tuple] == [(CLOSE, encode_close(1000))] * 2


async def test_connecting_once_is_enough(server):
    url, received = server
    connecting = ws_connect(url)
    async with await connecting:
        with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
            await connecting
    assert len(received) == 2


async def test_connecting_can_be_a_task(server):
    url, _ = server
    async with await asyncio.create_task(ws_connect(url)) as ws:
        assert not ws.closed
    async with await asyncio.wait_for(ws_connect(url), 10) as ws:
        assert not ws.closed


def test_connecting_that_nobody_awaits_is_warned_of():
    connecting = [ws_connect("ws://localhost/")]
    with pytest.warns(RuntimeWarning, match="was never awaited"):
        connecting.clear()


async def test_the_first_messages_may_come_with_the_handshake(scripted):
    """More of them than are held before reading pauses."""

    async def script(wire):
        await wire.send(frame(BINARY) * 20_000, frame(TEXT, b"last"))
        await wire.answer_close()

    async with ws_connect(await scripted(script)) as ws:
        for _ in range(20_000):
            assert (await ws.receive()).data == b""
        assert (await ws.receive()).data == "last"


@pytest.mark.parametrize("timeout", [0.01, ClientWSTimeout(ws_close=0.01)])
async def test_close_drops_a_server_that_does_not_answer(silent, timeout):
    url, ended = silent
    ws = await ws_connect(url, timeout=timeout)
    assert await ws.close() is True
    assert ws.close_code == 1006
    assert isinstance(ws.exception(), ServerTimeoutError)
    assert await ws.receive() == (MsgType.closed, 1006, "")
    await asyncio.wait_for(ended.wait(), 10)
    assert await ws.close() is False


@pytest.mark.parametrize("timeout", [None, ClientWSTimeout(ws_close=None)])
async def test_close_without_a_bound_waits(scripted, timeout):
    closing, answer = asyncio.Event(), asyncio.Event()

    async def script(wire):
        close = await wire.receive()
        closing.set()
        await answer.wait()
        await wire.send(frame(CLOSE, close.payload))

    ws = await ws_connect(await scripted(script), timeout=timeout)
    task = asyncio.create_task(ws.close())
    await closing.wait()
    assert not task.done()
    answer.set()
    assert await task is True
    assert ws.close_code == 1000
