"""`receive` and what is built on it, the state of a connection, and the limits on messages."""

import asyncio
import json
import zlib

import pytest
from tests.conftest import BINARY, CLOSE, PING, PONG, TEXT, frame

from wsclient import (
    ClientWSTimeout,
    Message,
    MsgType,
    ServerDisconnectedError,
    WebSocketError,
    WSMessageTypeError,
    ws_connect,
)
from wsclient.framing import encode_close, parse_close

MAX = 4 * 1024 * 1024


@pytest.fixture
def sends(scripted):
    """A function that starts a server which sends these bytes and then waits for the close."""

    async def start(*frames):
        async def script(wire):
            await wire.send(*frames)
            await wire.answer_close()

        return await scripted(script)

    return start


@pytest.fixture
def ends(scripted):
    """A function that starts a server which sends these bytes and closes."""

    async def start(*frames):
        async def script(wire):
            await wire.send(*frames, frame(CLOSE, encode_close(1001, "bye")))
            assert (await wire.receive()).payload == encode_close(1001)

        return await scripted(script)

    return start


async def test_messages_of_each_kind(ends):
    url = await ends(frame(TEXT, "é".encode()), frame(BINARY, b"\xff"), frame(TEXT), frame(BINARY))
    async with ws_connect(url) as ws:
        for expected in (
            (MsgType.text, "é", ""),
            (MsgType.binary, b"\xff", ""),
            (MsgType.text, "", ""),
            (MsgType.binary, b"", ""),
            (MsgType.closed, 1001, "bye"),
            (MsgType.closed, 1001, "bye"),
        ):
            msg = await ws.receive()
            assert type(msg) is Message
            assert msg == expected
            assert msg.tp is expected[0]


@pytest.mark.parametrize("way", ["argument", "keyword", "connection", "ClientWSTimeout"])
async def test_receive_timeout(sends, way):
    options = {
        "connection": {"receive_timeout": 0.01},
        "ClientWSTimeout": {"timeout": ClientWSTimeout(ws_receive=0.01)},
    }.get(way, {})
    async with ws_connect(await sends(), **options) as ws:
        for _ in range(2):
            with pytest.raises(TimeoutError, match=r"no message within 0\.01 s"):
                match way:
                    case "argument":
                        await ws.receive(0.01)
                    case "keyword":
                        await ws.receive(timeout=0.01)
                    case _:
                        await ws.receive()
        assert not ws.closed
        assert ws.exception() is None


TYPED = ["receive_str", "receive_bytes", "receive_json", "receive_many_str", "receive_many_bytes"]


@pytest.mark.parametrize("name", ["receive_many", *TYPED, "__anext__"])
async def test_every_receiving_method_obeys_the_timeout(sends, name):
    async with ws_connect(await sends(), receive_timeout=0.01) as ws:
        with pytest.raises(TimeoutError):
            await getattr(ws, name)()
    if name != "__anext__":
        async with ws_connect(await sends()) as ws:
            with pytest.raises(TimeoutError):
                await getattr(ws, name)(timeout=0.01)


async def test_the_timeout_of_a_call_wins_over_the_connections(scripted):
    timed_out = asyncio.Event()

    async def script(wire):
        await timed_out.wait()
        await wire.send(frame(TEXT, b"late"))
        await wire.answer_close()

    async with ws_connect(await scripted(script), receive_timeout=0.01) as ws:
        patient = asyncio.create_task(ws.receive(60))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(patient), 0.1)
        timed_out.set()
        assert (await patient).data == "late"


async def test_the_parameter_wins_over_the_client_ws_timeout(sends):
    timeout = ClientWSTimeout(ws_receive=60)
    async with ws_connect(await sends(), timeout=timeout, receive_timeout=0.01) as ws:
        with pytest.raises(TimeoutError):
            await ws.receive()


async def test_a_message_that_has_arrived_needs_no_time(ends):
    async with ws_connect(await ends(frame(TEXT, b"1"), frame(TEXT, b"2"))) as ws:
        await ws.receive()
        assert (await ws.receive(0)).data == "2"


async def test_receive_str(ends):
    async with ws_connect(await ends(frame(TEXT, "é".encode()), frame(BINARY, b"no"))) as ws:
        assert await ws.receive_str() == "é"
        with pytest.raises(
            WSMessageTypeError, match=r"^received a binary message, expected a text message$"
        ):
            await ws.receive_str()
        with pytest.raises(
            WSMessageTypeError,
            match=r"^connection closed with code 1001 \(bye\), expected a text message$",
        ):
            await ws.receive_str()


