"""Sockets on an event loop: how they are connected, and watched."""

from __future__ import annotations

import asyncio
import weakref
from asyncio.selector_events import BaseSelectorEventLoop
from socket import SO_ERROR, SOL_SOCKET
from typing import TYPE_CHECKING, Any

from wsclient._core import forks

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

__all__ = ["connect", "has_readers", "watch"]


def has_readers(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether a loop watches sockets for others.

    Args:
        loop: An event loop. Windows' default one does not.
    """
    return type(loop).add_reader is not asyncio.AbstractEventLoop.add_reader


def watch(
    loop: asyncio.AbstractEventLoop,
    descriptor: int,
    reader: Callable[[], object],
    dropped: Callable[[object], object],
) -> object:
    """Do what ``loop.add_reader`` does, and be told if the loop lets go of the reader by itself.

    libuv stops watching a descriptor that has an error, such as a reset. uvloop then calls the
    reader once more and drops it, though there may be more to read than that one call does.

    Args:
        loop: An event loop that `has_readers`.
        descriptor: What to watch.
        reader: Is called when there is something to read. Nobody but the loop may hold it: that
            it is gone shows that the loop watches no longer.
        dropped: Is called, with what this returns, when the reader is gone, for whatever reason. It
            must do no more than take note.

    Returns:
        What has to be kept for `dropped` to be called; None where that never happens.

    Raises:
        OSError: The system cannot watch it.
        RuntimeError: The loop is closed.
    """
    try:
        loop.add_reader(descriptor, reader)
    except RuntimeError:
        # uvloop: what watched before is closed, and in the way.
        loop.remove_reader(descriptor)
        loop.add_reader(descriptor, reader)
    # asyncio's own loops watch until they are told not to.
    return None if isinstance(loop, BaseSelectorEventLoop) else weakref.ref(reader, dropped)


async def connect(
    loop: asyncio.AbstractEventLoop, sock: socket.socket, address: tuple[Any, ...]
) -> socket.socket:
    """Connect a socket, and return it; it is closed if that fails.

    As ``loop.sock_connect`` does it, but that looks every address up first. On uvloop this is a
    sixth of the instructions of opening a connection.

    Args:
        loop: The running event loop, which `has_readers`.
        sock: Becomes one that does not block.
        address: An IP address and port, as the socket's family has them; not a name.

    Raises:
        OSError: It cannot be reached.
    """
    try:
        sock.setblocking(False)
        try:
            sock.connect(address)
        except BlockingIOError:
            await _connected(loop, sock, address)
    except BaseException:
        sock.close()
        raise
    return sock


async def _connected(
    loop: asyncio.AbstractEventLoop, sock: socket.socket, address: tuple[Any, ...]
) -> None:
    descriptor, process = sock.fileno(), forks()
    writable = loop.create_future()
    loop.add_writer(descriptor, _finish, writable)
    try:
        await writable
    finally:
        if process == forks():
            loop.remove_writer(descriptor)
    code = sock.getsockopt(SOL_SOCKET, SO_ERROR)
    if code:
        raise OSError(code, f"Connect call failed {address}")


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():  # a loop may say it again
        future.set_result(None)
