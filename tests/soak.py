"""Mixed traffic with faults over many connections: `python -m tests.soak --minutes 10`.

Clients send numbered messages with checksums; the server, the `websockets` package's in another
process, sends each back. Between them stand proxies, whose faults strike at random. No message may
be lost, altered or out of order, but that a fault ends the connection: then those before it have
come. Memory and descriptors of the clients' process are sampled; it fails if they grow.
"""

import argparse
import asyncio
import contextlib
import gc
import logging
import random
import resource
import sys
import time
import zlib
from collections import Counter
from pathlib import Path

import uvloop
from websockets.asyncio.server import serve

import wsclient
from wsclient import MsgType
from wsclient.testing import FAULTS, FaultProxy

AT_ONCE = 16
"""Messages of a connection that are under way."""
SIZES = (0, 20, 125, 126, 1000, 5000, 70_000, 300_000)


def rough(url):
    """A proxy that passes some connections on, and ruins others somewhere."""

    def on_connect(connection):
        # Its client has one connection at a time; what is left of the last is in nobody's way.
        for old in proxy.connections:
            if old is not connection:
                old.strike("reset")
        if random.random() < 0.6:
            connection.strike(random.choice(FAULTS), after=random.randrange(1, 500_000))

    proxy = FaultProxy(url, on_connect=on_connect)
    return proxy


async def be_server(count):
    logging.getLogger("websockets").setLevel(logging.CRITICAL)

    async def echo(ws):
        async for message in ws:
            await ws.send(message)

    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(
            serve(echo, "127.0.0.1", 0, max_size=None, ping_interval=5, ping_timeout=5)
        )
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        proxies = [await stack.enter_async_context(rough(url)) for _ in range(count)]
        print(*[proxy.port for proxy in proxies], flush=True)
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda *_: None)
        await loop.run_in_executor(None, sys.stdin.read)


def message(number):
    """Make a message that tells where it belongs and whether it is whole."""
    payload = random.randbytes(random.choice(SIZES)).hex()
    return f"{number}:{zlib.crc32(payload.encode())}:{payload}"


def check(text, number):
    """See that a message is the one that is due."""
    found, checksum, payload = text.split(":", 2)
    assert int(found) == number, f"message {found} has come, {number} was due"
    assert int(checksum) == zlib.crc32(payload.encode()), f"message {number} is not what was sent"


async def converse(ws, counts, total):
    """Send and receive in order until all is back or the connection has ended."""
    sent = received = 0
    while received < total:
        while sent < total and sent - received < AT_ONCE:
            text = message(sent)
            data = text if random.random() < 0.5 else text.encode()
            with contextlib.suppress(wsclient.ClientConnectionResetError):
                await (ws.send_str(data) if isinstance(data, str) else ws.send_bytes(data))
            sent += 1
        msg = await ws.receive()
        if msg.tp not in {MsgType.text, MsgType.binary}:
            counts[f"ended: {type(ws.exception()).__name__}"] += 1
            return
        check(msg.data if isinstance(msg.data, str) else msg.data.decode(), received)
        received += 1
        counts["messages"] += 1
    counts["complete"] += 1


async def be_client(session, port, deadline, counts):
    while time.monotonic() < deadline:
        options = {"compress": random.choice([0, 0, 15]), "heartbeat": 1}
        try:
            ws = await session.ws_connect(f"ws://127.0.0.1:{port}/", **options)
        except wsclient.ClientError as error:
            counts[f"not opened: {type(error).__name__}"] += 1
            continue
        counts["connections"] += 1
        try:
            await converse(ws, counts, random.randrange(1, 60))
        finally:
            await ws.close()


def resident():
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


async def sample(seconds, counts, samples):
    started = time.monotonic()
    while True:
        await asyncio.sleep(seconds)
        gc.collect()
        samples.append((resident(), descriptors()))
        print(
            f"{time.monotonic() - started:6.0f} s  {counts['messages']:9,} messages "
            f" {counts['connections']:7,} connections  {samples[-1][0]:6.1f} MiB "
            f" {samples[-1][1]:4} descriptors",
            flush=True,
        )


async def run(minutes, connections):
    counts, samples = Counter(), []
    command = [sys.executable, "-m", "tests.soak", "--serve", str(connections)]
    pipe = asyncio.subprocess.PIPE
    server = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    ports = [int(port) for port in (await server.stdout.readline()).split()]
    complaints = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    before = descriptors()
    deadline = time.monotonic() + 60 * minutes
    watching = asyncio.create_task(sample(max(1, 6 * minutes), counts, samples))
    options = {"connect_timeout": 2, "timeout": 1, "max_msg_size": 0}
    async with wsclient.ClientSession(**options) as session, asyncio.TaskGroup() as group:
        for port in ports:
            group.create_task(be_client(session, port, deadline, counts))
    watching.cancel()
    await asyncio.sleep(0.1)
    gc.collect()
    left = descriptors() - before
    server.stdin.close()
    await server.wait()
    for name, count in sorted(counts.items()):
        print(f"{count:12,}  {name}")
    assert complaints == [], complaints
    assert left <= 0, f"{left} descriptors are left"
    settled, last = samples[len(samples) // 3][0], samples[-1][0]
    print(f"{settled:.1f} MiB after a third, {last:.1f} MiB in the end, no descriptor left")
    assert last < 1.1 * settled + 8, "memory has grown"


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--connections", type=int, default=200)
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(be_server(options.serve))
        return
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(options.minutes, options.connections))


if __name__ == "__main__":
    main()
