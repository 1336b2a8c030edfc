"""An asyncio WebSocket client with a Rust core.

Example:
    >>> import asyncio, wsclient
    >>>
    >>> async def main():
    ...     async with wsclient.ws_connect("wss://example.org/feed") as ws:
    ...         await ws.send_str("hello")
    ...         async for msg in ws:
    ...             print(msg.data)
    >>>
    >>> asyncio.run(main())
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING

from ._core import forked
from .client import race, reconnect, ws_connect
from .distribution import VERSION
from .exceptions import (
    ClientConnectionError,
    ClientConnectionResetError,
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientConnectorSSLError,
    ClientError,
    ClientHttpProxyError,
    ClientOSError,
    ClientProxyConnectionError,
    ClientResponseError,
    ConnectionTimeoutError,
    InvalidURL,
    ServerConnectionError,
    ServerDisconnectedError,
    ServerFingerprintMismatch,
    ServerTimeoutError,
    TooManyRedirects,
    UnixClientConnectorError,
    WebSocketError,
    WSMessageTypeError,
    WSServerHandshakeError,
)
from .feed import Race, RaceSide
from .handshake.auth import BasicAuth
from .handshake.cookies import CookiePolicy
from .handshake.extensions import PerMessageDeflate
from .heartbeat import Heartbeat
from .message import Message, WSMessage
from .network.connector import BaseConnector
from .network.resolver import AbstractResolver, ResolveResult
from .network.tcp import TCPConnector
from .network.tls import Fingerprint
from .network.unix import UnixConnector
from .options import ConnectOptions
from .queue import Conflate, DropOldest
from .recording.recorder import Recorder
from .retry import ReconnectEvent, backoff, process_exception
from .session import ClientSession
from .stats import Stats
from .streaming import MessageStream
from .suggestions import FUNCTIONS, missing
from .tracing import ConnectStep
from .types import (
    MSG_BINARY,
    MSG_CLOSE,
    MSG_PING,
    MSG_PONG,
    MSG_TEXT,
    ClientWSTimeout,
    HandshakeResponse,
    MsgType,
    WSCloseCode,
    WSMsgType,
)
from .websocket import ClientWebSocketResponse

__version__ = VERSION

__all__ = [
    "MSG_BINARY",
    "MSG_CLOSE",
    "MSG_PING",
    "MSG_PONG",
    "MSG_TEXT",
    "AbstractResolver",
    "BaseConnector",
    "BasicAuth",
    "ClientConnectionError",
    "ClientConnectionResetError",
    "ClientConnectorCertificateError",
    "ClientConnectorDNSError",
    "ClientConnectorError",
    "ClientConnectorSSLError",
    "ClientError",
    "ClientHttpProxyError",
    "ClientOSError",
    "ClientProxyConnectionError",
    "ClientResponseError",
    "ClientSession",
    "ClientWSTimeout",
    "ClientWebSocketResponse",
    "Conflate",
    "ConnectOptions",
    "ConnectStep",
    "ConnectionTimeoutError",
    "CookiePolicy",
    "DropOldest",
    "Fingerprint",
    "HandshakeResponse",
    "Heartbeat",
    "InvalidURL",
    "Message",
    "MessageStream",
    "MsgType",
    "PerMessageDeflate",
    "Race",
    "RaceSide",
    "ReconnectEvent",
    "Recorder",
    "ResolveResult",
    "ServerConnectionError",
    "ServerDisconnectedError",
    "ServerFingerprintMismatch",
    "ServerTimeoutError",
    "Stats",
    "TCPConnector",
    "TooManyRedirects",
    "UnixClientConnectorError",
    "UnixConnector",
    "WSCloseCode",
    "WSMessage",
    "WSMessageTypeError",
    "WSMsgType",
    "WSServerHandshakeError",
    "WebSocketError",
    "backoff",
    "process_exception",
    "race",
    "reconnect",
    "ws_connect",
]

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forked)

_ON_FIRST_USE = frozenset({"aiohttp", "framing"})
"""Modules that are documented, and not imported before they are used."""


def __dir__() -> list[str]:
    # Not the adapter before it is loaded: whoever looks at all attributes would load it, and fail
    # where aiohttp is missing.
    loaded = {name for name in globals() if name == "aiohttp" or name.startswith("__")}
    return sorted({*__all__, "framing", *loaded})


if TYPE_CHECKING:
    from . import aiohttp as aiohttp
    from . import framing as framing
else:  # type checkers would take any name for one of the module's

    def __getattr__(name: str) -> object:
        if name in _ON_FIRST_USE:
            return import_module(f"{__name__}.{name}")
        raise missing(f"module {__name__!r}", name, FUNCTIONS)
