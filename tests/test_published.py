"""What is published is what was measured, and can be read by everybody."""

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).parents[1]
COMPARE = ROOT / "benches/compare"
GROUNDS = {"LIGHT": "#ffffff", "DARK": "#1e2129"}
"""Those of the documentation's themes."""
PHONE = 390 - 2 * 16
"""Pixels that the documentation leaves to a plot on a phone."""


@pytest.fixture(autouse=True)
def _benches(monkeypatch):
    """The modules of benches/compare can be imported."""
    monkeypatch.syspath_prepend(COMPARE)


def test_figures_are_those_that_were_measured():
    done = subprocess.run(
        [sys.executable, COMPARE / "publish.py", "--check"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_missed_aims_are_explained():
    import gates
    from results import load

    verdicts = list(gates.judge(load(ROOT / "benches/results.json")[1]))
    assert verdicts
    missed = [verdict for verdict in verdicts if not verdict.holds and verdict.clear]
    assert [verdict.gate.title() for verdict in missed if not verdict.gate.why] == []


def contrast(one, other):
    """WCAG 2.2's contrast ratio of two colours."""

    def luminance(colour):
        parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
        linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
        return sum(share * x for share, x in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(("name", "ground"), GROUNDS.items())
def test_plots_have_contrast(name, ground):
    import plots

    palette = getattr(plots, name)
    assert palette.ground == ground
    assert contrast(palette.text, ground) >= 4.5
    for colour in (*palette.ours, *palette.theirs):
        assert contrast(colour, ground) >= 3


def test_plots_are_legible_on_a_phone():
    import plots

    assert plots.LETTERS * PHONE / plots.WIDTH >= 11
    drawn = sorted((ROOT / "docs/plots").glob("*.svg"))
    assert drawn
    for path in drawn:
        for element in ET.parse(path).getroot():
            if element.tag.endswith("text"):
                width = plots.LETTER * len(element.text)
                start = float(element.get("x")) - width * (element.get("text-anchor") == "end")
                assert 0 <= start <= plots.WIDTH - width, (path.name, element.text)
