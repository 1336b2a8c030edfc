"""The connections of a sub-command: one, or one after the other."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any

from wsclient import ClientWebSocketResponse, WSCloseCode, reconnect, ws_connect

from .arguments import connect_options
from .exits import CommandError, Exit
from .terminal import note, printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncGenerator, Generator

    from wsclient import ConnectOptions, ConnectStep, ReconnectEvent

__all__ = ["connections", "status_of"]

_NO_CODE = 1005  # RFC 6455 §7.1.5
_NORMAL = {WSCloseCode.OK, WSCloseCode.GOING_AWAY, _NO_CODE}


async def connections(
    options: argparse.Namespace, further: ConnectOptions[ClientWebSocketResponse[Any]] | None = None
) -> AsyncGenerator[ClientWebSocketResponse[Any], None]:
    """Open a WebSocket, and with ``--reconnect`` one after the other.

    Args:
        options: From a parser with `add_connection` and, for those, `add_reconnect` and `add_send`.
        further: Keyword arguments of `ws_connect`, which go before those of `connect_options`.

    Yields:
        Each, after the messages of ``--send`` have been sent; it is closed when the next is asked
        for. Close this, as by `contextlib.aclosing`.

    Raises:
        CommandError: An option cannot be used.
        ClientError: As for `ws_connect` and `reconnect`.
    """
    with _mistakes():
        keywords = connect_options(options)
    keywords.update(further or {})
    if options.verbose:
        keywords["trace"] = _tell_step
    opened = _one_by_one(options, keywords)
    async with contextlib.aclosing(opened):
        while True:
            with _mistakes():
                ws = await anext(opened, None)
            if ws is None:
                return
            if options.verbose:
                _tell_answer(ws)
            for message in getattr(options, "send", ()):
                ws.send_str(message)
            yield ws


async def _one_by_one(
    options: argparse.Namespace, keywords: ConnectOptions[ClientWebSocketResponse[Any]]
) -> AsyncGenerator[ClientWebSocketResponse[Any], None]:
    if not getattr(options, "reconnect", False):
        async with ws_connect(options.url, **keywords) as ws:
            yield ws
        return
    again = reconnect(options.url, on_state=partial(_tell, options), **keywords)
    async with contextlib.aclosing(again):
        async for ws in again:
            yield ws


@contextlib.contextmanager
def _mistakes() -> Generator[None]:
    """Take what is said of arguments for a mistake of the command line."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise CommandError(printable(str(error)), Exit.USAGE) from error


def _tell(options: argparse.Namespace, event: ReconnectEvent[Any]) -> None:
    if event.state == "waiting":
        why = "" if event.exception is None else f" ({printable(str(event.exception))})"
        note(f"not connected{why}, next attempt in {event.delay or 0:.1f} s")
    elif event.state == "open" and event.attempt > 1 and not options.verbose:
        note("connected again")


def _tell_step(step: ConnectStep) -> None:
    if step.phase == "end" and step.error is None:
        note(f"{step.step} took {step.elapsed * 1000:.1f} ms")


def _tell_answer(ws: ClientWebSocketResponse[Any]) -> None:
    response = ws.response
    for number, redirect in enumerate((*response.history, response)):
        if number:
            note(f"redirected to {printable(str(redirect.url.with_query(None)))}")
        note(printable(f"HTTP/{redirect.http_version} {redirect.status} {redirect.reason}"))
        for name, value in redirect.headers.items():
            note(printable(f"{name}: {value}"))


def status_of(ws: ClientWebSocketResponse[Any]) -> Exit:
    """Tell the user how a WebSocket has ended, unless that is as it should be.

    Args:
        ws: One that the server, or a fault, has ended.

    Returns:
        What that makes of the command.
    """
    error = ws.exception()
    if error is not None:
        note(f"connection lost: {printable(str(error))}")
        return Exit.LOST
    if ws.close_code in _NORMAL or ws.close_code is None:
        return Exit.OK
    reason = printable(ws.close_reason or "")
    note(f"closed by the server with code {ws.close_code}" + (f": {reason}" if reason else ""))
    return Exit.CLOSED
