"""What it costs to pass a feed on through a broker: `python benches/brokers.py`.

A server sends the same messages each time: to a client, to a race of two connections, and to
`examples/relay.py` and `examples/shards.py`, whose brokers a client reads then. CPU time is that of
a process, per message, of many that come at once; latency is from the server's sending to the
client's receiving, with a message every few milliseconds. All run on this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import wsclient
from wsclient import testing

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

EXAMPLES = Path(__file__).parents[1] / "examples"
SIZE = 256
SUBJECT = "feed.BTC"
READY = "ready"
WAYS = {
    "one connection": 1,
    "`race` of two": 2,
    "`relay.py`, NATS JetStream": 2,
    "`shards.py`, Redis Streams": 1,
}


def seq(msg: wsclient.Message) -> int:
    """Tell which message it is."""
    return int(msg.json()["seq"])


async def subscribe(ws: wsclient.ClientWebSocketResponse) -> None:
    """Say that messages are wanted."""
    await ws.send_json({"subscribe": "BTC"})


async def from_websocket(url: str) -> AsyncGenerator[str, None]:
    """Yield the messages of one connection."""
    print(READY, flush=True)
    async with wsclient.ws_connect(url) as ws:
        await subscribe(ws)
        async for msg in ws:
            yield msg.data


async def from_race(url: str) -> AsyncGenerator[str, None]:
    """Yield those of two."""
    print(READY, flush=True)
    async for feed in wsclient.race([url, url], key=seq, on_connect=subscribe):
        async for msg in feed:
            yield str(msg.data)


async def from_nats(url: str) -> AsyncGenerator[bytes, None]:
    """Yield those that the relay has stored."""
    from nats.aio.client import Client  # noqa: PLC0415 - only here
    from nats.js import JetStreamContext  # noqa: PLC0415

    client = Client()
    await client.connect(url)
    subscription = await JetStreamContext(client).subscribe(SUBJECT, ordered_consumer=True)
    print(READY, flush=True)
    while True:
        yield (await subscription.next_msg(timeout=60)).data


async def from_redis(url: str) -> AsyncGenerator[bytes, None]:
    """Yield those that the worker has stored."""
    from redis.asyncio import Redis  # noqa: PLC0415 - only here

    redis, last = Redis.from_url(url), b"0-0"
    await redis.ping()
    print(READY, flush=True)
    while True:
        for _, entries in await redis.xread({"feed:BTC": last}, block=1000):
            for last, entry in entries:  # noqa: B007 - the next read begins there
                yield entry[b"data"]


FOLLOWING: dict[str, Callable[[str], AsyncIterator[str | bytes]]] = dict(
    zip(WAYS, (from_websocket, from_race, from_nats, from_redis), strict=True)
)


async def follow(way: str, url: str, count: int) -> None:
    """Print the seconds of CPU time of so many messages, and by how many they were late."""
    late, began = [], 0.0
    async for data in FOLLOWING[way](url):
        late.append(time.monotonic() - json.loads(data)["sent"])
        began = began or time.process_time()
        if len(late) == count:
            break
    spent = time.process_time() - began
    del late[: count // 10]  # everybody has to get going
    median, tail = statistics.median(late), statistics.quantiles(late, n=100)[98]
    print(json.dumps([spent / count, median, tail]), flush=True)
    os._exit(0)


class Source:
    """The server's handler: sends as many as it is told when all have subscribed."""

    def __init__(self, connections: int, count: int, pause: float) -> None:
        self.waiting = connections
        self.count = count
        self.pause = pause
        self.subscribed = asyncio.Event()
        self.go = asyncio.Event()

    async def __call__(self, ws: testing.ServerConnection) -> None:
        """Play a connection."""
        await ws.recv()
        self.waiting -= 1
        if self.waiting == 0:
            self.subscribed.set()
        await self.go.wait()
        for number in range(1, self.count + 1):
            message = {"seq": number, "sent": time.monotonic(), "pad": ""}
            message["pad"] = "x" * (SIZE - len(json.dumps(message)))
            await ws.send(message)
            if self.pause:
                await asyncio.sleep(self.pause)
        await asyncio.Event().wait()


