"""Bring plots and figures of README, CONTRIBUTING and docs up to date with `benches/results.json`.

A page has comments that say which of `BLOCKS` stands between them.

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
from scenarios import SCENARIOS, WAYS

if TYPE_CHECKING:
    from pathlib import Path

    from gates import Gate, Verdict
    from results import Row

RESULTS = ROOT / "benches/results.json"
PLOTS = ROOT / "docs/plots"
BLOCK = re.compile(
    r"(<!-- make plots writes (\w+) from here -->\n).*?(<!-- to here -->)", re.DOTALL
)
IN_README = ("feed", "cpu")
NUMBERS = {
    ("echo", "cpu"): "An echo of 256 bytes, microseconds of CPU time",
    ("push", "cpu"): "A message of 256 bytes of a stream, microseconds of CPU time",
    ("idle", "memory"): "An idle connection, KiB of memory",
}
CLIENTS = ("picows", "aiofastnet", "aiohttp", "websockets", "websocket-rs", "uvloop")
COMPARED = ("wsclient", "picows", "aiohttp", "websockets")
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


def provenance(machine: dict[str, str], names: tuple[str, ...] = CLIENTS) -> str:
    """Say where figures are from."""
    versions = ", ".join(f"{name} {machine[name]}" for name in names if name in machine)
    return (
        f"Measured on {machine['date']} on {machine['cpu']}, {machine['python']}, with this client "
        f"as {machine['build']}, {versions}, Rust {machine['rust']}."
    )


def image(rows: list[Row], folder: str) -> str:
    """Show a plot."""
    scenario, measure = rows[0].scenario, rows[0].measure
    title = f"{SCENARIOS[scenario].title}: {UNITS[measure]}"
    return f"![{title}]({folder}/{file_name(scenario, measure)})\n"


def table(rows: list[Row]) -> str:
    """Show rows as a table: for each loop the value, and how many times this client's it is."""
    found = {(row.peer, row.loop): row for row in rows}
    peers = list(dict.fromkeys(row.peer for row in rows))
    loops = [loop for loop in LOOPS if loop in {row.loop for row in rows}]
    columns = ["{}", "ratio"] if OURS in peers else ["{}"]
    lines = [["", *(column.format(loop) for loop in loops for column in columns)]]
    for peer in peers:
        cells = [peer]
        for loop in loops:
            row = found.get((peer, loop))
            spread = f" ±{row.spread:.0%}" if row and len(row.samples) > 1 else ""
            cells.append(f"{figure(row.value)}{spread}" if row else "")
            if OURS in peers:
                ratio = median(ratios(row, found[OURS, loop])) if row else None
                cells.append(f"{ratio:.2f}" if ratio is not None else "")
        lines.append(cells)
    return markdown(lines, f"-{':' * (len(lines[0]) - 1)}")


def markdown(lines: list[list[str]], columns: str) -> str:
    """Write a table; of `columns`, each is ``-`` for words or ``:`` for numbers."""
    rule = ["---" if column == "-" else "--:" for column in columns]
    cells, *more = [f"| {' | '.join(cells)} |".replace("|  |", "| |") for cells in lines]
    return "\n".join([cells, f"|{'|'.join(rule)}|", *more]) + "\n"


def aims(machine: dict[str, str], rows: list[Row]) -> str:
    """Show which gates hold, and say of the others why not."""
    verdicts: dict[Gate, dict[str, Verdict]] = {}
    for verdict in judge(rows):
        verdicts.setdefault(verdict.gate, {})[verdict.loop] = verdict
    lines = [["", *LOOPS, "at most", ""]]
    missed = []
    for gate, by_loop in verdicts.items():
        values = [
            f"{figure(found.value)}{f' ±{found.margin:.2f}' if found.margin else ''}"
            if (found := by_loop.get(loop))
            else ""
            for loop in LOOPS
        ]
        not_held = [found for found in by_loop.values() if not found.holds]
        where = f" on {not_held[0].loop}" if len(not_held) == 1 < len(by_loop) else ""
        word = f"missed{where}" if not_held else "holds"
        lines.append([gate.title(), *values, figure(gate.limit), word])
        if not_held:
            noise = "" if any(found.clear for found in not_held) else "By less than the noise. "
            missed.append(f"- {gate.title()}: {noise}{gate.why}".strip())
    parts = [f"{provenance(machine)}\n", markdown(lines, "-:::-")]
    if missed:
        parts += ["What is missed, and why:\n", "\n".join(missed) + "\n"]
    return "\n".join(parts)


