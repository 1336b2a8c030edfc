"""Scripts and expectations: what a client sees of each step, and what is told of one that fails."""

import asyncio
import re
from unittest.mock import ANY

import pytest

from wsclient import (
    ClientConnectionResetError,
    MsgType,
    ServerDisconnectedError,
    ServerTimeoutError,
    testing,
    ws_connect,
)
from wsclient.testing import Script

from .conftest import HANDSHAKE, connect


async def received(script, *messages, tls=False, **options):
    """What a client receives that sends messages first, and how it was told of the end."""
    async with testing.serve(script, ssl=tls) as server, connect(server, **options) as ws:
        for message in messages:
            await (ws.send_str if isinstance(message, str) else ws.send_bytes)(message)
        seen = []
        while (msg := await ws.receive()).tp not in {MsgType.closed, MsgType.error}:
            seen.append(msg.data)
        return seen, ws


async def failure(script, *messages, close=True):
    """What is told of a script that a client does not follow."""
    with pytest.raises(testing.ExpectationError) as caught:
        async with testing.serve(script) as server:
            ws = await connect(server)
            for message in messages:
                await (ws.send_str if isinstance(message, str) else ws.send_bytes)(message)
            if close:
                await ws.close()
    await ws.close()
    return caught.value


async def test_steps_are_played_in_their_order(tls):
    script = Script().expect("a").send("one").expect(b"b").send(b"two").send([3]).close(4000, "end")
    seen, ws = await received(script, "a", b"b", tls=tls)
    assert seen == ["one", b"two", "[3]"]
    assert (ws.close_code, ws.close_reason) == (4000, "end")


async def test_a_message_in_fragments(tls):
    script = Script().send("größer", fragments=4).send(b"", fragments=3).send(b"ab", fragments=5)
    seen, ws = await received(script, tls=tls)
    assert seen == ["größer", b"", b"ab"]
    assert ws.stats.frames_received - ws.stats.control_frames_received == 12


async def test_a_slow_message_comes_byte_by_byte():
    # The bytes of a frame, and no pong between them.
    async with testing.serve(Script().send("slow", slow=0.01).stall()) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(HANDSHAKE)
        await reader.readuntil(b"\r\n\r\n")
        pieces = [await reader.read(100)]
        writer.write(b"\x89\x80\0\0\0\0")  # a ping
        while sum(map(len, pieces)) < 6:
            pieces.append(await reader.read(100))
        assert b"".join(pieces) == b"\x81\x04slow"
        assert len(pieces) > 1
        writer.transport.abort()


@pytest.mark.parametrize(("after", "seen"), [(0, []), (3, []), (7, ["whole"]), (100, ["whole"])])
async def test_a_message_that_is_cut(tls, after, seen):
    messages, ws = await received(Script().send("whole", cut_after=after), tls=tls)
    assert messages == seen
    assert ws.close_code == 1006
    assert isinstance(ws.exception(), ServerDisconnectedError)


async def test_a_drop(tls):
    seen, ws = await received(Script().send("last").drop(), tls=tls)
    assert (seen, ws.close_code) == (["last"], 1006)
    assert isinstance(ws.exception(), ServerDisconnectedError)


async def test_a_reset():
    seen, ws = await received(Script().send("last").expect("go on").reset(), "go on")
    assert (seen, ws.close_code) == (["last"], 1006)
    assert isinstance(ws.exception(), ClientConnectionResetError)


async def test_a_stalled_server_answers_no_ping(tls):
    seen, ws = await received(Script().send("last").stall(), tls=tls, heartbeat=0.1, timeout=0.1)
    assert seen == ["last"]
    assert isinstance(ws.exception(), ServerTimeoutError)


async def test_a_server_goes_on_after_it_has_stalled(tls):
    script = Script().stall(0.05).expect("while it stalled").send("back")
    seen, _ = await received(script, "while it stalled", tls=tls)
    assert seen == ["back"]


async def test_a_stalled_server_does_not_read(tls):
    async with (
        testing.serve(Script().stall(), ssl=tls) as server,
        connect(server, timeout=0.1) as ws,
    ):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                while True:
                    await ws.send_bytes(b"x" * 1_000_000)
        assert server.received == []


async def test_a_stall_ends_with_the_test(tls):
    async with asyncio.timeout(10):
        async with testing.serve(Script().stall(), ssl=tls) as server:
            ws = await connect(server)
        assert await ws.receive() == (MsgType.closed, 1001, "")
        await ws.close()


async def test_a_close_is_expected():
    async with testing.serve(Script().expect_close(3000, "bye")) as server:
        await (await connect(server)).close(code=3000, message="bye")


async def test_a_close_without_a_code_is_expected():
    async with testing.serve(Script().expect_close(1005, "")) as server:
        ws = await connect(server)
        ws._connection.start_bare_close()
        await ws.close()


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ("text", "text"),
        (b"bytes", b"bytes"),
        (bytearray(b"bytes"), b"bytes"),
        (str, "any"),
        (bytes, b"any"),
        (re.compile(r"^sub.*: \d+$"), "subscribe: 12"),
        (re.compile(rb"\d"), b"id 1"),
        ({"op": "subscribe", "args": ANY}, '{"args": ["BTC"], "op": "subscribe"}'),
        ([1, 2], b"[1,2]"),
        (lambda message: len(message) == 3, "abc"),
        (ANY, "abc"),
    ],
)
async def test_what_is_expected_comes(expected, message):
    seen, _ = await received(Script().expect(expected).send("right"), message)
    assert seen == ["right"]


def is_short(message):
    return len(message) < 3