@contextlib.asynccontextmanager
async def program(*command: Any, ready: str = "") -> AsyncIterator[tuple[Any, str]]:
    """Run a program; yield it, and the first line that says that it is ready."""
    pipe, errors = asyncio.subprocess.PIPE, asyncio.subprocess.STDOUT if ready else None
    process = await asyncio.create_subprocess_exec(*map(str, command), stdout=pipe, stderr=errors)
    assert process.stdout is not None
    try:
        said = ""
        while ready not in said.rpartition("\n")[2]:
            line = (await process.stdout.readline()).decode()
            if not line:
                raise SystemExit(f"{command[0]} has ended: {said}")
            said = f"{said}\n{line.rstrip()}"
        yield process, said
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@contextlib.asynccontextmanager
async def relayed(way: str, url: str) -> AsyncIterator[tuple[str, Callable[[], float]]]:
    """Run what passes the feed on; yield where it can be had, and what tells the CPU time."""
    async with contextlib.AsyncExitStack() as stack:
        if "." not in way:
            yield url, lambda: 0.0
            return
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        if "NATS" in way:
            options = ["-a", "127.0.0.1", "-p", "-1", "-js", "-sd", folder]
            server = program(find("nats-server"), *options, ready="Server is ready")
            _, said = await stack.enter_async_context(server)
            port = re.findall(r"client connections on \S+:(\d+)", said)[0]
            url, command = f"nats://127.0.0.1:{port}", ["relay.py", SUBJECT, url, url]
        else:
            options = ["--port", "0", "--unixsocket", f"{folder}/socket", "--dir", folder]
            server = program(find("redis-server"), *options, ready="eady to accept")
            await stack.enter_async_context(server)
            url, command = f"unix://{folder}/socket", ["shards.py", url, "10", "BTC"]
        example = [sys.executable, EXAMPLES / command[0], url, *command[1:]]
        ready = "open" if "NATS" in way else "taken"
        process, _ = await stack.enter_async_context(program(*example, ready=ready))
        yield url, lambda: cpu_time(process.pid)


def find(name: str) -> str:
    """Find a broker."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        raise SystemExit(f"{name} is not installed")
    return found


def cpu_time(pid: int) -> float:
    """Return the seconds of CPU time that a process has had (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(way: str, count: int, pause: float) -> list[float]:
    """Return seconds: CPU time a message of relay and of client, median and 99th percentile."""
    source = Source(WAYS[way], count, pause)
    async with testing.serve(source) as server, relayed(way, server.url) as (url, spent):
        client = program(sys.executable, __file__, "--follow", way, url, count, ready=READY)
        async with client as (process, _):
            await source.subscribed.wait()
            before = spent()
            source.go.set()
            of_client = json.loads(await process.stdout.readline())
            of_relay = (spent() - before) / count
            # Killing what ends by itself would take its exit status from who waits for it.
            await process.wait()
            return [of_relay, *of_client]


async def compare(count: int, paced: int) -> None:
    """Print a table of all ways."""
    print("| | CPU of the relay | of the client | messages a second and core | median | 99th |")
    print("|---|--:|--:|--:|--:|--:|")
    for way in WAYS:
        relay, client, *_ = await measure(way, count, 0)
        *_, median, tail = await measure(way, paced, 0.002)
        passed_on = f"{relay * 1e6:.1f} us" if relay else ""
        per_core = round(1 / max(relay, client), -2)
        print(
            f"| {way} | {passed_on} | {client * 1e6:.1f} us | {per_core:,.0f}"
            f" | {median * 1e6:.0f} us | {tail * 1e6:.0f} us |",
            flush=True,
        )


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=50_000, help="messages for CPU time")
    parser.add_argument("--paced", type=int, default=2_000, help="messages for latency")
    parser.add_argument("--follow", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    work: Awaitable[None]
    if given.follow:
        way, url, count = given.follow
        work = follow(way, url, int(count))
    else:
        work = compare(given.count, given.paced)

    async def run() -> None:
        await work

    asyncio.run(run())


if __name__ == "__main__":
    main()
