"""The protocol of an open WebSocket's transport, from the options it is made for to its end."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from typing import TYPE_CHECKING

from ._core import Protocol as CoreProtocol
from .network.fast_calls import serve
from .network.fast_tls import let_ask, resume_reading
from .network.transport import plain_socket
from .stats import Stats

if TYPE_CHECKING:
    from collections.abc import Callable

    from yarl import URL

    from .network.limits import Slot
    from .opening import Opened
    from .options import Options

__all__ = ["WebSocketProtocol", "hand_over", "log_life", "make_protocol"]

_logger = logging.getLogger("wsclient.session")  # as the documentation has it


class WebSocketProtocol(  # pyright: ignore[reportIncompatibleMethodOverride]
    CoreProtocol, asyncio.BufferedProtocol
):
    """The core's protocol, under the type by which asyncio knows a buffered one.

    Attributes:
        slot: The connection's place in its connector, given back when it is lost.
        recorder: What records it, if anything does.
    """

    __slots__ = ("recorder", "slot")

    recorder: object
    slot: Slot | None

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back. Called by the event loop."""
        slot: Slot | None = getattr(self, "slot", None)
        if slot is not None:
            slot.release()
        super().connection_lost(exc)


def make_protocol(loop: asyncio.AbstractEventLoop, options: Options) -> WebSocketProtocol:
    """Make a protocol that does what options say of an open connection.

    Args:
        loop: The running event loop.
        options: What was asked for.
    """
    connection = WebSocketProtocol(
        loop,
        resume_reading=resume_reading,
        max_msg_size=min(options.max_msg_size, sys.maxsize),
        max_frame_size=min(options.max_frame_size, sys.maxsize),
        autoclose=options.autoclose,
        autoping=options.autoping,
        decode_text=options.decode_text,
        watch_reads=bool(options.heartbeat),
    )
    if options.receive_time:
        connection.take_times(time.monotonic)
    if options.queue is not None:
        most = min(options.queue.max_size, sys.maxsize)
        connection.keep_newest(most, getattr(options.queue, "key", None))
    if options.max_queue is not None:
        connection.bound_messages(*(min(bound, sys.maxsize) for bound in options.max_queue))
    if options.busy_poll:
        connection.poll_busily(options.busy_poll)
    return connection


def hand_over(opened: Opened, connection: WebSocketProtocol, *, polls: bool) -> None:
    """Let a connection serve the transport that it was opened for.

    Args:
        opened: Whose transport does not read yet.
        connection: Its next protocol.
        polls: Whether it has `busy_poll`.
    """
    connection.slot = opened.slot
    serve(opened.transport, connection)
    socket = plain_socket(opened.transport)
    if socket is not None:
        connection.use_socket(socket)
    elif polls:
        let_ask(opened.transport, connection)
    connection.feed(opened.trailing)


def _when_lost(connection: CoreProtocol, function: Callable[[], None]) -> None:
    """Call a function when a connection is lost, or at once if it is.

    Args:
        connection: The protocol of the transport.
        function: It is called once.
    """
    lost = connection.wait_lost()
    if lost is None:
        function()
    else:
        lost.add_done_callback(lambda _: function())


def log_life(connection: WebSocketProtocol, number: int, url: URL) -> None:
    """Log that a connection is open, and what came of it when it is lost.

    Args:
        connection: The protocol of the transport.
        number: Its `ClientWebSocketResponse.id`.
        url: What it is to. Only the origin is logged: paths and queries of feeds hold keys.
    """
    if not _logger.isEnabledFor(logging.INFO):
        return
    origin, opened = url.origin(), time.monotonic()
    _logger.info("connection %d: open, %s", number, origin)

    def end() -> None:
        stats, spent = Stats(*connection.counts()), time.monotonic() - opened
        code, exception = connection.outcome()
        level = logging.INFO if exception is None else logging.WARNING
        why = "" if exception is None else f", {type(exception).__name__}"
        _logger.log(
            level,
            "connection %d: closed, %s, code %s after %.3f s%s; %d messages received, %d sent",
            number, origin, code, spent, why, stats.messages_received, stats.messages_sent,
        )  # fmt: skip

    _when_lost(connection, end)
