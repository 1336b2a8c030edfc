"""What receives in the adapter, and aiohttp does not have: its errors are aiohttp's."""

import aiohttp
import pytest
from tests.conftest import BINARY, CLOSE, TEXT, frame

import wsclient.aiohttp
from wsclient.framing import encode_close

A, B, X = frame(TEXT, b"a"), frame(TEXT, b"b"), frame(BINARY, b"x")
MISTAKEN = aiohttp.WSMessageTypeError


@pytest.fixture
async def opened(scripted):
    """What opens a WebSocket to a server that sends these frames and leaves."""

    async def start(*frames, **options):
        async def script(wire):
            await wire.send(*frames)
            await wire.end()

        return await session.ws_connect(await scripted(script), **options)

    with wsclient.aiohttp.install():
        async with aiohttp.ClientSession() as session:
            yield start


async def test_batches(opened):
    ws = await opened(A, B, X, A, frame(CLOSE, encode_close(1001, "bye")))
    assert [msg.data for msg in await ws.receive_many()] == ["a", "b", b"x", "a", 1001]


async def test_batches_of_data(opened):
    ws = await opened(A, B, X, A, frame(CLOSE, encode_close(1001, "bye")))
    assert await ws.receive_many_str() == ["a", "b"]
    with pytest.raises(MISTAKEN, match=r"^received a binary message, expected a text message$"):
        await ws.receive_many_str()
    assert await ws.receive_many_str(timeout=30) == ["a"]
    with pytest.raises(MISTAKEN, match=r"^received a close message with code 1001 \(bye\), exp"):
        await ws.receive_many_bytes()
    with pytest.raises(MISTAKEN, match=r"^connection closed with code 1001 \(bye\), expected a b"):
        await ws.receive_many_bytes()


async def test_a_batch_before_a_violation(opened):
    ws = await opened(X, X, b"\x83\x00")
    assert await ws.receive_many_bytes() == [b"x", b"x"]
    with pytest.raises(MISTAKEN, match=r"^received an error message: connection closed") as caught:
        await ws.receive_many_bytes()
    assert isinstance(caught.value.__cause__, aiohttp.WebSocketError)


async def test_pieces_where_the_connection_ends(opened):
    ws = await opened(A, frame(CLOSE, encode_close(1000)))
    assert [piece async for piece in ws.receive_streaming()] == ["a"]
    with pytest.raises(MISTAKEN, match=r"^received a close message with code 1000, expected a t"):
        await anext(ws.receive_streaming())


async def test_batches_go_through_an_overridden_receive(scripted):
    class Through(aiohttp.ClientWebSocketResponse):
        async def receive(self, timeout=None):
            msg = await super().receive(timeout)
            return msg._replace(data=msg.data * 2)

    async def script(wire):
        await wire.send(A, A, B, X)
        await wire.end()

    url = await scripted(script)
    with wsclient.aiohttp.install():
        async with aiohttp.ClientSession(ws_response_class=Through) as session:
            ws = await session.ws_connect(url)
            assert [msg.data for msg in await ws.receive_many()] == ["aa"]
            assert await ws.receive_many_str() == ["aa"]
            with pytest.raises(MISTAKEN, match=r"^received a text message, expected a binary"):
                await ws.receive_many_bytes()
            assert await ws.receive_many_bytes() == [b"xx"]
