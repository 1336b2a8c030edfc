"""The server's end of a WebSocket in a test: what a handler does and expects with it."""

from __future__ import annotations

import asyncio
import json
import math
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from websockets.frames import Opcode

from .expectations import ANYTHING, ClientGone, ExpectationError, Received, matches, shown, wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from websockets.http11 import Request

    from .wire import Wire

__all__ = ["TIMEOUT", "Sendable", "ServerConnection"]

Sendable: TypeAlias = str | bytes | bytearray | memoryview | dict[str, Any] | list[Any]
"""What a script sends: text, binary, or what is sent as JSON."""

TIMEOUT = 5.0
"""Seconds for which a script waits for its client, unless it says otherwise."""


class ServerConnection:
    """The server's end of an open WebSocket, which a handler plays with.

    Pings are answered, and so is the client's close frame, whatever the handler does.

    Attributes:
        number: Which of the server's connections this is, from 1.
        request: The client's handshake, with `path` and `headers`.
        received: All messages that have come, whether the handler has taken them or not.
        steps: How many calls of the methods below the handler has made.
    """

    def __init__(
        self, number: int, request: Request, wire: Wire, on_message: Callable[[Received], None]
    ) -> None:
        self.number = number
        self.request = request
        self.received: list[Received] = []
        self.steps: int = 0
        self._wire = wire
        self._on_message = on_message
        wire.on_message = self._heard

    def __repr__(self) -> str:
        ended = f", ended by {self._wire.end}" if self._wire.end is not None else ""
        return f"<ServerConnection {self.number} of {self.request.path!r}{ended}>"

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that was agreed on."""
        return self._wire.protocol.subprotocol

    @property
    def compressed(self) -> bool:
        """Whether messages are compressed: `serve` was told so, and the client offered it."""
        return bool(self._wire.protocol.extensions)

    async def send(
        self,
        message: Sendable,
        *,
        fragments: int = 1,
        slow: float = 0.0,
        cut_after: int | None = None,
    ) -> None:
        """Send a message.

        Args:
            message: `str` is sent as text, bytes as binary, a dict or list as JSON.
            fragments: Into how many frames it is cut.
            slow: Seconds to wait after each byte, which comes by itself.
            cut_after: After so many bytes of its frames the stream ends, as in `drop`.

        Raises:
            ClientGone: The client has left.
        """
        self.steps += 1
        text, payload = _encoded(message)
        frames = list(_fragments(payload, fragments, text=text))
        await self._wire.send(frames, slow, cut_after)

    async def ping(self, payload: bytes = b"") -> None:
        """Send a ping, and wait for nothing.

        Args:
            payload: At most 125 bytes.

        Raises:
            ClientGone: The client has left.
        """
        self.steps += 1
        await self._wire.send([(Opcode.PING, payload, True)], 0.0, None)

    async def recv(self) -> Received:
        """Wait for the next message.

        Raises:
            ClientGone: The client has left.
        """
        self.steps += 1
        while not self._wire.inbox:
            if self._wire.end is not None:
                raise ClientGone(f"the client has left: {self._wire.end}")
            await self._wire.changed()
        return self._wire.inbox.popleft()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Received:
        try:
            return await self.recv()
        except ClientGone:
            raise StopAsyncIteration from None

    async def expect(self, expected: Any = ANYTHING, *, timeout: float = TIMEOUT) -> Received:
        """Wait for the next message, which must be the one that is expected.

        Args:
            expected: A `str` or bytes for that message; a dict or list for one that is the same as
                JSON; a pattern of `re` for one in which it is found; `str` or `bytes` for any of
                that kind; a function for one of which it is true; any other object for one that
                is equal to it. Left out, for any message.
            timeout: Seconds to wait for it.

        Returns:
            The message.

        Raises:
            ExpectationError: Something else has come, or nothing.
        """
        self.steps += 1
        message = await self._awaited(wanted(expected), timeout)
        if message is None:
            raise self._failure(wanted(expected), str(self._wire.end), follows=True)
        if not matches(expected, message):
            raise self._failure(wanted(expected), shown(message), message=message)
        return message

    async def expect_close(
        self, code: int | None = None, reason: str | None = None, *, timeout: float = TIMEOUT
    ) -> None:
        """Wait for the client's close frame, before which no message may come.

        Args:
            code: Its close code, 1005 if it has none; None for any.
            reason: Its reason; None for any.
            timeout: Seconds to wait for it.

        Raises:
            ExpectationError: Something else has come, or nothing.
        """
        self.steps += 1
        said = "a close frame"
        said += "" if code is None else f" with {code}"
        said += "" if reason is None else f" and {reason!r}"
        message = await self._awaited(said, timeout)
        if message is not None:
            raise self._failure(said, shown(message), message=message)
        close = self._wire.protocol.close_rcvd
        if close is None:
            raise self._failure(said, str(self._wire.end), follows=True)
        if code not in {None, close.code} or reason not in {None, close.reason}:
            raise self._failure(said, str(self._wire.end))

    async def close(self, code: int | None = 1000, reason: str = "") -> None:
        """Send a close frame, wait for the client's, 5 seconds at most, and end the stream.

        Args:
            code: Its close code; None for none.
            reason: Its reason.
        """
        self.steps += 1
        await self._wire.close(code, reason)
        try:
            async with asyncio.timeout(TIMEOUT):
                while self._wire.end is None:
                    await self._wire.changed()
        except TimeoutError:
            pass
        self._wire.end_stream()

    async def drop(self) -> None:
        """End the stream without a close frame."""
        self.steps += 1
        self._wire.end_stream()

    async def reset(self) -> None:
        """Reset the TCP connection."""
        self.steps += 1
        self._wire.reset()

    async def stall(self, seconds: float = math.inf) -> None:
        """Do nothing: neither send nor read, nor answer pings.

        Args:
            seconds: For how long; left out, to the test's end.
        """
        self.steps += 1
        await self._wire.stall(seconds)

    def _heard(self, message: Received) -> None:
        self.received.append(message)
        self._on_message(message)

    async def _awaited(self, expected: str, timeout: float) -> Received | None:
        """Wait for a message, or None for the client's end."""
        try:
            async with asyncio.timeout(timeout):
                while not self._wire.inbox and self._wire.end is None:
                    await self._wire.changed()
        except TimeoutError:
            raise self._failure(expected, f"nothing within {timeout:g} seconds") from None
        except asyncio.CancelledError:
            if self._wire.test_ends:
                got = "nothing before the test ended"
                raise self._failure(expected, got, follows=True) from None
            raise
        return self._wire.inbox.popleft() if self._wire.inbox else None

    def _failure(
        self, expected: str, got: str, *, message: Received | None = None, follows: bool = False
    ) -> ExpectationError:
        return ExpectationError(
            self.number, self.steps, expected, got, message=message, follows=follows
        )


def _encoded(message: Sendable) -> tuple[bool, bytes]:
    """Whether a message is text, and its payload."""
    if isinstance(message, str):
        return True, message.encode()
    if isinstance(message, dict | list):
        return True, json.dumps(message).encode()
    if isinstance(message, bytes | bytearray | memoryview):  # pyright: ignore[reportUnnecessaryIsInstance] - callers without types
        return False, bytes(message)
    raise TypeError(f"a message is str, bytes, dict or list, not {type(message).__name__}")


def _fragments(payload: bytes, count: int, *, text: bool) -> Iterator[tuple[Opcode, bytes, bool]]:
    """Cut a payload into frames (RFC 6455 §5.4): opcode, payload, and whether it is the last."""
    if count < 1:
        raise ValueError(f"fragments must be 1 or more, not {count}")
    size = -(-len(payload) // count)
    for number in range(count):
        opcode = Opcode.CONT if number else Opcode.TEXT if text else Opcode.BINARY
        yield opcode, payload[number * size : (number + 1) * size], number == count - 1
