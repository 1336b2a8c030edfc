"""Random sequences of calls against a hostile server: python fuzz/sequences --help.

Each seed is an episode of its own: a server that sends numbered messages and ends in every way, and
a client that receives, sends, cancels, closes and forgets from several tasks, while the garbage
collector runs, finalizers use the connection, and the event loop's methods fail. What was sent must
arrive, or the end be told; nothing may hang, crash, or be left.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import os
import subprocess
import sys
import time
from pathlib import Path

STUCK = 300.0
"""Seconds of one episode after which its loop stands still."""
TRACE = 400
"""Lines of a trace that are shown."""


def arguments() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog="python fuzz/sequences",
        description="Play random sequences of calls against a hostile server.",
    )
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    parser.add_argument("--seed", type=int, help="the first seed; by default a random one")
    parser.add_argument("--count", type=int, help="how many seeds; 1 if there is a --seed")
    parser.add_argument("--seconds", type=float, help="go on for so long, instead")
    parser.add_argument("--keep-going", action="store_true", help="do not stop at a finding")
    parser.add_argument("--trace", action="store_true", help="show what happens, as it happens")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    return parser


def play_here(options: argparse.Namespace) -> int:
    """Play episodes in this process."""
    from episode import play  # noqa: PLC0415 - not in the process that only watches

    found = 0
    end = None if options.seconds is None else time.monotonic() + options.seconds
    seed = options.seed
    while True:
        print(f"seed {seed}", flush=True)
        faulthandler.dump_traceback_later(STUCK, exit=True)
        world = play(seed, options.loop)
        faulthandler.cancel_dump_traceback_later()
        if options.trace:
            print(*world.trace, sep="\n", flush=True)
        if world.findings:
            found += 1
            show(world, options)
            if not options.keep_going:
                return 1
        seed += 1
        if end is not None and time.monotonic() > end:
            break
        if end is None and seed >= options.seed + options.count:
            break
    return 1 if found else 0


def show(world: object, options: argparse.Namespace) -> None:
    """Say what was found, and how to see it again."""
    findings, trace, seed = world.findings, world.trace, world.seed  # type: ignore[attr-defined]
    lines = trace[:1] if options.keep_going else trace[-TRACE:]
    lines += [f"FOUND in seed {seed} on {options.loop}: {kind}: {text}" for kind, text in findings]
    lines.append(f"Again: {replay(seed, options.loop)}")
    print(*lines, sep="\n", flush=True)


def replay(seed: int, loop: str) -> str:
    """Tell how to play an episode again."""
    return f"python fuzz/sequences --seed {seed} --loop {loop}"


def watch_child(options: argparse.Namespace) -> int:
    """Play episodes in a process that looks for more than usual, and outlive its end."""
    failed = False
    seed, left = options.seed, options.count
    end = None if options.seconds is None else time.monotonic() + options.seconds
    while end is None or time.monotonic() < end:
        command = [sys.executable, "-X", "dev", str(Path(__file__).parent), "--here"]
        command += ["--loop", options.loop, "--seed", str(seed), "--count", str(left)]
        command += ["--seconds", str(end - time.monotonic())] if end is not None else []
        command += ["--keep-going"] if options.keep_going else []
        command += ["--trace"] if options.trace else []
        last = seed
        environment = {**os.environ, "PYTHONMALLOC": "debug"}
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=environment, errors="replace"
        ) as child:
            assert child.stdout is not None
            for line in child.stdout:
                if line.startswith("seed "):
                    last = int(line.split()[1])
                else:
                    print(line, end="", flush=True)
        failed |= child.returncode != 0
        crashed = child.returncode not in {0, 1}
        if crashed:
            how = f"the process ended with code {child.returncode}"
            print(f"FOUND in seed {last} on {options.loop}: {how}")
            print(f"Again: {replay(last, options.loop)}", flush=True)
        left -= last + 1 - seed
        seed = last + 1
        if not (crashed and options.keep_going and (end is not None or left > 0)):
            break
    print(f"{last + 1 - options.seed} episodes on {options.loop}, from seed {options.seed} on")
    return 1 if failed else 0


def main() -> int:
    """Run."""
    options = arguments().parse_args()
    if options.here:
        with contextlib.suppress(KeyboardInterrupt):
            return play_here(options)
        return 130
    if options.count is None:
        options.count = 1 if options.seed is not None or options.seconds is not None else 100
    if options.seed is None:
        options.seed = int.from_bytes(os.urandom(4), "big")
    return watch_child(options)


if __name__ == "__main__":
    sys.exit(main())
