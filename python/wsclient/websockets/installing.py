"""Putting this client in the place of websockets', for libraries that open their own WebSockets."""

from __future__ import annotations

from typing import Any

from websockets.asyncio import client as theirs

from wsclient.installed import Installed

from .connecting import OPENING, own_opening
from .connection import ClientConnection, Theirs

__all__ = ["Installed", "install", "uninstall"]

_CLASS = "ClientConnection"
_their_opening: Any = vars(theirs.connect).get(OPENING)


def install() -> Installed:
    """Let ``websockets.asyncio.client.connect`` and ``unix_connect`` open this client's WebSockets.

    It does not matter who has imported them before, or under which name: they are changed, not
    replaced. ``websockets.asyncio.client.ClientConnection`` is `ClientConnection` from now on;
    connections are instances of websockets' class too. What gives ``create_connection`` gets what
    that makes. WebSockets that are open already stay as they are. To install it twice is to install
    it once.

    Returns:
        What undoes it at the end of a ``with`` statement.

    Raises:
        RuntimeError: Something else has replaced what this replaces.

    Example:
        >>> import wsclient.websockets
        >>> wsclient.websockets.install()
    """
    if _is_installed():
        return Installed(None)
    setattr(theirs, _CLASS, ClientConnection)
    if own_opening is not None:
        setattr(theirs.connect, OPENING, own_opening)
    return Installed(uninstall)


def uninstall() -> None:
    """Undo `install`; harmless when there is nothing to undo.

    WebSockets that are open stay as they are.

    Raises:
        RuntimeError: Something else has replaced what `install` had put in place.
    """
    if _is_installed():
        setattr(theirs, _CLASS, Theirs)
        if own_opening is not None:
            setattr(theirs.connect, OPENING, _their_opening)


def _is_installed() -> bool:
    made, opening = getattr(theirs, _CLASS), vars(theirs.connect).get(OPENING)
    if made is ClientConnection and opening in {own_opening, _their_opening}:
        return True
    if made is Theirs and opening is _their_opening:
        return False
    raise RuntimeError(
        "websockets.asyncio.client.ClientConnection or connect was changed by something else"
        " since wsclient.websockets was imported"
    )
