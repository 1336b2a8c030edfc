"""The steps of opening a connection, for whoever wants to watch them."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Literal, NamedTuple

from .handshake.urls import shown_url
from .types import without_credentials

if TYPE_CHECKING:
    from collections.abc import Callable

    from yarl import URL

__all__ = ["ConnectStep", "Steps"]

_logger = logging.getLogger(__name__)


class ConnectStep(NamedTuple):
    """A step of opening has begun or ended; what `trace` of `ws_connect` is called with.

    One step ends before the next begins. A redirect begins them anew, with another `url`.

    Attributes:
        connection: Which `ws_connect` it belongs to; the same as `ClientWebSocketResponse.id`.
        step: ``"limit"`` (waiting until the connector's limits let one more connection be),
            ``"proxy"`` (all there is to do with one), ``"dns"``, ``"tcp"``, ``"unix"``,
            ``"tls"`` or ``"handshake"``.
        phase: ``"start"`` or ``"end"``.
        url: What is being connected to, without credentials.
        elapsed: Seconds since the step has begun.
        error: What ended it, a cancellation among them, or None.
    """

    connection: int
    step: str
    phase: Literal["start", "end"]
    url: URL
    elapsed: float
    error: BaseException | None

    def __repr__(self) -> str:
        # Without the values in the query.
        return (
            f"ConnectStep(connection={self.connection}, step={self.step!r}, phase={self.phase!r},"
            f" url={shown_url(self.url)!r}, elapsed={self.elapsed!r}, error={self.error!r})"
        )


class Steps:
    """Keeps the step that is under way; called with the name of each as it begins.

    Args:
        connection: Number of the connection.
        url: What is being connected to.
        trace: Is told of each beginning and end. What it raises is told to the event loop's
            exception handler.
    """

    def __init__(
        self, connection: int, url: URL, trace: Callable[[ConnectStep], object] | None
    ) -> None:
        self.current: str = "start"
        self._connection = connection
        self._trace = trace
        self._watched = trace is not None or _logger.isEnabledFor(logging.DEBUG)
        self._url = url
        self._begun: float | None = None

    def __call__(self, step: str) -> None:
        """Begin a step, which ends the one before."""
        if self._watched:
            self.end()
            self._begun = time.monotonic()
            self._tell(step, "start", 0.0, None)
        self.current = step

    def head_for(self, url: URL) -> None:
        """Begin anew, with another URL."""
        self.end()
        self._url = url

    def end(self, error: BaseException | None = None) -> None:
        """End the step that is under way, if one is."""
        if self._begun is not None:
            elapsed, self._begun = time.monotonic() - self._begun, None
            self._tell(self.current, "end", elapsed, error)

    def _tell(
        self, step: str, phase: Literal["start", "end"], elapsed: float, error: BaseException | None
    ) -> None:
        if phase == "end":
            outcome = "done" if error is None else type(error).__name__
            _logger.debug(
                "connection %d: %s %s after %.6f s", self._connection, step, outcome, elapsed
            )
        if self._trace is None:
            return
        url = without_credentials(self._url)
        try:
            self._trace(ConnectStep(self._connection, step, phase, url, elapsed, error))
        except Exception as failure:  # noqa: BLE001 - it is the user's
            asyncio.get_running_loop().call_exception_handler(
                {"message": "a trace of a WebSocket's opening failed", "exception": failure}
            )
