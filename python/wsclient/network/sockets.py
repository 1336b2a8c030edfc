"""Sockets on an event loop: how they are connected, and watched."""

from __future__ import annotations

import asyncio
import weakref
from abc import ABC, abstractmethod
from asyncio.selector_events import BaseSelectorEventLoop
from socket import SO_ERROR, SOL_SOCKET
from typing import TYPE_CHECKING, Any

from wsclient._core import forks

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

__all__ = ["Watcher", "connect", "has_readers"]


def has_readers(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether a loop watches sockets for others.

    Args:
        loop: An event loop. Windows' default one does not.
    """
    return type(loop).add_reader is not asyncio.AbstractEventLoop.add_reader


class Watcher(ABC):
    """Has a reader on an event loop, also where the loop lets go of it by itself.

    libuv stops watching a descriptor that has an error, such as a reset. uvloop then calls the
    reader once more and drops it, though there may be more to read than that one call does. Nobody
    else holds the reader, so its end shows.

    It shows while uvloop is in the middle of letting go. Whatever touched its watch of that
    descriptor then, such as a finalizer, would crash the process: it waits for the next turn.

    A base class, as an object of its own would take memory for each connection.
    """

    if not TYPE_CHECKING:  # for whom the attributes below would be in the way
        __slots__ = ()

    _loop: asyncio.AbstractEventLoop
    _reader: weakref.ref[Callable[[], object]] | None
    """Where the loop may let go by itself, what it holds."""
    _watched: int
    """The descriptor."""

    def _lets_go(self) -> bool:
        return self._reader is not None and self._reader() is None

    def _watch(self, descriptor: int, reader: Callable[[], object]) -> None:
        """Do what ``loop.add_reader`` does.

        Args:
            descriptor: What to watch.
            reader: Is called when there is something to read; nobody but the loop may hold it.

        Raises:
            OSError: The system cannot watch it.
            RuntimeError: The loop is closed.
        """
        if self._lets_go():
            return
        self._reader = None
        try:
            self._loop.add_reader(descriptor, reader)
        except RuntimeError:
            # uvloop: what watched before is closed, and in the way.
            self._loop.remove_reader(descriptor)
            self._loop.add_reader(descriptor, reader)
        # asyncio's own loops watch until they are told not to.
        if not isinstance(self._loop, BaseSelectorEventLoop):
            self._watched = descriptor
            self._reader = weakref.ref(reader, self._dropped)

    def _unwatch(self, descriptor: int) -> bool:
        """Do what ``loop.remove_reader`` does."""
        return not self._lets_go() and self._end_watch(descriptor)

    def _end_watch(self, descriptor: int) -> bool:
        """Do the same from a callback of the loop's own, which is in the middle of nothing then."""
        self._reader = None
        return self._loop.remove_reader(descriptor)

    def _dropped(self, reader: object) -> None:
        if reader is self._reader and not self._loop.is_closed():
            self._loop.call_soon(self._let_go, reader)

    def _let_go(self, reader: object) -> None:
        if reader is self._reader:
            self._end_watch(self._watched)
            self._read_on()

    @abstractmethod
    def _read_on(self) -> None:
        """Watch again, if that is wanted: the loop has let go."""


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
