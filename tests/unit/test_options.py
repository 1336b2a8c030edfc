"""What a session is given, what a call is given, and which of them counts."""

import asyncio
import inspect
import re
import socket
from dataclasses import fields

import pytest
from tests.conftest import CLOSE, frame

import wsclient
from wsclient import (
    ClientSession,
    ClientWebSocketResponse,
    ClientWSTimeout,
    ConnectionTimeoutError,
    ConnectOptions,
    ServerTimeoutError,
    TCPConnector,
    ws_connect,
)
from wsclient import session as session_module
from wsclient.options import Options
from wsclient.unclosed import Made


class Own(ClientWebSocketResponse):
    pass


@pytest.fixture
async def server(scripted):
    """The URL of a server that answers the close frame, and the requests that it got."""
    requests = []

    async def script(wire):
        requests.append(wire.request.decode())
        await wire.answer_close()

    return await scripted(script), requests


@pytest.fixture
async def silent(scripted):
    async def script(wire):
        await wire.end()

    return await scripted(script)


def test_both_lists_of_options_agree():
    assert list(ConnectOptions.__annotations__) == [field.name for field in fields(Options)]


@pytest.mark.parametrize("function", [ws_connect, ClientSession, ClientSession.ws_connect])
def test_signatures_show_each_option_with_its_default(function):
    parameters = inspect.signature(function).parameters
    assert "options" not in parameters
    for field in fields(Options):
        assert parameters[field.name].default == field.default
        assert parameters[field.name].kind is inspect.Parameter.KEYWORD_ONLY
    assert str(parameters["heartbeat"]) == "heartbeat: 'float | Heartbeat | None' = None"


async def test_options_of_the_session_and_of_the_call(server):
    url, requests = server
    async with ClientSession(
        protocols=["a"], origin="https://a", ws_response_class=Own, max_msg_size=1
    ) as session:
        async with session.ws_connect(url) as ws:
            assert type(ws) is Own
        async with session.ws_connect(
            url, protocols=["b"], origin=None, ws_response_class=ClientWebSocketResponse
        ) as ws:
            assert type(ws) is ClientWebSocketResponse
    assert "Sec-WebSocket-Protocol: a\r\n" in requests[0]
    assert "Origin: https://a\r\n" in requests[0]
    assert "Sec-WebSocket-Protocol: b\r\n" in requests[1]
    assert "Origin:" not in requests[1]


async def test_max_msg_size_of_the_session(scripted):
    async def script(wire):
        await wire.send(frame(2, b"12"))
        await wire.receive()

    async with ClientSession(max_msg_size=1) as session:
        ws = await session.ws_connect(await scripted(script))
        assert (await ws.receive()).data.code == 1009


async def test_a_wrong_option_of_the_session_is_told_at_once():
    with pytest.raises(TypeError, match=r"argument 'haedres' \(did you mean 'headers'\?"):
        ClientSession(haedres={})
    with pytest.raises(ValueError, match="heartbeat is -1"):
        ClientSession(heartbeat=-1)
    with pytest.raises(wsclient.InvalidURL, match="no scheme"):
        ClientSession("/path")
    with pytest.raises(TypeError, match="auth must be BasicAuth, got tuple"):
        ClientSession(auth=("a", "b"))
    with pytest.raises(ValueError, match="max_redirects is -1"):
        ClientSession(max_redirects=-1)


@pytest.mark.parametrize(
    ("reference", "path"),
    [("feed?a=b", "/v1/feed?a=b"), ("/feed", "/feed"), ("", "/v1/")],
)
async def test_base_url(server, reference, path):
    url, requests = server
    async with ClientSession(url + "v1/") as session, session.ws_connect(reference):
        pass
    assert requests[0].startswith(f"GET {path} HTTP/1.1\r\n")


async def test_an_absolute_url_goes_before_base_url(server):
    url, requests = server
    async with ClientSession("ws://nowhere.invalid/") as session, session.ws_connect(url):
        pass
    assert len(requests) == 1


@pytest.mark.parametrize(
    ("of_session", "of_call"),
    [
        ({}, {"timeout": 0.01}),
        ({"timeout": 0.01}, {}),
        ({"timeout": ClientWSTimeout(ws_close=0.01)}, {}),
        ({"timeout": ClientWSTimeout(ws_close=0.01)}, {"receive_timeout": 5}),
        ({"timeout": None}, {"timeout": 0.01}),
    ],
)
async def test_timeout_of_closing(silent, of_session, of_call):
    async with ClientSession(**of_session) as session:
        ws = await session.ws_connect(silent, **of_call)
        assert await ws.close() is True
        assert isinstance(ws.exception(), ServerTimeoutError)


@pytest.mark.parametrize(
    ("of_session", "of_call"),
    [
        ({}, {"receive_timeout": 0.01}),
        ({"receive_timeout": 0.01}, {}),
        ({"timeout": ClientWSTimeout(ws_receive=0.01)}, {"timeout": 0.02}),
        ({"timeout": ClientWSTimeout(ws_receive=60, ws_close=0.02)}, {"receive_timeout": 0.01}),
        ({"receive_timeout": 60}, {"timeout": ClientWSTimeout(ws_receive=0.01, ws_close=0.02)}),
    ],
)
async def test_timeout_of_receiving(silent, of_session, of_call):
    async with ClientSession(**{"timeout": 0.02, **of_session}) as session:
        ws = await session.ws_connect(silent, **of_call)
        with pytest.raises(TimeoutError):
            await ws.receive()


