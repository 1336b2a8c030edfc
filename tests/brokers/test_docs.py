"""What docs/scaling.md shows, and what its figures come from."""

import asyncio
import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext
from redis.asyncio import Redis
from tests.docs.pages import blocks

ROOT = Path(__file__).parents[2]


@pytest.fixture
def shown():
    """What the page's code defines."""
    names = {}
    exec("\n".join(block.text for block in blocks("scaling.md")), names)
    return names


async def first(count, entries):
    found = []
    async with asyncio.timeout(60):
        async for entry in entries:
            found.append(entry)
            if len(found) == count:
                break
    return found


def test_the_code_is_run_here(shown):
    functions = {name for name, value in shown.items() if inspect.isfunction(value)}
    assert functions == {"from_nats", "from_redis", "checked"}


async def test_a_client_of_nats(shown, nats):
    client = Client()
    await client.connect(nats.url)
    js = JetStreamContext(client)
    await js.add_stream(name="feed", subjects=["feed.BTC"])
    for data in (b"one", b"two"):
        await js.publish("feed.BTC", data)
    assert await first(2, shown["from_nats"](js, "feed.BTC")) == [(1, b"one"), (2, b"two")]
    await client.close()


async def test_a_client_of_redis(shown, redis):
    async with Redis.from_url(redis.url, decode_responses=True) as client:
        for seq, token in [(1, 1), (2, 2), (3, 1), (3, 2), (5, 2)]:
            fields = {"token": token, "data": f"{seq} of {token}"}
            await client.xadd("feed:BTC", fields, id=f"{seq}-{token}" if seq == 3 else f"{seq}-0")
        entries = await first(5, shown["from_redis"](client, "BTC"))
        assert entries[:2] == [(1, 1, "1 of 1"), (2, 2, "2 of 2")]
        checked = shown["checked"](shown["from_redis"](client, "BTC"))
        assert await first(3, checked) == ["1 of 1", "2 of 2", "3 of 2"]
        with pytest.raises(LookupError, match="4 to 4 are missing"):
            await first(4, shown["checked"](shown["from_redis"](client, "BTC")))


@pytest.mark.slow
def test_what_it_costs():
    command = [sys.executable, ROOT / "benches/brokers.py", "--count", "300", "--paced", "100"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=200)
    if "is not installed" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert (done.returncode, done.stderr) == (0, "")
    header, _, *rows = done.stdout.splitlines()
    (page,) = [
        line
        for line in (ROOT / "docs/scaling.md").read_text().splitlines()
        if line.startswith("| | CPU")
    ]
    assert header == page
    assert [row.count("|") for row in rows] == [7] * 4
