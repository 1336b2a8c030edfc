"""What a connection of websockets' was asked for, under the names that its releases have for it."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

from yarl import URL

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection
    from websockets.client import ClientProtocol
    from websockets.extensions.permessage_deflate import PerMessageDeflate

__all__ = ["agreement", "max_size", "queue_limits", "url_of", "write_limits"]

_DEFAULT_LEVEL = 6
"""What zlib takes for its default."""


def max_size(protocol: ClientProtocol) -> int | None:
    """Tell the largest message to take, in bytes; None for no limit."""
    # Named `max_size` up to websockets 15.
    size: int | None = getattr(protocol, "max_message_size", getattr(protocol, "max_size", None))
    return size


def url_of(protocol: ClientProtocol) -> URL:
    """Tell what a connection is to, without credentials."""
    # Named `wsuri` up to websockets 15.
    uri = getattr(protocol, "uri", None) or getattr(protocol, "wsuri")  # noqa: B009
    path, _, query = uri.resource_name.partition("?")
    scheme = "wss" if uri.secure else "ws"
    return URL.build(
        scheme=scheme, host=uri.host, port=uri.port, path=path, query_string=query, encoded=True
    )


def write_limits(connection: ClientConnection) -> tuple[int | None, int | None]:
    """Tell above how many bytes the transport pauses writing, and below how many it goes on."""
    # Named `write_limit` up to websockets 15.
    limits: tuple[int, int | None] | None = getattr(connection, "write_limit", None)
    if limits is not None:
        return limits
    return connection.write_limit_high, connection.write_limit_low


def queue_limits(connection: ClientConnection) -> tuple[int | None, int | None]:
    """Tell above how many messages reading pauses, and below how many it goes on."""
    # Named `max_queue` up to websockets 15.
    limits: tuple[int | None, int | None] | None = getattr(connection, "max_queue", None)
    if limits is not None:
        return limits
    return connection.max_queue_high, connection.max_queue_low


def agreement(deflate: PerMessageDeflate) -> dict[str, Any]:
    """What both sides have agreed on, as `Protocol.use_deflate` takes it."""
    level = deflate.compress_settings.get("level", zlib.Z_DEFAULT_COMPRESSION)
    return {
        "level": _DEFAULT_LEVEL if level == zlib.Z_DEFAULT_COMPRESSION else level,
        "min_size": 0,
        "client_max_window_bits": deflate.local_max_window_bits,
        "client_no_context_takeover": deflate.local_no_context_takeover,
        "server_no_context_takeover": deflate.remote_no_context_takeover,
    }
