"""How a connection becomes the protocol of a transport: by functions of C with aiofastnet's.

Each call between the two that takes the way of methods in Python costs a few hundred instructions,
and the processor has to have as much more code at hand.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from wsclient._core import Protocol as CoreProtocol

if TYPE_CHECKING:
    import asyncio

    from wsclient._core import Tables

_aiofastnet: Any
try:
    import aiofastnet as _aiofastnet
except ImportError:
    _aiofastnet = None

__all__ = ["serve"]

_Base: Any = object if _aiofastnet is None else _aiofastnet.Protocol


class _Link(_Base):  # type: ignore[misc]
    """What a transport calls: its functions of C are the connection's.

    The core cannot derive a class from that of another extension; the rest comes by way of this.

    Attributes:
        connection: The connection, in the only slot, where these functions find it.
    """

    __slots__ = ("connection",)

    def __init__(self, connection: CoreProtocol) -> None:
        self.connection = connection

    def is_buffered_protocol(self) -> bool:
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.connection.connection_lost(exc)

    def eof_received(self) -> bool:
        return self.connection.eof_received()

    def pause_writing(self) -> None:
        self.connection.pause_writing()

    def resume_writing(self) -> None:
        self.connection.resume_writing()


@cache
def _tables() -> Tables | None:
    """Look up the functions; None if it is another aiofastnet than the core knows."""
    if _aiofastnet is None:
        return None
    try:
        declared = Path(_aiofastnet.__file__).with_name("transport.pxd").read_bytes()
    except OSError:
        return None
    return CoreProtocol.tables(_aiofastnet.Transport, _aiofastnet.Protocol, declared)


def serve(transport: asyncio.Transport, connection: CoreProtocol) -> None:
    """Let a connection be the protocol of a transport from now on.

    Args:
        transport: One that does not read.
        connection: Is to be fed what was read before.
    """
    protocol: Any = connection
    tables = None
    if _aiofastnet is not None and isinstance(cast("Any", transport), _aiofastnet.Transport):
        tables = _tables()
    if tables is not None:
        link = _Link(connection)
        if connection.read_by_table(link, tables):
            protocol = link
    transport.set_protocol(protocol)
    connection.connection_made(transport)
    if tables is not None:
        connection.write_by_table(tables)