@pytest.mark.parametrize(
    ("of_session", "of_call"),
    [
        ({}, {"connect_timeout": 0.01}),
        ({"connect_timeout": 0.01}, {}),
        ({"timeout": ClientWSTimeout(ws_connect=0.01)}, {"timeout": 5}),
        ({}, {"timeout": ClientWSTimeout(ws_connect=0.01)}),
    ],
)
async def test_timeout_of_opening(of_session, of_call):
    # The kernel accepts the connection, and nobody answers.
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"ws://127.0.0.1:{listening.getsockname()[1]}/"
        async with ClientSession(**of_session) as session:
            with pytest.raises(ConnectionTimeoutError):
                await session.ws_connect(url, **of_call)


async def test_a_session_belongs_to_the_loop_that_it_connects_in(server):
    url, _ = server
    async with ClientSession() as session, session.ws_connect(url) as ws:

        def elsewhere(coroutine):
            loop = asyncio.new_event_loop()
            try:
                loop.run_until_complete(coroutine)
            finally:
                loop.close()

        async def connect():
            await session.ws_connect(url)

        for call in (connect, session.close):
            with pytest.raises(RuntimeError, match="session belongs to another event loop"):
                await asyncio.to_thread(elsewhere, call())
        assert not session.closed
        assert not ws.closed


async def test_a_cancelled_close_drops_what_is_not_closed_yet(scripted):
    closing, ended = asyncio.Event(), asyncio.Event()

    async def script(wire):
        while (received := await wire.receive()) is not None:
            if received.opcode == CLOSE:
                closing.set()
        ended.set()

    session = ClientSession()
    ws = await session.ws_connect(await scripted(script), timeout=None)
    task = asyncio.create_task(session.close())
    await closing.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(ended.wait(), 10)
    assert session.closed
    assert ws.close_code == 1006


async def test_closing_a_session_is_bounded(scripted, monkeypatch):
    """Whatever its WebSockets were told: these would wait without end."""
    ended = asyncio.Event()

    async def script(wire):
        await wire.end()
        ended.set()

    monkeypatch.setattr(session_module, "CLOSE_TIMEOUT", 0.01)
    async with ClientSession(timeout=None) as session:
        ws = await session.ws_connect(await scripted(script))
    await asyncio.wait_for(ended.wait(), 10)
    assert ws.close_code == 1006


@pytest.mark.parametrize("owner", [False, True])
async def test_a_connector_may_be_the_sessions_to_close(owner):
    connector = TCPConnector()
    async with ClientSession(connector=connector, connector_owner=owner) as session:
        assert session.connector is connector
    assert connector.closed is owner
    connector.close()


async def test_the_session_of_ws_connect_ends_when_its_websocket_is_open(server, monkeypatch):
    sessions = []
    init = ClientSession.__init__

    def note(self, *args, **kwargs):
        sessions.append(self)
        init(self, *args, **kwargs)

    monkeypatch.setattr(ClientSession, "__init__", note)
    url, _ = server
    ws = await ws_connect(url)
    assert sessions[0].closed
    assert sessions[0].connector.closed
    assert not ws.closed
    await ws.close()
    connector = TCPConnector()
    async with ws_connect(url, connector=connector):
        pass
    assert sessions[1].closed
    assert not connector.closed
    with pytest.raises(wsclient.InvalidURL):
        await ws_connect("nonsense")
    assert sessions[2].closed


def place(line):
    return re.escape(f"{__file__}:{line}") + "$"


def here():
    return inspect.currentframe().f_back.f_lineno


async def test_an_unclosed_session_warns_and_says_where_it_was_made():
    sessions, line = [ClientSession()], here()
    with pytest.warns(ResourceWarning, match=place(line)) as caught:
        sessions.clear()
    assert str(caught[0].message).startswith("unclosed <ClientSession 0 WebSockets>, made at ")


@pytest.mark.parametrize("as_task", [False, True])
@pytest.mark.parametrize("alone", [False, True])
async def test_an_unclosed_websocket_says_where_it_was_made(silent, alone, as_task):
    async with ClientSession() as session:
        connect = ws_connect if alone else session.ws_connect
        if as_task:
            websockets, line = [await asyncio.create_task(connect(silent))], here()
        else:
            websockets, line = [await connect(silent)], here()
        # What woke this task may still hold the result.
        await asyncio.sleep(0)
        with pytest.warns(ResourceWarning, match=place(line)):
            websockets.clear()


async def test_debug_mode_tells_the_whole_stack():
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    told = []
    loop.set_exception_handler(lambda _, context: told.append(context))

    def make():
        return ClientSession()

    sessions, line = [make()], here()
    with pytest.warns(ResourceWarning, match="unclosed"):
        sessions.clear()
    stack = told[0]["source_traceback"]
    assert [entry.name for entry in stack[-2:]] == ["test_debug_mode_tells_the_whole_stack", "make"]
    assert stack[-2].lineno == line


def test_made_by_nobody_outside():
    scope = {"__name__": "wsclient.elsewhere", "Made": Made}
    assert eval("Made.here().place", scope).startswith(__file__)
