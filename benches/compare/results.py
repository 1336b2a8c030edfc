"""What was measured: rows of samples, and the machine they are from."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from math import sqrt
from pathlib import Path
from statistics import median, quantiles

import wsclient

PACKAGES = (
    *("picows", "aiofastnet", "aiohttp", "websockets", "websocket-rs", "uvloop"),
    *("msgspec", "orjson"),
)


def margin(samples: list[float]) -> float:
    """Return how far the median may be from the true one, either way, in 95 of 100 cases.

    That is what notches in a box plot show (McGill, Tukey and Larsen 1978).
    """
    if len(samples) == 1:
        return 0.0
    low, _, high = quantiles(samples, n=4)
    return 1.57 * (high - low) / sqrt(len(samples))


def spread(samples: list[float]) -> float:
    """Return half the distance between the quartiles, as a part of the median."""
    if len(samples) == 1:
        return 0.0
    low, _, high = quantiles(samples, n=4)
    return (high - low) / 2 / median(samples)


@dataclass(frozen=True)
class Row:
    """The samples of one peer.

    Attributes:
        scenario: A key of `scenarios.SCENARIOS`.
        loop: The event loop.
        measure: What was measured: a key of `UNITS`.
        peer: Who it is; or, where the measure is ``where``, what part of this client.
        samples: In the order of the turns, so that those of two peers in one turn can be compared.
    """

    scenario: str
    loop: str
    measure: str
    peer: str
    samples: list[float]

    @property
    def value(self) -> float:
        """The median."""
        return median(self.samples)

    @property
    def spread(self) -> float:
        """See `spread`."""
        return spread(self.samples)


UNITS = {
    "instructions": "user-space instructions",
    "where": "wsclient's user-space instructions by where they are spent",
    "misses": "misses of an instruction cache of 32 KiB",
    "allocations": "allocations of memory",
    "cpu": "microseconds of CPU time",
    "p50": "microseconds, median",
    "p99": "microseconds, 99th percentile",
    "p99/p50": "99th percentile over median",
    "memory": "KiB of resident memory",
}


def ratios(row: Row, base: Row) -> list[float]:
    """Compare two peers, or one in two scenarios, within each turn."""
    return [mine / theirs for mine, theirs in zip(row.samples, base.samples, strict=True)]


def with_tails(rows: list[Row]) -> list[Row]:
    """Add rows that say how much longer than others the slow ones take."""
    medians = {(row.scenario, row.loop, row.peer): row for row in rows if row.measure == "p50"}
    return rows + [
        Row(
            row.scenario,
            row.loop,
            "p99/p50",
            row.peer,
            ratios(row, medians[row.scenario, row.loop, row.peer]),
        )
        for row in rows
        if row.measure == "p99"
    ]


def python() -> str:
    """Say which Python this is."""
    return f"{platform.python_implementation()} {platform.python_version()}"


def build() -> str:
    """Say what of this client is measured: `make bench` installs the wheel of `make wheel`."""
    editable = Path(wsclient.__file__).is_relative_to(Path(__file__).parents[2] / "python")
    return "a development build" if editable else "a wheel"


def machine() -> dict[str, str]:
    """Describe where this runs: what figures depend on."""
    cpus = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True)
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cpu": f"{cpus[0] if cpus else platform.machine()}, {os.cpu_count()} cores",
        "system": platform.platform(),
        "python": python(),
        "rust": rustc.stdout.split()[1],
        "wsclient": wsclient.__version__,
        "build": build(),
        **{name: version(name) for name in PACKAGES if find_spec(name.replace("-", "_"))},
    }


def save(path: Path, rows: list[Row]) -> None:
    """Write rows to a file, with the machine they are from."""
    rounded = [replace(row, samples=[float(f"{x:.6g}") for x in row.samples]) for row in rows]
    lines = ",\n".join(f"    {json.dumps(asdict(row))}" for row in rounded)
    facts = json.dumps(machine(), indent=4).replace("\n}", "\n  }")
    path.write_text(f'{{\n  "machine": {facts},\n  "rows": [\n{lines}\n  ]\n}}\n')


def load(path: Path) -> tuple[dict[str, str], list[Row]]:
    """Read what `save` wrote."""
    content = json.loads(path.read_text())
    return content["machine"], [Row(**row) for row in content["rows"]]
