"""The client process whose instructions valgrind counts.

Its arguments are a peer, the file with the certificate that vouches for the server's, and a list
of tasks in JSON: ``[scenario, loop, url, count]``. It forks for each of them, so that what a child
adds is the task's alone, and prints the children's process ids. What all would do is paid for once,
before: it imports, and does a little of every task, which has valgrind translate the code.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import os
import sys

from clients import LOOPS, WARM_UP, ready
from peers import MODULES
from scenarios import SCENARIOS


async def do(scenario: str, url: str, count: int, *, end: bool) -> None:
    """Do a task; maybe end without a trace of what comes after it."""
    async with ready(SCENARIOS[scenario], peer, url, authority) as client:
        await getattr(client, SCENARIOS[scenario].action)(count)
        if end:
            os._exit(0)


def run(scenario: str, loop: str, url: str, count: int, *, end: bool) -> None:
    """Do a task on an event loop of its own."""
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(do(scenario, url, count, end=end))


def child(scenario: str, loop: str, url: str, count: int) -> int:
    """Fork a process for a task; return its id when it has ended."""
    process = os.fork()
    if process == 0:
        try:
            run(scenario, loop, url, count, end=True)
        finally:
            os._exit(1)
    _, status = os.waitpid(process, 0)
    if status:
        sys.exit(f"{peer} failed in {scenario} on {loop}")
    return process


if __name__ == "__main__":
    peer, authority, given = sys.argv[1:]
    tasks = json.loads(given)
    importlib.import_module(f"peers.{MODULES[peer]}")
    for scenario, loop, url in {tuple(task[:3]): None for task in tasks}:
        run(scenario, loop, url, WARM_UP, end=False)
    # A garbage collection that happens to fall into one run must not look at what was imported.
    gc.collect()
    gc.freeze()
    print(json.dumps([child(*task) for task in tasks]))
