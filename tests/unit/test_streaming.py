"""`receive_streaming`: one message in pieces, as its fragments arrive."""

import asyncio
import contextlib
import ssl
import zlib

import pytest
import trustme
from tests.conftest import BINARY, CLOSE, PING, PONG, TEXT, frame, trusting
from websockets.asyncio.server import serve as websockets_serve

from wsclient import (
    Conflate,
    DropOldest,
    MessageStream,
    MsgType,
    WebSocketError,
    WSMessageTypeError,
    ws_connect,
)
from wsclient.framing import encode_close

from .linked import TASKS, deliver, linked, tasks_of

CONTINUATION = 0
EURO = "€".encode()


def fragments(opcode, *payloads, rsv=0):
    """The frames of a message with these fragments."""
    last = len(payloads) - 1
    return [
        frame(
            CONTINUATION if index else opcode,
            payload,
            fin=index == last,
            rsv=0 if index else rsv,
        )
        for index, payload in enumerate(payloads)
    ]


async def pieces_of(stream):
    return [piece async for piece in stream]


async def collect(stream, pieces):
    """Append the pieces to a list, which keeps them if the iteration fails."""
    async for piece in stream:
        pieces.append(piece)


@pytest.mark.parametrize(
    ("opcode", "payloads", "expected"),
    [
        (BINARY, [b"1", b"", b"23"], [b"1", b"", b"23"]),
        (TEXT, [b"a", EURO[:1], b"", EURO[1:] + b"b", b"c"], ["a", "", "", "€b", "c"]),
        (TEXT, [b"whole"], ["whole"]),
        (BINARY, [b""], [b""]),
        (TEXT, [b"", b""], ["", ""]),
    ],
)
async def test_each_fragment_is_a_piece(scripted, opcode, payloads, expected):
    async with linked(scripted) as (ws, wire):
        stream = ws.receive_streaming()
        assert type(stream) is MessageStream
        assert aiter(stream) is stream
        frames = fragments(opcode, *payloads)
        for sent, piece in zip(frames, expected, strict=True):
            waiting = asyncio.create_task(anext(stream))
            await asyncio.sleep(0)
            await deliver(wire, sent)
            assert await waiting == piece
        assert await pieces_of(stream) == []
        await deliver(wire, *frames)
        msg = await ws.receive()
        assert msg.tp is (MsgType.text if opcode == TEXT else MsgType.binary)
        assert msg.data == type(msg.data)().join(expected)


@pytest.mark.parametrize("kind", TASKS)
async def test_pieces_that_come_in_one_read(scripted, kind):
    async with linked(scripted) as (ws, wire):
        with tasks_of(kind):
            first = asyncio.create_task(pieces_of(ws.receive_streaming()))
            await asyncio.sleep(0)
            two = fragments(TEXT, b"a", b"b") + fragments(BINARY, b"1", b"2")
            await deliver(wire, *two, *two, frame(TEXT, b"end"))
            assert await first == ["a", "b"]
        # What had come by then had come whole.
        assert await pieces_of(ws.receive_streaming()) == [b"12"]
        assert (await ws.receive()).data == "ab"
        assert await pieces_of(ws.receive_streaming()) == [b"12"]
        assert await ws.receive_str() == "end"


async def test_what_has_been_gathered_is_the_first_piece(scripted):
    async with linked(scripted) as (ws, wire):
        frames = fragments(TEXT, b"one", b"two" + EURO[:2], EURO[2:], b"end")
        await deliver(wire, *frames[:2])
        stream = ws.receive_streaming()
        assert await anext(stream) == "onetwo"
        await deliver(wire, *frames[2:])
        assert await pieces_of(stream) == ["€", "end"]


async def test_text_as_bytes(scripted):
    async with linked(scripted, decode_text=False) as (ws, wire):
        reading = asyncio.create_task(pieces_of(ws.receive_streaming()))
        await asyncio.sleep(0)
        await deliver(wire, *fragments(TEXT, EURO[:1], EURO[1:]))
        assert await reading == [b"", EURO]


