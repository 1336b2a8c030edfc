"""This client's WebSockets for users of `websockets`: the handshake is theirs, the rest is not.

Needs websockets 14 or newer (``pip install wsclient-rs[websockets]``).

Example:
    >>> import wsclient.websockets
    >>>
    >>> wsclient.websockets.install()  # from here on, connect() opens this client's WebSockets
    >>> async with wsclient.websockets.connect("wss://example.com/") as websocket:
    ...     async for message in websocket: ...
"""

from .versions import check_version

check_version()

# ruff: noqa: E402 - what follows needs websockets
from .connecting import connect, unix_connect
from .connection import ClientConnection
from .installing import Installed, install, uninstall

__all__ = [
    "ClientConnection",
    "Installed",
    "connect",
    "install",
    "uninstall",
    "unix_connect",
]
