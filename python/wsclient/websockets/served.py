"""The core's protocol below a connection of websockets'."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, cast

from websockets.exceptions import ConcurrencyError, ConnectionClosedOK

from wsclient.exceptions import ClientConnectionResetError
from wsclient.protocol import WebSocketProtocol

from .protocol import close_error_of

if TYPE_CHECKING:
    import asyncio
    import weakref
    from types import TracebackType
    from typing import Protocol

    from websockets.exceptions import ConnectionClosed

    from wsclient._core import Protocol as CoreProtocol

    class _Owner(Protocol):
        """What is asked of a connection."""

        loop: asyncio.AbstractEventLoop

        def connection_lost(self, exc: Exception | None) -> None: ...
        def eof_received(self) -> None: ...
        def blame(self, error: BaseException) -> None: ...
        def limit_closing(self) -> asyncio.TimerHandle | None: ...
        def close_error(self) -> ConnectionClosed: ...
        async def wait_closed(self) -> None: ...


__all__ = ["SendContext", "Served"]


class Served(WebSocketProtocol):
    """The core's protocol, which asks a connection of websockets' what its end is called.

    Attributes:
        owner: Refers to the connection, but for finalizers that the garbage collector calls.
        kept: The connection while it is open: as in websockets, its transport keeps it.
    """

    __slots__ = ("kept", "owner")

    owner: weakref.ref[_Owner]
    kept: _Owner | None

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell everybody. Called by the event loop."""
        try:
            self._owner().connection_lost(exc)
        finally:
            # A task that waits may go on inside.
            super().connection_lost(exc)
            self.kept = None

    def eof_received(self) -> bool:
        """Be told that the server sends nothing more. Called by the event loop."""
        self._owner().eof_received()
        return super().eof_received()

    def _owner(self) -> _Owner:
        owner = self.owner()
        assert owner is not None  # noqa: S101 - kept while it is open, and by whoever uses it
        return owner

    def _end(self, iterates: bool) -> Exception:
        owner = self.owner()
        error = owner.close_error() if owner is not None else close_error_of(self)
        if iterates and isinstance(error, ConnectionClosedOK):
            return StopAsyncIteration()
        return error

    async def closed(self, error: Exception) -> None:
        """Wait until the connection is closed, and raise what its users are told of that.

        Args:
            error: Says that something could not be written.
        """
        owner = self.owner()
        if owner is None:
            raise close_error_of(self)
        if owner.loop.is_closed():
            raise error
        if self.alive:
            owner.blame(error)
            self.abort()
        timer = owner.limit_closing()
        try:
            await owner.wait_closed()
        finally:
            if timer is not None:
                timer.cancel()
        raise owner.close_error()

    def _concurrent(self, streams: bool) -> Exception:
        method = "recv_streaming" if streams else "recv"
        return ConcurrencyError(
            f"cannot call {method} while another coroutine is already running recv or"
            " recv_streaming"
        )


class SendContext(AbstractAsyncContextManager[None]):
    """websockets' own context, and what it does not know: that a frame cannot be written.

    No generator: one more of these is one more to be found running when the event loop ends.
    """

    __slots__ = ("_core", "_theirs")

    def __init__(self, core: CoreProtocol, theirs: AbstractAsyncContextManager[None]) -> None:
        self._core = core
        self._theirs = theirs

    async def __aenter__(self) -> None:
        await self._theirs.__aenter__()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        if not isinstance(exc, ClientConnectionResetError):
            return await self._theirs.__aexit__(exc_type, exc, traceback)
        await self._theirs.__aexit__(None, None, None)
        await cast("Served", self._core).closed(exc)
        return None
