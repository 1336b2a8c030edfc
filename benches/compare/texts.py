"""Text in many scripts, beside CPython's decoder: python benches/compare/texts.py.

Counts instructions with valgrind: what checking a text and writing its characters takes here, and
what `bytes.decode()` takes for the same. What each takes for two bytes of ASCII, which is calling
it and making a string, is subtracted. Prints a table, and fails if CPython takes fewer for a text.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain, product
from typing import TYPE_CHECKING

from counts import TOOLS, watch
from native import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TEXTS = dict(
    line.rstrip("\n").split(": ", 1) for line in (ROOT / "benches/texts.txt").open(encoding="utf-8")
)
SIZES = {"64 B": 64, "256 B": 256, "4 KiB": 4096, "64 KiB": 65536}
SHORTEST = (next(iter(TEXTS)), 2)
"""A text and a size; one byte would be a string that Python has in stock."""
COUNTER = replace(
    TOOLS["instructions"],
    # Each byte that one instruction of the C library's memcpy copies would count.
    environment={"GLIBC_TUNABLES": "glibc.cpu.x86_rep_movsb_threshold=1000000000"},
)


def text(name: str, size: int) -> bytes:
    """Return a text of at most so many bytes, of whole characters."""
    line = TEXTS[name].encode()
    return (line * (size // len(line) + 1))[:size].decode(errors="ignore").encode()


def everything() -> Iterator[tuple[str, int]]:
    """Yield each text's name with each size, after what is subtracted from all."""
    return chain([SHORTEST], product(TEXTS, SIZES.values()))


def times(size: int) -> tuple[int, int]:
    """Return how often a text of a size is worked on in two runs."""
    few = 5 + 10_000 // size
    return few, 3 * few


def decode(data: bytes, count: int) -> int:
    """Fork a process that decodes; return its id when it has ended."""
    process = os.fork()
    if process == 0:
        for _ in range(count):
            data.decode()
        os._exit(0)
    os.waitpid(process, 0)
    return process


def child() -> None:
    """Decode everything, in processes of which valgrind counts one by one; print their ids."""
    doing = [(text(name, size), n) for name, size in everything() for n in times(size)]
    print(json.dumps([decode(*task) for task in doing]))


def each(few: int, many: int, size: int) -> float:
    """Say what a text of a size takes once, from what two runs have taken."""
    return (many - few) / (times(size)[1] - times(size)[0])


def characters(counts: Iterable[float]) -> list[float]:
    """Subtract what is not the characters'."""
    shortest, *others = counts
    # Of ASCII, a register full may take fewer than two bytes.
    return [max(count - shortest, 0.0) for count in others]


def cpython() -> list[float]:
    """Count what each text takes CPython."""
    output, counts = watch(COUNTER, [sys.executable, __file__, "child"])
    totals = [counts[process] for process in json.loads(output)]
    sizes = (size for _, size in everything())
    return characters(map(each, totals[::2], totals[1::2], sizes))


def build() -> str:
    """Compile `benches/texts.rs`, and return where the program is."""
    command = ["cargo", "bench", "--bench", "texts", "--no-run", "--message-format", "json"]
    output = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    found = (json.loads(line) for line in output.splitlines())
    return next(program for line in found if (program := line.get("executable")))


def core() -> list[float]:
    """Count what each text takes this package's core."""
    program = build()

    def run(name: str, size: int, count: int) -> int:
        command = [program, name, str(size), str(count)]
        return sum(watch(COUNTER, command)[1].values())

    def count(task: tuple[str, int]) -> float:
        few, many = times(task[1])
        return each(run(*task, few), run(*task, many), task[1])

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return characters(pool.map(count, everything()))


def main() -> None:
    """Count, and print a table."""
    ours, theirs = core(), cpython()
    columns = len(SIZES)
    print(f"| | {' | '.join(SIZES)} | instructions a byte | CPython's |")
    print(f"|---|{'--:|' * (columns + 2)}")
    worst = 0.0
    for row, name in enumerate(TEXTS):
        here = slice(row * columns, (row + 1) * columns)
        ratios = [one / other for one, other in zip(ours[here], theirs[here], strict=True)]
        worst = max(worst, *ratios)
        a_byte = [counts[here][-1] / list(SIZES.values())[-1] for counts in (ours, theirs)]
        cells = [*(f"{ratio:.2f}" for ratio in ratios), *(f"{count:.1f}" for count in a_byte)]
        print(f"| {name} | {' | '.join(cells)} |")
    print(f"\nAt most {worst:.2f} times the instructions of CPython {platform.python_version()}.")
    if worst > 1:
        sys.exit("CPython's decoder takes fewer instructions somewhere")


if __name__ == "__main__":
    child() if sys.argv[1:] == ["child"] else main()
