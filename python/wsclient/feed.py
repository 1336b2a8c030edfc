"""What the reader of a `race` sees: its stretches, and what its sides have done."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Generic

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal, Self, TypeAlias

    from typing_extensions import TypeVar

    from .message import Message
    from .types import MsgType
    from .websocket import ClientWebSocketResponse

    _Text_co = TypeVar("_Text_co", bound=str | bytes, default=str, covariant=True)
    _Data: TypeAlias = (
        Message[Literal[MsgType.TEXT], _Text_co, Any] | Message[Literal[MsgType.BINARY], bytes, Any]
    )
else:
    from typing import TypeVar

    _Text_co = TypeVar("_Text_co", bound=str | bytes, covariant=True)

__all__ = ["Inbox", "Race", "RaceSide"]

_WAITING = 64
"""Messages that wait for the reader, from which on no side hands over more."""


class RaceSide:
    """One side of a `race`, over all its connections; counts are those since the race began.

    Attributes:
        number: Which of the `urls` it is, from 0.
        ws: The WebSocket that is open, or None.
        connections: How many have been open.
        firsts: Messages that came here first.
        duplicates: Messages that another side had delivered before.
        repeats: Messages that this side itself had delivered before.
        unkeyed: Messages for which `key` returned None.
        too_late: Connections given up because they were more than `window` messages behind.
        lateness_total: Seconds by which its duplicates came after the first copies, all together.
        lateness_max: Seconds by which the latest of them did.
        exception: Why it is no longer connected anew; None while it is.
    """

    def __init__(self, number: int, sides: Sequence[RaceSide]) -> None:
        self.number = number
        self.ws: ClientWebSocketResponse[Any] | None = None
        self.connections: int = 0
        self.firsts: int = 0
        self.duplicates: int = 0
        self.repeats: int = 0
        self.unkeyed: int = 0
        self.too_late: int = 0
        self.lateness_total: float = 0.0
        self.lateness_max: float = 0.0
        self.exception: Exception | None = None
        self._sides = sides

    @property
    def missed(self) -> int:
        """Messages of other sides that have not come here, or not yet; outages included."""
        return sum(side.firsts for side in self._sides) - self.firsts - self.duplicates

    @property
    def lateness_mean(self) -> float | None:
        """Seconds by which its duplicates came after the first copies; None before any."""
        return self.lateness_total / self.duplicates if self.duplicates else None

    def __repr__(self) -> str:
        state = "away" if self.ws is None else "open"
        return (
            f"<RaceSide {self.number} {state}, {self.firsts} firsts,"
            f" {self.duplicates} duplicates, {self.missed} missed>"
        )


class Inbox:
    """What of a stretch of the feed waits for its reader.

    Args:
        room: Is set when there is room for more.
    """

    def __init__(self, room: asyncio.Event) -> None:
        self.messages: deque[Any] = deque()
        self.ended: bool = False
        self._room = room
        self._error: Exception | None = None
        self._reader: asyncio.Future[None] | None = None

    @property
    def full(self) -> bool:
        """Whether nothing more should be put in."""
        return len(self.messages) >= _WAITING

    def end(self, error: Exception | None = None) -> None:
        """Let the iteration end after what is there, or raise."""
        self.ended, self._error = True, error
        self.wake()

    def wake(self) -> None:
        """Let the reader go on."""
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    async def wait(self) -> bool:
        """Wait for a message; tell whether there is one."""
        if self._reader is not None:
            raise RuntimeError("another task is waiting for a message of this race already")
        while not self.messages and not self.ended:
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        if self.messages:
            return True
        error, self._error = self._error, None
        if error is not None:
            raise error
        return False

    def take(self) -> Any:
        """Take the next message, which must be there."""
        message = self.messages.popleft()
        if len(self.messages) == _WAITING - 1:
            self._room.set()
        return message

    def take_all(self) -> list[Any]:
        """Take all messages."""
        messages = [*self.messages]
        self.messages.clear()
        self._room.set()
        return messages


class Race(Generic[_Text_co]):
    """A stretch of a feed without a gap, which `race` yields: iterate over it for the messages.

    They are text and binary messages, of each the first copy, in the order in which those came.
    The iteration ends when no side is left that can go on where the others have ended. One task
    may iterate; cancelling it loses no message.

    For type checkers it has a parameter, what text is received as: `str`, or `bytes` with
    ``decode_text=False``.

    Attributes:
        sides: What each side has done so far.
    """

    def __init__(self, sides: tuple[RaceSide, ...], inbox: Inbox) -> None:
        self.sides = sides
        self._inbox = inbox

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> _Data[_Text_co]:
        if not self._inbox.messages and not await self._inbox.wait():
            raise StopAsyncIteration
        msg: _Data[_Text_co] = self._inbox.take()
        return msg

    async def receive_many(self) -> list[_Data[_Text_co]]:
        """Wait for a message, and return it with all that have come since.

        Returns:
            The messages in order; an empty list where the iteration would end.

        Raises:
            RuntimeError: Another task is waiting already.
            Exception: What `key` has raised.
        """
        if not self._inbox.messages:
            await self._inbox.wait()
        return self._inbox.take_all()

    def __repr__(self) -> str:
        state = "ended" if self._inbox.ended else "open"
        return f"<Race {state}, {len(self._inbox.messages)} waiting, sides {list(self.sides)}>"
