"""What was measured, as bars in SVG, which bring their own ground, light or dark.

The width is a phone's, so that letters are large enough there.
"""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from gates import OURS
from report import figure
from results import UNITS
from scenarios import SCENARIOS

if TYPE_CHECKING:
    from results import Row

WIDTH, MARGIN, LABELS = 400, 10, 150
SHOWN = 460
"""Pixels, where there is room for them."""
LETTERS = 13.5
LETTER, LINE = 8, 18
"""What a letter takes in the widest of the fonts."""
BAR, GAP = 15, 10


@dataclass(frozen=True)
class Palette:
    """Colours; `tests/test_published.py` holds their contrast to what WCAG 2.2 asks for at AA.

    Attributes:
        ground: What all is on.
        text: Letters.
        ours: This client's bars, on asyncio and on uvloop.
        theirs: The others'.
    """

    ground: str
    text: str
    ours: tuple[str, str]
    theirs: tuple[str, str]

    def css(self) -> str:
        """Give each class of the plot its colour."""
        colours = {"ground": self.ground, "text": self.text}
        for index in range(2):
            colours |= {f"ours{index}": self.ours[index], f"theirs{index}": self.theirs[index]}
        return " ".join(f".{name} {{ fill: {colour} }}" for name, colour in colours.items())


LIGHT = Palette("#ffffff", "#3d444d", ("#1a56b4", "#a34a04"), ("#688dcc", "#c47a28"))
# The documentation's own dark ground.
DARK = Palette("#1e2129", "#c3c9d3", ("#7fb0ff", "#ffb066"), ("#5a82bf", "#b4753c"))

STYLE = f"""
  text {{ font: {LETTERS}px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif }}
  .bold {{ font-weight: 700 }}
  {LIGHT.css()}
  @media (prefers-color-scheme: dark) {{ {DARK.css()} }}
"""


def text(x: float, y: float, content: str, classes: str = "", anchor: str = "start") -> str:
    """Write text."""
    where = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {where} class="{f"text {classes}".strip()}">{escape(content)}</text>'


def bar(x: float, y: float, width: float, kind: str) -> str:
    """Draw a bar."""
    where = f'x="{x:.1f}" y="{y:.1f}" width="{max(width, 1):.1f}" height="{BAR}"'
    return f'<rect {where} rx="2" class="{kind}"/>'


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
    left = MARGIN + LABELS
    right = LETTER * (max(len(figure(value)) for value in values.values()) + 1)
    scale = (WIDTH - left - right) / max(values.values())
    unit = f"{UNITS[rows[0].measure]} per {scenario.unit}, {python}"
    parts, y = [], MARGIN + 14
    for content, classes in ((scenario.title, "bold"), (unit, "")):
        for line in wrap(content, (WIDTH - 2 * MARGIN) // LETTER):
            parts.append(text(MARGIN, y, line, classes))
            y += LINE
    parts.append(text(MARGIN, y + 12, "less is better"))
    for index, loop in enumerate(loops):
        x = left + 90 * index
        parts += [bar(x, y, BAR, f"ours{index}"), text(x + 21, y + 12, loop)]
    y += 26
    for peer in peers:
        kind = "theirs" if peer != OURS and OURS in peers else "ours"
        middle = y + BAR * len(loops) / 2 + 5
        parts.append(text(left - 8, middle, peer, "bold" * (peer == OURS), "end"))
        for index, loop in enumerate(loops):
            value = values.get((peer, loop), 0)
            parts.append(bar(left, y, value * scale, f"{kind}{index}"))
            parts.append(text(left + value * scale + 5, y + 12.5, figure(value)))
            y += BAR + 1
        y += GAP
    size = f'viewBox="0 0 {WIDTH} {y}" width="{SHOWN}" height="{y * SHOWN / WIDTH:.0f}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
            f"<title>{escape(scenario.title)}: {escape(unit)}</title>",
            f"<style>{STYLE}</style>",
            '<rect width="100%" height="100%" rx="6" class="ground"/>',
            *parts,
            "</svg>\n",
        ]
    )
