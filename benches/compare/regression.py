"""Does this client take more instructions than it did? python benches/compare/regression.py --help.

Counts scenarios and compares them with a baseline that was counted with the same toolchain; no
clock takes part. Processors hardly matter: valgrind shows programs a processor of its own that has
the vector instructions of the real one, so that the C library and others choose the same routines
on all that have those. Opening is not counted here, because most of its instructions are those of
other people's code. Nor do the releases of aiohttp and websockets matter: once a connection of an
adapter is open, their code has no part in a message.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import ssl
import subprocess
import sys
import sysconfig
from importlib.metadata import version
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, TypeAlias

import counts
import native
import results
from gates import OURS
from scenarios import ADAPTERS, SCENARIOS
from server import running

if TYPE_CHECKING:
    from results import Row
    from scenarios import Wanted

BASELINE = native.ROOT / "benches/baseline.json"
LOOPS = ("asyncio", "uvloop")
FEW = {
    OURS: ("echo", "echo-tls", "push", "push-typed", "push-batches", "burst"),
    **dict.fromkeys(ADAPTERS, ("echo", "push")),
}
"""What is counted in a minute: who does what."""
TOLERANCE = 0.03
"""What a count may grow by: many times what it varies by from run to run, which is about 0.1 %."""

Toolchain: TypeAlias = dict[str, str]
Counts: TypeAlias = dict[str, float]


def vectors() -> str:
    """Return the widest vector instructions that valgrind would show a program, on x86."""
    flags = Path("/proc/cpuinfo").read_text().split()
    return next((name for name in ("avx2", "avx", "sse4_2") if name in flags), "")


def toolchain() -> Toolchain:
    """Describe all that decides what a count is, other than this package's sources."""
    options = sysconfig.get_config_var("CONFIG_ARGS") or ""
    optimised = [name for name in ("--enable-optimizations", "--with-lto") if name in options]
    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True)
    valgrind = subprocess.run(["valgrind", "--version"], capture_output=True, text=True, check=True)
    return {
        "architecture": f"{platform.machine()} {vectors()}".strip(),
        "python": results.python(),
        "compiler": " ".join([platform.python_compiler(), *optimised]),
        "libc": " ".join(platform.libc_ver()),
        "openssl": ssl.OPENSSL_VERSION,
        "rustc": rustc.stdout.split()[1],
        "uvloop": version("uvloop"),
        "aiofastnet": version("aiofastnet"),
        "valgrind": valgrind.stdout.strip(),
    }


def wanted(*, everything: bool) -> list[Wanted]:
    """Return who is to do what."""
    return [
        (name, loop, peers)
        for name, scenario in SCENARIOS.items()
        if "instructions" in scenario.measures and scenario.action != "hold"
        for loop in LOOPS
        if (
            peers := tuple(
                peer for peer in FEW if peer in scenario.peers and (everything or name in FEW[peer])
            )
        )
    ]


def title(row: Row) -> str:
    """Say what a row counts."""
    who = "" if row.peer == OURS else f"{row.peer} in "
    return f"{who}{row.scenario}, {row.loop}"


def count(*, everything: bool) -> Counts:
    """Count now."""
    native.build()
    with running(min(os.sched_getaffinity(0))) as server:
        rows = counts.measure(server, "instructions", wanted(everything=everything), repeats=1)
    return {title(row): round(row.value, 1) for row in rows}


def check(before: Counts, now: Counts) -> bool:
    """Print how the counts have changed; return whether none has grown too much."""
    within = True
    for name, value in now.items():
        if name not in before:
            print(f"{name:40} {value:12,.1f}  not in the baseline")
            continue
        change = value / before[name] - 1
        grown = change > TOLERANCE
        within &= not grown
        print(f"{name:40} {value:12,.1f} {change:+8.1%}{'  MORE THAN BEFORE' if grown else ''}")
    return within


def main() -> int:
    """Check, or make a baseline."""
    parser = argparse.ArgumentParser(prog="regression.py", description=__doc__)
    parser.add_argument(
        "--update", action="store_true", help="make what is counted now this toolchain's baseline"
    )
    parser.add_argument("--all", action="store_true", help="count everything, not what is quick")
    parser.add_argument("--baseline", type=Path, default=BASELINE, help="the file it is kept in")
    options = parser.parse_args()
    if which("valgrind") is None:
        parser.error("valgrind is not installed")
    here = toolchain()
    path = options.baseline
    baselines = json.loads(path.read_text()) if path.exists() else []
    known = next((known for known in baselines if known["toolchain"] == here), None)
    if options.update:
        others = [other for other in baselines if other is not known]
        others.append({"toolchain": here, "instructions": count(everything=True)})
        path.write_text(json.dumps(others, indent=2) + "\n")
        print(f"wrote {path}")
        return 0
    if known is None:
        print("Not compared: no baseline was counted with this toolchain.")
        for other in baselines:
            differs = [
                f"{name} {ours} here, {other['toolchain'].get(name)} there"
                for name, ours in here.items()
                if other["toolchain"].get(name) != ours
            ]
            print(f"  There is one with another: {'; '.join(differs)}")
        return 0
    if check(known["instructions"], count(everything=options.all)):
        return 0
    print(
        f"Grown by more than {TOLERANCE:.0%}. If there is a reason, say so in the commit and run "
        "make instructions-baseline."
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