async def test_control_frames_between_are_answered(scripted):
    async with linked(scripted) as (ws, wire):
        reading = asyncio.create_task(pieces_of(ws.receive_streaming()))
        await asyncio.sleep(0)
        first, second = fragments(TEXT, b"a", b"b")
        await wire.send(first, frame(PING, b"?"), frame(PONG, b"unasked"))
        assert (await wire.receive()).payload == b"?"
        await wire.send(second)
        assert await reading == ["a", "b"]


@pytest.mark.parametrize("size", [65_535, 100_000, 3_000_000])
async def test_a_large_frame_is_one_piece(scripted, size):
    large = bytes(range(256)) * (size // 256)
    async with linked(scripted, max_msg_size=0) as (ws, wire):
        for payloads in ([large], [b"", large], [large, large], [b"head", large, b"tail"]):
            reading = asyncio.create_task(pieces_of(ws.receive_streaming()))
            await asyncio.sleep(0)
            sending = asyncio.create_task(
                wire.send(*fragments(BINARY, *payloads), frame(TEXT, b"after"))
            )
            assert await reading == payloads
            assert await ws.receive_str() == "after"
            await sending


async def test_a_large_message_that_had_begun_is_one_piece(scripted):
    large = bytes(range(256)) * 1000
    whole = frame(BINARY, large)
    async with linked(scripted) as (ws, wire):
        await wire.send(whole[:100_000])
        reading = asyncio.create_task(pieces_of(ws.receive_streaming()))
        while not ws.stats.bytes_received and not reading.done():
            await wire.send(whole[100_000:])
            whole = whole[:100_000]
            await asyncio.sleep(0)
        assert await reading == [large]


@pytest.mark.parametrize("takeover", [True, False])
async def test_compressed_messages(scripted, takeover):
    wires = asyncio.Queue()
    state = zlib.compressobj(wbits=-15)

    def deflated(text):
        nonlocal state
        if not takeover:
            state = zlib.compressobj(wbits=-15)
        return (state.compress(text.encode()) + state.flush(zlib.Z_SYNC_FLUSH))[:-4]

    async def script(wire):
        wires.put_nowait(wire)
        await wire.answer_close()

    extensions = "permessage-deflate"
    extensions += "" if takeover else "; server_no_context_takeover"
    text = "value €, " * 200
    async with ws_connect(await scripted(script, extensions=extensions), compress=15) as ws:
        wire = await wires.get()
        for _ in range(3):
            data = deflated(text)
            reading = asyncio.create_task(pieces_of(ws.receive_streaming()))
            await asyncio.sleep(0)
            await wire.send(*fragments(TEXT, data[:10], data[10:12], data[12:], rsv=4))
            pieces = await reading
            assert len(pieces) == 3
            assert "".join(pieces) == text
        assert ws.stats.messages_received == 3
        assert ws.stats.bytes_received == 3 * len(text.encode())
        # One that is left is decompressed all the same: the next may refer to it.
        data = deflated(text)
        first, second = fragments(TEXT, data[:10], data[10:], rsv=4)
        stream = ws.receive_streaming()
        waiting = asyncio.create_task(anext(stream))
        await asyncio.sleep(0)
        await wire.send(first)
        await waiting
        await stream.aclose()
        await wire.send(second, frame(TEXT, deflated("after"), rsv=4))
        assert await ws.receive_str() == "after"


async def test_a_bad_character_ends_it_after_the_pieces_before(scripted):
    pieces = []
    async with linked(scripted) as (ws, wire):
        reading = asyncio.create_task(collect(ws.receive_streaming(), pieces))
        await asyncio.sleep(0)
        await wire.send(*fragments(TEXT, b"one", b"two" + EURO[:1], b"x", b"end"))
        with pytest.raises(
            WSMessageTypeError,
            match=r"^received an error message: connection closed with code 1007 \(text is not"
            r" UTF-8 at byte 6\), expected the rest of a message$",
        ) as caught:
            await reading
        assert type(caught.value.__cause__) is WebSocketError
        assert pieces == ["one", "two"]
        assert (await wire.receive()).payload[:2] == (1007).to_bytes(2, "big")
        assert (await ws.receive()).tp is MsgType.closed


async def test_a_message_over_the_limit(scripted):
    pieces = []
    async with linked(scripted, max_msg_size=4) as (ws, wire):
        reading = asyncio.create_task(collect(ws.receive_streaming(), pieces))
        await asyncio.sleep(0)
        await wire.send(*fragments(BINARY, b"12", b"34", b"5"))
        with pytest.raises(WSMessageTypeError, match=r"code 1009 \(message of at least 5 bytes"):
            await reading
        assert pieces == [b"12", b"34"]


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("end", ["closes", "leaves", "resets"])
async def test_the_server_ends_it(scripted, begun, end):
    pieces = []
    async with linked(scripted) as (ws, wire):
        stream = ws.receive_streaming()
        reading = asyncio.create_task(collect(stream, pieces))
        await asyncio.sleep(0)
        if begun:
            await deliver(wire, fragments(TEXT, b"one", b"two")[0])
        match end:
            case "closes":
                await wire.send(frame(CLOSE, encode_close(1001, "bye")))
                expected = r"^connection closed with code 1001 \(bye\), expected "
            case "leaves":
                wire.transport.write_eof()
                expected = r"^connection closed with code 1006"
            case _:
                wire.reset()
                expected = r"^connection closed with code 1006"
        expected += ".*the rest of a message$" if begun else ".*a text or binary message$"
        with pytest.raises(WSMessageTypeError, match=expected) as caught:
            await reading
        assert (caught.value.__cause__ is None) == (end == "closes")
        assert pieces == (["one"] if begun else [])
        assert await pieces_of(stream) == []
        assert (await ws.receive()).tp is MsgType.closed


async def test_this_side_closes_while_somebody_waits(scripted):
    async with linked(scripted) as (ws, wire):
        reading = asyncio.create_task(pieces_of(ws.receive_streaming()))
        await asyncio.sleep(0)
        answering = asyncio.create_task(wire.answer_close())
        closing = asyncio.create_task(ws.close())
        with pytest.raises(
            WSMessageTypeError,
            match=r"^connection closed by this side, expected a text or binary message$",
        ):
            await reading
        await answering
        wire.transport.close()
        await closing


async def leave_by_break(stream):
    async for _ in stream:
        break


async def leave_by_closing(stream):
    async with contextlib.aclosing(stream):
        await anext(stream)
    assert await pieces_of(stream) == []


async def leave_by_cancellation(stream):
    await anext(stream)
    waiting = asyncio.create_task(anext(stream))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def leave_by_timeout(stream):
    await anext(stream)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(stream), 0.001)


