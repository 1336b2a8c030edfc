"""Where instructions are spent: python benches/compare/where.py --help.

As `counts` does, this compares a short run with a longer one, but by library or by function.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import native
from counts import COUNTED, Counting, Tool, watch
from gates import OURS
from results import Row
from scenarios import ADAPTERS, PYTHON, SCENARIOS
from server import running

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scenarios import Wanted
    from server import Server

LIBRARIES = {
    r"wsclient/_core": "wsclient's core",
    r"libpython|/python3[^/]*$|lib-dynload": "Python",
    r"uvloop/": "uvloop",
    r"aiofastnet/": "aiofastnet",
    r"libc[.-]|libm[.-]|ld-linux|libpthread|vgpreload": "C library",
}
"""What the path of a library tells."""

NAMED = re.compile(r"c?(ob|fn)=\((\d+)\)(?: (.*))?")
COST = re.compile(r"[+*-]?\d* (\d+)")


def profile(path: Path) -> Counter[tuple[str, str]]:
    """Read a file that callgrind wrote: instructions by library and function."""
    names: dict[tuple[str, str], str] = {}
    library = function = ""
    spent: Counter[tuple[str, str]] = Counter()
    lines = iter(path.read_text(errors="replace").splitlines())
    for line in lines:
        if named := NAMED.match(line):
            kind, key, name = named.groups()
            if name is not None:
                names[kind, key] = name
            if line.startswith("ob="):
                library = names[kind, key]
            elif line.startswith("fn="):
                function = names[kind, key]
        elif line.startswith("calls="):
            # What follows is the callee's.
            next(lines)
        elif cost := COST.fullmatch(line):
            spent[library, function] += int(cost[1])
    return spent


def compare(
    server: Server, peer: str, doing: list[tuple[str, str]]
) -> list[dict[tuple[str, str], float]]:
    """Return what doing a scenario once takes, by library and function, for each scenario."""
    counting = Counting("where", server, repeats=1)
    tasks = [
        [name, loop, counting.url(name), times]
        for name, loop in doing
        for times in counting.lengths(name)
    ]
    command = [sys.executable, str(COUNTED), peer, server.authority, json.dumps(tasks)]
    with tempfile.TemporaryDirectory() as folder:
        tool = Tool(("--tool=callgrind", f"--callgrind-out-file={folder}/%p"), "Collected : (.*)")
        output, _ = watch(tool, command)
        profiles = iter([profile(Path(folder, str(process))) for process in json.loads(output)])
    found = []
    for name, _ in doing:
        few, many = counting.lengths(name)
        before, after = next(profiles), next(profiles)
        found.append({key: (after[key] - before[key]) / (many - few) for key in after})
    return found


def library(path: str) -> str:
    """Say whose a library is."""
    return next((name for part, name in LIBRARIES.items() if re.search(part, path)), "others")


def measure(server: Server, wanted: Iterable[Wanted]) -> list[Row]:
    """Measure for this client alone; the rows' peers are the libraries."""
    doing = [(name, loop) for name, loop, peers in wanted if OURS in peers]
    rows = []
    for (name, loop), spent in zip(doing, compare(server, OURS, doing), strict=True):
        by_library: Counter[str] = Counter()
        for (path, _), instructions in spent.items():
            by_library[library(path)] += instructions
        rows += [
            Row(name, loop, "where", whose, [by_library[whose]])
            for whose in (*LIBRARIES.values(), "others")
            if by_library[whose]
        ]
    return rows


def main() -> None:
    """Print the functions that take most."""
    parser = argparse.ArgumentParser(
        prog="where.py", description="Print the functions in which a client spends most."
    )
    able = [name for name, scenario in SCENARIOS.items() if "where" in scenario.measures]
    parser.add_argument("--scenario", choices=able, default="echo")
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="uvloop")
    parser.add_argument("--peer", choices=(*PYTHON, *ADAPTERS), default=OURS)
    parser.add_argument("--functions", type=int, default=40, help="how many (default: 40)")
    options = parser.parse_args()
    native.build()
    with running(min(os.sched_getaffinity(0))) as server:
        (spent,) = compare(server, options.peer, [(options.scenario, options.loop)])
    most = sorted(spent.items(), key=lambda item: -item[1])[: options.functions]
    for (path, function), instructions in most:
        print(f"{instructions:10,.1f}  {Path(path).name[:20]:20}  {function}")
    print(f"{sum(spent.values()):10,.1f}  in all")


if __name__ == "__main__":
    main()
