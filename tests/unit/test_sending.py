"""`send_*`, `ping`, `pong` and the frame that `close` sends: what arrives on the wire."""

import array
import asyncio
import gc
import json
import re
import warnings

import pytest
from tests.conftest import BINARY, CLOSE, PING, PONG, TEXT, frame

from wsclient import ClientConnectionResetError, ServerTimeoutError, ws_connect
from wsclient.framing import encode_close, parse_close

TWO_DIMENSIONS = memoryview(bytes(range(12))).cast("B", (3, 4))


@pytest.fixture
async def sent(scripted):
    """An open WebSocket and the list of frames that its server received, close frame included."""
    received = []

    async def script(wire):
        while (item := await wire.receive()) is not None:
            received.append((item.opcode, item.payload))
            if item.opcode == CLOSE:
                await wire.send(frame(CLOSE, item.payload))
                return

    async with ws_connect(await scripted(script)) as ws:
        yield ws, received


class TextSubclass(str):
    __slots__ = ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "é",
        "€",
        "\U0001f600",
        "a\x00b",
        "a" * 125,
        "é" * 63,
        "x" * 65536,
        TextSubclass("subclass"),
    ],
)
async def test_text(sent, text):
    ws, received = sent
    await ws.send_str(text)
    await ws.close()
    assert received[0] == (TEXT, text.encode())


@pytest.mark.parametrize("data", [b"bytes", bytearray(b"a"), memoryview(b"a"), 1, None, ["a"]])
async def test_text_must_be_str(sent, data):
    ws, received = sent
    with pytest.raises(TypeError, match="data must be str"):
        ws.send_str(data)
    await ws.close()
    assert received == [(CLOSE, encode_close(1000))]


async def test_a_lone_surrogate_is_refused_and_harms_nothing(sent):
    ws, received = sent
    with pytest.raises(UnicodeEncodeError):
        ws.send_str("a\ud800")
    await ws.send_str("b")
    await ws.close()
    assert received[0] == (TEXT, b"b")


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536])
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
async def test_bytes(sent, kind, size):
    ws, received = sent
    data = (bytes(range(256)) * 257)[:size]
    await ws.send_bytes(kind(data))
    await ws.close()
    assert received[0] == (BINARY, data)


@pytest.mark.parametrize(
    "view",
    [
        memoryview(b"abcdef")[::2],
        memoryview(b"abcdef")[::-1],
        memoryview(bytearray(b"abcdef"))[2:4],
        memoryview(array.array("H", [1, 2, 3])),
        memoryview(array.array("d", [1.5])),
        TWO_DIMENSIONS,
    ],
    ids=["every-second", "backwards", "slice", "shorts", "doubles", "two-dimensional"],
)
async def test_a_memoryview_is_sent_as_its_bytes(sent, view):
    ws, received = sent
    await ws.send_bytes(view)
    await ws.close()
    assert received[0] == (BINARY, view.tobytes())


@pytest.mark.parametrize("data", ["text", 1, None, [1, 2], array.array("B", [1])])
async def test_bytes_must_be_bytes(sent, data):
    ws, received = sent
    with pytest.raises(TypeError, match="data must be bytes, bytearray or memoryview"):
        ws.send_bytes(data)
    await ws.close()
    assert received == [(CLOSE, encode_close(1000))]


async def test_a_released_memoryview_is_refused_and_harms_nothing(sent):
    ws, received = sent
    view = memoryview(b"gone")
    view.release()
    with pytest.raises(ValueError, match="released"):
        ws.send_bytes(view)
    await ws.send_bytes(b"there")
    await ws.close()
    assert received[0] == (BINARY, b"there")


async def test_a_buffer_may_change_once_it_is_sent(sent):
    ws, received = sent
    data = bytearray(b"before")
    ws.send_bytes(data)
    ws.send_bytes(memoryview(data))
    data[:] = b"later!"
    data.clear()
    await ws.close()
    assert received[:2] == [(BINARY, b"before")] * 2


async def test_json(sent):
    ws, received = sent
    await ws.send_json({"price": [1, None]})
    await ws.send_json({"b": 1, "a": 2}, dumps=lambda data: json.dumps(data, sort_keys=True))
    await ws.close()
    assert received[:2] == [(TEXT, b'{"price": [1, null]}'), (TEXT, b'{"a": 2, "b": 1}')]


