"""What `ws_connect` returns."""

from __future__ import annotations

import inspect
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Generic

from .types import shown
from .websocket import ClientWebSocketResponse

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import TracebackType

    from typing_extensions import TypeVar
    from yarl import URL

    _WS = TypeVar("_WS", bound=ClientWebSocketResponse[Any], default=ClientWebSocketResponse)
else:
    from typing import TypeVar

    _WS = TypeVar("_WS", bound=ClientWebSocketResponse)

__all__ = ["Connecting"]

_STATES = {
    inspect.CORO_CREATED: "not awaited",
    inspect.CORO_RUNNING: "opening",
    inspect.CORO_SUSPENDED: "opening",
    inspect.CORO_CLOSED: "done",
}


class Connecting(Coroutine[Any, Any, _WS], Generic[_WS]):
    """What `ws_connect` returns: await it for the WebSocket, or use it in ``async with``.

    Leaving the ``async with`` closes the WebSocket.

    Args:
        opening: What does the work.
        function: What was called, which the warning names if it is never awaited.
        url: What it was called with.
    """

    def __init__(self, opening: Coroutine[Any, Any, _WS], function: str, url: str | URL) -> None:
        # What asyncio and warnings know a coroutine by.
        named: Any = opening
        self.__name__: str = function.rpartition(".")[2]
        named.__name__ = self.__name__
        self.__qualname__ = named.__qualname__ = function
        self._opening = opening
        self._url = url
        self._ws: _WS | None = None

    def __repr__(self) -> str:
        state = _STATES[inspect.getcoroutinestate(self._opening)]
        return f"<{type(self).__name__} {self.__qualname__}({shown(self._url)}) {state}>"

    def __await__(self) -> Generator[Any, Any, _WS]:
        return self._opening.__await__()

    def __iter__(self) -> Generator[Any, Any, _WS]:
        return self.__await__()

    def send(self, value: Any) -> Any:
        """Run the coroutine on (`collections.abc.Coroutine.send`)."""
        return self._opening.send(value)

    def throw(self, *args: Any) -> Any:
        """Raise in the coroutine (`collections.abc.Coroutine.throw`)."""
        return self._opening.throw(*args)

    def close(self) -> None:
        """End the coroutine (`collections.abc.Coroutine.close`)."""
        self._opening.close()

    async def __aenter__(self) -> _WS:
        self._ws = await self._opening
        return await self._ws.__aenter__()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._ws is not None:
            await self._ws.__aexit__(exc_type, exc, traceback)
