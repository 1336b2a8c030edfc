"""The same feed on several connections: of each message the first copy goes on."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterable
from typing import TYPE_CHECKING, Any

from .arguments import kind_of
from .exceptions import ClientError
from .feed import Inbox, Race, RaceSide
from .types import MsgType
from .websocket import ClientWebSocketResponse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Sequence
    from typing import TypeAlias

    from .message import Message

    _Connections: TypeAlias = AsyncIterable[ClientWebSocketResponse[Any]]

__all__ = ["check_connections", "racing"]

_logger = logging.getLogger(__name__)


class _Line:
    """A connection of a side.

    Attributes:
        position: The last message of those handed on that came here, too, or came before it was
            open.
        in_step: Whether it is known to have all that is to come; see `_Arbiter`.
        held: What came while it was not, by key, with the time.
        left: Whether the reader has left the stretch.
    """

    __slots__ = ("held", "in_step", "left", "position", "side", "ws")

    def __init__(self, side: RaceSide, ws: ClientWebSocketResponse[Any], position: int) -> None:
        self.side = side
        self.ws = ws
        self.position = position
        self.in_step = False
        self.held: dict[Hashable, tuple[Any, float]] = {}
        self.left = False


class _Arbiter:
    """Receives from all sides and hands each message on once.

    A line is *in step* if it overlaps with what has been handed on: it was the first of the
    stretch, or has had one of the messages of a line that was in step. From there on it has all
    that its server sends, so there is no gap as long as a line in step is open. Another one may
    have begun after a message that nobody has had: what it has is held back until it is in step, or
    until no other is, and begins the next stretch.
    """

    def __init__(
        self,
        count: int,
        key: Callable[[Message], Hashable | None],
        window: int,
        on_connect: Callable[[Any], Awaitable[object]] | None,
    ) -> None:
        sides: list[RaceSide] = []
        sides.extend(RaceSide(number, sides) for number in range(count))
        self.sides = tuple(sides)
        self.failure: Exception | None = None
        self._key = key
        self._key_failed = False
        self._window = window
        self._on_connect = on_connect
        self._lines: list[_Line] = []
        self._running = count
        self._room = asyncio.Event()
        self._changed = asyncio.Event()
        # Of the stretch that is under way. Seen are: which message it was, when its first copy
        # came, and a bit for each side that had it. Tuples of numbers are nothing to the garbage
        # collector.
        self._inbox: Inbox | None = None
        self._seen: OrderedDict[Hashable, tuple[int, float, int]] = OrderedDict()
        self._count = 0

    async def begin(self) -> Inbox | None:
        """Wait for the next stretch of the feed; None if there will be none."""
        if self._key_failed:
            return None
        self._seen.clear()
        self._count = 0
        inbox = self._inbox = Inbox(self._room)
        for line in self._lines:
            line.in_step = False
        for line in self._lines:
            self._release(line, inbox)
        self._room.set()
        # A line that has opened and ended meanwhile has opened the stretch, and ended it.
        while not self._lines and not inbox.ended and self._running:
            self._changed.clear()
            await self._changed.wait()
        return inbox if self._lines or inbox.ended else None

    async def leave(self, inbox: Inbox) -> None:
        """Close the connections of a stretch that its reader has left before its end."""
        if self._inbox is not inbox:
            return
        self._end()
        lines, self._lines = self._lines, []
        for line in lines:
            line.left = True
        await asyncio.gather(*(line.ws.close() for line in lines))

    async def run(self, side: RaceSide, source: _Connections) -> None:
        """Keep a side connected."""
        try:
            async with contextlib.AsyncExitStack() as stack:
                if isinstance(source, AsyncGenerator):
                    stack.push_async_callback(source.aclose)
                async for ws in source:
                    await self._follow(side, ws)
                    if self._key_failed:
                        break
        except Exception as error:  # noqa: BLE001 - raised when no side is left
            side.exception = self.failure = error
            # The type alone: texts of errors have the URL.
            why = type(error).__name__
            _logger.warning("side %d of a race is given up: %s", side.number, why)
        finally:
            self._running -= 1
            self._changed.set()

    async def _follow(self, side: RaceSide, ws: ClientWebSocketResponse[Any]) -> None:
        if self._on_connect is not None:
            try:
                await self._on_connect(ws)
            except TimeoutError:
                return
            except ClientError:
                if ws.closed:
                    return
                raise
        line = _Line(side, ws, self._count)
        self._lines.append(line)
        self._changed.set()
        side.ws = ws
        side.connections += 1
        try:
            while await self._hand_over(line):
                pass
        except TimeoutError:  # receive_timeout
            pass
        finally:
            side.ws = None
            if not line.left:
                self._lines.remove(line)
                if not self._lines or (self._count and not self._any_in_step()):
                    self._end()

    async def _hand_over(self, line: _Line) -> bool:
        """Hand over what has come on a line; tell whether it goes on."""
        batch = await line.ws.receive_many()
        while (inbox := self._inbox) is None or inbox.full:
            self._room.clear()
            await self._room.wait()
        if line.left:
            return False
        try:
            return all(self._judge(line, msg, inbox) for msg in batch)
        except _TooLateError:
            line.side.too_late += 1
            return False
        except Exception as error:  # noqa: BLE001 - of key; raised where the reader is
            error.add_note(f"(raised by key, for a message of side {line.side.number} of a race)")
            self._key_failed = True
            self._end(error)
            return False
        finally:
            if inbox.messages:
                inbox.wake()

    def _judge(self, line: _Line, msg: Any, inbox: Inbox) -> bool:
        """Hand on a message if it is new; tell whether the line goes on."""
        if msg.tp is not MsgType.TEXT and msg.tp is not MsgType.BINARY:
            return msg.tp is MsgType.PING or msg.tp is MsgType.PONG
        key = self._key(msg)
        if key is None:
            line.side.unkeyed += 1
            inbox.messages.append(msg)
            return True
        # With `receive_time`, when it came; else when it is looked at.
        came = msg.extra if isinstance(msg.extra, float) else time.monotonic()
        self._pass_on(line, key, msg, came, inbox)
        return True

    def _pass_on(self, line: _Line, key: Hashable, msg: Any, came: float, inbox: Inbox) -> None:
        seen = self._seen.get(key)
        if seen is not None:
            self._recognize(line, key, seen, came)
            if not line.in_step:
                line.in_step = True
                self._release(line, inbox)
            return
        if self._count - line.position > self._window:
            # It may have been handed on so long ago that it is forgotten.
            raise _TooLateError
        if self._count and not line.in_step:
            line.held[key] = msg, came
            if len(line.held) > self._window:
                # Those in step have fallen silent.
                self._end()
            return
        line.in_step = True
        self._count += 1
        line.position = self._count
        line.side.firsts += 1
        self._seen[key] = self._count, came, 1 << line.side.number
        if len(self._seen) > self._window:
            self._seen.popitem(last=False)
        inbox.messages.append(msg)
        for other in self._lines:
            if key in other.held:
                other.in_step = True
                self._release(other, inbox)

    def _release(self, line: _Line, inbox: Inbox) -> None:
        """Hand on what a line has held back, if it may be."""
        line.position = self._count
        held, line.held = line.held, {}
        for key, (msg, came) in held.items():
            self._pass_on(line, key, msg, came, inbox)

    def _recognize(
        self, line: _Line, key: Hashable, seen: tuple[int, float, int], came: float
    ) -> None:
        side = line.side
        position, first, had = seen
        line.position = max(line.position, position)
        if had >> side.number & 1:
            side.repeats += 1
            return
        self._seen[key] = position, first, had | 1 << side.number
        lateness = max(came - first, 0.0)
        side.duplicates += 1
        side.lateness_total += lateness
        side.lateness_max = max(side.lateness_max, lateness)

    def _any_in_step(self) -> bool:
        return any(line.in_step for line in self._lines)

    def _end(self, error: Exception | None = None) -> None:
        inbox, self._inbox = self._inbox, None
        if inbox is not None:
            inbox.end(error)


class _TooLateError(Exception):
    """What a line has is older than what is remembered."""


def check_connections(source: object) -> None:
    """Check a side that is not a URL.

    Args:
        source: What was given instead of one.

    Raises:
        TypeError: It is no asynchronous iterable over WebSockets.
    """
    # An open WebSocket can be iterated over as well, but yields messages.
    if isinstance(source, ClientWebSocketResponse) or not isinstance(source, AsyncIterable):
        expected = "a URL, or what reconnect() returns"
        raise TypeError(f"a side of a race must be {expected}, got {kind_of(source)}")  # pyright: ignore[reportUnknownArgumentType]


async def racing(
    sources: Sequence[_Connections],
    *,
    key: Callable[[Message], Hashable | None],
    window: int,
    on_connect: Callable[[Any], Awaitable[object]] | None,
) -> AsyncGenerator[Race[Any], None]:
    """Yield one stretch of the feed after another; see `wsclient.race`.

    Args:
        sources: Each yields the WebSockets of a side.
        key: See `wsclient.race` for this and the others.
        window: Messages.
        on_connect: Is given each WebSocket.
    """
    arbiter = _Arbiter(len(sources), key, window, on_connect)
    sides = zip(arbiter.sides, sources, strict=True)
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(arbiter.run(side, source)) for side, source in sides]
    try:
        while (inbox := await arbiter.begin()) is not None:
            yield Race(arbiter.sides, inbox)
            await arbiter.leave(inbox)
        if arbiter.failure is not None:
            raise arbiter.failure
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