async def test_receive_bytes(ends):
    async with ws_connect(await ends(frame(BINARY, b"\xff"), frame(TEXT, b"no"))) as ws:
        assert await ws.receive_bytes() == b"\xff"
        with pytest.raises(
            TypeError, match=r"^received a text message, expected a binary message$"
        ):
            await ws.receive_bytes()


async def test_receive_json(ends):
    url = await ends(*[frame(TEXT, b'{"a": 1}')] * 2, frame(TEXT, b"{"), frame(BINARY, b"{}"))
    async with ws_connect(url) as ws:
        assert await ws.receive_json() == {"a": 1}
        assert await ws.receive_json(loads=len) == 8
        with pytest.raises(json.JSONDecodeError):
            await ws.receive_json()
        with pytest.raises(WSMessageTypeError):
            await ws.receive_json()


@pytest.mark.parametrize("method", TYPED)
async def test_the_end_instead_of_data(scripted, method):
    """What a bot's log says of it: code, reason and cause."""
    kind = "binary" if method.endswith("bytes") else "text"

    async def too_large(wire):
        await wire.send(frame(TEXT, b"too large"))
        await wire.end()

    async with ws_connect(await scripted(too_large), max_msg_size=3) as ws:
        said = rf"connection closed with code 1009 \(.*9 bytes.*\), expected a {kind} message$"
        with pytest.raises(WSMessageTypeError, match=f"^received an error message: {said}") as one:
            await getattr(ws, method)()
        with pytest.raises(WSMessageTypeError, match=f"^{said}") as two:
            await getattr(ws, method)()
        for caught in (one, two):
            assert isinstance(caught.value, TypeError)
            assert isinstance(caught.value.__cause__, WebSocketError)
            assert caught.value.__cause__ is ws.exception()


async def test_a_lost_connection_instead_of_data(scripted):
    async def leave(wire):
        pass

    async with ws_connect(await scripted(leave)) as ws:
        with pytest.raises(WSMessageTypeError) as caught:
            await ws.receive_str()
        assert isinstance(caught.value.__cause__, ServerDisconnectedError)
        cause = str(caught.value.__cause__)
        said = f"connection closed with code 1006 ({cause}), expected a text message"
        assert str(caught.value) == said


async def test_a_close_of_ones_own_instead_of_data(sends):
    async with ws_connect(await sends()) as ws:
        receiving = asyncio.create_task(ws.receive_str())
        await asyncio.sleep(0)
        await ws.close()
        with pytest.raises(WSMessageTypeError, match=r"^connection closed by this side, expected"):
            await receiving
        with pytest.raises(WSMessageTypeError, match=r"^connection closed with code 1000, ") as end:
            await ws.receive_str()
        assert end.value.__cause__ is None


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (frame(PING), "received a ping message, expected a text message"),
        (frame(PONG), "received a pong message, expected a text message"),
        (
            frame(CLOSE, encode_close(4001, "bye")),
            "received a close message with code 4001 (bye), expected a text message",
        ),
        (
            frame(CLOSE, encode_close(4001, "a\nb")),
            r"received a close message with code 4001 ('a\nb'), expected a text message",
        ),
        (
            frame(CLOSE),
            "received a close message with code 1005, expected a text message",
        ),
    ],
)
async def test_control_frames_instead_of_data(sends, sent, said):
    async with ws_connect(await sends(sent), autoping=False, autoclose=False) as ws:
        with pytest.raises(WSMessageTypeError) as caught:
            await ws.receive_str()
        assert str(caught.value) == said


async def test_text_as_bytes(ends):
    text = frame(TEXT, '"é"'.encode())
    async with ws_connect(await ends(text, text, text), decode_text=False) as ws:
        assert await ws.receive() == (MsgType.text, '"é"'.encode(), "")
        assert await ws.receive_str() == '"é"'.encode()
        assert await ws.receive_json() == "é"
        assert await ws.receive() == (MsgType.closed, 1001, "bye")


async def test_text_as_bytes_is_still_known_to_be_utf8(sends):
    async with ws_connect(await sends(frame(TEXT, b"a\xff")), decode_text=False) as ws:
        assert (await ws.receive()).tp is MsgType.error
        assert ws.close_code == 1007


