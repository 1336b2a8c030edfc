"""Finding out that a silent connection is dead."""

from __future__ import annotations

import asyncio
import math
import os
import time
from dataclasses import KW_ONLY, dataclass
from functools import partial
from typing import TYPE_CHECKING

from ._core import Protocol, WebSocketBase
from .arguments import read_callable, read_flag, read_seconds
from .exceptions import ServerTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Heartbeat", "Watch", "read_heartbeat"]


_GRACE = 0.001
"""Seconds: any time at all, so that the loop looks at the socket first."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """When to ping, and when to give a silent server up; what `heartbeat` of `ws_connect` takes.

    A number of seconds stands for ``Heartbeat(seconds)``, which is what aiohttp does. Whatever
    is read is a sign of life, not only a pong. Time in which this side has paused reading does not
    count, nor does time in which the server takes bytes that were queued before the ping.

    Args:
        interval: Seconds of silence before a ping or, if `periodic`, between two pings.
        timeout: Seconds after a ping in which something must be read; half of `interval` by
            default.
        periodic: Ping every `interval` seconds, silence or not, so that
            `ClientWebSocketResponse.latency` is always a recent one.
        payload: What the pings carry, at most 125 bytes, or a function that returns it; four random
            bytes by default. A pong is matched with its ping by its payload. If the function
            raises, or returns what no ping can carry, the event loop's exception handler is told,
            and random bytes go out.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: A number is not positive or not finite, or `payload` is too long.

    Example:
        >>> heartbeat = Heartbeat(20, timeout=20, periodic=True)
        >>> ws = await ws_connect(url, heartbeat=heartbeat)
    """

    interval: float
    _: KW_ONLY
    timeout: float | None = None
    periodic: bool = False
    payload: bytes | Callable[[], bytes] | None = None

    def __post_init__(self) -> None:
        _check("interval", self.interval)
        if self.timeout is not None:
            _check("timeout", self.timeout)
        read_flag("periodic", self.periodic)
        if isinstance(self.payload, bytes):
            if len(self.payload) > _MAX_PAYLOAD:
                raise ValueError(f"payload has {len(self.payload)} bytes, expected at most 125")
        elif self.payload is not None:
            read_callable("payload", self.payload, "bytes or a function that returns them")

    @property
    def patience(self) -> float:
        """Seconds after a ping in which something must be read."""
        return self.interval / 2 if self.timeout is None else self.timeout


_MAX_PAYLOAD = 125  # RFC 6455 §5.5


def read_heartbeat(heartbeat: float | Heartbeat | None) -> Heartbeat | None:
    """Take the ``heartbeat`` of `ws_connect` in all its forms.

    Args:
        heartbeat: Seconds, of which 0 and infinity stand for none, or all settings.

    Raises:
        TypeError: It is something else.
        ValueError: The number is negative, or NaN.
    """
    if heartbeat is None or isinstance(heartbeat, Heartbeat):
        return heartbeat
    seconds = read_seconds("heartbeat", heartbeat, expected="a number or a Heartbeat")
    return Heartbeat(heartbeat) if 0 < seconds < math.inf else None


def _check(name: str, value: object) -> None:
    seconds = read_seconds(name, value, expected="a number of seconds")
    if not 0 < seconds < math.inf:
        raise ValueError(f"{name} is {value}, expected more than 0, and a finite number")


class Watch:
    """Pings a server, and fails the connection if it stays silent.

    Args:
        connection: What to watch; made with ``watch_reads=True``.
        heartbeat: When to ping, and how long to wait.
        error: What a dead connection fails with.
    """

    def __init__(
        self,
        connection: Protocol,
        heartbeat: Heartbeat,
        error: type[Exception] = ServerTimeoutError,
    ) -> None:
        self._connection = connection
        self._ws = WebSocketBase(connection)
        self._settings = heartbeat
        self._error = error
        self._buffered = 0
        self._pinged = 0.0
        self._count = 0
        self._loop = asyncio.get_running_loop()
        self._next_ping = self._loop.call_later(heartbeat.interval, self._beat)
        self._next_check: asyncio.TimerHandle | None = None
        lost = connection.wait_lost()
        if lost is not None:
            lost.add_done_callback(lambda _: self.stop())

    def stop(self) -> None:
        """Ping no more."""
        self._next_ping.cancel()
        if self._next_check is not None:
            self._next_check.cancel()

    def _beat(self) -> None:
        if not self._connection.alive:
            return
        rest = 0.0 if self._settings.periodic else self._settings.interval - self._idle()
        if self._connection.reading_paused:
            rest = self._settings.interval
        if rest <= 0:
            if not self._ping():
                return
            if self._next_check is None:
                self._await_sign()
            if not self._settings.periodic:
                return
            rest = self._settings.interval
        self._next_ping = self._loop.call_later(rest, self._beat)

    def _ping(self) -> bool:
        """Send a ping; tell whether the connection was still there to take it."""
        payload = self._settings.payload
        try:
            if callable(payload):
                self._ping_with(payload)
            else:
                self._ws.ping(payload or os.urandom(4))
        except ConnectionResetError:
            return False
        self._count += 1
        return True

    def _ping_with(self, function: Callable[[], bytes]) -> None:
        try:
            payload = function()
        except Exception as error:  # noqa: BLE001 - it is the user's
            self._blame(error)
        else:
            try:
                self._ws.ping(payload)
            except (TypeError, ValueError) as error:
                self._blame(error)
            else:
                return
        self._ws.ping(os.urandom(4))

    def _blame(self, error: Exception) -> None:
        self._loop.call_exception_handler(
            {"message": "the payload function of a heartbeat failed", "exception": error}
        )

    def _await_sign(self) -> None:
        # The clock of `idle_time`; uvloop rounds its own.
        self._pinged = time.monotonic()
        self._buffered = self._ws.buffered_amount
        self._next_check = self._loop.call_later(self._settings.patience, self._check)

    def _check(self, *, late: bool = False) -> None:
        self._next_check = None
        if not self._connection.alive:
            return
        waited = time.monotonic() - self._pinged
        if self._idle() < waited:
            if not self._settings.periodic:
                self._beat()
        elif (
            self._connection.reading_paused
            or self._ws.buffered_amount != self._buffered
            # The loop stood still for so long that it cannot blame the peer.
            or waited > 1.5 * self._settings.patience
        ):
            self._await_sign()
        elif not late:
            # A loop that is late runs timers before it reads what has come meanwhile.
            self._next_check = self._loop.call_later(_GRACE, partial(self._check, late=True))
        else:
            self._connection.fail_with(self._error(self._verdict(waited)))

    def _verdict(self, waited: float) -> str:
        latency = self._ws.latency
        before = "none was answered before"
        if latency is not None:
            before = f"the last round trip took {latency:.3g} s"
        return (
            f"no answer to ping number {self._count}: nothing was read in the {waited:.3g} s since,"
            f" with a timeout of {self._settings.patience:g} s; the last byte came"
            f" {self._idle():.3g} s ago; {before}"
        )

    def _idle(self) -> float:
        return self._connection.idle_time or 0.0
