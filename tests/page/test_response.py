"""`ClientWebSocketResponse` as the documented page has it."""

import asyncio

import pytest
from tests.conftest import BINARY, CLOSE, PING, PONG, TEXT, frame

import wsclient
from wsclient import ClientSession, ClientWebSocketResponse, Message, MsgType, ws_connect
from wsclient.framing import encode_close, parse_close

from .conftest import echo_messages


def test_the_documented_names():
    for name in ("ws_connect", "ClientSession", "ClientWebSocketResponse", "TCPConnector"):
        assert getattr(wsclient, name).__module__.startswith("wsclient.")
    assert issubclass(wsclient.WSServerHandshakeError, Exception)
    assert callable(ClientSession.ws_connect)
    for name in ("text", "binary", "close", "ping", "pong"):
        assert getattr(wsclient, f"MSG_{name.upper()}") is MsgType[name]
    assert {"closed", "error"} <= MsgType.__members__.keys()


async def test_closed_is_read_only(echo):
    async with ws_connect(echo) as ws:
        for name in ("closed", "protocol"):
            with pytest.raises(AttributeError):
                setattr(ws, name, "other")


async def test_closed_once_close_has_been_called(scripted):
    closing, answer = asyncio.Event(), asyncio.Event()

    async def script(wire):
        close = await wire.receive()
        closing.set()
        await answer.wait()
        await wire.send(frame(CLOSE, close.payload))

    ws = await ws_connect(await scripted(script))
    assert ws.closed is False
    task = asyncio.create_task(ws.close())
    await closing.wait()
    assert ws.closed is True
    answer.set()
    await task
    assert ws.closed is True


@pytest.mark.parametrize("autoclose", [True, False])
async def test_closed_once_the_servers_close_was_received(scripted, autoclose):
    async def script(wire):
        await wire.send(frame(TEXT, b"1"), frame(CLOSE, encode_close(1000)))
        assert (await wire.receive()).opcode == CLOSE

    async with ws_connect(await scripted(script), autoclose=autoclose) as ws:
        assert (await ws.receive()).tp is MsgType.text
        assert (await ws.receive()).tp is (MsgType.closed if autoclose else MsgType.close)
        assert ws.closed is True


async def test_closed_once_the_connection_was_lost(scripted):
    async def script(wire):
        wire.reset()

    async with ws_connect(await scripted(script)) as ws:
        assert (await ws.receive()).tp is MsgType.closed
        assert ws.closed is True


async def test_no_exception_in_a_good_life(echo):
    async with ws_connect(echo) as ws:
        assert ws.exception() is None
        await ws.send_str("hello")
        await ws.receive()
    assert ws.exception() is None


@pytest.mark.parametrize(
    ("end", "kind"),
    [
        (frame(TEXT, b"\xff"), wsclient.WebSocketError),
        (b"", wsclient.ServerDisconnectedError),
    ],
)
async def test_exception_tells_what_occurred(scripted, end, kind):
    async def script(wire):
        await wire.send(end)

    async with ws_connect(await scripted(script)) as ws:
        msg = await ws.receive()
        assert isinstance(ws.exception(), kind)
        if msg.tp is MsgType.error:
            assert msg.data is ws.exception()
        else:
            assert msg == (MsgType.closed, 1006, "")


async def test_exception_of_a_reset(scripted):
    async def script(wire):
        wire.reset()

    async with ws_connect(await scripted(script)) as ws:
        assert await ws.receive() == (MsgType.closed, 1006, "")
        assert isinstance(ws.exception(), wsclient.ClientConnectionError)


@pytest.mark.parametrize(
    ("send", "expected"),
    [
        (lambda ws: ws.ping(), (PING, b"")),
        (lambda ws: ws.ping(b"bytes"), (PING, b"bytes")),
        (lambda ws: ws.ping("späť"), (PING, "späť".encode())),
        (lambda ws: ws.ping(message="named"), (PING, b"named")),
        (lambda ws: ws.send_str("späť"), (TEXT, "späť".encode())),
        (lambda ws: ws.send_bytes(b"\xff"), (BINARY, b"\xff")),
        (lambda ws: ws.send_bytes(bytearray(b"\xff")), (BINARY, b"\xff")),
        (lambda ws: ws.send_bytes(memoryview(b"\xff")), (BINARY, b"\xff")),
    ],
)
@pytest.mark.parametrize("awaited", [True, False])
async def test_what_is_sent_is_written_awaited_or_not(scripted, send, expected, awaited):
    received = asyncio.get_running_loop().create_future()

    async def script(wire):
        item = await wire.receive()
        received.set_result((item.opcode, item.payload))
        await wire.answer_close()

    async with ws_connect(await scripted(script)) as ws:
        sending = send(ws)
        if awaited:
            await sending
        assert await received == expected


