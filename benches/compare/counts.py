"""Instructions, misses of the instruction cache and allocations, counted by valgrind.

Where a time depends on what else the machine does, a count does not. A peer does a scenario twice,
for a few and for many times; the difference is free of what starting costs. What a system call does
in the kernel does not count.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from native import PROGRAM
from results import Row
from scenarios import SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scenarios import Wanted
    from server import Server

COUNTED = Path(__file__).with_name("counted.py")
FEW = 0.2
"""The shorter run, as a part of the longer: long enough to be warm."""


@dataclass(frozen=True)
class Tool:
    """A tool of valgrind.

    Attributes:
        options: What to call valgrind with.
        pattern: What it prints about a process.
        environment: What Python needs to be told.
    """

    options: tuple[str, ...]
    pattern: str
    environment: dict[str, str] = field(default_factory=dict)


TOOLS = {
    "instructions": Tool(
        ("--tool=callgrind", "--callgrind-out-file=/dev/null"), r"Collected : ([\d,]+)"
    ),
    "misses": Tool(
        # The caches are always the same, whatever the processor has.
        (
            *("--tool=cachegrind", "--cachegrind-out-file=/dev/null", "--cache-sim=yes"),
            *("--I1=32768,8,64", "--D1=32768,8,64", "--LL=8388608,16,64"),
        ),
        r"I1 +misses: +([\d,]+)",
    ),
    "allocations": Tool(
        ("--leak-check=no", "--undef-value-errors=no"),
        r"total heap usage: ([\d,]+) allocs",
        # An allocation of Python's is one of C's.
        {"PYTHONMALLOC": "malloc"},
    ),
}


def watch(tool: Tool, command: list[str], text: str = "") -> tuple[str, dict[int, int]]:
    """Run a command under valgrind; return its output and each process's count."""
    # Without hash randomisation the same work takes the same instructions.
    environment = {**os.environ, "PYTHONHASHSEED": "0", **tool.environment}
    done = subprocess.run(
        ["valgrind", *tool.options, *command],
        check=False,
        capture_output=True,
        text=True,
        input=text,
        env=environment,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed under valgrind:\n{done.stderr}")
    found = re.findall(rf"==(\d+)== +{tool.pattern}", done.stderr)
    return done.stdout, {int(process): int(count.replace(",", "")) for process, count in found}


@dataclass(frozen=True)
class Counting:
    """One count.

    Attributes:
        measure: A key of `TOOLS`.
        server: The server that runs.
        repeats: How many samples are taken.
    """

    measure: str
    server: Server
    repeats: int

    def python(self, peer: str, doing: list[tuple[str, str]]) -> list[Row]:
        """Count for one peer, in several scenarios and on several loops."""
        tasks = [
            [name, loop, self.url(name), times]
            for name, loop in doing
            for times in self.lengths(name) * self.repeats
        ]
        command = [sys.executable, str(COUNTED), peer, self.server.authority, json.dumps(tasks)]
        output, counts = watch(TOOLS[self.measure], command)
        totals = (counts[process] for process in json.loads(output))
        return [
            Row(name, loop, self.measure, peer, self.samples(name, totals)) for name, loop in doing
        ]

    def native(self, doing: list[tuple[str, str]]) -> list[Row]:
        """Count for the native client, which has no Python loop: it is the same for both."""
        counted = {}
        for name in dict(doing):
            command = [str(PROGRAM), "echo", self.url(name), str(len(SCENARIOS[name].payload))]
            orders = [f"echo {times}\n" for times in self.lengths(name) * self.repeats]
            watched = (watch(TOOLS[self.measure], command, order)[1] for order in orders)
            counted[name] = self.samples(name, chain.from_iterable(c.values() for c in watched))
        return [Row(name, loop, self.measure, "native", counted[name]) for name, loop in doing]

    def url(self, name: str) -> str:
        """Return the URL for a scenario."""
        return self.server.url(SCENARIOS[name].path, tls=SCENARIOS[name].tls)

    def lengths(self, name: str) -> tuple[int, int]:
        """Return how often a scenario is done in two runs."""
        many = SCENARIOS[name].measures[self.measure]
        return round(many * FEW), many

    def samples(self, name: str, totals: Iterator[int]) -> list[float]:
        """Compare runs in pairs: what does doing the scenario once take?"""
        few, many = self.lengths(name)
        return [(-next(totals) + next(totals)) / (many - few) for _ in range(self.repeats)]


def measure(server: Server, name: str, wanted: Iterable[Wanted], repeats: int) -> list[Row]:
    """Count for all peers; as many at a time as there are cores, since that changes no count."""
    counting = Counting(name, server, repeats)
    together: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for scenario, loop, peers in wanted:
        for peer in peers:
            one = "" if peer == "native" else loop
            together.setdefault((peer, one), []).append((scenario, loop))

    def count(which: tuple[str, str]) -> list[Row]:
        (peer, _), doing = which, together[which]
        return counting.native(doing) if peer == "native" else counting.python(peer, doing)

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return list(chain.from_iterable(pool.map(count, together)))
