"""A server in a thread of its own, for tests without an event loop."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

__all__ = ["ServerThread"]

_BOUND = 30.0
"""Seconds in which everything has come to its end."""


class ServerThread:
    """Enters an asynchronous context manager in another thread, and leaves it there.

    Args:
        server: The context manager.
    """

    def __init__(self, server: AbstractAsyncContextManager[object]) -> None:
        self._server = server
        self._started: Future[asyncio.AbstractEventLoop] = Future()
        self._left: BaseException | None = None
        self._leave = asyncio.Event()
        self._outcome: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="wsclient.testing", daemon=True)

    def start(self) -> None:
        """Enter it, and return when that is done."""
        self._thread.start()
        self._started.result(_BOUND)

    def stop(self, exc: BaseException | None) -> None:
        """Leave it with an exception or none; raises what it raises."""
        self._left = exc
        self._started.result().call_soon_threadsafe(self._leave.set)
        self._thread.join(_BOUND)
        self._outcome.result(_BOUND)

    def _run(self) -> None:
        asyncio.run(self._main())

    async def _main(self) -> None:
        try:
            await self._server.__aenter__()
        except BaseException as error:  # noqa: BLE001 - raised in the other thread
            self._started.set_exception(error)
            return
        self._started.set_result(asyncio.get_running_loop())
        await self._leave.wait()
        exc = self._left
        try:
            await self._server.__aexit__(type(exc) if exc else None, exc, None)
        except BaseException as error:  # noqa: BLE001 - raised in the other thread
            self._outcome.set_exception(error)
        else:
            self._outcome.set_result(None)
