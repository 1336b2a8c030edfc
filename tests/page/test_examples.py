"""The documented page's two examples, as they stand there and with `await`."""

import types

import pytest
from tests.conftest import TEXT, frame

import wsclient
from wsclient.framing import parse_close
from wsclient.testing import Script


# fmt: off
@types.coroutine
def bot(url):
    ws = yield from wsclient.ws_connect(
        url)

    while True:
        msg = yield from ws.receive()

        if msg.tp == wsclient.MsgType.text:
            if msg.data == 'close':  # noqa: Q000
               yield from ws.close()
               break
            else:
               ws.send_str(msg.data + '/answer')  # noqa: Q000
        elif msg.tp == wsclient.MsgType.closed:  # noqa: SIM114
            break
        elif msg.tp == wsclient.MsgType.error:
            break
    return ws, msg
# fmt: on


async def bot_of_today(url):
    ws = await wsclient.ws_connect(url)
    while True:
        msg = await ws.receive()
        if msg.tp == wsclient.MsgType.text:
            if msg.data == "close":
                await ws.close()
                break
            await ws.send_str(msg.data + "/answer")
        elif msg.tp in {wsclient.MsgType.closed, wsclient.MsgType.error}:
            break
    return ws, msg


@types.coroutine
def session_bot(url):
    session = wsclient.ClientSession()
    ws = yield from session.ws_connect(url)
    return session, ws


async def session_bot_of_today(url):
    session = wsclient.ClientSession()
    ws = await session.ws_connect(url)
    return session, ws


both_bots = pytest.mark.parametrize("bot", [bot, bot_of_today])
both_session_bots = pytest.mark.parametrize("bot", [session_bot, session_bot_of_today])


@both_bots
async def test_the_bot_answers_until_it_is_told_to_close(websocket_server, bot):
    script = Script()
    for number in range(3):
        script.send(f"{number}").expect(f"{number}/answer")
    server = await websocket_server(script.send("close").expect_close(1000))
    ws, _ = await bot(f"http://localhost:{server.port}/endpoint")
    assert ws.closed
    assert ws.close_code == 1000


@both_bots
async def test_the_bot_ends_when_the_server_closes(websocket_server, bot):
    script = Script().send(b"binary, to which the bot has no answer").close(1001, "bye")
    server = await websocket_server(script)
    ws, msg = await bot(f"http://localhost:{server.port}/endpoint")
    assert msg == (wsclient.MsgType.closed, 1001, "bye")
    assert ws.closed


@both_bots
async def test_the_bot_ends_when_the_server_breaks_the_protocol(scripted, bot):
    async def script(wire):
        await wire.send(frame(TEXT, b"good"))
        assert (await wire.receive()).payload == b"good/answer"
        await wire.send(frame(TEXT, b"bad\xff"))
        assert parse_close((await wire.receive()).payload)[0] == 1007

    ws, msg = await bot((await scripted(script)).replace("ws://", "http://"))
    assert msg.tp is wsclient.MsgType.error
    assert msg.data is ws.exception()
    await ws.close()


@both_session_bots
async def test_the_session_bot_connects(websocket_server, bot):
    async def handler(peer):
        await peer.send(await peer.recv() + peer.request.path)
        await peer.expect_close(1001)

    server = await websocket_server(handler)
    session, ws = await bot(f"http://localhost:{server.port}/endpoint")
    await ws.send_str("hello, ")
    assert await ws.receive() == (wsclient.MsgType.text, "hello, /endpoint", "")
    await session.close()
    assert ws.close_code == 1001


@types.coroutine
def everything(url):
    ws = yield from wsclient.ws_connect(url)
    for sending in (
        ws.send_str("1"),
        ws.send_bytes(b"2"),
        ws.send_json(3),
        ws.ping(),
        ws.pong(),
    ):
        yield from sending
    received = []
    received.append((yield from ws.receive_str()))
    received.append((yield from ws.receive_bytes()))
    received.append((yield from ws.receive_json()))
    ws.send_str("4")
    received.append((yield from ws.receive()))
    ws.send_str("5")
    received.append((yield from ws.receive_many()))
    closed = yield from ws.close()
    return received, closed


async def test_everything_that_can_be_awaited_can_be_yielded_from(websocket_server):
    server = await websocket_server()
    received, closed = await everything(f"http://localhost:{server.port}/")
    assert received == ["1", b"2", 3, (1, "4", ""), [(1, "5", "")]]
    assert closed is True
