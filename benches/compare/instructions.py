"""User-space instructions of one round trip, beside other clients, counted by valgrind.

Where a time depends on what else the machine does, a count does not: the same client gives the same
figure on every run. Each client runs twice, for a few and for many round trips; the difference is
free of what starting costs. System calls count with what they cost in user space only.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import re
import shutil
import subprocess
import sys
from importlib.metadata import version

import uvloop
from echo import BASE, echo_server
from peers import PEERS

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
FEW, MANY = 200, 1200


async def run(peer: str, url: str, size: int, count: int) -> None:
    """Be the client that is counted."""
    async with PEERS[peer](url, bytes(size)) as round_trips:
        await round_trips(count)


def count(peer: str, loop: str, url: str, size: int, round_trips: int) -> int:
    """Count the instructions of a client's whole life."""
    valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    child = ["--child", peer, loop, url, str(round_trips), "--size", str(size)]
    result = subprocess.run(
        [*valgrind, sys.executable, __file__, *child],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )
    return int(re.search(r"Collected : (\d+)", result.stderr)[1])


def per_round_trip(peer: str, loop: str, url: str, size: int) -> float:
    """Count what one round trip adds."""
    few, many = (count(peer, loop, url, size, round_trips) for round_trips in (FEW, MANY))
    return (many - few) / (MANY - FEW)


def main() -> None:
    """Read the command line, count on both event loops, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=256, help="bytes a message (default: 256)")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        peer, loop, url, round_trips = options.child
        with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
            runner.run(run(peer, url, options.size, int(round_trips)))
        return
    if shutil.which("valgrind") is None:
        parser.error("valgrind is not installed")
    packages = dict.fromkeys(re.split(r"[. ]", name)[0] for name in [*PEERS, "uvloop"])
    print(", ".join(f"{name} {version(name)}" for name in packages))
    print(f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()}")
    print(f"binary messages of {options.size} bytes")
    for loop in LOOPS:
        print(f"\n{loop}\n  {'':20} {'instructions':>12} {'ratio':>7}   per round trip")
        with echo_server() as url:
            counts = {name: per_round_trip(name, loop, url, options.size) for name in PEERS}
        for name, cost in counts.items():
            print(f"  {name:20} {cost:12,.0f} {cost / counts[BASE]:7.2f}")


if __name__ == "__main__":
    main()
