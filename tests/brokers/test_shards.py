"""`examples/shards.py`: workers that share feeds, of which some die."""

import asyncio
import json

import pytest
from redis.asyncio import Redis
from tests.brokers.conftest import go_on, pause, until_printed

from wsclient.testing import serve

pytestmark = pytest.mark.slow
FEEDS = ["BTC", "ETH", "SOL", "XRP"]
LEASE = "0.5"


@pytest.fixture
async def start(run, redis, feed):
    """A function that starts a worker."""
    async with serve(feed) as server:

        async def start(*feeds, lease=LEASE):
            return await run("shards.py", redis.url, server.url, lease, *(feeds or FEEDS))

        start.server = server
        yield start


async def stored(broker, count):
    """Wait for so many messages of each feed; there is none else, and none is missing."""
    async with Redis.from_url(broker.url, decode_responses=True) as redis, asyncio.timeout(60):
        for name in FEEDS:
            last, entries = "0-0", []
            while len(entries) < count:
                for _, found in await redis.xread({f"feed:{name}": last}, block=1000):
                    entries += found
                    last = found[-1][0]
            assert [entry for entry, _ in entries] == [f"{seq}-0" for seq in range(1, count + 1)]
            messages = [json.loads(fields["data"]) for _, fields in entries]
            assert messages == [{"symbol": name, "seq": seq} for seq in range(1, count + 1)]
            tokens = [int(fields["token"]) for _, fields in entries]
            assert tokens == sorted(tokens)


async def leases(broker):
    """Who has how many of the feeds."""
    async with Redis.from_url(broker.url, decode_responses=True) as redis:
        holders = [await redis.get(f"lease:{name}") for name in FEEDS]
    return {holder: holders.count(holder) for holder in holders}


async def until_shared(broker, workers):
    async with asyncio.timeout(60):
        while True:
            found = await leases(broker)
            if None not in found and sorted(found.values()) == [len(FEEDS) // workers] * workers:
                return
            await asyncio.sleep(0.02)


async def test_one_is_killed(start, redis, feed):
    workers = [await start(), await start()]
    await until_shared(redis, 2)
    feed.tick(20)
    await stored(redis, 20)
    workers[0].process.kill()
    feed.tick(20)
    # While nobody follows half of the feeds.
    await stored(redis, 40)
    await until_shared(redis, 1)
    feed.tick(20)
    await stored(redis, 60)


async def test_one_is_paused_for_longer_than_its_leases(start, redis, feed):
    first = await start()
    await until_shared(redis, 1)
    feed.tick(20)
    await stored(redis, 20)
    pause(first)
    feed.tick(20)
    second = await start()
    for name in FEEDS:
        await until_printed(second, f"{name} taken")
    feed.tick(20)
    await stored(redis, 60)
    # It still has messages, and believes that it may publish them.
    go_on(first)
    await until_printed(first, "left")
    await until_shared(redis, 2)
    feed.tick(20)
    await stored(redis, 80)


async def test_the_broker_is_killed(start, redis, feed):
    await start()
    await start()
    await until_shared(redis, 2)
    feed.tick(20)
    await stored(redis, 20)
    await redis.kill()
    feed.tick(20)
    await redis.start()
    feed.tick(20)
    await stored(redis, 60)


async def test_two_follow_a_feed_that_cannot_be_resumed(start, redis, feed):
    feed.resumes = False
    twice = [f"{name}/{number}" for number in (1, 2) for name in FEEDS]
    # None is lost because this machine is busy.
    workers = [await start(*twice, lease="20"), await start(*twice, lease="20")]
    async with asyncio.timeout(60):
        while len(start.server.received) < len(twice):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    feed.tick(20)
    await stored(redis, 20)
    workers[1].process.kill()
    feed.tick(20)
    await stored(redis, 40)


async def test_one_that_ends_gives_its_leases_back(start, redis, feed):
    worker = await start()
    await until_shared(redis, 1)
    worker.process.terminate()
    async with asyncio.timeout(60):
        lines = await worker.rest()
    assert [line.partition(" ")[2] for line in lines][-4:] == ["left"] * 4
    assert await leases(redis) == {None: 4}


async def test_one_that_fails_says_why(run, redis):
    async with serve() as server:
        worker = await run("shards.py", redis.url, server.url + "x" * 9000, LEASE, *FEEDS)
        async with asyncio.timeout(60):
            _, errors = await worker.process.communicate()
    assert "WSServerHandshakeError" in errors.decode().splitlines()[-1]


async def test_nothing_is_stored_of_one_that_has_lost_its_lease(start, redis, feed):
    worker = await start()
    await until_shared(redis, 1)
    feed.tick(20)
    await stored(redis, 20)
    pause(worker)
    async with Redis.from_url(redis.url, decode_responses=True) as client:
        while await client.exists("lease:BTC"):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        # Another worker has taken it, and has stored nothing yet.
        await client.set("lease:BTC", "another", px=60_000)
        await client.incr("token:BTC")
        feed.tick(20)
        go_on(worker)
        await until_printed(worker, "BTC left")
        assert await client.xlen("feed:BTC") == 20
