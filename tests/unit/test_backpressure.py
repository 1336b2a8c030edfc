"""Whoever does not read slows the other side down, and nothing is lost or piled up."""

import asyncio
import gc
import socket
import ssl

import pytest
import trustme
from tests.conftest import BINARY, PING, PONG, TEXT, frame, trusting
from websockets.asyncio.server import serve as websockets_serve

from wsclient import (
    ClientConnectionResetError,
    ClientSession,
    Conflate,
    DropOldest,
    ws_connect,
)

from .linked import deliver, linked

MiB = 1024 * 1024
# What the system may hold for a TCP connection on loopback, both ends together.
KERNEL = 24 * MiB
# What the client may hold: its high-water mark, one read, and one message.
CLIENT = MiB


async def until(condition):
    while not condition():  # noqa: ASYNC110 - there is no event for it
        await asyncio.sleep(0)


async def stalled(amount):
    """Wait until a transport's write buffer, of size `amount()`, is no longer emptied.

    Returns:
        Whether it is above the low-water mark of transports, so that writers wait.
    """
    while True:
        passes, before = 0, None
        while passes < 20:
            passes, before = (passes + 1 if amount() == before else 0), amount()
            await asyncio.sleep(0)
        if before <= 16 * 1024:
            return False
        # The other end's system may acknowledge as late as this, and then there is room again.
        await asyncio.sleep(0.25)
        if amount() == before:
            return True


class Pusher:
    """Sends numbered messages to a client, as fast as it takes them, until told to end."""

    def __init__(self, wire, size):
        self.wire = wire
        self.size = size
        self.count = 0
        self.enough = False
        self.task = asyncio.create_task(self.push())

    async def push(self):
        while not self.enough:
            number = self.count.to_bytes(4, "big")
            await self.wire.send(frame(BINARY, number + bytes(self.size)))
            self.count += 1
        await self.wire.send(frame(TEXT, b"end"))


def numbers(messages):
    return [int.from_bytes(msg.data[:4], "big") for msg in messages]


async def receive_to_the_end(ws):
    """Receive up to the text message "end", and return what came before it."""
    received = []
    while True:
        received += await ws.receive_many()
        if received[-1].data == "end":
            return received[:-1]


@pytest.mark.parametrize("size", [100, 4096, 300_000])
async def test_a_slow_consumer_slows_the_server_down(scripted, size):
    async with linked(scripted) as (ws, wire):
        pusher = Pusher(wire, size)
        await until(lambda: ws._connection.reading_paused)
        assert await stalled(wire.transport.get_write_buffer_size)
        assert pusher.count * size < KERNEL + CLIENT

        ws.pause_reading()
        held = []
        while (msg := ws.receive_nowait()) is not None:
            held.append(msg)
        assert len(held) * size < CLIENT
        ws.resume_reading()

        pusher.enough = True
        received = held + await receive_to_the_end(ws)
        assert numbers(received) == list(range(pusher.count))


async def test_empty_messages_fill_the_inbox_too(scripted):
    async with linked(scripted) as (ws, wire):
        sent = asyncio.create_task(wire.send(frame(BINARY) * 300_000, frame(TEXT, b"end")))
        await until(lambda: ws._connection.reading_paused)
        assert len(await receive_to_the_end(ws)) == 300_000
        await sent


async def test_a_large_message_passes_a_full_inbox(scripted):
    async with linked(scripted) as (ws, wire):
        large = bytes(range(256)) * 12_000
        sent = asyncio.create_task(wire.send(*[frame(BINARY, large)] * 3))
        for _ in range(3):
            assert (await ws.receive()).data == large
        await sent
        await deliver(wire)
        assert not ws._connection.reading_paused


async def test_the_user_pauses_reading(scripted):
    async with linked(scripted) as (ws, wire):
        await deliver(wire, frame(TEXT, b"before"))
        ws.pause_reading()
        assert ws._connection.reading_paused
        pusher = Pusher(wire, 4096)
        assert await stalled(wire.transport.get_write_buffer_size)
        assert ws.receive_nowait().data == "before"
        assert ws.receive_nowait() is None
        ws.resume_reading()
        assert not ws._connection.reading_paused
        pusher.enough = True
        assert numbers(await receive_to_the_end(ws)) == list(range(pusher.count))


