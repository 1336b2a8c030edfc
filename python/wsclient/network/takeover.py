"""Connections that another library has opened, taken over from the transports that it made."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import TYPE_CHECKING, cast

from .fast_calls import serve
from .plain_transport import PlainTransport
from .transport import plain_socket

if TYPE_CHECKING:
    from wsclient._core import Protocol as CoreProtocol

__all__ = ["own_socket", "take_over"]

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


def take_over(transport: asyncio.Transport, connection: CoreProtocol) -> asyncio.Transport:
    """Let a connection serve a transport.

    Without TLS it gets a transport of this package's in place of the event loop's, on the same
    socket.

    Args:
        transport: One that does not read.
        connection: Its next protocol, which is to be fed what was read before.

    Returns:
        The transport from now on, which does not read either.

    Raises:
        OSError: The event loop cannot watch one socket more.
    """
    sock = own_socket(transport)
    if sock is None:
        serve(transport, connection)
        return transport
    transport.set_protocol(asyncio.Protocol())
    transport.abort()
    try:
        plain = PlainTransport(
            asyncio.get_running_loop(), sock, cast("asyncio.BaseProtocol", connection)
        )
    except BaseException:
        sock.close()
        raise
    plain.pause_reading()
    in_use = plain_socket(plain)
    if in_use is not None:
        connection.use_socket(in_use)
    return plain
