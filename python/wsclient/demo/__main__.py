"""Answers a local server for some seconds, with the documented example, and tells what it took."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import platform
import shutil
import subprocess
import sys
import time
from array import array
from pathlib import Path
from typing import TYPE_CHECKING

import wsclient
from wsclient.cli.bench import report
from wsclient.cli.echo import PORT
from wsclient.cli.loops import add_uvloop, loop_factory
from wsclient.cli.output import write
from wsclient.cli.progress import progress

if TYPE_CHECKING:
    from collections.abc import Generator

ECHO = f"ws://127.0.0.1:{PORT}/"


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
        async with wsclient.ws_connect(url) as ws, progress(seconds, round_trips):
            cpu, clock = time.process_time(), time.perf_counter()
            await answer(ws, round_trips)
            cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
    if ws.exception() is not None or len(round_trips) < 2:  # noqa: PLR2004 - for quantiles
        print(f"The connection ended early: {ws!r}, {ws.exception()!r}", file=sys.stderr)
        return 1
    write(report(round_trips, clock, cpu))
    write(
        ["", about(), "", f"Try next: {command()} echo, and beside it: {command()} connect {ECHO}"]
    )
    return 0


def about() -> str:
    """Say what has run."""
    loop = type(asyncio.get_running_loop()).__module__.partition(".")[0]
    return (
        f"wsclient {wsclient.__version__}, {platform.python_implementation()}"
        f" {platform.python_version()}, {loop} event loop, {platform.system()} {platform.machine()}"
    )


def command() -> str:
    """Say how the command is called here: by its name, where that leads to this installation."""
    found = shutil.which("wsclient")
    python = Path(sys.executable)
    if found is not None and Path(found).parent == python.parent:
        return "wsclient"
    here = Path.cwd()
    return f"{python.relative_to(here) if python.is_relative_to(here) else python} -m wsclient"


def main() -> int:
    """Read the command line and run.

    Returns:
        The exit status.
    """
    parser = argparse.ArgumentParser(prog="python -m wsclient.demo", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="how long (default: 3)")
    add_uvloop(parser)
    options = parser.parse_args()
    try:
        with asyncio.Runner(loop_factory=loop_factory(uvloop=options.uvloop)) as runner:
            return runner.run(run(options.seconds))
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
