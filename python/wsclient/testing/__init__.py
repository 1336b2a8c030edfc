"""Servers and faults for the tests of what uses WebSockets, whichever client it uses.

Needs what ``pip install wsclient-rs[testing]`` brings.

Example:
    >>> from wsclient import testing
    >>>
    >>> async def test_bot():
    ...     script = testing.Script().expect("hello").send("welcome").close(1001)
    ...     async with testing.serve(script) as server:
    ...         await bot(server.url)
"""

from wsclient.distribution import NAME as _NAME

try:
    import websockets as _websockets
except ImportError:
    raise ImportError(
        f"wsclient.testing needs websockets, which is not installed: pip install {_NAME}[testing]",
        name="websockets",
    ) from None
else:
    del _websockets

from wsclient.recording import Entry, Recording

from .connection import Sendable, ServerConnection
from .expectations import ClientGone, ExpectationError, Received
from .proxy import FAULTS, HARMLESS, Fault, FaultProxy, ProxiedConnection
from .replay import replay
from .script import Refusal, Script, refuse
from .server import Handler, Server, echo, serve

__all__ = [
    "FAULTS",
    "HARMLESS",
    "ClientGone",
    "Entry",
    "ExpectationError",
    "Fault",
    "FaultProxy",
    "Handler",
    "ProxiedConnection",
    "Received",
    "Recording",
    "Refusal",
    "Script",
    "Sendable",
    "Server",
    "ServerConnection",
    "echo",
    "refuse",
    "replay",
    "serve",
]
