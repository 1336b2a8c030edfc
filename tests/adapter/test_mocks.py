"""Programs that mock a WebSocket by its class get what is awaited where that is to be awaited."""

import asyncio
import inspect
import sys
from unittest.mock import AsyncMock, MagicMock, create_autospec

import aiohttp
import pytest

import wsclient.aiohttp

KINDS = [aiohttp.ClientWebSocketResponse, wsclient.aiohttp.ClientWebSocketResponse]
AWAITED = {
    "send_str": "text",
    "send_bytes": b"bytes",
    "send_json": {},
    "ping": b"ping",
    "pong": b"pong",
    "receive": 1.0,
}
KEYWORDS = ["receive_str", "receive_bytes", "receive_json", "close"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [*AWAITED, *KEYWORDS])
def test_methods_are_coroutine_functions(kind, name):
    assert inspect.iscoroutinefunction(getattr(kind, name))
    if sys.version_info < (3, 14):
        # From then on it says that the other is to be used.
        assert asyncio.iscoroutinefunction(getattr(kind, name))


@pytest.mark.parametrize("kind", KINDS)
async def test_mocks_are_awaited(kind):
    for mocked in (AsyncMock(spec=kind), MagicMock(spec=kind), create_autospec(kind)):
        instance = mocked(None) if isinstance(mocked, type) else mocked
        for name, argument in AWAITED.items():
            method = getattr(instance, name)
            method.return_value = name
            assert await method(argument) == name
        for name in KEYWORDS:
            method = getattr(instance, name)
            method.return_value = name
            assert await method() == name


@pytest.mark.parametrize("kind", KINDS)
async def test_a_mock_knows_the_arguments(kind):
    mocked = create_autospec(kind, instance=True)
    for name, argument in AWAITED.items():
        await getattr(mocked, name)(argument)
        with pytest.raises(TypeError):
            await getattr(mocked, name)(argument, nonsense=1)


async def test_a_method_of_the_class_takes_a_websocket(servers):
    kind = wsclient.aiohttp.ClientWebSocketResponse
    async with (
        wsclient.aiohttp.ClientSession() as session,
        session.ws_connect(servers["echo"]) as ws,
    ):
        assert isinstance(ws, kind)
        assert type(ws).__name__ == kind.__name__
        await kind.send_str(ws, "text")
        assert (await kind.receive(ws)).data == "text"
        await kind.send_bytes(ws, b"bytes")
        assert (await kind.receive(ws, 30)).data == b"bytes"
        await kind.ping(ws)
        await kind.pong(ws, b"pong")


async def test_a_subclass_that_overrides_reaches_the_core(servers):
    class Mine(wsclient.aiohttp.ClientWebSocketResponse):
        sent = ()

        async def send_str(self, data, compress=None):
            self.sent += (data,)
            await super().send_str(data, compress)

    async with (
        wsclient.aiohttp.ClientSession(ws_response_class=Mine) as session,
        session.ws_connect(servers["echo"]) as ws,
    ):
        await ws.send_str("text")
        assert (await anext(ws)).data == "text"
        assert isinstance(ws, Mine)
        assert ws.sent == ("text",)
