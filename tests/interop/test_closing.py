"""The closing handshake with real servers, begun by either side, and connections that break."""

import asyncio

import pytest

from wsclient import MsgType
from wsclient.exceptions import ClientConnectionResetError, ServerConnectionError


@pytest.mark.parametrize(
    ("code", "reason"),
    [(1000, ""), (1001, "going"), (3000, "x" * 123), (4999, "größer \u20ac")],
)
async def test_the_client_closes(link, code, reason):
    async def script(peer):
        assert await peer.receive() == "last"
        assert await peer.closed() == (code, reason)

    async with link(script) as ws:
        await ws.send_str("last")
        assert await ws.close(code=code, message=reason) is True
        assert await ws.close() is False
        # `websockets` echoes the code, aiohttp answers 1000 to any.
        assert ws.close_code in {code, 1000}
        assert (ws.closed, ws.exception()) == (True, None)
        assert await ws.receive() == (MsgType.closed, ws.close_code, ws.close_reason)


@pytest.mark.parametrize(
    ("code", "reason"),
    [(1000, ""), (1001, "going"), (1011, "x" * 123), (4000, "größer \u20ac")],
)
async def test_the_server_closes(link, code, reason):
    async def script(peer):
        for number in range(3):
            await peer.send(str(number))
        await peer.close(code, reason)

    async with link(script) as ws:
        assert [message.data async for message in ws] == ["0", "1", "2"]
        assert await ws.receive() == (MsgType.closed, code, reason)
        assert (ws.closed, ws.close_code, ws.close_reason) == (True, code, reason)
        assert ws.exception() is None
        with pytest.raises(ClientConnectionResetError, match=str(code)):
            ws.send_str("too late")
        assert await ws.close() is False


async def test_the_client_answers_by_itself(link):
    """The closing handshake ends though the client receives nothing."""
    ended = asyncio.Event()

    async def script(peer):
        await peer.close(4000, "bye")
        ended.set()

    async with link(script) as ws:
        await ended.wait()
        assert ws.closed
        assert await ws.close() is False
        assert await ws.receive() == (MsgType.closed, 4000, "bye")


async def test_closing_by_hand(link):
    async def script(peer):
        await peer.close(4000, "bye")

    async with link(script, autoclose=False) as ws:
        assert await ws.receive() == (MsgType.close, 4000, "bye")
        assert await ws.close(code=4000) is True
        assert await ws.receive() == (MsgType.closed, 4000, "bye")


async def test_both_close_at_once(link):
    async def script(peer):
        assert await peer.receive() == "now"
        await peer.close(4001, "server")

    async with link(script) as ws:
        ws.send_str("now")
        assert await ws.close(code=4002, message="client") is True
        assert ws.close_code in {4001, 4002}
        assert ws.exception() is None


async def test_messages_before_the_client_closes_arrive(link):
    async def script(peer):
        for number in range(1000):
            assert await peer.receive() == str(number)
        assert await peer.closed() == (1000, "")

    async with link(script) as ws:
        for number in range(1000):
            ws.send_str(str(number))


async def test_the_server_breaks_off(link):
    """No close frame, and no close_notify where TLS has no nginx before it."""

    async def script(peer):
        await peer.send("whole")
        assert await peer.receive() == "got it"
        peer.transport.abort()

    async with link(script) as ws:
        assert await ws.receive_str() == "whole"
        await ws.send_str("got it")
        assert await ws.receive() == (MsgType.closed, 1006, "")
        assert isinstance(ws.exception(), (ServerConnectionError, ClientConnectionResetError))
        assert await ws.close() is False
