"""What was measured, as tables to read in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results import UNITS, ratio
from scenarios import SCENARIOS

if TYPE_CHECKING:
    from results import Row

BASE = "wsclient"


def table(rows: list[Row]) -> str:
    """Show peers one below the other: those of one scenario, loop and measure."""
    first = rows[0]
    scenario = SCENARIOS[first.scenario]
    base = next((row for row in rows if row.peer == BASE), first)
    lines = [
        f"{scenario.title}, {first.loop}",
        f"  {UNITS[first.measure]} per {scenario.unit}",
    ]
    for row in rows:
        line = f"  {row.peer:18} {row.value:12,.1f} ±{row.spread:4.1%} {ratio(row, base):8.2f}"
        lines.append(line)
    return "\n".join(lines)


def tables(rows: list[Row]) -> str:
    """Show all rows."""
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.scenario, row.measure, row.loop), []).append(row)
    return "\n\n".join(table(group) for group in groups.values())