async def test_json_lets_errors_pass(sent):
    ws, received = sent
    with pytest.raises(TypeError, match="not JSON serializable"):
        ws.send_json(object())
    with pytest.raises(TypeError, match="data must be str"):
        ws.send_json({}, dumps=lambda _: b"{}")
    await ws.close()
    assert received == [(CLOSE, encode_close(1000))]


@pytest.mark.parametrize("name", ["ping", "pong"])
@pytest.mark.parametrize(
    ("arguments", "payload"),
    [
        ((), b""),
        ((b"",), b""),
        (("",), b""),
        (("é",), "é".encode()),
        ((b"\x00\xff",), b"\x00\xff"),
        ((bytearray(b"array"),), b"array"),
        ((memoryview(b"abcdef")[::2],), b"ace"),
        ((b"a" * 125,), b"a" * 125),
        (("é" * 62 + "a",), "é".encode() * 62 + b"a"),
    ],
)
async def test_ping_and_pong(sent, name, arguments, payload):
    ws, received = sent
    await getattr(ws, name)(*arguments)
    await ws.close()
    assert received[0] == ({"ping": PING, "pong": PONG}[name], payload)


@pytest.mark.parametrize("name", ["ping", "pong"])
@pytest.mark.parametrize("message", [b"a" * 126, "a" * 126, "é" * 63, bytearray(1000)])
async def test_ping_and_pong_hold_125_bytes_at_most(sent, name, message):
    ws, received = sent
    with pytest.raises(ValueError, match=f"{name} message is .* expected at most 125"):
        getattr(ws, name)(message)
    await ws.send_str("still open")
    await ws.close()
    assert received[0] == (TEXT, b"still open")


@pytest.mark.parametrize("name", ["ping", "pong"])
@pytest.mark.parametrize("message", [1, ["a"], 1.5])
async def test_ping_and_pong_take_text_and_bytes(sent, name, message):
    ws, _ = sent
    with pytest.raises(TypeError, match="message must be str, bytes, bytearray or memoryview"):
        getattr(ws, name)(message)


async def test_frames_leave_in_the_order_of_the_calls_awaited_or_not(sent):
    ws, received = sent
    ws.send_str("1")
    late = ws.send_bytes(b"2")
    await ws.ping("3")
    ws.send_json(4)
    await late
    await asyncio.gather(ws.send_str("5"), ws.send_str("6"))
    await ws.close()
    assert [payload for _, payload in received[:-1]] == [b"1", b"2", b"3", b"4", b"5", b"6"]


async def test_what_is_not_awaited_warns_of_nothing(sent):
    ws, received = sent
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for send in (ws.send_str, ws.send_json, ws.ping, ws.pong):
            send("1")
        ws.send_bytes(b"1")
        gc.collect()
    await ws.close()
    assert len(received) == 6


async def test_sends_can_be_tasks(sent):
    ws, received = sent
    await asyncio.wait_for(ws.send_str("1"), 10)
    await asyncio.create_task(ws.send_str("2"))
    await asyncio.wait([asyncio.ensure_future(ws.send_str("3"))])
    await ws.close()
    assert received[:-1] == [(TEXT, b"1"), (TEXT, b"2"), (TEXT, b"3")]


async def test_every_frame_is_masked_with_a_key_of_its_own(scripted):
    raw = bytearray()
    enough = asyncio.Event()

    async def script(wire):
        while len(raw) < 100 * 8:
            raw.extend(await wire._reader.read(65536))
        enough.set()
        await wire.answer_close()

    async with ws_connect(await scripted(script)) as ws:
        for _ in range(100):
            ws.send_bytes(b"\x00\x00")
        await enough.wait()
    frames = [raw[start : start + 8] for start in range(0, 100 * 8, 8)]
    assert all(each[:2] == b"\x82\x82" for each in frames)
    keys = {bytes(each[2:6]) for each in frames}
    assert len(keys) > 95
    assert all(each[6:] == each[2:4] for each in frames)


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1007, 1011, 1014, 3000, 4999])
@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"", b""),
        (b"bye", b"bye"),
        ("é" * 61 + "a", "é".encode() * 61 + b"a"),
        (bytearray(b"bye"), b"bye"),
        (memoryview(b"bye"), b"bye"),
    ],
)
async def test_close_frame(sent, code, message, reason):
    ws, received = sent
    assert await ws.close(code=code, message=message) is True
    assert received == [(CLOSE, code.to_bytes(2) + reason)]