async def test_receive_nowait(scripted):
    async def script(wire):
        await wire.receive()
        await wire.send(frame(TEXT, b"1"), frame(TEXT, b"2"), frame(TEXT, b"3"))
        await wire.answer_close()

    async with ws_connect(await scripted(script)) as ws:
        assert ws.receive_nowait() is None
        await ws.send_str("go")
        assert (await ws.receive()).data == "1"
        assert ws.receive_nowait() == (MsgType.text, "2", "")
        assert ws.receive_nowait() == (MsgType.text, "3", "")
        assert ws.receive_nowait() is None
    for _ in range(2):
        assert ws.receive_nowait() == (MsgType.closed, 1000, "")


async def test_receive_many(ends):
    url = await ends(*[frame(TEXT, b"%d" % number) for number in range(5)])
    async with ws_connect(url) as ws:
        assert (await ws.receive()).data == "0"
        messages = await ws.receive_many()
        assert [msg.data for msg in messages] == ["1", "2", "3", "4"]
        assert all(type(msg) is Message for msg in messages)
        for _ in range(2):
            assert await ws.receive_many() == [(MsgType.closed, 1001, "bye")]


async def test_receive_many_waits_for_the_first(scripted):
    async def script(wire):
        await wire.receive()
        await wire.send(frame(TEXT, b"a"), frame(BINARY, b"b"))
        await wire.answer_close()

    async with ws_connect(await scripted(script)) as ws:
        waiting = asyncio.create_task(ws.receive_many())
        await asyncio.sleep(0)
        await ws.send_str("go")
        assert await waiting == [(MsgType.text, "a", ""), (MsgType.binary, b"b", "")]


@pytest.mark.parametrize("name", ["receive", "receive_many", *TYPED, "__anext__"])
async def test_one_reader_at_a_time(sends, name):
    async with ws_connect(await sends()) as ws:
        reader = asyncio.create_task(ws.receive())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="another task is already waiting in receive"):
            await getattr(ws, name)()
        with pytest.raises(RuntimeError, match="another task is already waiting in receive"):
            ws.receive_nowait()
        assert not reader.done()
        reader.cancel()


async def test_async_for_ends_with_the_connection(ends):
    url = await ends(frame(TEXT, b"a"), frame(BINARY, b"b"))
    async with ws_connect(url) as ws:
        assert [msg async for msg in ws] == [(MsgType.text, "a", ""), (MsgType.binary, b"b", "")]
        assert [msg async for msg in ws] == []
        assert ws.close_code == 1001


async def test_async_for_shows_an_error_and_ends(sends):
    async with ws_connect(await sends(frame(TEXT, b"a"), b"\x83\x00")) as ws:
        messages = [msg async for msg in ws]
        assert [msg.tp for msg in messages] == [MsgType.text, MsgType.error]
        assert messages[1].data is ws.exception()


async def test_async_for_ends_when_another_task_closes(sends):
    async with ws_connect(await sends()) as ws:

        async def read():
            return [msg async for msg in ws]

        reader = asyncio.create_task(read())
        await asyncio.sleep(0)
        await ws.close()
        assert await reader == []


async def test_close_code_and_reason(scripted):
    async def script(wire):
        await wire.receive()
        await wire.send(frame(CLOSE, encode_close(4001, "späť")))
        assert parse_close((await wire.receive()).payload) == (4001, "")

    async with ws_connect(await scripted(script)) as ws:
        assert (ws.close_code, ws.close_reason, ws.exception()) == (None, None, None)
        await ws.send_str("go")
        assert await ws.receive() == (MsgType.closed, 4001, "späť")
        assert (ws.close_code, ws.close_reason, ws.exception()) == (4001, "späť", None)


async def test_the_code_of_a_connection_that_we_close(sends):
    ws = await ws_connect(await sends())
    await ws.close(code=3000, message="enough")
    assert (ws.close_code, ws.close_reason, ws.exception()) == (3000, "enough", None)


async def test_latency_is_that_of_the_last_ping_which_was_answered(scripted):
    async def script(wire):
        ping = await wire.receive()
        await wire.send(frame(PONG, b"unasked for"), frame(TEXT, b"1"))
        await wire.receive()
        await wire.send(frame(PONG, ping.payload), frame(TEXT, b"2"))
        await wire.answer_close()

    async with ws_connect(await scripted(script)) as ws:
        await ws.ping("?")
        await ws.receive()
        assert ws.latency is None
        await ws.send_str("go on")
        await ws.receive()
        assert ws.latency > 0


async def test_ping_and_pong_are_messages_without_autoping(scripted):
    async def script(wire):
        await wire.send(frame(PING, b"?"), frame(PONG, b"!"))
        answer = await wire.receive()
        assert (answer.opcode, answer.payload) == (PONG, b"by hand")
        await wire.answer_close()

    async with ws_connect(await scripted(script), autoping=False) as ws:
        assert await ws.receive() == (MsgType.ping, b"?", "")
        await ws.pong(b"by hand")
        assert await ws.receive() == (MsgType.pong, b"!", "")