async def test_a_ping_of_ours_is_answered_and_its_pong_is_hidden(echo):
    async with ws_connect(echo) as ws:
        await ws.ping("measure")
        await ws.send_str("hello")
        assert (await ws.receive()).data == "hello"
        assert ws.latency > 0


@pytest.mark.parametrize(
    ("options", "payload"),
    [
        ({}, b"\x03\xe8"),
        ({"code": 1001}, b"\x03\xe9"),
        ({"code": 4000, "message": b"bytes"}, b"\x0f\xa0bytes"),
        ({"message": "späť"}, b"\x03\xe8" + "späť".encode()),
    ],
)
async def test_close_sends_a_close_frame_and_waits_for_the_answer(scripted, options, payload):
    closing, answer = asyncio.Event(), asyncio.Event()
    sent = []

    async def script(wire):
        sent.append(await wire.receive())
        closing.set()
        await answer.wait()
        await wire.send(frame(CLOSE, sent[0].payload))

    ws = await ws_connect(await scripted(script))
    task = asyncio.create_task(ws.close(**options))
    await closing.wait()
    assert (sent[0].opcode, sent[0].payload) == (CLOSE, payload)
    assert not task.done()
    answer.set()
    assert await task is True
    assert (ws.close_code, ws.close_reason) == parse_close(payload)
    assert await ws.close() is False


@pytest.fixture
async def mute(scripted):
    """The URL of a server that never answers a close frame, and an event for the end of TCP."""
    ended = asyncio.Event()

    async def script(wire):
        await wire.end()
        ended.set()

    return await scripted(script), ended


async def assert_dropped(ws, ended):
    await asyncio.wait_for(ended.wait(), 10)
    assert await ws.receive() == (MsgType.closed, 1006, "")
    assert ws.get_extra_info("socket") is None


async def test_close_under_wait_for_drops_the_connection(mute):
    url, ended = mute
    ws = await ws_connect(url)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ws.close(), 0.01)
    await assert_dropped(ws, ended)


async def test_close_under_wait(mute):
    url, ended = mute
    ws = await ws_connect(url)
    closing = asyncio.create_task(ws.close())
    done, pending = await asyncio.wait([closing], timeout=0.01)
    assert (done, pending) == (set(), {closing})
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    await assert_dropped(ws, ended)


async def test_receive_hides_ping_pong_and_close(scripted):
    answers = []

    async def script(wire):
        await wire.send(
            frame(PING, b"?"),
            frame(TEXT, b"1"),
            frame(PONG, b"unasked for"),
            frame(BINARY, b"2"),
            frame(PING),
            frame(CLOSE, encode_close(1000, "bye")),
        )
        while (item := await wire.receive()) is not None and item.opcode != CLOSE:
            answers.append((item.opcode, item.payload))
        assert item.payload == encode_close(1000)

    ws = await ws_connect(await scripted(script))
    received = [await ws.receive() for _ in range(3)]
    assert received == [
        (MsgType.text, "1", ""),
        (MsgType.binary, b"2", ""),
        (MsgType.closed, 1000, "bye"),
    ]
    assert all(type(msg) is Message and type(msg.tp) is MsgType for msg in received)
    assert answers == [(PONG, b"?"), (PONG, b"")]


async def test_one_reader_and_many_writers(serve):
    """Each writer's messages arrive whole and in its order, whatever the others do."""
    port = await serve(echo_messages)
    writers, each = 20, 25

    async def write(ws, name):
        for number in range(each):
            await ws.send_str(f"{name} {number} " + "x" * (37 * name * number % 5000))
            await asyncio.sleep(0)

    received = {name: [] for name in range(writers)}
    async with ws_connect(f"ws://localhost:{port}/") as ws, asyncio.TaskGroup() as tasks:
        for name in range(writers):
            tasks.create_task(write(ws, name))
        for _ in range(writers * each):
            name, number, padding = (await ws.receive()).data.split(" ")
            assert len(padding) == 37 * int(name) * int(number) % 5000
            received[int(name)].append(int(number))
    assert all(numbers == list(range(each)) for numbers in received.values())


async def test_a_second_reader_is_refused_and_the_first_reads_on(echo):
    async with ws_connect(echo) as ws:
        reader = asyncio.create_task(ws.receive())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="another task is already waiting"):
            await ws.receive()
        await ws.send_str("hello")
        assert (await reader).data == "hello"


async def test_the_class_is_what_ws_connect_returns(echo):
    async with ws_connect(echo) as ws:
        assert type(ws) is ClientWebSocketResponse
    with pytest.raises(TypeError):
        ClientWebSocketResponse()