@pytest.mark.parametrize(
    "code", [-1, 0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535, 65536, 2**64]
)
async def test_a_close_code_that_must_not_be_sent_leaves_the_connection_open(sent, code):
    ws, received = sent
    with pytest.raises(ValueError, match=re.escape(f"close code {code} must not be sent")):
        await ws.close(code=code)
    assert not ws.closed
    await ws.send_str("still open")
    assert await ws.close() is True
    assert received == [(TEXT, b"still open"), (CLOSE, encode_close(1000))]


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (b"a" * 124, "close reason is 124 bytes long, expected at most 123"),
        ("é" * 62, "close reason is 124 bytes long, expected at most 123"),
        (b"\xff", "close message is not UTF-8"),
        ("\ud800", "surrogates not allowed"),
    ],
)
async def test_a_bad_close_reason_leaves_the_connection_open(sent, message, error):
    ws, received = sent
    with pytest.raises(ValueError, match=error):
        await ws.close(message=message)
    assert not ws.closed
    await ws.send_str("still open")
    assert await ws.close() is True
    assert received == [(TEXT, b"still open"), (CLOSE, encode_close(1000))]


async def test_a_close_reason_is_text_or_bytes(sent):
    ws, _ = sent
    with pytest.raises(TypeError, match="message must be str, bytes, bytearray or memoryview"):
        await ws.close(message=1)
    with pytest.raises(TypeError):
        await ws.close(code="1000")
    with pytest.raises(TypeError):
        await ws.close(1000)
    assert not ws.closed


SENDS = {
    "text": lambda ws: ws.send_str("late"),
    "binary": lambda ws: ws.send_bytes(b"late"),
    "ping": lambda ws: ws.ping(),
    "pong": lambda ws: ws.pong(),
}


def assert_sends_raise(ws, why):
    for kind, send in SENDS.items():
        with pytest.raises(ClientConnectionResetError) as caught:
            send(ws)
        assert str(caught.value) == f"cannot send a {kind} frame: the connection is {why}"
        assert isinstance(caught.value, ConnectionResetError)
    with pytest.raises(ClientConnectionResetError):
        ws.send_json({})


async def test_sends_after_close(sent):
    ws, received = sent
    closing = asyncio.create_task(ws.close(code=4000, message="done"))
    await asyncio.sleep(0)
    assert_sends_raise(ws, "closing, close() was called")
    await closing
    assert_sends_raise(ws, "closed with code 4000 (done)")
    assert received == [(CLOSE, encode_close(4000, "done"))]


async def test_sends_after_the_servers_close(scripted):
    async def script(wire):
        await wire.send(frame(CLOSE, encode_close(1001, "restart")))

    async with ws_connect(await scripted(script)) as ws:
        await ws.receive()
        assert_sends_raise(ws, "closed with code 1001 (restart)")


async def test_sends_after_a_close_without_code(scripted):
    async def script(wire):
        await wire.send(frame(CLOSE))

    async with ws_connect(await scripted(script)) as ws:
        await ws.receive()
        assert_sends_raise(ws, "closed with code 1005")


async def test_sends_after_the_loss_of_the_connection(scripted):
    async def script(wire):
        wire.reset()

    async with ws_connect(await scripted(script)) as ws:
        await ws.receive()
        assert_sends_raise(ws, "lost")


async def test_sends_after_a_violation_by_the_server(scripted):
    async def script(wire):
        await wire.send(b"\x83\x00")
        assert parse_close((await wire.receive()).payload)[0] == 1002

    async with ws_connect(await scripted(script)) as ws:
        await ws.receive()
        assert_sends_raise(ws, "closed with code 1002 (reserved opcode 0x3)")


async def test_sends_after_a_close_that_timed_out(scripted):
    async def script(wire):
        await wire.end()

    ws = await ws_connect(await scripted(script), timeout=0.01)
    await ws.close()
    assert isinstance(ws.exception(), ServerTimeoutError)
    with pytest.raises(ClientConnectionResetError, match="the connection is lost"):
        ws.send_str("late")


async def test_arguments_by_name_and_wrong_ones(sent):
    ws, received = sent
    await ws.send_str(data="a")
    await ws.send_bytes(data=b"b")
    for call in (ws.send_str, ws.send_bytes):
        with pytest.raises(TypeError, match="missing 1 required positional argument: 'data'"):
            call()
        with pytest.raises(TypeError, match="positional argument"):
            call("a", 0, "b")
        with pytest.raises(TypeError, match="unexpected keyword argument"):
            call("a", other=1)
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        ws.receive(other=1)
    await ws.close()
    assert received[:2] == [(TEXT, b"a"), (BINARY, b"b")]