@pytest.mark.parametrize("limit", [1, 125, 126, 65536, MAX])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
async def test_a_message_of_the_largest_size_passes(ends, opcode, limit):
    options = {} if limit == MAX else {"max_msg_size": limit}
    async with ws_connect(await ends(frame(opcode, b"a" * limit)), **options) as ws:
        assert len((await ws.receive()).data) == limit
        assert (await ws.receive()).tp is MsgType.closed


@pytest.mark.parametrize("limit", [1, 125, 126, 65536, MAX])
async def test_the_header_of_a_larger_one_is_enough_to_refuse_it(scripted, limit):
    refused = asyncio.get_running_loop().create_future()
    header = frame(BINARY, b"a" * (limit + 1))[: -limit - 1]

    async def script(wire):
        await wire.send(header)
        refused.set_result(await wire.receive())

    options = {} if limit == MAX else {"max_msg_size": limit}
    async with ws_connect(await scripted(script), **options) as ws:
        msg = await ws.receive()
        assert msg.tp is MsgType.error
        assert isinstance(msg.data, WebSocketError)
        assert msg.data.code == 1009
        assert f"{limit + 1} bytes exceeds the limit of {limit} bytes" in str(msg.data)
        assert await ws.receive() == (MsgType.closed, 1009, str(msg.data))
        assert ws.close_code == 1009
    close = await refused
    assert close.opcode == CLOSE
    assert parse_close(close.payload) == (1009, str(msg.data))


async def test_the_limit_holds_for_all_fragments_together(sends):
    whole = [frame(TEXT, b"12", fin=False), frame(0, b"345", fin=False), frame(0)]
    over = [frame(TEXT, b"12", fin=False), frame(0, b"345", fin=False), frame(0, b"6")[:2]]
    async with ws_connect(await sends(*whole, *over), max_msg_size=5) as ws:
        assert (await ws.receive()).data == "12345"
        assert (await ws.receive()).tp is MsgType.error
        assert ws.close_code == 1009


async def test_a_limit_of_zero_is_none(ends):
    async with ws_connect(await ends(frame(BINARY, bytes(MAX + 1))), max_msg_size=0) as ws:
        assert len(await ws.receive_bytes()) == MAX + 1


async def test_max_frame_size_is_of_each_frame(sends):
    fragments = [frame(BINARY, b"123", fin=False), frame(0, b"45", fin=False), frame(0, b"678")]
    pong = frame(PONG, b"longer")
    async with ws_connect(await sends(*fragments, pong, *fragments), max_frame_size=3) as ws:
        for _ in range(2):
            assert await ws.receive_bytes() == b"12345678"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("begun", [False, True])
async def test_a_frame_over_max_frame_size_is_refused_at_its_header(scripted, begun, stream):
    async def script(wire):
        if begun:
            await wire.send(frame(BINARY, b"123", fin=False))
        # Its payload never comes.
        await wire.send(frame(0 if begun else BINARY, b"1234")[:2])
        received = await wire.receive()
        code, reason = parse_close(received.payload)
        assert (received.opcode, code) == (CLOSE, 1009)
        assert reason == "frame of at least 4 bytes exceeds the limit of 3 bytes"

    async with ws_connect(await scripted(script), max_frame_size=3) as ws:
        if stream:
            with pytest.raises(WSMessageTypeError, match="code 1009"):
                async for piece in ws.receive_streaming():
                    assert piece == b"123"
        else:
            msg = await ws.receive()
            assert msg.tp is MsgType.error
            assert type(msg.data) is WebSocketError
        assert ws.close_code == 1009


@pytest.mark.parametrize("limit", [1000, 999])
async def test_max_frame_size_holds_for_what_is_decompressed(scripted, limit):
    compress = zlib.compressobj(wbits=-15)
    data = (compress.compress(bytes(1000)) + compress.flush(zlib.Z_SYNC_FLUSH))[:-4]

    async def script(wire):
        await wire.send(frame(BINARY, data, rsv=4))
        await wire.answer_close()

    url = await scripted(script, extensions="permessage-deflate")
    async with ws_connect(url, compress=15, max_frame_size=limit) as ws:
        msg = await ws.receive()
        assert msg.tp is (MsgType.binary if limit == 1000 else MsgType.error)
        assert ws.close_code == (None if limit == 1000 else 1009)