LEAVE = [leave_by_break, leave_by_closing, leave_by_cancellation, leave_by_timeout]


@pytest.mark.parametrize("leave", LEAVE)
@pytest.mark.parametrize(
    "receive", ["receive", "receive_many", "receive_many_str", "async for", "stream"]
)
async def test_the_rest_of_a_message_that_was_left_is_nobodys(scripted, leave, receive):
    async def next_data(ws):
        match receive:
            case "receive":
                return (await ws.receive()).data
            case "receive_many":
                return "".join(msg.data for msg in await ws.receive_many())
            case "receive_many_str":
                return "".join(await ws.receive_many_str())
            case "stream":
                return "".join(await pieces_of(ws.receive_streaming()))
        async for msg in ws:
            return msg.data
        return None

    async with linked(scripted) as (ws, wire):
        left = fragments(TEXT, b"1", b"2", b"3", b"4")
        stream = ws.receive_streaming()
        leaving = asyncio.create_task(leave(stream))
        await asyncio.sleep(0)
        await deliver(wire, left[0])
        await leaving
        # What comes before the next call, during it, and in one read with what it returns.
        await deliver(wire, left[1])
        reading = asyncio.create_task(next_data(ws))
        await asyncio.sleep(0)
        await deliver(wire, left[2])
        assert not reading.done()
        await deliver(wire, left[3], *fragments(TEXT, b"ne", b"xt"))
        assert await reading == "next"
        if leave is not leave_by_closing:
            with pytest.raises(RuntimeError, match="something else has been received since"):
                await anext(stream)
            assert await pieces_of(stream) == []
        assert ws.dropped == 0
        assert ws.stats.messages_received == 2


