"""The connections of a sub-command: one, or one after the other."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

from wsclient import ClientWebSocketResponse, WSCloseCode, reconnect, ws_connect

from .arguments import connect_options
from .exits import Exit
from .terminal import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncGenerator

    from wsclient import ReconnectEvent

__all__ = ["connections", "note", "status_of"]

_NO_CODE = 1005  # RFC 6455 §7.1.5
_NORMAL = {WSCloseCode.OK, WSCloseCode.GOING_AWAY, _NO_CODE}


def note(text: str) -> None:
    """Tell the user something that is no output.

    Args:
        text: What, in a line.
    """
    print(f"wsclient: {text}", file=sys.stderr, flush=True)


async def connections(
    options: argparse.Namespace,
) -> AsyncGenerator[ClientWebSocketResponse[Any], None]:
    """Open a WebSocket, and with ``--reconnect`` one after the other.

    Args:
        options: From a parser with `add_connection` and, for many, `add_reconnect`.

    Yields:
        Each, which is closed when the next is asked for. Close this, as by `contextlib.aclosing`.
    """
    keywords = connect_options(options)
    if not getattr(options, "reconnect", False):
        async with ws_connect(options.url, **keywords) as ws:
            yield ws
        return
    again = reconnect(options.url, on_state=_tell, **keywords)
    async with contextlib.aclosing(again):
        async for ws in again:
            yield ws


def _tell(event: ReconnectEvent[Any]) -> None:
    if event.state == "waiting":
        why = "" if event.exception is None else f": {printable(str(event.exception))}"
        note(f"not connected{why}; next attempt in {event.delay or 0:.1f} s")


def status_of(ws: ClientWebSocketResponse[Any]) -> Exit:
    """Tell the user how a WebSocket has ended, unless that is as it should be.

    Args:
        ws: One that is closed.

    Returns:
        What that makes of the command.
    """
    code, reason = ws.close_code, printable(ws.close_reason or "")
    error = ws.exception()
    if error is not None:
        note(f"connection lost: {printable(str(error))}")
        return Exit.LOST
    if code in _NORMAL or code is None:
        return Exit.OK
    note(f"closed by the server with code {code}" + (f": {reason}" if reason else ""))
    return Exit.CLOSED