async def test_reasons_to_pause_add_up(scripted):
    async with linked(scripted) as (ws, wire):
        pusher = Pusher(wire, 4096)
        await until(lambda: ws._connection.reading_paused)
        ws.pause_reading()
        ws.resume_reading()
        assert ws._connection.reading_paused, "the inbox is still full"
        ws.pause_reading()
        while ws.receive_nowait() is not None:
            pass
        assert ws._connection.reading_paused, "the user has not resumed"
        ws.resume_reading()
        assert not ws._connection.reading_paused
        pusher.enough = True
        await receive_to_the_end(ws)


async def test_a_waiting_reader_is_served_after_a_pause(scripted):
    async with linked(scripted) as (ws, wire):
        ws.pause_reading()
        ws.pause_reading()
        task = asyncio.create_task(ws.receive())
        await wire.send(frame(TEXT, b"a"))
        ws.resume_reading()
        assert (await task).data == "a"


async def test_tls_delivers_what_was_read_before_a_pause():
    """A transport that decrypts ahead must give the rest after the pause, unasked."""
    authority = trustme.CA()
    server_tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(server_tls)
    client_tls = trusting(authority)
    done = asyncio.Event()

    async def push(ws):
        for number in range(1000):
            await ws.send(number.to_bytes(4, "big") + bytes(2000))
        await ws.send("end")
        await done.wait()

    async with websockets_serve(push, "localhost", 0, ssl=server_tls) as server:
        port = server.sockets[0].getsockname()[1]
        async with ws_connect(f"wss://localhost:{port}/", ssl=client_tls) as ws:
            async with asyncio.timeout(10):
                await until(lambda: ws._connection.reading_paused)
                assert numbers(await receive_to_the_end(ws)) == list(range(1000))
            done.set()


async def fill(ws, payload=bytes(10_000)):
    """Send until the transport wants no more, and return the number of messages."""
    count = 0
    while not await stalled(lambda: ws.buffered_amount):
        while ws.buffered_amount <= 64 * 1024:
            ws.send_bytes(payload)
            count += 1
    return count


async def waits(sent):
    """Start a task that awaits what `send_*()` returned, and see that it waits."""
    task = asyncio.create_task(sent)
    for _ in range(10):
        await asyncio.sleep(0)
    assert not task.done()
    return task


async def received(wire, count):
    return [(await wire.receive()).payload for _ in range(count)]


async def test_a_send_with_room_does_not_suspend(scripted):
    async with linked(scripted) as (ws, wire):
        for sent in ws.send_bytes(b"a"), ws.send_str("b"), ws.send_json(1), ws.ping(), ws.pong():
            with pytest.raises(StopIteration):
                sent.send(None)
        assert await received(wire, 5) == [b"a", b"b", b"1", b"", b""]


async def test_a_slow_server_makes_senders_wait(scripted):
    async with linked(scripted) as (ws, wire):
        count = await fill(ws)
        tasks = [await waits(ws.send_bytes(b"%d" % number)) for number in range(5)]
        await received(wire, count)
        assert await received(wire, 5) == [b"0", b"1", b"2", b"3", b"4"]
        assert await asyncio.gather(*tasks) == [None] * 5
        await until(lambda: ws.buffered_amount == 0)


async def test_a_cancelled_send_is_sent_all_the_same(scripted):
    async with linked(scripted) as (ws, wire):
        count = await fill(ws)
        task = await waits(ws.send_bytes(b"cancelled"))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ws.send_bytes(b"late"), 0.001)
        after = await waits(ws.send_bytes(b"after"))
        await received(wire, count)
        assert await received(wire, 3) == [b"cancelled", b"late", b"after"]
        await after


async def test_a_lost_connection_ends_the_wait_of_senders(scripted):
    async with linked(scripted) as (ws, wire):
        await fill(ws)
        tasks = [await waits(ws.send_bytes(b"")) for _ in range(2)]
        wire.reset()
        for task in tasks:
            with pytest.raises(ClientConnectionResetError):
                await task
        with pytest.raises(ClientConnectionResetError):
            ws.send_str("more")


async def test_sends_that_nobody_awaits_are_queued_in_order(scripted):
    async with linked(scripted) as (ws, wire):
        amounts = []
        for number in range(100):
            ws.send_bytes(number.to_bytes(4, "big") + bytes(100_000))
            amounts.append(ws.buffered_amount)
        gc.collect()
        assert amounts == sorted(amounts)
        assert amounts[-1] > MiB
        for number in range(100):
            assert (await wire.receive()).payload[:4] == number.to_bytes(4, "big")
        await until(lambda: ws.buffered_amount == 0)