def figures(machine: dict[str, str], rows: list[Row]) -> str:
    """Show everything beside other clients."""
    parts = [f"{provenance(machine)}\n"]
    title = ""
    for (name, measure), group in beside_others(rows).items():
        scenario = SCENARIOS[name]
        if scenario.title != title:
            title = scenario.title
            parts.append(f"### {title}\n")
        unit = UNITS[measure]
        parts.append(f"{unit[0].upper()}{unit[1:]} per {scenario.unit}:\n")
        if len({row.peer for row in group}) > 1:
            parts.append(image(group, "plots"))
        parts.append(table(group))
    return "\n".join(parts)


def beside_others(rows: list[Row]) -> dict[tuple[str, str], list[Row]]:
    """Gather all rows but those that compare ways to decode."""
    found = gather(rows)
    return {key: group for key, group in found.items() if group[0].peer not in WAYS}


def decoding(machine: dict[str, str], rows: list[Row]) -> str:
    """Show what ways to decode take, by the size of the message."""
    found = {(row.peer, row.scenario): row for row in rows if row.loop == LOOPS[0]}
    lines = [["", "256 bytes", "2 KiB"]]
    for way in WAYS:
        sizes = [found[way, scenario] for scenario in ("decode-tickers", "decode-books")]
        lines.append([way, *(f"{figure(row.value)} ±{row.spread:.0%}" for row in sizes)])
    return f"{markdown(lines, '-::')}\n{provenance(machine, ('msgspec', 'orjson'))}\n"


def numbers(_machine: dict[str, str], rows: list[Row]) -> str:
    """Write the README's few numbers."""
    values = {(row.scenario, row.measure, row.peer, row.loop): row.value for row in rows}
    lines = [["", *COMPARED]]
    lines += [
        [title, *(figure(values[*what, peer, LOOPS[0]]) for peer in COMPARED)]
        for what, title in NUMBERS.items()
    ]
    return markdown(lines, "-::::")


def first_plot(machine: dict[str, str], rows: list[Row]) -> str:
    """Show the README's plot, which PyPI shows without the files beside it."""
    shown = image(gather(rows)[IN_README], f"{PROJECT['urls']['Documentation']}plots")
    return f"{shown}\n{provenance(machine)}\n"


BLOCKS = {
    block.__name__: block for block in (aims, decoding, figures, first_plot, numbers)
}  # a page names them
PAGES = ("README.md", "CONTRIBUTING.md", "docs/performance.md", "docs/decoding.md")


def written(path: Path, machine: dict[str, str], rows: list[Row]) -> str:
    """Return a page with its figures replaced."""
    page, found = BLOCK.subn(
        lambda match: f"{match[1]}\n{BLOCKS[match[2]](machine, rows)}\n{match[3]}",
        path.read_text(),
    )
    if not found:
        raise ValueError(f"{path} has no place for figures, expected one")
    return page


def files() -> dict[Path, str]:
    """Return all files that show figures, with their contents."""
    machine, rows = load(RESULTS)
    found = {
        PLOTS / file_name(*which): plot(group, machine["python"])
        for which, group in beside_others(rows).items()
        if len({row.peer for row in group}) > 1
    }
    for name in PAGES:
        found[ROOT / name] = written(ROOT / name, machine, rows)
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
