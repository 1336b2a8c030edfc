"""User-space instructions, counted by valgrind.

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
VALGRIND = ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null")
FEW = 0.2
"""The shorter run, as a part of the longer: long enough to be warm."""


def watch(command: list[str], text: str = "") -> tuple[str, dict[int, int]]:
    """Run a command under valgrind; return its output and each process's count."""
    # Without hash randomisation the same work takes the same instructions.
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    watched = [*VALGRIND, *command]
    done = subprocess.run(
        watched, check=False, capture_output=True, text=True, input=text, env=environment
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed under valgrind:\n{done.stderr}")
    found = re.findall(r"==(\d+)== Collected : (\d+)", done.stderr)
    return done.stdout, {int(process): int(count) for process, count in found}


def count_python(
    server: Server, peer: str, doing: list[tuple[str, str]], repeats: int
) -> list[Row]:
    """Count for one peer, in several scenarios and on several loops."""
    tasks = [
        [name, loop, server.url(SCENARIOS[name].path, tls=SCENARIOS[name].tls), times]
        for name, loop in doing
        for times in lengths(name) * repeats
    ]
    command = [sys.executable, str(COUNTED), peer, server.authority, json.dumps(tasks)]
    output, counts = watch(command)
    totals = (counts[process] for process in json.loads(output))
    return [
        Row(name, loop, "instructions", peer, [each(name, totals) for _ in range(repeats)])
        for name, loop in doing
    ]


def count_native(server: Server, doing: list[tuple[str, str]], repeats: int) -> list[Row]:
    """Count for the native client, which has no Python loop: it is the same for both."""
    counted = {}
    for name in dict(doing):
        scenario = SCENARIOS[name]
        url = server.url(scenario.path, tls=scenario.tls)
        command = [str(PROGRAM), "echo", url, str(len(scenario.payload))]
        orders = [f"echo {times}\n" for times in lengths(name) * repeats]
        totals = (total for order in orders for total in watch(command, order)[1].values())
        counted[name] = [each(name, totals) for _ in range(repeats)]
    return [Row(name, loop, "instructions", "native", counted[name]) for name, loop in doing]


def lengths(name: str) -> tuple[int, int]:
    """Return how often a scenario is done in two runs."""
    many = SCENARIOS[name].measures["instructions"]
    return round(many * FEW), many


def each(name: str, totals: Iterator[int]) -> float:
    """Compare the next two runs: what does doing the scenario once take?"""
    few, many = lengths(name)
    return (-next(totals) + next(totals)) / (many - few)


def measure(server: Server, wanted: Iterable[Wanted], repeats: int) -> list[Row]:
    """Count for all peers; as many at a time as there are cores, since that changes no count."""
    by_peer: dict[str, list[tuple[str, str]]] = {}
    for scenario, loop, peers in wanted:
        for peer in peers:
            by_peer.setdefault(peer, []).append((scenario, loop))

    def count(peer: str) -> list[Row]:
        if peer == "native":
            return count_native(server, by_peer[peer], repeats)
        return count_python(server, peer, by_peer[peer], repeats)

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return list(chain.from_iterable(pool.map(count, by_peer)))
