"""Share feeds out over processes: `python examples/shards.py REDIS URL LEASE BTC ETH ...`, N times.

A worker follows the feeds for which it holds a lease of LEASE seconds, and puts each into a Redis
stream. When it dies, others take over, from the last message in the stream on. A feed that cannot
be asked for what has been is given twice, as BTC/1 BTC/2: then two workers follow it.
"""

import asyncio
import contextlib
import math
import signal
import sys
import uuid
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff

import wsclient

# How many workers are alive, by the clock of Redis.
COUNT = """
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
return redis.call('ZCARD', KEYS[1])
"""
# The lease, if nobody has it. Its token is higher than any before.
ACQUIRE = """
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
    return redis.call('INCR', KEYS[2])
end
"""
RENEW = "return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('PEXPIRE', KEYS[1], ARGV[2])"
RELEASE = "return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('DEL', KEYS[1])"
# Nothing of a worker whose lease has gone to another, however late it comes; and nothing twice, as
# the feed's number is the entry's ID.
PUBLISH = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)
last = last[1] and tonumber(string.match(last[1][1], '%d+')) or 0
for i = 2, #ARGV, 2 do
    if tonumber(ARGV[i]) > last then
        redis.call('XADD', KEYS[2], 'MAXLEN', '~', 1000000, ARGV[i] .. '-0',
                   'token', ARGV[1], 'data', ARGV[i + 1])
    end
end
return 1
"""


def symbol(feed: str) -> str:
    return feed.partition("/")[0]


class Worker:
    def __init__(self, redis: Redis, url: str, lease: float, feeds: list[str]) -> None:
        self.redis = redis
        self.url = url
        self.lease = round(lease * 1000)
        self.feeds = feeds
        self.name = uuid.uuid4().hex
        self.following: dict[str, asyncio.Task[None]] = {}

    async def call(self, script: str, *keys: str, args: list[Any]) -> int:
        return int(await self.redis.register_script(script)(keys=keys, args=args) or 0)

    async def run(self) -> None:
        try:
            while True:
                await self.share_out()
                await asyncio.sleep(self.lease / 4000)
        finally:
            # Leases that cannot be given back run out.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.lease / 1000):
                    for feed in list(self.following):
                        await self.leave(feed)
                    await self.redis.zrem("workers", self.name)

    async def share_out(self) -> None:
        """Renew the leases, and have as many as is fair."""
        workers = await self.call(COUNT, "workers", args=[self.name, self.lease])
        for feed, task in list(self.following.items()):
            renewed = await self.call(RENEW, f"lease:{feed}", args=[self.name, self.lease])
            if not renewed or task.done():
                await self.leave(feed)
        fair = math.ceil(len(self.feeds) / workers)
        for feed in list(self.following)[fair:]:
            await self.leave(feed)
        for feed in self.feeds:
            if symbol(feed) not in map(symbol, self.following) and len(self.following) < fair:
                keys, args = (f"lease:{feed}", f"token:{feed}"), [self.name, self.lease]
                if token := await self.call(ACQUIRE, *keys, args=args):
                    self.following[feed] = asyncio.create_task(self.follow(feed, token))

    async def leave(self, feed: str) -> None:
        task = self.following.pop(feed)
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()  # what went wrong is raised
        await self.call(RELEASE, f"lease:{feed}", args=[self.name])
        print(f"{feed} left", flush=True)

    async def follow(self, feed: str, token: int) -> None:
        print(f"{feed} taken with token {token}", flush=True)
        async for ws in wsclient.reconnect(self.url, heartbeat=20):
            await ws.send_json({"subscribe": symbol(feed), "after": await self.last(feed)})
            going_on = True
            while going_on:
                messages = await ws.receive_many()
                entries: list[Any] = []
                for msg in messages:
                    if msg.type is wsclient.WSMsgType.TEXT:
                        entries += [msg.json()["seq"], msg.data]
                keys = (f"token:{feed}", f"feed:{symbol(feed)}")
                if not await self.call(PUBLISH, *keys, args=[token, *entries]):
                    return
                going_on = not ws.closed

    async def last(self, feed: str) -> int:
        entries: Any = await self.redis.xrevrange(f"feed:{symbol(feed)}", count=1)
        return int(entries[0][0].split("-")[0]) if entries else 0


async def main(broker: str, url: str, lease: str, *feeds: str) -> None:
    # What is sent twice, as its answer was lost, is stored once: so try for as long as it takes.
    retry = Retry(ConstantBackoff(0.1), -1)
    # With a socket_timeout it uses asyncio.wait_for, which loses cancellations up to Python 3.11.
    options: dict[str, Any] = {"decode_responses": True, "retry": retry, "socket_timeout": None}
    redis = Redis.from_url(broker, **options)  # pyright: ignore[reportUnknownMemberType]
    running = asyncio.create_task(Worker(redis, url, float(lease), [*feeds]).run())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await running
    await redis.aclose()


asyncio.run(main(*sys.argv[1:]))