async def test_pongs_owed_to_a_peer_that_does_not_read_are_bounded(scripted):
    async with linked(scripted) as (ws, wire):
        count = 40_000
        pings = b"".join(
            frame(PING, number.to_bytes(4, "big") + bytes(121)) for number in range(count)
        )
        # What the system holds must not hide what the client would.
        theirs, ours = wire.transport.get_extra_info("socket"), ws.get_extra_info("socket")
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)
        flood = asyncio.create_task(wire.send(pings))
        await until(lambda: ws.buffered_amount > 0)
        assert await stalled(lambda: ws.buffered_amount)
        assert ws.buffered_amount < 2 * MiB

        last = -1
        while last < count - 1:
            pong = await wire.receive()
            assert pong.opcode == PONG
            number = int.from_bytes(pong.payload[:4], "big")
            assert number > last
            last = number
        await flood
        await deliver(wire, frame(TEXT, b"still"))
        assert (await ws.receive()).data == "still"
        await ws.send_str("here")
        assert (await wire.receive()).payload == b"here"


async def test_messages_between_the_pings_of_a_flood_arrive(scripted):
    async with linked(scripted) as (ws, wire):
        both = [frame(PING, bytes(100)) + frame(TEXT, b"%d" % number) for number in range(20_000)]
        flood = asyncio.create_task(wire.send(*both))
        await until(lambda: ws._connection.reading_paused)

        async def discard():
            while (await wire.receive()) is not None:
                pass

        server = asyncio.create_task(discard())
        texts = [await ws.receive_str() for _ in range(20_000)]
        assert texts == [str(number) for number in range(20_000)]
        await flood
        server.cancel()


@pytest.mark.parametrize(
    ("bounds", "high", "low"), [(16, 16, 4), (3, 3, 0), (1, 1, 0), ((8, 7), 8, 7), ([5, 0], 5, 0)]
)
async def test_a_queue_bounded_in_messages(scripted, bounds, high, low):
    async with linked(scripted, max_queue=bounds) as (ws, wire):
        await wire.send(*[frame(BINARY, bytes([number])) for number in range(100)])
        await until(lambda: ws._connection.reading_paused)
        # Nobody has asked for more, so these are all that are parsed.
        for number in range(high - low):
            assert ws._connection.reading_paused
            assert ws.stats.messages_received == high
            assert ws.receive_nowait().data == bytes([number])
        assert ws.stats.messages_received == 2 * high - low
        for number in range(high - low, 100):
            assert (await ws.receive()).data == bytes([number])
        await until(lambda: not ws._connection.reading_paused)


async def test_pieces_of_a_message_count_one_each(scripted):
    async with linked(scripted, max_queue=2) as (ws, wire):
        stream = ws.receive_streaming()
        waiting = asyncio.create_task(anext(stream))
        await asyncio.sleep(0)
        pieces = [frame(0, bytes([number]), fin=number == 9) for number in range(10)]
        await wire.send(frame(BINARY, b"first", fin=False), *pieces, frame(TEXT, b"after"))
        assert await waiting == b"first"
        await until(lambda: ws._connection.reading_paused)
        assert ws.stats.bytes_received <= len(b"first") + 2
        assert [piece async for piece in stream] == [bytes([number]) for number in range(10)]
        assert await ws.receive_str() == "after"


async def test_bytes_bound_a_queue_of_many_messages_too(scripted):
    async with linked(scripted, max_queue=100_000) as (ws, wire):
        pusher = Pusher(wire, 4096)
        await until(lambda: ws._connection.reading_paused)
        assert ws.stats.queue_high_water < CLIENT
        pusher.enough = True
        assert numbers(await receive_to_the_end(ws)) == list(range(pusher.count))


@pytest.mark.parametrize("queue", [DropOldest(5), Conflate(len)])
async def test_a_policy_has_its_own_bound(queue):
    text = "^max_queue cannot be used with queue: a policy has its own max_size$"
    with pytest.raises(ValueError, match=text):
        ws_connect("ws://localhost/", queue=queue, max_queue=5)
    async with ClientSession(queue=queue) as session:
        with pytest.raises(ValueError, match=text):
            session.ws_connect("ws://localhost/", max_queue=5)
