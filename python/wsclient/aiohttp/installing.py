"""Putting this client in the place of aiohttp's, for libraries that open their own WebSockets."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp
import aiohttp.client
import aiohttp.client_ws

from wsclient.installed import Installed

from .connecting import serve_requests, serves_requests
from .response import AIOHTTP, ClientWebSocketResponse
from .session import open_websocket

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from yarl import URL

__all__ = ["Installed", "install", "uninstall"]

_METHOD = "_ws_connect"
_CLASS = "ClientWebSocketResponse"
_MODULES: tuple[Any, ...] = (aiohttp, aiohttp.client, aiohttp.client_ws)

_their_method = aiohttp.ClientSession.__dict__[_METHOD]


def _ws_connect(
    session: aiohttp.ClientSession, url: str | URL, **options: Any
) -> Coroutine[Any, Any, ClientWebSocketResponse]:
    return open_websocket(session, url, **options)


def install(*, requests: bool = False) -> Installed:
    """Let every session of aiohttp's open this client's WebSockets.

    ``aiohttp.ClientSession.ws_connect`` does so from now on, and
    ``aiohttp.ClientWebSocketResponse`` is `ClientWebSocketResponse`. It does not matter what was
    imported, defined or made before: sessions that exist are taken over too, as are subclasses of
    aiohttp's class, and WebSockets are instances of that class under whatever name a module has it.
    WebSockets that are open already stay as they are. To install it twice is to install it once.

    Args:
        requests: Have the TLS of every request that aiohttp makes from now on by this client's
            transports, not that of WebSockets alone; those are then served on pooled connections,
            too. `TCPConnector` is the same for one session.

    Returns:
        What undoes it at the end of a ``with`` statement.

    Raises:
        RuntimeError: Something else has replaced what this replaces.

    Example:
        >>> import wsclient.aiohttp
        >>> wsclient.aiohttp.install()
    """
    before, served = _is_installed(), serves_requests()
    if not before:
        setattr(aiohttp.ClientSession, _METHOD, _ws_connect)
        for module in _MODULES:
            setattr(module, _CLASS, ClientWebSocketResponse)
    if requests and not served:
        serve_requests(serve=True)
    if not before:
        return Installed(uninstall)
    return Installed(None if served else partial(serve_requests, serve=False))


def uninstall() -> None:
    """Undo `install`; harmless when there is nothing to undo.

    WebSockets that are open stay as they are.

    Raises:
        RuntimeError: Something else has replaced what `install` had put in place.
    """
    if _is_installed():
        setattr(aiohttp.ClientSession, _METHOD, _their_method)
        for module in _MODULES:
            setattr(module, _CLASS, AIOHTTP)
    if serves_requests():
        serve_requests(serve=False)


def _is_installed() -> bool:
    method = aiohttp.ClientSession.__dict__.get(_METHOD)
    classes = {getattr(module, _CLASS) for module in _MODULES}
    if method is _ws_connect and classes == {ClientWebSocketResponse}:
        return True
    if method is _their_method and classes == {AIOHTTP}:
        return False
    raise RuntimeError(
        "aiohttp.ClientSession or aiohttp.ClientWebSocketResponse was replaced by something else"
        " since wsclient.aiohttp was imported"
    )
