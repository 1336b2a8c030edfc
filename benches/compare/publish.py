"""Bring plots and figures of README and docs up to date with `benches/results.json`.

With ``--check``, change nothing and fail if they are not.
"""

from __future__ import annotations

import re
import sys
import tomllib
from statistics import median
from typing import TYPE_CHECKING

from gates import OURS, judge
from native import ROOT
from plots import plot
from report import figure
from results import UNITS, load, ratios
from scenarios import SCENARIOS

if TYPE_CHECKING:
    from pathlib import Path

    from results import Row

RESULTS = ROOT / "benches/results.json"
PLOTS = ROOT / "docs/plots"
BLOCK = re.compile(r"(<!-- make plots writes from here -->\n).*?(<!-- to here -->)", re.DOTALL)
IN_README = ("echo", "instructions")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOOPS = ("asyncio", "uvloop")


def gather(rows: list[Row]) -> dict[tuple[str, str], list[Row]]:
    """Bring together the rows of one scenario and measure, in the scenarios' order."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in sorted(rows, key=lambda row: list(SCENARIOS).index(row.scenario)):
        found.setdefault((row.scenario, row.measure), []).append(row)
    return found


def file_name(scenario: str, measure: str) -> str:
    """Return a plot's file name."""
    return f"{scenario}-{measure.replace('/', '-')}.svg"


def provenance(machine: dict[str, str]) -> str:
    """Say where figures are from."""
    names = ("picows", "aiofastnet", "aiohttp", "websockets", "websocket-rs", "uvloop")
    versions = ", ".join(f"{name} {machine[name]}" for name in names if name in machine)
    return (
        f"Measured on {machine['date']} on {machine['cpu']}, {machine['python']}, "
        f"with {versions}, Rust {machine['rust']}."
    )


def image(rows: list[Row], folder: str) -> str:
    """Show a plot."""
    scenario, measure = rows[0].scenario, rows[0].measure
    title = f"{SCENARIOS[scenario].title}: {UNITS[measure]}"
    return f"![{title}]({folder}/{file_name(scenario, measure)})\n"


def table(rows: list[Row]) -> str:
    """Show rows as a table: for each loop the value, its spread, and the ratio to this client."""
    found = {(row.peer, row.loop): row for row in rows}
    ours = OURS in {row.peer for row in rows}
    lines = [f"| | {' | | | '.join(LOOPS)} | | |", f"|---|{'--:|' * 3 * len(LOOPS)}"]
    for peer in dict.fromkeys(row.peer for row in rows):
        cells = []
        for loop in LOOPS:
            row = found.get((peer, loop))
            if row is None:
                cells += ["", "", ""]
                continue
            spread = f"±{row.spread:.0%}" if len(row.samples) > 1 else ""
            ratio = f"{median(ratios(row, found[OURS, loop])):.2f}" if ours else ""
            cells += [figure(row.value), spread, ratio]
        lines.append(f"| {peer} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def gate_table(rows: list[Row]) -> str:
    """Show which gates hold."""
    lines = ["| | loop | measured | at most | |", "|---|---|--:|--:|---|"]
    lines += [
        f"| {verdict.point}. {verdict.gate.title()} | {verdict.loop} "
        f"| {figure(verdict.value)} ±{verdict.margin:.2f} | {figure(verdict.gate.limit)} "
        f"| {verdict} |"
        for verdict in judge(rows)
    ]
    return "\n".join(lines) + "\n"


def page(machine: dict[str, str], rows: list[Row]) -> str:
    """Write the figures of the documentation's page."""
    parts = [f"{provenance(machine)}\n"]
    title = ""
    for (name, measure), group in gather(rows).items():
        scenario = SCENARIOS[name]
        if scenario.title != title:
            title = scenario.title
            parts.append(f"### {title}\n")
        unit = UNITS[measure]
        parts.append(f"{unit[0].upper()}{unit[1:]} per {scenario.unit}:\n")
        if len({row.peer for row in group}) > 1:
            parts.append(image(group, "plots"))
        parts.append(table(group))
    parts += ["### Aims\n", gate_table(rows)]
    return "\n".join(parts)


def readme(machine: dict[str, str], rows: list[Row]) -> str:
    """Write the figures of the README, which PyPI shows without the files beside it."""
    shown = image(gather(rows)[IN_README], f"{PROJECT['urls']['Documentation']}plots")
    return f"{shown}\n{provenance(machine)}\n"


def replaced(path: Path, figures: str) -> str:
    """Return a page with its figures replaced."""
    page, found = BLOCK.subn(lambda match: f"{match[1]}{figures}{match[2]}", path.read_text())
    if found != 1:
        raise ValueError(f"{path} has {found} places for figures, expected one")
    return page


def files() -> dict[Path, str]:
    """Return all files that show figures, with their contents."""
    machine, rows = load(RESULTS)
    found = {
        PLOTS / file_name(*which): plot(group, machine["python"])
        for which, group in gather(rows).items()
        if len({row.peer for row in group}) > 1
    }
    for path, figures in (
        (ROOT / "README.md", readme(machine, rows)),
        (ROOT / "docs/performance.md", page(machine, rows)),
    ):
        found[path] = replaced(path, figures)
    return found


def main() -> None:
    """Write or check."""
    wanted = files()
    stale = [
        path for path, content in wanted.items() if not path.exists() or path.read_text() != content
    ]
    stray = [path for path in PLOTS.glob("*.svg") if path not in wanted]
    if sys.argv[1:] == ["--check"]:
        if stale or stray:
            names = ", ".join(str(path.relative_to(ROOT)) for path in [*stale, *stray])
            sys.exit(f"not what benches/results.json says: {names}; run make plots")
        return
    PLOTS.mkdir(exist_ok=True)
    for path in stale:
        path.write_text(wanted[path])
    for path in stray:
        path.unlink()
    print(f"{len(stale)} of {len(wanted)} files changed")


if __name__ == "__main__":
    main()
