"""Where wsclient must stand, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from results import margin, ratios
from scenarios import ADAPTERS, WEBSOCKETS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from results import Row

BOTH = ("asyncio", "uvloop")
OURS = "wsclient"
BEST = "the best peer"


@dataclass(frozen=True)
class Gate:
    """A bound on a ratio of two rows, or on a row.

    Attributes:
        scenario: What this client does, or its adapter.
        measure: What is compared.
        limit: The bound.
        peer: What it is compared with; None for a bound in the measure's unit.
        base: What the peer does, if not the same.
        loops: Where it holds.
        who: Which of the two.
        why: What stands in the way, where that is known.
    """

    scenario: str
    measure: str
    limit: float
    peer: str | None
    base: str | None = None
    loops: tuple[str, ...] = BOTH
    who: str = OURS
    why: str = ""

    def title(self) -> str:
        """Say what is compared."""
        what = f"{self.scenario}: {self.measure}"
        if self.who != OURS:
            what = f"{self.who} in {what}"
        if self.peer is None:
            return what
        if self.base is None:
            return f"{what}, beside {self.peer}"
        peer = "" if self.peer == OURS else f"{self.peer} in "
        return f"{what}, beside {peer}{self.base}"


EITHER_SIDE = "Runs come out on either side of it."
OPENSSL = f"Most of it is OpenSSL's, in both. {EITHER_SIDE}"
AWAITING = (
    "Where Python is built with profile-guided optimisation, what the interpreter itself takes for "
    "an `await` is two fifths of picows' whole callback. 0.6 is for where it is not."
)
FEW = "By a few instructions, and only where Python is built with profile-guided optimisation."
FASTER = "What it adds has stayed; what it adds that to takes less than when this was set."
COPYING = (
    "What is left is the kernel's copying: `bare`, which only counts bytes, takes about as much."
)
TRANSCODING = (
    "UTF-8 is checked and brought to the width that a `str` has, for which bytes need nothing."
)
KERNEL = (
    "What is left is the kernel's and the event loop's: `bare`, which writes and counts bytes, "
    "takes as much or more."
)
GATES = {
    "1": [
        Gate("echo", "instructions", 1.0, "picows"),
        Gate("echo", "instructions", 0.55, "picows.websockets", loops=("asyncio",)),
        Gate("echo", "instructions", 0.4, "aiohttp"),
        Gate("echo", "instructions", 0.2, "websockets"),
    ],
    "2": [
        Gate("echo-tls", "cpu", 1.0, "picows", why=OPENSSL),
        Gate("echo-tls", "instructions", 1.0, "picows"),
    ],
    "3": [
        Gate("push", "instructions", 0.6, "picows", why=AWAITING),
        Gate("push-batches", "instructions", 0.3, "picows", base="push", why=FEW),
        Gate("push-typed", "instructions", 1.05, OURS, base="push"),
        Gate("push-batches-typed", "instructions", 0.8, OURS, base="push-batches"),
    ],
    "4": [
        Gate("receive-1m", "cpu", 1.0, "picows", why=COPYING),
        Gate("send-1m", "cpu", 1.0, "bare", why=COPYING),
        Gate("echo-100k", "cpu", 0.8, "picows", why=COPYING),
    ],
    "5": [
        Gate("echo-ascii", "instructions", 1.15, OURS, base="echo"),
        Gate("echo-mixed", "instructions", 1.25, OURS, base="echo", why=TRANSCODING),
        Gate("push-ascii", "instructions", 1.15, OURS, base="push"),
        Gate("push-mixed", "instructions", 2.0, OURS, base="push", why=TRANSCODING),
    ],
    "6": [
        Gate("idle", "memory", 6.0, None),
        Gate("open", "cpu", 1.0, "picows", why=f"It takes fewer instructions. {EITHER_SIDE}"),
    ],
    "7": [Gate("echo", "cpu", 1.5, "native", loops=("uvloop",))],
    "8": [Gate("tail", "p99/p50", 1.0, BEST, why=EITHER_SIDE)],
    "9": [
        *(Gate("echo-tls", "instructions", 1.05, OURS, who=adapter) for adapter in ADAPTERS),
        *(
            Gate("push-tls", "instructions", 1.05, OURS, who=adapter, why=FASTER)
            for adapter in ADAPTERS
        ),
    ],
    "10": [
        Gate("echo", "instructions", 1.1, OURS, who="wsclient.websockets"),
        Gate("push", "instructions", 1.1, OURS, who="wsclient.websockets"),
    ],
    "11": [
        Gate("burst", "cpu", 0.2, "picows", why=KERNEL),
        Gate("burst-tls", "cpu", 0.35, "picows", why=KERNEL),
    ],
}
"""The gates by the points of the project's aims."""


@dataclass(frozen=True)
class Verdict:
    """What a gate says of rows.

    Attributes:
        point: A key of `GATES`.
        gate: The gate.
        loop: The event loop.
        value: The median of the ratios.
        margin: How far it may be off; see `results.margin`.
    """

    point: str
    gate: Gate
    loop: str
    value: float
    margin: float

    @property
    def holds(self) -> bool:
        """Whether the bound is kept."""
        return self.value <= self.gate.limit

    @property
    def clear(self) -> bool:
        """Whether another run would say the same."""
        return abs(self.value - self.gate.limit) > self.margin

    def __str__(self) -> str:
        """Say it in a word, and whether another run might say the opposite."""
        word = "holds" if self.holds else "MISSED"
        return word if self.clear else f"{word}, within noise"


def judge(rows: list[Row]) -> Iterator[Verdict]:
    """Apply all gates whose rows are there."""
    found = {(row.scenario, row.measure, row.loop, row.peer): row for row in rows}
    for point, gates in GATES.items():
        for gate in gates:
            for loop in gate.loops:
                mine = found.get((gate.scenario, gate.measure, loop, gate.who))
                peers = set(WEBSOCKETS) - {OURS} if gate.peer == BEST else {gate.peer}
                others = [
                    found[base, gate.measure, loop, peer]
                    for base in [gate.base or gate.scenario]
                    for peer in peers
                    if (base, gate.measure, loop, peer) in found
                ]
                if mine is None or (gate.peer is not None and not others):
                    continue
                values = mine.samples
                if others:
                    values = ratios(mine, min(others, key=lambda row: row.value))
                yield Verdict(point, gate, loop, median(values), margin(values))
