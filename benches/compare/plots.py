"""What was measured, as bars in SVG: legible on light and on dark ground."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from gates import OURS
from report import figure
from results import UNITS
from scenarios import SCENARIOS

if TYPE_CHECKING:
    from results import Row

WIDTH, LABELS, VALUES = 720, 140, 90
TOP, BAR, GAP = 76, 13, 12
# Grey in the middle is legible on white and on black, whatever the page around the image is.
STYLE = """
  text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: #727a84 }
  .title { font-size: 16px; font-weight: 600 }
  .faint { font-size: 12px }
  .ours { font-weight: 700 }
  .theirs { opacity: 0.6 }
  .loop0 { fill: #4a82cf }
  .loop1 { fill: #dd8a35 }
"""


def text(x: float, y: float, content: str, classes: str = "", anchor: str = "start") -> str:
    """Write text."""
    where = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {where} class="{classes}">{escape(content)}</text>'


def bar(x: float, y: float, width: float, classes: str) -> str:
    """Draw a bar."""
    where = f'x="{x:.1f}" y="{y:.1f}" width="{max(width, 1):.1f}" height="{BAR}"'
    return f'<rect {where} rx="2" class="{classes}"/>'


def plot(rows: list[Row], python: str) -> str:
    """Draw the rows of one scenario and measure: for each peer, a bar for each event loop.

    Args:
        rows: What was measured.
        python: On which Python.
    """
    scenario = SCENARIOS[rows[0].scenario]
    loops = list(dict.fromkeys(row.loop for row in rows))
    peers = list(dict.fromkeys(row.peer for row in rows))
    values = {(row.peer, row.loop): row.value for row in rows}
    scale = (WIDTH - LABELS - VALUES) / max(values.values())
    unit = f"{UNITS[rows[0].measure]} per {scenario.unit}, {python}; less is better"
    parts = [text(0, 18, scenario.title, "title"), text(0, 38, unit, "faint")]
    for index, loop in enumerate(loops):
        x = LABELS + 90 * index
        parts += [bar(x, TOP - 24, BAR, f"loop{index}"), text(x + 19, TOP - 13, loop, "faint")]
    y = TOP
    for peer in peers:
        whose = "theirs" if peer != OURS and OURS in peers else ""
        middle = y + BAR * len(loops) / 2 + 5
        parts.append(text(LABELS - 10, middle, peer, "ours" * (peer == OURS), "end"))
        for index, loop in enumerate(loops):
            value = values.get((peer, loop), 0)
            parts.append(bar(LABELS, y, value * scale, f"loop{index} {whose}"))
            parts.append(text(LABELS + value * scale + 6, y + 11, figure(value), "faint"))
            y += BAR + 1
        y += GAP
    attributes = f'viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}" role="img"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {attributes}>',
            f"<title>{escape(scenario.title)}: {escape(unit)}</title>",
            f"<style>{STYLE}</style>",
            *parts,
            "</svg>\n",
        ]
    )
