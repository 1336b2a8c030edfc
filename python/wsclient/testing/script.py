"""Handlers that are written down instead of programmed, and refusals of the handshake."""

from __future__ import annotations

import asyncio
import http
import math
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from websockets.datastructures import Headers
from websockets.http11 import Response

from .connection import TIMEOUT
from .expectations import ANYTHING, ClientGone, ExpectationError, wanted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from .connection import Sendable, ServerConnection

__all__ = ["Refusal", "Script", "refuse"]


_REFUSALS = range(300, 600)


class _Step(NamedTuple):
    name: str
    play: Callable[[ServerConnection], Awaitable[object]]
    expected: str | None = None


class Script:
    """A handler as a list of steps, each of which is a method of `ServerConnection`.

    Each call adds a step to the script, and returns it. It may be played on several connections. A
    test fails if it ends before each expectation of a script is met.

    Example:
        >>> Script().expect({"subscribe": "BTC"}).send({"price": 1}).close(1001)
        <Script of expect, send, close>
    """

    def __init__(self) -> None:
        self._steps: list[_Step] = []

    def __repr__(self) -> str:
        return f"<Script of {', '.join(step.name for step in self._steps) or 'no steps'}>"

    def send(
        self,
        message: Sendable,
        *,
        fragments: int = 1,
        slow: float = 0.0,
        cut_after: int | None = None,
    ) -> Self:
        """Send a message. See `ServerConnection.send`."""
        return self._then(
            "send",
            lambda ws: ws.send(message, fragments=fragments, slow=slow, cut_after=cut_after),
        )

    def expect(self, expected: Any = ANYTHING, *, timeout: float = TIMEOUT) -> Self:
        """Wait for a message. See `ServerConnection.expect`."""
        return self._then(
            "expect", lambda ws: ws.expect(expected, timeout=timeout), wanted(expected)
        )

    def expect_close(
        self, code: int | None = None, reason: str | None = None, *, timeout: float = TIMEOUT
    ) -> Self:
        """Wait for the client's close frame. See `ServerConnection.expect_close`."""
        return self._then(
            "expect_close",
            lambda ws: ws.expect_close(code, reason, timeout=timeout),
            "a close frame",
        )

    def close(self, code: int | None = 1000, reason: str = "") -> Self:
        """Close the WebSocket. See `ServerConnection.close`."""
        return self._then("close", lambda ws: ws.close(code, reason))

    def drop(self) -> Self:
        """End the stream without a close frame."""
        return self._then("drop", lambda ws: ws.drop())

    def reset(self) -> Self:
        """Reset the TCP connection."""
        return self._then("reset", lambda ws: ws.reset())

    def stall(self, seconds: float = math.inf) -> Self:
        """Do nothing. See `ServerConnection.stall`."""
        return self._then("stall", lambda ws: ws.stall(seconds))

    def _then(
        self,
        name: str,
        play: Callable[[ServerConnection], Awaitable[object]],
        expected: str | None = None,
    ) -> Self:
        self._steps.append(_Step(name, play, expected))
        return self

    async def __call__(self, ws: ServerConnection) -> None:
        """Play it. Called by the server."""
        for number, step in enumerate(self._steps, 1):
            try:
                await step.play(ws)
            except (ClientGone, asyncio.CancelledError) as error:
                unmet = next((s.expected for s in self._steps[number:] if s.expected), None)
                if unmet is None:
                    raise
                why = f"the test's end in step {number}, {step.name}"
                if isinstance(error, ClientGone):
                    why = str(error)
                raise ExpectationError(ws.number, number, unmet, why, follows=True) from None


@dataclass(frozen=True)
class Refusal:
    """Is what `refuse` returns: a handler that accepts no WebSocket.

    Attributes:
        status: The answer's status code.
        headers: Fields of its head, beside those that HTTP wants.
        body: Its body.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""

    def response(self) -> Response:
        """Make the answer."""
        fields = {
            "Date": formatdate(usegmt=True),
            "Connection": "close",
            "Content-Length": str(len(self.body)),
        }
        given = {name.title(): value for name, value in self.headers.items()}
        headers = Headers({**fields, **given})
        return Response(self.status, _phrase(self.status), headers, self.body)


def refuse(
    status: int = 403, *, headers: Mapping[str, str] | None = None, body: str | bytes = b""
) -> Refusal:
    """Make a handler that answers the opening handshake with an error.

    Args:
        status: The status code, 300 to 599.
        headers: Fields of the answer's head, such as ``Retry-After`` or ``Location``.
        body: Its body.

    Raises:
        ValueError: The status is another one.
    """
    if status not in _REFUSALS:
        raise ValueError(f"a refusal's status is 300 to 599, not {status}")
    content = body.encode() if isinstance(body, str) else body
    return Refusal(status, dict(headers or {}), content)


def _phrase(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Refused"