@pytest.mark.parametrize(
    ("expected", "message", "told"),
    [
        ("a", "b", "expected text 'a', got text 'b'"),
        ("a", b"a", "expected text 'a', got binary b'a'"),
        (b"a", "a", "expected binary b'a', got text 'a'"),
        (str, b"a", "expected a text message, got binary b'a'"),
        (bytes, "a", "expected a binary message, got text 'a'"),
        (re.compile(r"\d"), "a", r"expected a match of '\\d', got text 'a'"),
        (re.compile(r"\d"), b"1", r"expected a match of '\\d', got binary b'1'"),
        ({"id": 1}, '{"id": 2}', "expected JSON {'id': 1}, got text '{\"id\": 2}'"),
        ({"id": 1}, "{", "expected JSON {'id': 1}, got text '{'"),
        ({"id": 1}, b"\xff", r"expected JSON {'id': 1}, got binary b'\xff'"),
        (is_short, "long", "expected what is_short is true of, got text 'long'"),
        (7, "7", "expected 7, got text '7'"),
    ],
)
async def test_what_is_not_expected_is_told(expected, message, told):
    error = await failure(Script().send("x").expect(expected), message)
    assert str(error) == f"connection 1, step 2: {told}"
    assert (error.connection, error.step, error.message) == (1, 2, message)


async def test_a_long_message_is_told_in_short():
    error = await failure(Script().expect("a"), "b" * 10_000)
    assert len(str(error)) < 500
    assert error.message == "b" * 10_000


@pytest.mark.parametrize(
    ("script", "messages", "told"),
    [
        (Script().expect("a"), [], "text 'a', got the client's close frame with 1000 and ''"),
        (Script().expect(), [], "a message, got the client's close frame with 1000 and ''"),
        (
            Script().expect_close(1001),
            [],
            "a close frame with 1001, got the client's close frame with 1000 and ''",
        ),
        (
            Script().expect_close(reason="bye"),
            [],
            "a close frame and 'bye', got the client's close frame with 1000 and ''",
        ),
        (Script().expect_close(1000), ["late"], "a close frame with 1000, got text 'late'"),
    ],
)
async def test_a_close_that_is_not_expected_is_told(script, messages, told):
    error = await failure(script, *messages)
    assert str(error) == f"connection 1, step 1: expected {told}"


async def test_the_end_of_the_stream_is_told():
    with pytest.raises(testing.ExpectationError) as caught:
        async with testing.serve(Script().expect("a")) as server:
            async with testing.FaultProxy(server.url) as proxy:
                ws = await ws_connect(proxy.url)
            await ws.close()
    assert "got the end of the stream without a close frame" in str(caught.value)


async def test_silence_is_told():
    error = await failure(Script().expect("a", timeout=0.05), "b", close=False)
    assert "got text 'b'" in str(error)
    with pytest.raises(testing.ExpectationError, match=r"got nothing within 0\.05 seconds"):
        async with (
            testing.serve(Script().expect("a", timeout=0.05)) as server,
            connect(server) as ws,
        ):
            assert (await ws.receive()).data == 1011


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (Script().expect("a"), "step 1: expected text 'a', got nothing before the test ended"),
        (Script().expect_close(), "step 1: expected a close frame, got nothing before the test"),
        (
            Script().stall().send("b").expect("a"),
            "step 1: expected text 'a', got the test's end in step 1, stall",
        ),
    ],
)
async def test_a_test_that_ends_too_early_is_told(script, told):
    error = await failure(script, close=False)
    assert told in str(error)


async def test_a_function_that_expects_is_told_of_the_tests_end_too():
    async def handler(ws):
        await ws.send("b")
        await ws.expect("a")

    error = await failure(handler, close=False)
    assert "step 2: expected text 'a', got nothing before the test ended" in str(error)


async def test_an_expectation_behind_the_clients_leaving_is_told():
    async def leave(server):
        async with connect(server):
            pass

    script = Script().expect_close().send("x").expect("b")
    with pytest.raises(testing.ExpectationError, match="step 2: expected text 'b', got the client"):
        async with testing.serve(script) as server:
            await leave(server)


async def test_a_script_that_is_not_played_is_told():
    scripts = Script().drop(), Script().expect("again"), testing.refuse()
    with pytest.raises(
        testing.ExpectationError, match="<Script of expect> to be played, got 1 conn"
    ):
        async with testing.serve(*scripts) as server, connect(server) as ws:
            await ws.receive()


async def test_a_script_is_played_on_each_connection():
    async with testing.serve(Script().expect("a").send("b")) as server:
        for _ in range(2):
            async with connect(server) as ws:
                await ws.send_str("a")
                assert await ws.receive_str() == "b"


@pytest.mark.parametrize("end", [Script().close(), Script().drop(), Script().reset()])
async def test_sending_after_the_end_is_the_scripts_mistake(end):
    with pytest.raises((RuntimeError, testing.ClientGone)):
        async with testing.serve(end.send("x")) as server, connect(server) as ws:
            await ws.receive()
            raise testing.ClientGone


async def test_what_cannot_be_sent():
    with pytest.raises(TypeError, match="a message is str, bytes, dict or list, not int"):
        async with testing.serve(Script().send(1)) as server, connect(server) as ws:
            await ws.receive()
    with pytest.raises(ValueError, match="fragments must be 1 or more, not 0"):
        async with testing.serve(Script().send("a", fragments=0)) as server, connect(server) as ws:
            await ws.receive()


def test_a_script_says_what_it_does():
    script = Script().expect("a").send("b").stall(1).drop()
    assert repr(script) == "<Script of expect, send, stall, drop>"
    assert repr(Script()) == "<Script of no steps>"
