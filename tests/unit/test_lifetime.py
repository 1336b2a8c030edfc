"""A `ClientWebSocketResponse` as an object: its warnings, identity, text and subclasses."""

import asyncio
import gc
import re
import warnings
import weakref

import pytest
from tests.conftest import CLOSE, TEXT, frame

from wsclient import ClientSession, ClientWebSocketResponse, MsgType, TCPConnector, ws_connect
from wsclient.framing import encode_close, parse_close


@pytest.fixture
async def server(scripted):
    """The URL of a server that sends two messages and answers the close frame."""

    async def script(wire):
        await wire.send(frame(TEXT, b"1"), frame(TEXT, b"2"))
        await wire.answer_close()

    return await scripted(script)


@pytest.fixture
async def silent(scripted):
    """The URL of a server that sends nothing, and an event for the end of its connection."""
    ended = asyncio.Event()

    async def script(wire):
        await wire.end()
        ended.set()

    return await scripted(script), ended


async def test_an_unclosed_websocket_warns_and_drops_its_connection(silent):
    url, ended = silent
    websockets = [await ws_connect(url)]
    with pytest.warns(ResourceWarning, match=re.escape(f"unclosed {websockets[0]!r}")):
        websockets.clear()
    await asyncio.wait_for(ended.wait(), 10)


@pytest.mark.parametrize("heartbeat", [None, 60])
async def test_an_unclosed_websocket_in_a_cycle_warns_too(silent, heartbeat):
    url, ended = silent
    ws = await ws_connect(url, heartbeat=heartbeat)
    ws.friend = ws
    del ws
    with pytest.warns(ResourceWarning, match="unclosed"):
        gc.collect()
    await asyncio.wait_for(ended.wait(), 10)


async def test_a_closed_websocket_is_collected_in_silence(server):
    url = server
    ws = await ws_connect(url, heartbeat=60)
    collected = weakref.ref(ws)
    await ws.close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del ws
        gc.collect()
    assert collected() is None


@pytest.mark.parametrize("received", [0, 1])
async def test_one_that_the_server_closed_and_nobody_answered_is_not_called_unclosed(
    scripted, received
):
    async def script(wire):
        await wire.send(frame(CLOSE, encode_close(1001)))
        await wire.end()

    ws = await ws_connect(await scripted(script), autoclose=False)
    while not ws.stats.control_frames_received:  # noqa: ASYNC110 - nothing tells of what nobody receives
        await asyncio.sleep(0.001)
    for _ in range(received):
        await ws.receive()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del ws
        gc.collect()


async def test_a_websocket_that_the_server_closed_is_collected_in_silence(scripted):
    async def script(wire):
        await wire.send(frame(CLOSE, encode_close(1000)))
        assert parse_close((await wire.receive()).payload) == (1000, "")

    ws = await ws_connect(await scripted(script))
    await ws.receive()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del ws
        gc.collect()


@pytest.mark.parametrize("paused", [False, True])
async def test_one_that_was_left_to_be_closed_by_hand_ends_with_its_user(scripted, paused):
    async def script(wire):
        await wire.send(frame(CLOSE, encode_close(1001)))
        await wire.end()

    connector = TCPConnector(limit=1)
    url = await scripted(script)
    async with asyncio.timeout(30):
        ws = await ws_connect(url, autoclose=False, connector=connector)
        assert (await ws.receive()).type == MsgType.CLOSE
        if paused:
            ws.pause_reading()
        del ws
        gc.collect()
        # Its place is free.
        async with ws_connect(url, connector=connector):
            pass


async def test_responses_are_hashable_and_weakly_referenced(server):
    url = server
    async with ws_connect(url) as ws, ws_connect(url) as other:
        assert {ws: 1, other: 2}[ws] == 1
        assert ws != other
        assert weakref.ref(ws)() is ws
        ws.note = "of the user's own"


async def test_repr(server):
    url = server
    async with ws_connect(url.replace("ws://", "ws://user:secret@")) as ws:
        assert repr(ws) == f"<ClientWebSocketResponse {url} open>"
    assert repr(ws) == f"<ClientWebSocketResponse {url} closed, code 1000>"


async def test_response_class(server):
    url = server

    class OfSession(ClientWebSocketResponse):
        pass

    class OfCall(ClientWebSocketResponse):
        pass

    async with ClientSession(ws_response_class=OfSession) as session:
        async with session.ws_connect(url) as ws:
            assert type(ws) is OfSession
        async with session.ws_connect(url, ws_response_class=OfCall) as ws:
            assert type(ws) is OfCall
    async with ws_connect(url) as ws:
        assert type(ws) is ClientWebSocketResponse


class Counting(ClientWebSocketResponse):
    """Overrides `receive` and `close` as users do."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.received = 0
        self.closings = []

    async def receive(self, timeout=None):
        self.received += 1
        return await super().receive(timeout)

    async def close(self, *, code=1000, message=b""):
        self.closings.append(code)
        return await super().close(code=code, message=message)


async def test_async_for_goes_through_an_overridden_receive(scripted):
    async def script(wire):
        await wire.send(frame(TEXT, b"1"), frame(TEXT, b"2"), frame(CLOSE, encode_close(1000)))
        assert (await wire.receive()).opcode == CLOSE

    async with ws_connect(await scripted(script), ws_response_class=Counting) as ws:
        assert [msg.data async for msg in ws] == ["1", "2"]
        assert ws.received == 3


async def test_receive_str_goes_through_an_overridden_receive(server):
    async with ws_connect(server, ws_response_class=Counting) as ws:
        await ws.receive_str()
        await ws.receive_json()
        assert ws.received == 2


class Grandchild(Counting):
    pass


class ReceiveMixin:
    async def receive(self, timeout=None):
        msg = await super().receive(timeout)
        return msg if msg.tp is not MsgType.text else type(msg)(msg.tp, f"<{msg.data}>", "")


class Mixed(ReceiveMixin, ClientWebSocketResponse):
    pass


async def test_async_for_goes_through_an_inherited_receive(server):
    async with ws_connect(server, ws_response_class=Grandchild) as ws:
        assert (await anext(ws)).data == "1"
        assert ws.received == 1
    async with ws_connect(server, ws_response_class=Mixed) as ws:
        assert (await ws.receive()).data == "<1>"
        assert (await anext(ws)).data == "<2>"


async def test_a_subclass_may_override_the_iteration_itself(server):
    class Doubling(Counting):
        async def __anext__(self):
            return (await self.receive()).data * 2

    async with ws_connect(server, ws_response_class=Doubling) as ws:
        assert await anext(ws) == "11"


async def test_leaving_goes_through_an_overridden_close(server):
    async with ws_connect(server, ws_response_class=Counting) as ws:
        pass
    assert ws.closings == [1000]
    async with ClientSession() as session:
        ws = await session.ws_connect(server, ws_response_class=Counting)
    assert ws.closings == [1001]
    assert ws.close_code == 1001


async def test_a_subclass_that_cannot_be_made_leaves_no_connection(silent):
    class Broken(ClientWebSocketResponse):
        def __init__(self, *args, **kwargs):
            raise ZeroDivisionError

    url, ended = silent
    with pytest.raises(ZeroDivisionError):
        await ws_connect(url, ws_response_class=Broken)
    await asyncio.wait_for(ended.wait(), 10)
