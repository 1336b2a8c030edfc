"""Ending the connections of a test's servers, in ways that its clients can tell apart."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["abort", "end", "ends_within", "reset"]

_RESET = struct.pack("ii", 1, 0)


def end(writer: asyncio.StreamWriter) -> None:
    """Send nothing more; TCP goes on the other way, so that nothing unread becomes a reset."""
    if writer.is_closing():
        return
    if writer.can_write_eof():
        with contextlib.suppress(OSError):  # the other side was faster
            writer.write_eof()
    else:
        writer.close()


def reset(writer: asyncio.StreamWriter) -> None:
    """Drop a connection with a RST."""
    sock = writer.get_extra_info("socket")
    # It has been closed already; uvloop says ValueError.
    with contextlib.suppress(OSError, ValueError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()


async def abort(writers: Iterable[asyncio.StreamWriter]) -> None:
    """Close connections for good; what the operating system has of them still goes out."""
    # uvloop hands over what was written at the end of the loop's turn.
    await asyncio.sleep(0)
    for writer in writers:
        # asyncio's transport forgets its loop when a close() has flushed its buffer.
        with contextlib.suppress(AttributeError):
            writer.transport.abort()
    # Aborted transports close their sockets in the next turns of the loop.
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def ends_within(tasks: Iterable[asyncio.Task[None]], timeout: float) -> bool:
    """Cancel tasks, and say whether all of them have ended in so many seconds."""
    waiting = {task for task in tasks if not task.done()}
    for task in waiting:
        task.cancel()
    if not waiting:
        return True
    _, left = await asyncio.wait(waiting, timeout=timeout)
    return not left
