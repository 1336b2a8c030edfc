"""The client process whose instructions valgrind counts.

Its arguments are a peer, the file with the certificate that vouches for the server's, and a list
of tasks in JSON: ``[scenario, loop, url, count]``. It forks for each of them, so that importing is
paid for once and what a child adds is the task's alone, and prints the children's process ids.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import os
import sys

from clients import LOOPS, ready
from peers import MODULES
from scenarios import SCENARIOS


async def do(scenario: str, peer: str, url: str, authority: str, count: int) -> None:
    """Do a task, and end without a trace of what comes after it."""
    async with ready(SCENARIOS[scenario], peer, url, authority) as client:
        await getattr(client, SCENARIOS[scenario].action)(count)
        os._exit(0)


def child(scenario: str, loop: str, url: str, count: int) -> int:
    """Fork a process for a task; return its id when it has ended."""
    process = os.fork()
    if process == 0:
        try:
            with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
                runner.run(do(scenario, peer, url, authority, count))
        finally:
            os._exit(1)
    _, status = os.waitpid(process, 0)
    if status:
        sys.exit(f"{peer} failed in {scenario} on {loop}")
    return process


if __name__ == "__main__":
    peer, authority, tasks = sys.argv[1:]
    importlib.import_module(f"peers.{MODULES[peer]}")
    # A garbage collection that happens to fall into one run must not look at what was imported.
    gc.collect()
    gc.freeze()
    print(json.dumps([child(*task) for task in json.loads(tasks)]))
