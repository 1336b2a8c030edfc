"""What one round trip costs the client in CPU time, beside other clients, in one run.

Each client has one open connection to the same echo server in another process. They take turns
in blocks of round trips, in an order that changes, so that whatever else the machine does falls on
all of them alike. The median block counts; the ratio is the median of the ratios within a turn.

CPU time is the client process's own (user and system), not the server's.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import platform
import random
import re
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import uvloop
from peers import PEERS

if TYPE_CHECKING:
    from collections.abc import Iterator

BASE = "wsclient"
WARM_UP = 200


@contextlib.contextmanager
def echo_server() -> Iterator[str]:
    """Run the server; give its URL."""
    command = [sys.executable, str(Path(__file__).with_name("server.py"))]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield f"ws://127.0.0.1:{int(process.stdout.readline())}/"
        finally:
            process.terminate()


async def measure(url: str, options: argparse.Namespace) -> list[dict[str, float]]:
    """Take turns; return for each turn the CPU microseconds per round trip of each client."""
    turns = []
    async with contextlib.AsyncExitStack() as stack:
        clients = {
            name: await stack.enter_async_context(peer(url, bytes(options.size)))
            for name, peer in PEERS.items()
        }
        for round_trips in clients.values():
            await round_trips(WARM_UP)
        for _ in range(options.turns):
            turn = {}
            for name, round_trips in random.sample(list(clients.items()), len(clients)):
                before = time.process_time()
                await round_trips(options.block)
                turn[name] = (time.process_time() - before) / options.block * 1e6
            turns.append(turn)
    return turns


def report(turns: list[dict[str, float]]) -> None:
    """Print the table of one event loop."""
    print(f"  {'':20} {'us CPU':>8} {'ratio':>7}   per round trip")
    for name in PEERS:
        cost = median(turn[name] for turn in turns)
        ratio = median(turn[name] / turn[BASE] for turn in turns)
        print(f"  {name:20} {cost:8.1f} {ratio:7.2f}")


def main() -> None:
    """Read the command line, measure on both event loops, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=256, help="bytes a message (default: 256)")
    parser.add_argument("--turns", type=int, default=15, help="blocks a client (default: 15)")
    parser.add_argument("--block", type=int, default=500, help="round trips a block (default: 500)")
    options = parser.parse_args()
    packages = dict.fromkeys(re.split(r"[. ]", name)[0] for name in [*PEERS, "uvloop"])
    print(", ".join(f"{name} {version(name)}" for name in packages))
    print(f"{platform.python_implementation()} {platform.python_version()}, {platform.platform()}")
    print(f"binary messages of {options.size} bytes, {options.turns} blocks of {options.block}")
    for name, factory in ("asyncio", asyncio.new_event_loop), ("uvloop", uvloop.new_event_loop):
        with echo_server() as url, asyncio.Runner(loop_factory=factory) as runner:
            turns = runner.run(measure(url, options))
        print(f"\n{name}")
        report(turns)


if __name__ == "__main__":
    main()
