"""`wsclient bench URL`: how long a round trip to a server that echoes takes."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from array import array
from typing import TYPE_CHECKING, Any

from .arguments import add_connection, message_of, number_of
from .connections import connections, status_of
from .exits import CommandError, Exit
from .loops import add_uvloop
from .measure import BLOCKS, duration, histogram, percentiles
from .output import check_output, write
from .progress import progress
from .terminal import draws, note

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncGenerator, Sequence

    from wsclient import ClientWebSocketResponse

    from .arguments import Subparsers

__all__ = ["add", "report"]

PATIENCE = 10.0
"""Seconds for which a server may say nothing."""
GREETING = 1.0
"""Seconds in which an echo must follow what a server says first."""
IN_FLIGHT = 1 << 26
"""Bytes that may be on their way at once."""


def add(subparsers: Subparsers) -> None:
    """Add the sub-command.

    Args:
        subparsers: Where to.
    """
    parser = subparsers.add_parser(
        "bench",
        help="measure round trips and throughput",
        description="Measure round trips to a server that echoes, one at a time, and then how many"
        " messages a second it sends back.",
    )
    parser.add_argument(
        "--seconds",
        type=number_of(float, "seconds", least=0.1),
        default=3.0,
        metavar="SECONDS",
        help="for each of both (default: 3)",
    )
    parser.add_argument(
        "--size",
        type=number_of(int, "bytes", least=1),
        default=256,
        metavar="BYTES",
        help="of each message, which is text (default: 256)",
    )
    parser.add_argument(
        "--in-flight",
        type=number_of(int, "messages", least=1),
        default=100,
        metavar="N",
        help="messages that are on their way at once, for throughput (default: 100)",
    )
    parser.add_argument(
        "--message", type=message_of, metavar="TEXT", help="what to send, instead of --size"
    )
    add_uvloop(parser)
    add_connection(parser)
    parser.set_defaults(run=bench)


async def bench(options: argparse.Namespace) -> int:
    """Run the sub-command.

    Args:
        options: What was parsed.

    Returns:
        The exit status.

    Raises:
        CommandError: Nothing comes back.
    """
    check_output()
    text = "." * options.size if options.message is None else options.message
    async with contextlib.aclosing(connections(options)) as opened:
        ws = await anext(opened)
        wanted = text if await _echoes(ws, text) else None
        times = array("Q")
        async with progress(options.seconds, times), _patience(options.seconds):
            cpu, clock = time.process_time(), time.perf_counter()
            await _ping_pong(ws, text, wanted, options.seconds, times)
            cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
        if len(times) > 1:
            write(report(times, clock, cpu))
        if not ws.closed:
            write([await _throughput(ws, text, options)])
        return status_of(ws) or Exit.CLOSED if ws.closed else Exit.OK


@contextlib.asynccontextmanager
async def _patience(seconds: float) -> AsyncGenerator[None]:
    """Bound the time in which a server may say nothing."""
    try:
        async with asyncio.timeout(seconds + PATIENCE):
            yield
    except TimeoutError:
        raise CommandError(
            f"nothing has come back within {PATIENCE:g} s: bench needs a server that echoes,"
            " as `wsclient echo` does"
        ) from None


async def _echoes(ws: ClientWebSocketResponse[Any], text: str) -> bool:
    """Tell whether a server sends a message back, perhaps after a greeting; warn if not."""
    ws.send_str(text)
    async with _patience(0):
        msg = await ws.receive()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(GREETING):
            while msg.data != text and not ws.closed:
                msg = await ws.receive()
    if msg.data == text or ws.closed:
        return True
    note("the server does not echo: what is timed is whatever it sends next")
    return False


async def _ping_pong(
    ws: ClientWebSocketResponse[Any],
    text: str,
    wanted: str | None,
    seconds: float,
    times: array[int],
) -> None:
    """Send again and again what has come back, until the connection ends or the time is over."""
    clock = time.perf_counter_ns
    end = clock() + seconds * 1e9
    sent = 0
    while sent < end:
        sent = clock()
        ws.send_str(text)
        msg = await ws.receive()
        while msg.data != wanted and wanted is not None and not ws.closed:
            msg = await ws.receive()
        if ws.closed:
            return
        times.append(clock() - sent)


async def _throughput(
    ws: ClientWebSocketResponse[Any], text: str, options: argparse.Namespace
) -> str:
    """Keep many messages on their way, and say how many a second come back."""
    size = len(text.encode())
    in_flight = max(min(options.in_flight, IN_FLIGHT // max(size, 1)), 1)
    came = array("Q")
    began = last = time.perf_counter()
    async with progress(options.seconds, came), _patience(options.seconds):
        # Nobody waits for these to leave, which they do only if what comes back is received.
        ws.send_many([text] * in_flight)
        while last < began + options.seconds and not ws.closed:
            batch = await ws.receive_many()
            last = time.perf_counter()
            came.extend([0] * len(batch))
            if not ws.closed:
                ws.send_many([text] * len(batch))
    rate = len(came) / (last - began)
    return (
        f"  throughput    {rate:,.0f} messages a second, {rate * size / 1e6:,.1f} MB/s,"
        f" {in_flight} in flight"
    )


def report(times: Sequence[int], seconds: float, cpu: float) -> list[str]:
    """Draw round trips, and say what they were.

    Args:
        times: Nanoseconds of each; at least two.
        seconds: How long all of them took.
        cpu: Seconds of this process's CPU time.

    Returns:
        Lines.
    """
    below = ", ".join(f"{name} {duration(value)}" for name, value in percentiles(times).items())
    count = len(times)
    return [
        "",
        *(f"  {line}" for line in histogram(times, blocks=draws(sys.stdout, BLOCKS))),
        "",
        f"  round trip    {below}",
        f"  one by one    {count:,} in {seconds:.2f} s, {count / seconds:,.0f} a second",
        f"  client CPU    {duration(cpu / count * 1e9)} a round trip",
    ]