async def test_a_message_that_was_left_when_all_of_it_had_come(scripted):
    async with linked(scripted) as (ws, wire):
        leaving = asyncio.create_task(leave_by_break(ws.receive_streaming()))
        await asyncio.sleep(0)
        await deliver(wire, *fragments(TEXT, b"1", b"2"), frame(TEXT, b"next"))
        await leaving
        assert ws.receive_nowait().data == "next"
        assert ws.receive_nowait() is None


async def test_a_wait_that_is_cut_short_loses_nothing(scripted):
    async with linked(scripted) as (ws, wire):
        stream = ws.receive_streaming(timeout=0.001)
        for _ in range(2):
            with pytest.raises(TimeoutError, match=r"no message within 0\.001 s"):
                await anext(stream)
        first, second, third = fragments(TEXT, b"a", b"b", b"c")
        await deliver(wire, first)
        assert await anext(stream) == "a"
        with pytest.raises(TimeoutError):
            await anext(stream)
        await deliver(wire, second, third, frame(TEXT, b"after"))
        assert await pieces_of(stream) == ["b", "c"]
        assert await ws.receive_str() == "after"


async def test_a_message_that_nobody_began_stays_whole(scripted):
    async with linked(scripted) as (ws, wire):
        first, second = fragments(TEXT, b"a", b"b")
        await leave_before_it_begins(ws.receive_streaming())
        await deliver(wire, first)
        await deliver(wire, second)
        assert await ws.receive_str() == "ab"
        # A stream that nobody has iterated does nothing.
        stream = ws.receive_streaming()
        await deliver(wire, first, second)
        assert await ws.receive_str() == "ab"
        await stream.aclose()
        assert await pieces_of(stream) == []


async def leave_before_it_begins(stream):
    waiting = asyncio.create_task(anext(stream))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_timeout_of_the_connection(scripted):
    async with linked(scripted, receive_timeout=0.001) as (ws, _):
        with pytest.raises(TimeoutError):
            await anext(ws.receive_streaming())
        with pytest.raises(ValueError, match="timeout is nan"):
            await anext(ws.receive_streaming(timeout=float("nan")))


async def test_one_task_receives_at_a_time(scripted):
    text = "^another task is already waiting in receive"
    async with linked(scripted) as (ws, wire):
        stream = ws.receive_streaming()
        reading = asyncio.create_task(pieces_of(stream))
        await asyncio.sleep(0)
        others = (ws.receive, ws.receive_many, ws.receive_many_str)
        for other in (*others, ws.receive_streaming().__anext__):
            with pytest.raises(RuntimeError, match=text):
                await other()
        with pytest.raises(RuntimeError, match=text):
            ws.receive_nowait()
        first, second = fragments(TEXT, b"a", b"b")
        await deliver(wire, first)
        with pytest.raises(RuntimeError, match=text):
            await anext(stream)
        with pytest.raises(RuntimeError, match=text):
            await stream.aclose()
        await deliver(wire, second)
        assert await reading == ["a", "b"]
        receiving = asyncio.create_task(ws.receive())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match=text):
            await anext(ws.receive_streaming())
        await deliver(wire, first, second)
        assert (await receiving).data == "ab"


async def test_a_later_stream_is_of_a_later_message(scripted):
    async with linked(scripted) as (ws, wire):
        earlier, later = ws.receive_streaming(), ws.receive_streaming()
        frames = fragments(TEXT, b"1", b"2") + fragments(TEXT, b"3", b"4")
        for stream, sent, piece in ((earlier, frames[:1], "1"), (later, frames[1:3], "3")):
            waiting = asyncio.create_task(anext(stream))
            await asyncio.sleep(0)
            await deliver(wire, *sent)
            assert await waiting == piece
        with pytest.raises(RuntimeError, match="something else has been received since"):
            await anext(earlier)
        await earlier.aclose()
        await deliver(wire, frames[3])
        assert await pieces_of(later) == ["4"]


