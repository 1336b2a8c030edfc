"""This client's WebSockets for those who use aiohttp: the handshake is aiohttp's, the rest is not.

Needs aiohttp 3.10 or newer (``pip install wsclient-rs[aiohttp]``).

Example:
    >>> import wsclient.aiohttp
    >>>
    >>> wsclient.aiohttp.install()  # from here on, aiohttp's sessions open this client's WebSockets
"""

from .versions import check_version

check_version()

# ruff: noqa: E402 - what follows needs aiohttp
from .connecting import TCPConnector
from .installing import Installed, install, uninstall
from .response import ClientWebSocketResponse
from .session import ClientSession, ws_connect

__all__ = [
    "ClientSession",
    "ClientWebSocketResponse",
    "Installed",
    "TCPConnector",
    "install",
    "uninstall",
    "ws_connect",
]
