"""Compare this client with others: python benches/compare --help."""

from __future__ import annotations

import argparse
import os
import resource
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import clocks
import instructions
import native
from report import tables
from results import machine, save
from scenarios import SCENARIOS
from server import running

if TYPE_CHECKING:
    from results import Row
    from scenarios import Wanted
    from server import Server

LOOPS = ("asyncio", "uvloop")
MEASURES = ("instructions", "cpu", "latency", "memory")
PEERS = tuple(dict.fromkeys(peer for scenario in SCENARIOS.values() for peer in scenario.peers))


def arguments() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog="compare",
        description="Compare wsclient with other clients. All is measured that is not left out; "
        "each of the first four options may be given more than once.",
    )
    for name, choices in {
        "scenario": tuple(SCENARIOS),
        "measure": MEASURES,
        "loop": LOOPS,
        "peer": PEERS,
    }.items():
        parser.add_argument(
            f"--{name}",
            action="append",
            choices=choices,
            metavar=name.upper(),
            help=f"one of {', '.join(choices)}",
        )
    parser.add_argument(
        "--turns",
        type=int,
        default=15,
        help="blocks of each peer where time is measured (default: 15)",
    )
    parser.add_argument(
        "--repeats", type=int, default=1, help="counts of each peer's instructions (default: 1)"
    )
    parser.add_argument("--json", type=Path, help="also write what was measured to this file")
    return parser


def wanted(options: argparse.Namespace, measure: str) -> list[Wanted]:
    """Return who does what for a measure."""
    found = []
    for name, scenario in SCENARIOS.items():
        peers = tuple(peer for peer in scenario.peers if not options.peer or peer in options.peer)
        if measure in scenario.measures and peers and name in (options.scenario or SCENARIOS):
            found += [(name, loop, peers) for loop in options.loop or LOOPS]
    return found


def measure_all(options: argparse.Namespace, server: Server, core: int) -> list[Row]:
    """Measure, and print each table when it is there."""
    rows: list[Row] = []
    for measure in options.measure or MEASURES:
        if measure == "instructions":
            parts = [instructions.measure(server, wanted(options, measure), options.repeats)]
        else:
            parts = (
                clocks.measure(server, measure, each, options.turns, core)
                for each in wanted(options, measure)
            )
        for part in parts:
            print(f"{tables(part)}\n", flush=True)
            rows += part
    return rows


def main() -> None:
    """Measure what the command line asks for."""
    parser = arguments()
    options = parser.parse_args()
    if shutil.which("valgrind") is None and "instructions" in (options.measure or MEASURES):
        parser.error("valgrind is not installed; --measure chooses what can do without")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    cores = sorted(os.sched_getaffinity(0))
    native.build()
    print("\n".join(f"{name:10} {fact}" for name, fact in machine().items()), end="\n\n")
    with running(cores[0]) as server:
        rows = measure_all(options, server, cores[-1])
    if options.json:
        save(options.json, rows)


if __name__ == "__main__":
    main()
