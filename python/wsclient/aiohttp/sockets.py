"""The sockets of the event loops' own transports."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

__all__ = ["own_socket"]

# Those whose bytes are the socket's own, none held back. uvloop need not be installed.
_BARE_TRANSPORTS = {
    ("asyncio.selector_events", "_SelectorSocketTransport"),
    ("uvloop.loop", "TCPTransport"),
    ("uvloop.loop", "UnixTransport"),
}


def own_socket(transport: asyncio.Transport) -> socket.socket | None:
    """Get the socket of a transport a second time, if that is all there is to it.

    Args:
        transport: One that does not read.
    """
    kind = type(transport)
    if (kind.__module__, kind.__name__) not in _BARE_TRANSPORTS:
        return None
    if transport.is_closing() or transport.get_write_buffer_size():
        return None
    theirs = transport.get_extra_info("socket")
    try:
        descriptor = os.dup(theirs.fileno())
    except OSError:
        return None
    sock = socket.socket(theirs.family, theirs.type, theirs.proto, fileno=descriptor)
    sock.setblocking(False)
    return sock
