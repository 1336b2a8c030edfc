"""Finding out that a silent connection is dead."""

from __future__ import annotations

import asyncio
import os
import time
from functools import partial

from ._core import Protocol, WebSocketBase
from .exceptions import ServerTimeoutError

__all__ = ["Heartbeat"]


_GRACE = 0.001
"""Seconds: any time at all, so that the loop looks at the socket first."""


class Heartbeat:
    """Pings a silent peer, and fails the connection if it stays silent.

    After `interval` seconds in which nothing was read, a ping goes out; if nothing is read in
    half of that again, the peer counts as dead. Time in which this side has paused reading does
    not count, nor does time in which the peer takes bytes that were queued before the ping.

    Mirrors the ``heartbeat`` of ``aiohttp.ClientSession.ws_connect``.

    Args:
        connection: What to watch; made with ``watch_reads=True``.
        interval: Seconds of silence before a ping.
        error: What a dead connection fails with.
    """

    def __init__(
        self,
        connection: Protocol,
        interval: float,
        error: type[Exception] = ServerTimeoutError,
    ) -> None:
        self._connection = connection
        self._ws = WebSocketBase(connection)
        self._interval = interval
        self._error = error
        self._patience = interval / 2
        self._buffered = 0
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(interval, self._beat)
        lost = connection.wait_lost()
        if lost is not None:
            lost.add_done_callback(lambda _: self.stop())

    def stop(self) -> None:
        """Ping no more."""
        self._timer.cancel()

    def _beat(self) -> None:
        if not self._connection.alive:
            return
        rest = self._interval - self._idle()
        if self._connection.reading_paused:
            rest = self._interval
        if rest > 0:
            self._timer = self._loop.call_later(rest, self._beat)
            return
        # A payload of its own, so that an unasked-for pong is no measure of latency.
        self._ws.ping(os.urandom(4))
        self._await_pong()

    def _await_pong(self) -> None:
        # The clock of `idle_time`; uvloop rounds its own.
        self._pinged = time.monotonic()
        self._buffered = self._ws.buffered_amount
        self._timer = self._loop.call_later(self._patience, self._check)

    def _check(self, *, late: bool = False) -> None:
        if not self._connection.alive:
            return
        idle = self._idle()
        waited = time.monotonic() - self._pinged
        if idle < waited:
            self._beat()
        elif (
            self._connection.reading_paused
            or self._ws.buffered_amount != self._buffered
            # The loop stood still for so long that it cannot blame the peer.
            or waited > 1.5 * self._patience
        ):
            self._await_pong()
        elif not late:
            # A loop that is late runs timers before it reads what has come meanwhile.
            self._timer = self._loop.call_later(_GRACE, partial(self._check, late=True))
        else:
            self._connection.fail_with(
                self._error(
                    f"no answer to a ping within {self._patience} s,"
                    f" after {self._interval} s of silence"
                )
            )

    def _idle(self) -> float:
        return self._connection.idle_time or 0.0
