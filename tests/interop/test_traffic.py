"""Much at once: in both directions, in a burst, and faster than the other side takes it."""

import asyncio
import random

import pytest

from wsclient import MsgType

LARGE = 65536


def messages(seed, count):
    """Reproducible messages of many sizes; about 9 MB for a count of 2000."""
    sizes = [0, 1, 125, 126, 300, 4000, LARGE - 1, LARGE]
    weights = [5, 20, 20, 20, 20, 10, 3, 3]
    source = random.Random(seed)
    return [source.randbytes(size) for size in source.choices(sizes, weights, k=count)]


@pytest.mark.parametrize("awaits", [True, False], ids=["awaited", "not-awaited"])
async def test_both_directions_at_once(link, awaits):
    to_server, to_client = messages(1, 2000), messages(2, 2000)

    async def script(peer):
        async def send():
            for message in to_client:
                await peer.send(message)

        sending = asyncio.create_task(send())
        for number, message in enumerate(to_server):
            same = await peer.receive() == message
            assert same, number
        await sending

    async with link(script) as ws:

        async def send():
            for message in to_server:
                sent = ws.send_bytes(message)
                if awaits:
                    await sent

        sending = asyncio.create_task(send())
        for number, message in enumerate(to_client):
            same = await ws.receive_bytes() == message
            assert same, number
        await sending


async def test_many_tasks_send(link):
    """Frames of different tasks do not mix."""
    tasks, each = 20, 50

    async def script(peer):
        received = {number: [] for number in range(tasks)}
        for _ in range(tasks * each):
            number, index = (await peer.receive()).split()[:2]
            received[int(number)].append(int(index))
        assert all(indexes == list(range(each)) for indexes in received.values())

    async with link(script) as ws:

        async def send(number):
            for index in range(each):
                await ws.send_str(f"{number} {index} " + "x" * 5000)

        await asyncio.gather(*(send(number) for number in range(tasks)))


async def test_a_server_that_speaks_first_and_much(link):
    """Most of it arrives while the handshake is being read."""
    burst = messages(3, 2000)

    async def script(peer):
        for message in burst:
            await peer.send(message)
        assert await peer.receive() == "all"

    async with link(script) as ws:
        for number, message in enumerate(burst):
            same = (await ws.receive()).data == message
            assert same, number
        await ws.send_str("all")


async def test_a_client_that_receives_late(link):
    """Reading pauses, the server has to wait, and nothing is lost."""
    rounds, count = 3, 200
    sent = asyncio.Semaphore(0)

    async def script(peer):
        for _ in range(rounds):
            for number in range(count):
                await peer.send(number.to_bytes(2) * (LARGE // 2))
                sent.release()
            assert await peer.receive() == "next"

    async with link(script) as ws:
        for _ in range(rounds):
            await sent.acquire()
            for number in range(count):
                message = await ws.receive()
                assert message.tp is MsgType.binary
                assert message.data[:2] == number.to_bytes(2)
                assert len(message.data) == LARGE
                # Other tasks, the server's among them, go first.
                await asyncio.sleep(0)
            await ws.send_str("next")


async def test_reading_paused_by_hand(link):
    count = 500

    async def script(peer):
        assert await peer.receive() == "go"
        for _ in range(count):
            await peer.send(bytes(LARGE))
        assert await peer.receive() == "all"

    async with link(script) as ws:
        ws.pause_reading()
        await ws.send_str("go")
        with pytest.raises(TimeoutError):
            await ws.receive(timeout=0.05)
        ws.resume_reading()
        for _ in range(count):
            assert len(await ws.receive_bytes()) == LARGE
        await ws.send_str("all")


async def test_batches(link):
    count = 5000

    async def script(peer):
        for number in range(count):
            await peer.send(str(number))
        assert await peer.receive() == "all"

    async with link(script) as ws:
        received = []
        while len(received) < count:
            received += [message.data for message in await ws.receive_many()]
        assert received == [str(number) for number in range(count)]
        await ws.send_str("all")


async def test_a_server_that_receives_late(link):
    """`await` waits for the server; what was sent arrives, whole and in order."""
    count = 400
    may_read = asyncio.Event()

    async def script(peer):
        await may_read.wait()
        for number in range(count):
            message = await peer.receive()
            assert message[:2] == number.to_bytes(2)
            assert len(message) == LARGE

    async with link(script) as ws:

        async def send():
            for number in range(count):
                await ws.send_bytes(number.to_bytes(2) * (LARGE // 2))

        sending = asyncio.create_task(send())
        async with asyncio.timeout(10):
            while ws.buffered_amount == 0:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0)
        assert not sending.done()
        may_read.set()
        await sending
