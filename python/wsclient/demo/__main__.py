"""Answers a local server for some seconds, with the documented example, and tells what it took."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import platform
import subprocess
import sys
import time
from array import array
from statistics import quantiles
from typing import TYPE_CHECKING

import wsclient

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

BAR = 40


async def answer(ws: wsclient.ClientWebSocketResponse, round_trips: array[int]) -> None:
    """Run the loop of the documented example, and time each answer's way to the next question.

    Args:
        ws: The open WebSocket.
        round_trips: Takes the times, in nanoseconds.
    """
    sent = None
    while True:
        msg = await ws.receive()
        if sent is not None:
            round_trips.append(time.perf_counter_ns() - sent)

        if msg.tp == wsclient.MsgType.text:
            if msg.data == "close":
                await ws.close()
                break
            sent = time.perf_counter_ns()
            ws.send_str(msg.data + "/answer")
        elif msg.tp == wsclient.MsgType.closed:  # noqa: SIM114 - as documented
            break
        elif msg.tp == wsclient.MsgType.error:
            break


async def show_progress(seconds: float, round_trips: array[int]) -> None:
    """Draw a bar, ten times a second and on terminals only, until cancelled.

    Args:
        seconds: When the bar is full.
        round_trips: What is counted beside it.
    """
    started = time.monotonic()
    while sys.stderr.isatty():
        elapsed = min(time.monotonic() - started, seconds)
        bar = ("#" * round(BAR * elapsed / seconds)).ljust(BAR, ".")
        line = f"\r[{bar}] {elapsed:3.1f} of {seconds:g} s  {len(round_trips):,} messages "
        print(line, end="", file=sys.stderr, flush=True)
        await asyncio.sleep(0.1)


@contextlib.contextmanager
def local_server(seconds: float) -> Generator[str]:
    """Run `wsclient.demo.server` in a process of its own; give its URL.

    Args:
        seconds: How long it is to ask questions.
    """
    command = [sys.executable, "-m", "wsclient.demo.server", str(seconds)]
    # A session of its own keeps Ctrl-C from it: it ends when its standard input does.
    with subprocess.Popen(  # noqa: S603 - our own words
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        try:
            yield f"ws://127.0.0.1:{int(process.stdout.readline())}/"
        finally:
            process.terminate()


async def run(seconds: float) -> int:
    """Run server and example, and print what they did.

    Args:
        seconds: How long.

    Returns:
        The exit status.
    """
    round_trips = array("Q")
    with local_server(seconds) as url:
        print(f"Answering a server at {url} for {seconds:g} seconds.", flush=True)
        async with wsclient.ws_connect(url) as ws:
            progress = asyncio.create_task(show_progress(seconds, round_trips))
            cpu, clock = time.process_time(), time.perf_counter()
            await answer(ws, round_trips)
            cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
            progress.cancel()
    if sys.stderr.isatty():
        print(end="\r\x1b[K", file=sys.stderr, flush=True)
    if ws.exception() is not None or len(round_trips) < 2:  # noqa: PLR2004 - for quantiles
        print(f"The connection ended early: {ws!r}, {ws.exception()!r}", file=sys.stderr)
        return 1
    print(summary(round_trips, clock, cpu))
    return 0


def summary(round_trips: array[int], seconds: float, cpu: float) -> str:
    """Say in words what was measured.

    Args:
        round_trips: Nanoseconds.
        seconds: How long it took.
        cpu: Seconds of this process's CPU time.

    Returns:
        Lines of text.
    """
    count = len(round_trips)
    percentiles = quantiles(round_trips, n=100)
    loop = type(asyncio.get_running_loop())
    return f"""
  messages      {count:,} received and answered in {seconds:.2f} s
  round trip    p50 {percentiles[49] / 1e3:.1f} us, p99 {percentiles[98] / 1e3:.1f} us
  throughput    {count / seconds:,.0f} messages a second, one at a time
  client CPU    {cpu / count * 1e6:.1f} us a message

wsclient {wsclient.__version__}, {platform.python_implementation()} {platform.python_version()}, \
{loop.__module__.partition(".")[0]} event loop, {platform.system()} {platform.machine()}"""


def loop_factory(*, uvloop: bool) -> Callable[[], asyncio.AbstractEventLoop]:
    """Choose the event loop.

    Args:
        uvloop: Whether to take uvloop's, which must be installed.

    Returns:
        What makes it.
    """
    if uvloop:
        from uvloop import new_event_loop  # noqa: PLC0415 - not a requirement

        return new_event_loop
    return asyncio.new_event_loop


def main() -> int:
    """Read the command line and run.

    Returns:
        The exit status.
    """
    parser = argparse.ArgumentParser(prog="python -m wsclient.demo", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="how long (default: 3)")
    parser.add_argument("--uvloop", action="store_true", help="run on uvloop")
    options = parser.parse_args()
    try:
        with asyncio.Runner(loop_factory=loop_factory(uvloop=options.uvloop)) as runner:
            return runner.run(run(options.seconds))
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
