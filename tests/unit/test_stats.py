"""Counters of connections and sessions, and the times of messages."""

import asyncio
import gc
import time

import pytest
from tests.conftest import BINARY, CLOSE, PING, PONG, TEXT, accept, frame
from websockets.asyncio.server import serve

from wsclient import ClientSession, MsgType, Stats, ws_connect

from .linked import deliver, linked

NOTHING = Stats(*[0] * len(Stats._fields))


async def test_what_a_connection_counts(scripted):
    async with linked(scripted) as (ws, wire):
        assert ws.stats == NOTHING
        await deliver(
            wire, frame(TEXT, b"abc", fin=False), frame(0, b"de"), frame(BINARY, bytes(300))
        )
        ws.send_str("é")
        ws.send_bytes(bytes(1000))
        ws.ping()
        await ws.receive_many()
        stats = ws.stats
        assert (stats.messages_received, stats.bytes_received) == (2, 305)
        assert (stats.frames_received, stats.control_frames_received) == (4, 1)
        assert (stats.messages_sent, stats.bytes_sent) == (2, 1002)
        # The pong that `deliver` has asked for, and the ping.
        assert (stats.frames_sent, stats.control_frames_sent) == (4, 2)
        assert (stats.received_ratio, stats.sent_ratio, stats.pauses) == (None, None, 0)
        assert 305 < stats.queue_high_water < 1000


@pytest.mark.parametrize("size", [1_000_000, 100_000])
async def test_a_large_message_counts_as_any_other(scripted, size):
    async with linked(scripted) as (ws, wire):
        await deliver(wire, frame(BINARY, bytes(size)))
        assert (ws.stats.messages_received, ws.stats.bytes_received) == (1, size)


async def test_pauses_are_counted(scripted):
    async with linked(scripted) as (ws, wire):
        sent = asyncio.create_task(wire.send(*[frame(BINARY, bytes(4096))] * 1000))
        while not ws._connection.reading_paused:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0)
        assert ws.stats.pauses == 1
        ws.pause_reading()
        assert ws.stats.pauses == 1
        ws.resume_reading()
        for _ in range(1000):
            await ws.receive()
        await sent
        assert ws.stats.messages_received == 1000
        assert ws.stats.queue_high_water >= 512 * 1024


async def test_compression_is_measured():
    async def handler(ws):
        async for message in ws:
            await ws.send(message)

    async with (
        serve(handler, "127.0.0.1", 0, compression="deflate") as server,
        ws_connect(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/", compress=15) as ws,
    ):
        await ws.send_bytes(bytes(100_000))
        await ws.send_bytes(b"plain", compress=0)
        assert len((await ws.receive()).data) == 100_000
        await ws.receive()
        stats = ws.stats
        assert (stats.bytes_sent, stats.compressed_bytes) == (100_005, 100_000)
        assert stats.sent_ratio > 50
        assert stats.bytes_received == 100_005
        assert stats.received_ratio > 50
        assert stats.deflated_bytes_received < 2000


async def test_a_session_counts_connections_that_are_gone_too(echo):
    async with ClientSession() as session:
        assert session.stats == NOTHING
        for number in range(3):
            async with session.ws_connect(echo) as ws:
                await ws.send_str("hello")
                await ws.receive()
                assert session.stats.messages_sent == number + 1
        assert session.stats.frames_sent == 6
        assert session.stats.control_frames_received == 3
        high_water = ws.stats.queue_high_water
        del ws
        gc.collect()
        assert len(session._websockets) == 0
        stats = session.stats
        assert (stats.messages_sent, stats.bytes_received, stats.frames_sent) == (3, 15, 6)
        assert stats.queue_high_water == high_water


async def test_a_violation_is_counted_as_far_as_it_came(scripted):
    async with linked(scripted) as (ws, wire):
        await wire.send(frame(TEXT, b"a"), frame(PONG), b"\x83\x00")
        assert [(await ws.receive()).tp for _ in range(2)] == [MsgType.text, MsgType.error]
        assert (ws.stats.frames_received, ws.stats.control_frames_received) == (2, 1)
        assert (await wire.receive()).opcode == CLOSE
        assert ws.stats.control_frames_sent == 1


async def test_messages_say_when_they_were_read(scripted):
    async with linked(scripted, receive_time=True, autoping=False) as (ws, wire):
        before = time.monotonic()
        await wire.send(frame(TEXT, b"a"), frame(PING), frame(BINARY, b"b"))
        messages = [await ws.receive() for _ in range(3)]
        after = time.monotonic()
        assert [msg.data for msg in messages] == ["a", b"", b"b"]
        for msg in (messages[0], messages[2]):
            assert before <= msg.extra <= after
        assert messages[1].extra == ""


async def test_messages_that_come_with_the_handshake_say_when_they_were_read():
    async def serve_one(reader, writer):
        request = await reader.readuntil(b"\r\n\r\n")
        writer.write(accept(request) + frame(TEXT, b"a") + frame(BINARY, b"b"))
        await reader.read(1000)  # its close frame
        writer.close()

    async with await asyncio.start_server(serve_one, "127.0.0.1", 0) as listening:
        url = f"ws://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
        before = time.monotonic()
        async with ws_connect(url, receive_time=True) as ws:
            for expected in ("a", b"b"):
                msg = await ws.receive()
                assert msg.data == expected
                assert before <= msg.extra <= time.monotonic()


async def test_times_are_off_by_default(scripted):
    async with linked(scripted) as (ws, wire):
        await wire.send(frame(TEXT, b"a"))
        assert (await ws.receive()).extra == ""
        assert ws._connection.idle_time is None


async def test_a_large_message_has_the_time_of_its_end(scripted):
    async with linked(scripted, receive_time=True) as (ws, wire):
        data = frame(BINARY, bytes(3_000_000))
        await wire.send(data[:100_000])
        task = asyncio.create_task(ws.receive())
        await asyncio.sleep(0.02)
        middle = time.monotonic()
        await wire.send(data[100_000:])
        assert (await task).extra > middle