async def test_a_slow_reader_slows_the_server_down(scripted):
    size, count = 10_000, 4000
    async with linked(scripted, max_msg_size=0) as (ws, wire):
        frames = fragments(BINARY, *[bytes(size)] * count)
        sending = asyncio.create_task(wire.send(*frames))
        stream = ws.receive_streaming()
        received = len(await anext(stream))
        while not ws._connection.reading_paused:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0)
        assert ws.stats.queue_high_water < 1024 * 1024
        async for piece in stream:
            received += len(piece)
        assert received == size * count
        await sending


@pytest.mark.parametrize("secure", [False, True])
async def test_messages_that_a_server_sends_in_fragments(secure):
    authority = trustme.CA()
    server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(server_tls)
    client_tls = trusting(authority)
    text = [chr(ord("a") + index) * 1000 for index in range(20)]
    data = [bytes([index]) * 100_000 for index in range(20)]

    async def handler(ws):
        async for _ in ws:
            await ws.send(text)
            await ws.send(data)
            await ws.send("after")

    tls = server_tls if secure else None
    async with websockets_serve(handler, "localhost", 0, ssl=tls) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        url = f"{'wss' if secure else 'ws'}://localhost:{port}/"
        async with ws_connect(url, ssl=client_tls, compress=15) as ws:
            for _ in range(2):
                await ws.send_str("go")
                pieces = await pieces_of(ws.receive_streaming())
                assert len(pieces) > 1
                assert "".join(pieces) == "".join(text)
                assert b"".join(await pieces_of(ws.receive_streaming())) == b"".join(data)
                assert await ws.receive_str() == "after"


@pytest.mark.parametrize("queue", [DropOldest(5), Conflate(lambda msg: None)])
async def test_not_with_a_queue_that_drops(scripted, queue):
    async with linked(scripted, queue=queue) as (ws, _):
        with pytest.raises(
            RuntimeError, match=r"^cannot receive_streaming\(\) with a queue that drops messages$"
        ):
            ws.receive_streaming()


async def test_not_without_autoping(scripted):
    async with linked(scripted, autoping=False) as (ws, _):
        with pytest.raises(RuntimeError, match=r"^cannot receive_streaming\(\) without autoping: "):
            ws.receive_streaming()


async def test_a_close_frame_that_the_user_answers(scripted):
    async with linked(scripted, autoclose=False) as (ws, wire):
        reading = asyncio.create_task(pieces_of(ws.receive_streaming()))
        await asyncio.sleep(0)
        await wire.send(fragments(TEXT, b"1", b"2")[0], frame(CLOSE, encode_close(1001, "bye")))
        with pytest.raises(
            WSMessageTypeError,
            match=r"^received a close message with code 1001 \(bye\), expected the rest of a",
        ):
            await reading


async def test_from_another_thread_it_is_the_loops_turn(scripted):
    async with linked(scripted) as (ws, wire):
        loop, stream, begun = asyncio.get_running_loop(), ws.receive_streaming(), asyncio.Event()

        async def read():
            begun.set()
            return await pieces_of(stream)

        future = await asyncio.to_thread(lambda: asyncio.run_coroutine_threadsafe(read(), loop))
        await begun.wait()
        await deliver(wire, *fragments(TEXT, b"a", b"b"))
        assert await asyncio.wrap_future(future) == ["a", "b"]


async def test_it_belongs_to_its_loops_thread(scripted):
    async with linked(scripted) as (ws, wire):
        stream = ws.receive_streaming()
        waiting = asyncio.create_task(anext(stream))
        await asyncio.sleep(0)
        await deliver(wire, fragments(TEXT, b"a", b"b")[0])
        assert await waiting == "a"
        with pytest.raises(RuntimeError, match="cannot stop receiving a message"):
            await asyncio.to_thread(lambda: asyncio.run(stream.aclose()))
