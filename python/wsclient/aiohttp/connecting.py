"""TLS of the adapter's WebSockets: by this client's transports, on connections of aiohttp's making.

An aiohttp connector resolves, dials, speaks to proxies and judges certificates; then it asks its
event loop for a transport with TLS. For requests of this adapter, and for these alone unless it is
told otherwise, it asks a stand-in of the loop. Other connectors than aiohttp's own, and methods of
theirs that are not as they are known here, are left as they are.
"""

# What of aiohttp's is not public.
# pyright: reportPrivateUsage=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import contextlib
import logging
from contextvars import ContextVar
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import hdrs

from wsclient.network.stand_in import StandIn, TLSLoop

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["TCPConnector", "own_tls", "serve_requests", "serves_requests"]

_logger = logging.getLogger("wsclient.transport")  # as the documentation has it

_CONNECT, _START_TLS = "_wrap_create_connection", "_start_tls_connection"
_PROXIED = "_create_proxy_connection"
# aiohttp's own, and what each asks the connector's loop for.
_THEIRS: dict[str, tuple[Any, str]] = {
    _CONNECT: (getattr(aiohttp.TCPConnector, _CONNECT, None), "create_connection"),
    _START_TLS: (getattr(aiohttp.TCPConnector, _START_TLS, None), "start_tls"),
}


def _is_known(function: Any, method: str) -> bool:
    """Whether a function takes the request, and asks ``self._loop`` for a transport."""
    if not iscoroutinefunction(function):
        return False
    code = function.__code__
    arguments = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return "req" in arguments and {"_loop", method} <= set(code.co_names)


def _unfamiliar(connector: aiohttp.TCPConnector) -> str | None:
    """Name what of a connector is not as it is known here, if anything is."""
    for name, (theirs, method) in _THEIRS.items():
        if getattr(type(connector), name, None) is not theirs or not _is_known(theirs, method):
            return name
        held = vars(connector).get(name)
        if held is not None and not isinstance(getattr(held, "__self__", None), _Switch):
            return name
    return None


class _Connector(StandIn):
    """A connector to its own methods, with another loop."""

    def __init__(self, real: aiohttp.TCPConnector) -> None:
        super().__init__(real)
        self._loop = TLSLoop(real._loop)  # noqa: SLF001


class _Switch:
    """Stands before two methods of a connector while there are requests of the adapter's.

    Args:
        connector: The connector.

    Attributes:
        keys: The ``Sec-WebSocket-Key`` of each such request, by which it is told from others.
    """

    def __init__(self, connector: aiohttp.TCPConnector) -> None:
        self._connector = connector
        self._stand_in = _Connector(connector)
        self.keys: set[str] = set()

    async def connect(self, *args: Any, req: Any, **options: Any) -> Any:
        """Do what aiohttp's ``_wrap_create_connection`` does."""
        return await _THEIRS[_CONNECT][0](self._chosen(req), *args, req=req, **options)

    async def start_tls(self, *args: Any, req: Any, **options: Any) -> Any:
        """Do what aiohttp's ``_start_tls_connection`` does."""
        return await _THEIRS[_START_TLS][0](self._chosen(req), *args, req=req, **options)

    def _chosen(self, req: Any) -> Any:
        # The request to a proxy has no such field: TLS with the proxy itself is the loop's own.
        ours = req.headers.get(hdrs.SEC_WEBSOCKET_KEY) in self.keys
        return self._stand_in if ours else self._connector


@contextlib.contextmanager
def own_tls(session: aiohttp.ClientSession, key: str) -> Generator[None]:
    """Let TLS of a request be this client's, while it is under way.

    Args:
        session: Makes the request.
        key: Its ``Sec-WebSocket-Key``.
    """
    connector = session.connector
    if not isinstance(connector, aiohttp.TCPConnector) or _serves_all(connector):
        yield
        return
    unfamiliar = _unfamiliar(connector)
    if unfamiliar is not None:
        _logger.debug(
            "TLS, if any, by the event loop's own transports: the %s has another %s than is known",
            type(connector).__name__,
            unfamiliar,
        )
        yield
        return
    attributes = vars(connector)
    switch: _Switch
    if _CONNECT in attributes:
        switch = attributes[_CONNECT].__self__
    else:
        switch = _Switch(connector)
        attributes[_CONNECT], attributes[_START_TLS] = switch.connect, switch.start_tls
    switch.keys.add(key)
    try:
        yield
    finally:
        switch.keys.discard(key)
        if not switch.keys:
            # The connector is as it was, and refers no more to itself.
            attributes.pop(_CONNECT, None)
            attributes.pop(_START_TLS, None)


_to_proxy = ContextVar("_to_proxy", default=False)
"""Whether a connection is to a proxy, with which TLS is the loop's own: more may come within it."""


async def _connect(connector: Any, *args: Any, **options: Any) -> Any:
    chosen = connector if _to_proxy.get() else _Connector(connector)
    return await _THEIRS[_CONNECT][0](chosen, *args, **options)


async def _start_tls(connector: Any, *args: Any, **options: Any) -> Any:
    return await _THEIRS[_START_TLS][0](_Connector(connector), *args, **options)


async def _go_through_proxy(connector: Any, *args: Any, **options: Any) -> Any:
    token = _to_proxy.set(True)
    try:
        return await _their_proxied(connector, *args, **options)
    finally:
        _to_proxy.reset(token)


_their_proxied: Any = getattr(aiohttp.TCPConnector, _PROXIED, None)
_IS_KNOWN = iscoroutinefunction(_their_proxied) and all(_is_known(*it) for it in _THEIRS.values())
_FOR_ALL: dict[str, Any] = (
    {_CONNECT: _connect, _START_TLS: _start_tls, _PROXIED: _go_through_proxy} if _IS_KNOWN else {}
)
"""The methods that serve every request; none where aiohttp's are not as they are known here."""


def _serves_all(connector: aiohttp.TCPConnector) -> bool:
    own = all(getattr(type(connector), name) is method for name, method in _FOR_ALL.items())
    return bool(_FOR_ALL) and own and not _FOR_ALL.keys() & vars(connector).keys()


class TCPConnector(aiohttp.TCPConnector):
    """``aiohttp.TCPConnector``, which has this client's TLS for every request.

    For ``connector`` of a session, also of one whose WebSockets are aiohttp's.
    """


for _name, _method in _FOR_ALL.items():
    setattr(TCPConnector, _name, _method)


def serve_requests(*, serve: bool) -> None:
    """Let every connector of aiohttp's have this client's TLS for every request, or no more.

    Args:
        serve: Whether they are to.
    """
    for name, method in _FOR_ALL.items():
        theirs = _their_proxied if name == _PROXIED else _THEIRS[name][0]
        setattr(aiohttp.TCPConnector, name, method if serve else theirs)


def serves_requests() -> bool:
    """Tell whether `serve_requests` is in force."""
    return bool(_FOR_ALL) and getattr(aiohttp.TCPConnector, _CONNECT) is _connect
