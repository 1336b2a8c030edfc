"""`connect`: websockets' own, but for the connection that it makes, and the TLS below."""

from __future__ import annotations

import asyncio
import logging
from functools import update_wrapper
from types import FunctionType
from typing import TYPE_CHECKING, Any

from websockets.asyncio import client as theirs

from wsclient.network.stand_in import StandIn, TLSLoop
from wsclient.recording.recorder import read_recorder

from .connection import ClientConnection

if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike

    from wsclient.recording.recorder import Recorder

__all__ = ["OPENING", "connect", "own_opening", "unix_connect"]

_logger = logging.getLogger("wsclient.transport")  # as the documentation has it

_USED = {"get_running_loop", "create_connection", "create_unix_connection"}


class _Asyncio(StandIn):
    """The module `asyncio` to websockets' code that opens connections."""

    @staticmethod
    def get_running_loop() -> TLSLoop:
        """Return the event loop, with this client's transports for TLS."""
        return TLSLoop(asyncio.get_running_loop())


# Up to websockets 16 it has the second name.
OPENING = next(
    (name for name in ("open_tcp_connection", "create_connection") if name in vars(theirs.connect)),
    "",
)
"""The method of websockets' `connect` that asks the event loop for a transport."""


def _with_own_tls() -> Any:
    """Make that method with `_Asyncio` for the event loop, if it is as known; else None."""
    method = vars(theirs.connect).get(OPENING)
    if not isinstance(method, FunctionType) or not set(method.__code__.co_names) >= _USED:
        _logger.debug("TLS by the event loop's own transports: websockets' connect is unknown")
        return None
    names = {**method.__globals__, "asyncio": _Asyncio(asyncio)}
    own = FunctionType(method.__code__, names, OPENING, method.__defaults__, method.__closure__)
    own.__kwdefaults__ = method.__kwdefaults__
    return own


own_opening: Any = _with_own_tls()


class connect(theirs.connect):  # noqa: N801 - websockets' name
    """Open a WebSocket, as ``websockets.asyncio.client.connect`` describes it.

    With extensions other than permessage-deflate, or with a ``create_connection`` that is not
    derived from this adapter's `ClientConnection`, the connection is one of websockets' own.

    Args:
        uri: ``ws://`` or ``wss://``.
        options: As for websockets' own, and ``record``: a `wsclient.Recorder`, which writes to a
            file what is received and sent.

    Example:
        >>> async with connect("wss://example.com/") as websocket:
        ...     await websocket.send("hello")
        ...     print(await websocket.recv())
    """

    def __init__(self, uri: str, **options: Any) -> None:
        recorder = options.pop("record", None)
        read_recorder(recorder)
        if options.get("create_connection") is None:
            options["create_connection"] = ClientConnection
        if recorder is not None:
            options["create_connection"] = _recorded(options, recorder)
        super().__init__(uri, **options)


def _recorded(options: dict[str, Any], recorder: Recorder) -> Callable[..., ClientConnection]:
    """Make what makes connections that are recorded.

    Args:
        options: Those of `connect`.
        recorder: Records them.
    """
    kind = options["create_connection"]
    if not (isinstance(kind, type) and issubclass(kind, ClientConnection)):
        raise ValueError("record needs a create_connection derived from this adapter's")  # noqa: TRY004 - both together are wrong
    kind.check_recordable(options.get("extensions") or ())

    def make(*args: Any, **options: Any) -> ClientConnection:
        connection = kind(*args, **options)
        connection.record_by(recorder)
        return connection

    return make


# Some libraries look which options it has.
update_wrapper(connect.__init__, theirs.connect.__init__)
if own_opening is not None:
    setattr(connect, OPENING, own_opening)


def unix_connect(
    path: str | PathLike[str] | None = None, uri: str | None = None, **kwargs: Any
) -> connect:
    """Open a WebSocket on a Unix socket, as ``websockets.asyncio.client.unix_connect`` does.

    Args:
        path: The socket's.
        uri: ``ws://localhost/`` by default, with TLS ``wss://localhost/``.
        kwargs: As for `connect`.
    """
    if uri is None:
        uri = "ws://localhost/" if kwargs.get("ssl") is None else "wss://localhost/"
    opened: connect = connect(uri, unix=True, path=path, **kwargs)
    return opened
