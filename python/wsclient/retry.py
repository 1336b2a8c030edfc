"""Connecting again and again: when, after what, and when not any more."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from ssl import SSLCertVerificationError
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias

from .arguments import read_callable, read_seconds, read_type
from .exceptions import (
    ClientConnectionError,
    ClientConnectorError,
    ClientResponseError,
    ServerFingerprintMismatch,
)
from .network.tls import is_verdict
from .websocket import ClientWebSocketResponse

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator

    from typing_extensions import TypeVar

    _WS = TypeVar("_WS", bound=ClientWebSocketResponse[Any], default=ClientWebSocketResponse)
else:
    from typing import TypeVar

    _WS = TypeVar("_WS", bound=ClientWebSocketResponse)

__all__ = [
    "ReconnectEvent",
    "backoff",
    "check_hooks",
    "process_exception",
    "reconnecting",
    "retry_after",
]

_logger = logging.getLogger(__name__)

_State: TypeAlias = Literal["connecting", "open", "closed", "waiting"]

MAX_RETRY_AFTER = 3600.0
"""Seconds of a ``Retry-After`` that are heeded."""

_LONGEST = 366 * 24 * 3600.0
"""Seconds that `backoff` lets a limit grow to, where it is told of none."""

HOOKS = ("process_exception", "reconnect_delays", "healthy_after", "on_state")
"""What `reconnect` takes beside the options of `ws_connect`."""

_SECONDS = re.compile(r"[0-9]+")
# RFC 9110 §15.5.9, RFC 8470 §5.2, RFC 6585 §4.
_TRANSIENT = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
)


@dataclass(frozen=True, slots=True)
class ReconnectEvent(Generic[_WS]):
    """What `reconnect` tells its `on_state`.

    Attributes:
        state: ``"connecting"``; ``"open"``, with the WebSocket in `ws`; ``"closed"``, when the
            body of the loop has ended and its WebSocket is closed; ``"waiting"``, for `delay`.
        attempt: Attempts since the last healthy connection, this one included.
        delay: Seconds until the next attempt.
        exception: Why the attempt failed, or what `ClientWebSocketResponse.exception` says.
        ws: The WebSocket.
    """

    state: _State
    attempt: int
    delay: float | None = None
    exception: BaseException | None = None
    ws: _WS | None = None


def backoff(
    initial_delay: float = 1.0,
    max_delay: float = 60.0,
    factor: float = 2.0,
    *,
    random: Callable[[], float] = random.random,
) -> Generator[float, None, None]:
    """Yield delays that grow exponentially, each with full jitter.

    A delay is evenly spread between 0 and a limit, so that clients whom a server has lost at the
    same time do not come back at the same time (RFC 6455 §7.2.3).

    Args:
        initial_delay: The first limit, in seconds.
        max_delay: The largest limit, in seconds.
        factor: What each limit is multiplied by for the next.
        random: Returns a number in [0, 1).

    Raises:
        TypeError, ValueError: An argument is no number, negative, or NaN.
    """
    read_seconds("initial_delay", initial_delay)
    read_seconds("max_delay", max_delay)
    read_seconds("factor", factor, expected="a number")
    read_callable("random", random, "a function that returns a number")
    return _growing(initial_delay, min(max_delay, _LONGEST), factor, random)


def _growing(
    limit: float, max_delay: float, factor: float, random: Callable[[], float]
) -> Generator[float, None, None]:
    while True:
        limit = min(limit, max_delay)
        yield random() * limit
        limit *= factor


def process_exception(exc: Exception) -> Exception | None:
    """Tell failures to connect that may pass from those that will not.

    May pass: what the network does (DNS, TCP, TLS, a proxy out of reach, a server that hangs up),
    any timeout, and the answers 408, 425, 429 and 5xx of a server or proxy. Will not: every other
    answer, 401, 403 and 404 among them; a certificate that is not accepted, the server's or the
    client's; any other alert of TLS by which a server refuses the client as it is; wrong arguments;
    a closed session.

    Args:
        exc: What `ws_connect` raised.

    Returns:
        None to try again, or the exception to raise.

    Mirrors ``websockets.client.process_exception``.
    """
    if isinstance(exc, ClientResponseError):
        passing = exc.status in _TRANSIENT or exc.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        return None if passing else exc
    not_trusted = isinstance(exc, ServerFingerprintMismatch) or (
        isinstance(exc, ClientConnectorError)
        and (isinstance(exc.os_error, SSLCertVerificationError) or is_verdict(exc.os_error))
    )
    if isinstance(exc, (ClientConnectionError, OSError)) and not not_trusted:
        return None
    return exc


def retry_after(exc: BaseException | None, now: float) -> float:
    """Return how long a server wants to be left alone (RFC 9110 §10.2.3).

    Args:
        exc: The failure, whose ``Retry-After`` counts.
        now: Seconds since the epoch.

    Returns:
        Seconds, an hour at most; 0 if it says nothing that can be read.
    """
    headers = exc.headers if isinstance(exc, ClientResponseError) else None
    value = ((headers or {}).get("Retry-After") or "").strip()
    if _SECONDS.fullmatch(value):
        return min(float(value), MAX_RETRY_AFTER)
    try:
        seconds = parsedate_to_datetime(value).timestamp() - now
    except (ValueError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)


def _passing(
    error: Exception, process_exception: Callable[[Exception], Exception | None]
) -> Exception:
    fatal = process_exception(error)
    if fatal is None:
        return error
    if fatal is error:
        raise error
    raise fatal from error


def check_hooks(
    process_exception: object, reconnect_delays: object, healthy_after: object, on_state: object
) -> None:
    """Check the arguments that `reconnect` has beside those of `ws_connect`.

    Args:
        process_exception: See `wsclient.reconnect` for this and the others.
        reconnect_delays: Makes the delays.
        healthy_after: Seconds.
        on_state: Is told.

    Raises:
        TypeError: One has the wrong type.
        ValueError: `healthy_after` is negative, or NaN.
    """
    read_callable("process_exception", process_exception, "a function that takes an exception")
    read_callable(
        "reconnect_delays", reconnect_delays, "a function that returns delays, as backoff does"
    )
    read_seconds("healthy_after", healthy_after)
    if on_state is not None:
        read_callable("on_state", on_state, "a function that takes a ReconnectEvent")


def _begin(reconnect_delays: Callable[[], Iterable[float]]) -> Iterator[float]:
    delays = reconnect_delays()
    read_type("what reconnect_delays returns", delays, Iterable, "an iterable of seconds")
    return iter(delays)


def _next_delay(delays: Iterator[float]) -> float | None:
    delay = next(delays, None)
    if delay is not None and read_seconds("a delay of reconnect_delays", delay) == math.inf:
        raise ValueError(f"a delay of reconnect_delays is {delay}, expected a finite number")
    return delay


async def reconnecting(
    connect: Callable[[], Awaitable[_WS]],
    *,
    process_exception: Callable[[Exception], Exception | None],
    reconnect_delays: Callable[[], Iterable[float]],
    healthy_after: float,
    on_state: Callable[[ReconnectEvent[_WS]], object] | None,
) -> AsyncGenerator[_WS, None]:
    """Yield one open WebSocket after another; see `wsclient.reconnect`.

    Args:
        connect: Opens one.
        process_exception: See `wsclient.reconnect` for this and the others.
        reconnect_delays: Makes the delays.
        healthy_after: Seconds.
        on_state: Is told.
    """

    def tell(
        state: _State,
        *,
        delay: float | None = None,
        exception: BaseException | None = None,
        ws: _WS | None = None,
    ) -> None:
        if delay is not None:
            # The type alone: texts of errors have the URL.
            why = "the connection has ended" if exception is None else type(exception).__name__
            _logger.info("attempt %d: %s; the next in %.3f s", attempt, why, delay)
        if on_state is not None:
            on_state(ReconnectEvent(state, attempt, delay, exception, ws))

    loop = asyncio.get_running_loop()
    attempt = 0
    delays = _begin(reconnect_delays)
    while True:
        attempt += 1
        tell("connecting")
        failure: Exception | None = None
        try:
            ws = await connect()
        except Exception as error:  # noqa: BLE001 - what is fatal is for the hook to say
            failure = _passing(error, process_exception)
        else:
            opened = loop.time()
            async with ws:
                tell("open", ws=ws)
                yield ws
            healthy = loop.time() - opened >= healthy_after
            tell("closed", exception=ws.exception(), ws=ws)
            if healthy:
                attempt = 0
                delays = _begin(reconnect_delays)
        delay = _next_delay(delays)
        if delay is None:
            if failure is not None:
                raise failure
            return
        delay += retry_after(failure, time.time())
        tell("waiting", delay=delay, exception=failure)
        # Its traceback would keep this frame, and with it the last WebSocket.
        failure = None
        await asyncio.sleep(delay)
