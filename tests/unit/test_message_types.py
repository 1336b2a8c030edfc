"""What messages hold is what `WSMessage` tells type checkers, which `tests/typing` reads."""

import asyncio
from types import NoneType
from typing import get_args, get_origin

import pytest
from tests.conftest import BINARY, CLOSE, PING, PONG, TEXT, frame

import wsclient
from wsclient import ClientWebSocketResponse, Message, MsgType, WSMessage, ws_connect
from wsclient.framing import encode_close

HOLDS = {
    MsgType.TEXT: str,
    MsgType.BINARY: bytes,
    MsgType.PING: bytes,
    MsgType.PONG: bytes,
    MsgType.CLOSE: int,
    MsgType.CLOSED: int,
    MsgType.CLOSING: NoneType,
    MsgType.ERROR: BaseException,
}


def check(msg, text=str):
    assert isinstance(msg.data, text if msg.type is MsgType.TEXT else HOLDS[msg.type])
    assert isinstance(msg.extra, str)


@pytest.mark.parametrize("decode_text", [True, False])
@pytest.mark.parametrize("close", [b"", encode_close(1001, "bye")])
async def test_what_the_server_sends(scripted, decode_text, close):
    async def script(wire):
        kinds = (TEXT, BINARY, PING, PONG)
        await wire.send(*[frame(kind, b"a") for kind in kinds], frame(CLOSE, close))
        await wire.answer_close()

    options = {"autoping": False, "autoclose": False, "decode_text": decode_text}
    async with ws_connect(await scripted(script), **options) as ws:
        received = [await ws.receive() for _ in range(5)]
        await ws.close()
        received.append(await ws.receive())
    order = [MsgType.TEXT, MsgType.BINARY, MsgType.PING, MsgType.PONG, MsgType.CLOSE]
    assert [msg.type for msg in received] == [*order, MsgType.CLOSED]
    for msg in received:
        check(msg, str if decode_text else bytes)


async def test_what_the_client_says_of_itself(scripted):
    async def script(wire):
        await wire.answer_close()

    async with ws_connect(await scripted(script)) as ws:
        waiting = asyncio.create_task(ws.receive())
        await asyncio.sleep(0)
        await ws.close()
        closing = await waiting
    assert closing.type is MsgType.CLOSING
    check(closing)


async def test_what_is_said_of_a_failure(scripted):
    async def script(wire):
        await wire.send(frame(TEXT, b"\xff"))

    async with ws_connect(await scripted(script)) as ws:
        failed = await ws.receive()
        closed = await ws.receive()
    assert [failed.type, closed.type] == [MsgType.ERROR, MsgType.CLOSED]
    check(failed)
    check(closed)


def test_every_type_that_is_received_has_its_kind_of_data():
    assert set(HOLDS) == set(MsgType) - {MsgType.CONTINUATION}


@pytest.mark.parametrize("kind", [WSMessage, ClientWebSocketResponse, wsclient.MessageStream])
def test_annotations_can_be_evaluated(kind):
    assert get_origin(kind[bytes]) is kind
    assert get_args(kind[bytes]) == (bytes,)


def test_a_parameter_leaves_classes_as_they_are():
    class Raw(ClientWebSocketResponse[bytes]):
        pass

    base = ClientWebSocketResponse.__base__
    assert Raw.__mro__ == (Raw, ClientWebSocketResponse, base, object)
    assert isinstance(Message(MsgType.TEXT, "a", ""), WSMessage)


async def test_a_class_with_a_parameter_is_opened(echo):
    class Raw(ClientWebSocketResponse[bytes]):
        pass

    async with ws_connect(echo, ws_response_class=Raw, decode_text=False) as ws:
        assert type(ws) is Raw
        await ws.send_str("a")
        assert await ws.receive_str() == b"a"
