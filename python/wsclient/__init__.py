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
from collections.abc import Sequence
from importlib.metadata import version

from ._core import Message, discard_keys
from .connector import TCPConnector
from .deflate import PerMessageDeflate
from .exceptions import (
    ClientConnectionError,
    ClientConnectionResetError,
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientConnectorSSLError,
    ClientError,
    ClientOSError,
    ConnectionTimeoutError,
    InvalidURL,
    ServerConnectionError,
    ServerDisconnectedError,
    ServerTimeoutError,
    TooManyRedirects,
    WebSocketError,
    WSMessageTypeError,
    WSServerHandshakeError,
)
from .response import ClientWebSocketResponse
from .session import ClientSession, ws_connect
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

__version__ = version("wsclient")

__all__ = [
    "MSG_BINARY",
    "MSG_CLOSE",
    "MSG_PING",
    "MSG_PONG",
    "MSG_TEXT",
    "ClientConnectionError",
    "ClientConnectionResetError",
    "ClientConnectorCertificateError",
    "ClientConnectorDNSError",
    "ClientConnectorError",
    "ClientConnectorSSLError",
    "ClientError",
    "ClientOSError",
    "ClientSession",
    "ClientWSTimeout",
    "ClientWebSocketResponse",
    "ConnectionTimeoutError",
    "HandshakeResponse",
    "InvalidURL",
    "Message",
    "MsgType",
    "PerMessageDeflate",
    "ServerConnectionError",
    "ServerDisconnectedError",
    "ServerTimeoutError",
    "TCPConnector",
    "TooManyRedirects",
    "WSCloseCode",
    "WSMessage",
    "WSMessageTypeError",
    "WSMsgType",
    "WSServerHandshakeError",
    "WebSocketError",
    "ws_connect",
]

WSMessage = Message
# For `case (tp, data, extra):`, which only sequences match.
Sequence.register(Message)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]

if hasattr(os, "register_at_fork"):
    # A child must not mask with the keys that its parent has in stock (RFC 6455 §10.3).
    os.register_at_fork(after_in_child=discard_keys)
