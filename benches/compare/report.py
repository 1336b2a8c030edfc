"""What was measured, as tables."""

from __future__ import annotations

from math import floor, log10
from statistics import median
from typing import TYPE_CHECKING

from gates import OURS, judge
from results import UNITS, python, ratios
from scenarios import SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from results import Row


def figure(value: float) -> str:
    """Show three digits, or more before the point."""
    if value == 0:
        return "0"
    digits = max(0, 2 - floor(log10(abs(value))))
    return f"{value:,.{digits}f}"


def groups(rows: Iterable[Row]) -> dict[tuple[str, str, str], list[Row]]:
    """Bring together what is compared: the rows of one scenario, measure and loop."""
    found: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row.scenario, row.measure, row.loop), []).append(row)
    return found


def tables(rows: Iterable[Row]) -> str:
    """Show all rows for a terminal, each peer with its ratio to this client."""
    lines = []
    for (name, measure, loop), group in groups(rows).items():
        scenario = SCENARIOS[name]
        base = next((row for row in group if row.peer == OURS), None)
        lines += [f"{scenario.title}, {loop}", f"  {UNITS[measure]} per {scenario.unit}"]
        for row in group:
            ratio = "" if base is None else f"{median(ratios(row, base)):8.2f}"
            lines.append(f"  {row.peer:18} {figure(row.value):>10} ±{row.spread:4.0%} {ratio}")
        lines.append("")
    return "\n".join(lines)


def verdicts(rows: list[Row]) -> str:
    """Show for a terminal which gates hold."""
    lines = [f"Where wsclient must stand, on {python()}"]
    for verdict in judge(rows):
        value, limit = figure(verdict.value), figure(verdict.gate.limit)
        lines.append(
            f"  {verdict.point}  {verdict.gate.title():54} {verdict.loop:8}"
            f"{value:>6} ±{verdict.margin:.2f}, at most {limit:5}  {verdict}"
        )
    return "\n".join(lines)
