"""Round trips in figures, and drawn."""

from __future__ import annotations

import itertools
import math
from statistics import quantiles
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["BLOCKS", "duration", "histogram", "percentiles"]

BLOCKS = "▏▎▍▌▋▊▉█"
"""Parts of a column, the whole one last."""

ROWS = 14
"""The most rows that a histogram has for what is usual."""
BAR = 36
"""Columns of its longest bar."""
_TAIL = 0.999
_UNITS = ((1e9, "s"), (1e6, "ms"), (1e3, "us"), (1.0, "ns"))
# Preferred numbers within a decade (ISO 3), and what is coarser than they are.
_FINEST = (
    *(100, 106, 112, 118, 125, 132, 140, 150, 160, 170, 180, 190, 200, 212, 224, 236, 250, 265),
    *(280, 300, 315, 335, 355, 375, 400, 425, 450, 475, 500, 530, 560, 600, 630, 670, 710, 750),
    *(800, 850, 900, 950),
)
_SERIES = (*(_FINEST[::step] for step in (1, 2, 4, 8)), (100, 200, 500), (100,))


def duration(nanoseconds: float) -> str:
    """Write a time in the unit that suits it.

    Args:
        nanoseconds: It.
    """
    return " ".join(_number_and_unit(nanoseconds))


def _number_and_unit(nanoseconds: float) -> tuple[str, str]:
    size, unit = next((u for u in _UNITS if nanoseconds >= u[0]), _UNITS[-1])
    number = nanoseconds / size
    digits = max(2 - math.floor(math.log10(number)), 0) if number > 0 else 0
    return f"{number:,.{digits}f}", unit


def _range(low: float, high: float) -> str:
    (first, first_unit), (last, unit) = _number_and_unit(low), _number_and_unit(high)
    return (
        f"{first} - {last} {unit}" if first_unit == unit else f"{duration(low)} - {duration(high)}"
    )


def percentiles(times: Sequence[int]) -> dict[str, float]:
    """Say what so many percent of the times are below.

    Args:
        times: Nanoseconds; at least two.
    """
    cut = quantiles(times, n=1000)
    return {
        "p50": cut[499],
        "p90": cut[899],
        "p99": cut[989],
        "p99.9": cut[998],
        "max": float(max(times)),
    }


def histogram(times: Sequence[int], *, blocks: bool) -> list[str]:
    """Draw how often a round trip took how long; bars are linear, ranges grow.

    Args:
        times: Nanoseconds; at least one.
        blocks: Whether there are `BLOCKS` to draw with.

    Returns:
        Lines, the last one for what took longer than 99.9 % of all did.
    """
    ordered = sorted(times)
    low, usual = max(ordered[0], 1), ordered[int((len(ordered) - 1) * _TAIL)]
    bounds = _bounds(low, max(usual, low))
    counts = [0] * len(bounds)
    row = 0
    for time in ordered:
        while row < len(bounds) - 1 and time >= bounds[row + 1]:
            row += 1
        counts[row] += 1
    labels = [_range(a, b) for a, b in itertools.pairwise(bounds)]
    labels.append(f"{duration(bounds[-1])} and more")
    if not counts[-1]:
        labels.pop()
    left = max(map(len, labels))
    right = len(f"{max(counts):,}")
    return [
        f"{label:>{left}}  {_bar(count / max(counts), blocks=blocks):{BAR}}  {count:>{right},}"
        for label, count in zip(labels, counts, strict=False)
    ]


def _bounds(low: int, high: int) -> list[float]:
    """Where ranges begin, of the finest series with which there are few; the last has no end."""
    found: list[float] = []
    for series in _SERIES:
        ranges = [(a, b) for a, b in _ranges(series, low) if b > low and a <= high]
        found = [ranges[0][0], *(b for _, b in ranges)]
        if len(ranges) <= ROWS:
            break
    return found


def _ranges(series: tuple[int, ...], low: int) -> Iterator[tuple[float, float]]:
    """The ranges of a series, from the decade of `low` on and for ten more."""
    decade = math.floor(math.log10(low))
    steps = [10.0 ** (decade + up) * part / 100 for up in range(11) for part in series]
    return itertools.pairwise(steps)


def _bar(share: float, *, blocks: bool) -> str:
    if not share:
        return ""
    if not blocks:
        return "#" * max(round(share * BAR), 1)
    eighths = max(round(share * BAR * len(BLOCKS)), 1)
    whole, part = divmod(eighths, len(BLOCKS))
    return BLOCKS[-1] * whole + (BLOCKS[part - 1] if part else "")
