"""Hold many connections in one process: `python examples/many.py ws://HOST/ 2000`."""

import asyncio
import contextlib
import resource
import sys
import time
from pathlib import Path

import wsclient

AT_ONCE = 100


async def main(url: str, count: int) -> None:
    allow_files(count + 100)
    limit = asyncio.Semaphore(AT_ONCE)  # a listening socket's queue is short
    async with wsclient.ClientSession() as session, contextlib.AsyncExitStack() as stack:

        async def connect() -> wsclient.ClientWebSocketResponse:
            async with limit:
                return await stack.enter_async_context(session.ws_connect(url))

        before, started = resident(), time.perf_counter()
        websockets = await asyncio.gather(*(connect() for _ in range(count)))
        spent, memory = time.perf_counter() - started, (resident() - before) / count
        print(f"{count} open after {spent:.1f} s, {memory:.1f} KiB each")
        answers = await asyncio.gather(*(ask(ws, number) for number, ws in enumerate(websockets)))
        print(f"{sum(answers)} answered")
        print(f"{session.stats.messages_received} messages received")


async def ask(ws: wsclient.ClientWebSocketResponse, number: int) -> bool:
    await ws.send_str(f"hello {number}")
    return await ws.receive_str() == f"hello {number}"


def allow_files(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))


def resident() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1024


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
