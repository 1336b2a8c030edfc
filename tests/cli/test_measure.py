"""Round trips in figures, and drawn."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsclient.cli.measure import BAR, BLOCKS, ROWS, duration, histogram, percentiles


@pytest.mark.parametrize(
    ("nanoseconds", "shown"),
    [
        (0, "0 ns"),
        (7, "7.00 ns"),
        (999, "999 ns"),
        (31_500, "31.5 us"),
        (1_000_000, "1.00 ms"),
        (123_456_789, "123 ms"),
        (5_000_000_000, "5.00 s"),
        (12_345_000_000_000, "12,345 s"),
    ],
)
def test_durations(nanoseconds, shown):
    assert duration(nanoseconds) == shown


def test_percentiles():
    found = percentiles(range(1, 1001))
    assert found["p50"] == pytest.approx(500, abs=1)
    assert found["p99"] == pytest.approx(990, abs=1)
    assert (list(found)[-1], found["max"]) == ("max", 1000)


@given(st.lists(st.integers(0, 10**11), min_size=1), st.booleans())
def test_every_round_trip_is_in_one_row(times, blocks):
    rows = histogram(times, blocks=blocks)
    counts = [int(re.search(r"([\d,]+)$", row)[1].replace(",", "")) for row in rows]
    assert sum(counts) == len(times)
    assert len(rows) <= ROWS + 1
    assert len({len(row) for row in rows}) == 1
    full = (BLOCKS[-1] if blocks else "#") * BAR
    assert sum(full in row for row in rows) >= 1


def test_a_picture():
    times = [30_000] * 80 + [36_000] * 40 + [41_000]
    assert histogram(times * 10, blocks=False) == [
        "30.0 - 31.5 us  ####################################  800",
        "31.5 - 33.5 us                                          0",
        "33.5 - 35.5 us                                          0",
        "35.5 - 37.5 us  ##################                    400",
        "37.5 - 40.0 us                                          0",
        "40.0 - 42.5 us  #                                      10",
    ]


def test_the_slowest_have_a_row_of_their_own():
    rows = histogram([30_000] * 5000 + [5_000_000], blocks=True)
    assert rows == [
        f"  30.0 - 31.5 us  {BLOCKS[-1] * BAR}  5,000",
        f"31.5 us and more  {BLOCKS[0]}{' ' * (BAR - 1)}      1",
    ]
