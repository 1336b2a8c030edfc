"""Compare this client with others: python benches/compare --help."""

from __future__ import annotations

import argparse
import os
import resource
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING

import clocks
import counts
import native
import where
from feed import SPEED
from report import tables, verdicts
from results import machine, save, with_tails
from scenarios import ADAPTERS, EVERYONE, POLLING, RIVALS, SCENARIOS, WAYS, shorten
from server import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from results import Row
    from scenarios import Wanted
    from server import Server

PEERS = (*EVERYONE, *RIVALS, POLLING, *ADAPTERS, *WAYS)
LOOPS = ("asyncio", "uvloop")
MEASURES = ("instructions", "where", "allocations", "cpu", "latency", "memory")


def arguments() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog="python benches/compare",
        description="Compare wsclient with other clients. Each of the first four options may be "
        "given more than once; what they do not say is not narrowed down.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    for name, choices in {
        "scenario": tuple(SCENARIOS),
        "measure": MEASURES,
        "loop": LOOPS,
        "peer": PEERS,
    }.items():
        parser.add_argument(
            f"--{name}",
            action="extend",
            nargs="+",
            choices=choices,
            metavar=name.upper(),
            help=f"out of {', '.join(choices)}",
            default=argparse.SUPPRESS,
        )
    parser.add_argument("--turns", type=int, default=25, help="samples of each time")
    parser.add_argument("--repeats", type=int, default=1, help="samples of each count")
    parser.add_argument(
        "--speed", type=int, default=SPEED, help="how much faster than real feeds theirs are"
    )
    parser.add_argument(
        "--quick", action="store_true", help="show that it works; the figures mean little"
    )
    parser.add_argument(
        "--json", type=Path, help="also write the samples here", default=argparse.SUPPRESS
    )
    return parser


def wanted(options: argparse.Namespace, measure: str) -> list[Wanted]:
    """Return who does what for a measure."""
    scenarios = getattr(options, "scenario", SCENARIOS)
    peers = getattr(options, "peer", PEERS)
    return [
        (name, loop, tuple(peer for peer in scenario.peers if peer in peers))
        for name, scenario in SCENARIOS.items()
        if name in scenarios and measure in scenario.measures and {*peers} & {*scenario.peers}
        for loop in getattr(options, "loop", LOOPS)
    ]


def measure_all(options: argparse.Namespace, server: Server, core: int) -> Iterator[list[Row]]:
    """Measure; give what belongs together when it is there."""
    for measure in getattr(options, "measure", MEASURES):
        if measure in counts.TOOLS:
            yield counts.measure(server, measure, wanted(options, measure), options.repeats)
        elif measure == "where":
            yield where.measure(server, wanted(options, measure))
        else:
            for each in wanted(options, measure):
                yield clocks.measure(server, measure, each, options.turns, core)


def main() -> None:
    """Measure what the command line asks for."""
    parser = arguments()
    options = parser.parse_args()
    measures = {*getattr(options, "measure", MEASURES)}
    if measures & {"where", *counts.TOOLS} and not which("valgrind"):
        parser.error("valgrind is not installed; --measure chooses what can do without")
    if options.quick:
        options.turns = 2
        shorten()
    # Idle connections are many, here and in the server.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    cores = sorted(os.sched_getaffinity(0))
    native.build()
    print("\n".join(f"{name:10} {fact}" for name, fact in machine().items()), end="\n\n")
    rows: list[Row] = []
    with running(cores[0], options.speed) as server:
        for part in measure_all(options, server, cores[-1]):
            found = with_tails(part)
            print(tables(found), flush=True)
            rows += found
    print(verdicts(rows))
    if "json" in options:
        save(options.json, rows)


if __name__ == "__main__":
    main()
