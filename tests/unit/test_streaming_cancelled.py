"""Whoever waits for the first piece of a message may be cancelled in the moment when it arrives."""

import asyncio

import pytest
from tests.conftest import BINARY, TEXT, frame

import wsclient.websockets

from .linked import linked

CONTINUATION = 0
FIRST, SECOND = frame(TEXT, "\u20aca".encode(), fin=False), frame(CONTINUATION, b"b", fin=False)
LAST = frame(CONTINUATION, b"c")


def cut_short(waiting, feed, *frames):
    """Step what waits, let frames arrive, and cancel it before it runs again."""
    waiting.send(None)
    for each in frames:
        feed(each)
    with pytest.raises(asyncio.CancelledError):
        waiting.throw(asyncio.CancelledError())


@pytest.mark.parametrize("before", [1, 2, 3])
@pytest.mark.parametrize(
    "receive", ["receive", "receive_many", "receive_str", "receive_many_str", "async for"]
)
async def test_the_message_comes_whole(scripted, receive, before):
    async with linked(scripted) as (ws, _):
        frames, feed = [FIRST, SECOND, LAST, frame(BINARY, b"next")], ws._connection.feed
        cut_short(anext(ws.receive_streaming()), feed, *frames[:before])
        for each in frames[before:]:
            feed(each)
        if receive == "receive_str":
            assert await ws.receive_str() == "\u20acabc"
        elif receive == "receive_many_str":
            assert await ws.receive_many_str() == ["\u20acabc"]
        elif receive == "receive_many":
            first, second = await ws.receive_many()
            assert (first.data, second.data) == ("\u20acabc", b"next")
            return
        else:
            get = ws.receive if receive == "receive" else lambda: anext(aiter(ws))
            assert (await get()).data == "\u20acabc"
        assert (await ws.receive()).data == b"next"
        assert (ws.stats.messages_received, ws.stats.bytes_received) == (2, 10)


async def test_it_comes_in_pieces_to_the_next_who_wants_that(scripted):
    async with linked(scripted, decode_text=False) as (ws, _):
        feed = ws._connection.feed
        cut_short(anext(ws.receive_streaming()), feed, FIRST, SECOND)
        stream = ws.receive_streaming()
        assert await anext(stream) == "\u20acab".encode()
        feed(LAST)
        assert [piece async for piece in stream] == [b"c"]


async def test_the_same_in_websockets_words(scripted):
    go = asyncio.Event()

    async def script(wire):
        await go.wait()
        await wire.send(LAST, frame(BINARY, b"next"))
        await wire.answer_close()

    async with wsclient.websockets.connect(await scripted(script), compression=None) as ws:
        stream = ws.recv_streaming()
        cut_short(anext(stream), ws._connection.feed, FIRST, SECOND)
        await stream.aclose()
        go.set()
        assert await ws.recv() == "\u20acabc"
        assert await ws.recv() == b"next"
