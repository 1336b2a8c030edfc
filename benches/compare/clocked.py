"""The client process that measures itself.

Its one argument is a `Job` in JSON; it prints the samples of each peer, for each measure.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import random
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING, TypeAlias

from clients import LOOPS, ready
from scenarios import SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from clients import Doing

Samples: TypeAlias = dict[str, dict[str, list[float]]]
"""For each measure, the samples of each peer."""


@dataclass(frozen=True)
class Job:
    """What to measure.

    Attributes:
        measure: A key of `Scenario.measures`.
        scenario: A key of `SCENARIOS`.
        loop: A key of `LOOPS`.
        peers: Who takes turns.
        url: The server's service.
        authority: See `server.Server`.
        turns: How often each peer's turn comes.
        count: How often a peer does it in a turn.
        core: The processor core to run on.
    """

    measure: str
    scenario: str
    loop: str
    peers: tuple[str, ...]
    url: str
    authority: str
    turns: int
    count: int
    core: int


async def cpu(doing: Doing, count: int) -> dict[str, float]:
    """Measure CPU time, of user and system, in microseconds each."""
    before = time.process_time_ns()
    own = await doing(count)
    spent = time.process_time_ns() - before if own is None else own
    return {"cpu": spent / count / 1000}


async def latency(doing: Doing, count: int) -> dict[str, float]:
    """Measure what half, and what 99 of 100, take at most, in microseconds."""
    percentiles = quantiles(await doing(count), n=100)
    return {"p50": percentiles[49] / 1000, "p99": percentiles[98] / 1000}


async def in_turns(
    job: Job, measure: Callable[[Doing, int], Awaitable[dict[str, float]]]
) -> Samples:
    """Let all peers be open at once and take turns, in an order that changes.

    Whatever else the machine does falls on all of them alike.
    """
    scenario = SCENARIOS[job.scenario]
    samples: Samples = {}
    async with contextlib.AsyncExitStack() as stack:
        clients = {
            peer: await stack.enter_async_context(ready(scenario, peer, job.url, job.authority))
            for peer in job.peers
        }
        for _ in range(job.turns):
            for peer in random.sample(job.peers, len(job.peers)):
                measured = await measure(getattr(clients[peer], scenario.action), job.count)
                for name, value in measured.items():
                    samples.setdefault(name, {}).setdefault(peer, []).append(value)
                if scenario.action == "hold":
                    await clients[peer].close()
    return samples


async def memory(job: Job) -> Samples:
    """Measure what the only peer adds to the process's resident memory, in KiB each."""
    (peer,) = job.peers
    async with ready(SCENARIOS[job.scenario], peer, job.url, job.authority) as client:
        before = resident()
        await client.hold(job.count)
        return {"memory": {peer: [(resident() - before) / job.count / 1024]}}


def resident() -> int:
    """Return the bytes of memory that this process has in RAM."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def work(job: Job) -> Samples:
    """Do a job."""
    os.sched_setaffinity(0, {job.core})
    measures = {
        "cpu": lambda: in_turns(job, cpu),
        "latency": lambda: in_turns(job, latency),
        "memory": lambda: memory(job),
    }
    with asyncio.Runner(loop_factory=LOOPS[job.loop]) as runner:
        return runner.run(measures[job.measure]())


if __name__ == "__main__":
    described = json.loads(sys.argv[1])
    print(json.dumps(work(Job(**{**described, "peers": tuple(described["peers"])}))))
