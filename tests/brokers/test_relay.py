"""`examples/relay.py` puts each message of a feed into NATS once and in order."""

import asyncio
import contextlib
import json

import nats.errors
import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext
from tests.brokers.conftest import until_printed

from wsclient.testing import FaultProxy, serve

pytestmark = pytest.mark.slow


@contextlib.asynccontextmanager
async def connected(broker):
    client = Client()
    await client.connect(broker.url, max_reconnect_attempts=-1)
    try:
        yield JetStreamContext(client)
    finally:
        await client.close()


async def stored(broker, count):
    """The numbers of the first messages that are stored, when there are so many."""
    async with asyncio.timeout(60), connected(broker) as js:
        subscription = await js.subscribe("feed.BTC", ordered_consumer=True)
        found = [await subscription.next_msg(timeout=60) for _ in range(count)]
        assert [msg.metadata.sequence.stream for msg in found] == list(range(1, count + 1))
        with pytest.raises(nats.errors.TimeoutError):
            await subscription.next_msg(timeout=0.1)
    return [json.loads(msg.data)["seq"] for msg in found]


@pytest.fixture
async def relay(run, nats, feed):
    """The example at work, with a server for each of its two sides."""
    async with (
        serve(feed) as one,
        serve(feed) as other,
        FaultProxy(one.url) as proxy,
    ):
        program = await run("relay.py", nats.url, "feed.BTC", proxy.url, other.url)
        program.proxy = proxy
        await until_printed(program, "open")
        async with asyncio.timeout(60):
            while not (one.received and other.received):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        yield program
        with contextlib.suppress(ProcessLookupError):
            program.process.kill()


async def test_two_sides_are_stored_once(relay, nats, feed):
    feed.tick(100)
    assert await stored(nats, 100) == list(range(1, 101))
    relay.proxy.strike("reset")
    feed.tick(100)
    assert await stored(nats, 200) == list(range(1, 201))


async def test_the_broker_is_killed(relay, nats, feed):
    feed.tick(50)
    await stored(nats, 50)
    await nats.kill()
    feed.tick(50)
    await until_printed(relay, "not stored")
    await nats.start()
    feed.tick(50)
    assert await stored(nats, 150) == list(range(1, 151))


async def test_a_stranger_is_noticed(relay, nats, feed):
    async with connected(nats) as js:
        await js.publish("feed.BTC", b"mine")
    feed.tick()
    async with asyncio.timeout(60):
        _, errors = await relay.process.communicate()
    assert errors.decode().splitlines()[-1] == "RuntimeError: somebody else publishes to feed.BTC"
