"""`MessageStream`: one message, piece by piece."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Self

    from typing_extensions import TypeVar

    from ._core import Message, Protocol

    _Text_co = TypeVar("_Text_co", bound=str | bytes, default=str, covariant=True)
else:
    from typing import TypeVar

    _Text_co = TypeVar("_Text_co", bound=str | bytes, covariant=True)

__all__ = ["MessageStream"]


class MessageStream(Generic[_Text_co]):
    """The pieces of a message as they arrive; `receive_streaming` makes it.

    An asynchronous iterator over `str` or `bytes`, which ends with the message. A step that is
    cancelled or times out loses nothing, and the iteration can go on.

    Args:
        connection: The protocol of the open transport.
        receive: Waits for a piece, or the `Message` that comes instead; called with whether the
            piece is to be the first of a message.
        mistaken: Makes the error of what came instead; called with that, and with what was
            expected.
    """

    def __init__(
        self,
        connection: Protocol,
        receive: Callable[[bool], Awaitable[_Text_co | bytes | Message]],
        mistaken: Callable[[Message, str], Exception],
    ) -> None:
        self._connection = connection
        self._receive = receive
        self._mistaken = mistaken
        self._number: int | None = None
        self._over = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> _Text_co | bytes:
        """Wait for the next piece.

        Raises:
            WSMessageTypeError: The connection has ended before the message, as for
                `receive_str`.
            TimeoutError: No piece came in time.
            RuntimeError: Something else has been received since the piece before; or another task
                is already waiting.
        """
        if self._over:
            raise StopAsyncIteration
        begins = self._number is None
        if not begins and self._is_left:
            self._over = True
            raise RuntimeError(
                "the rest of this message is discarded: something else has been received since"
            )
        piece = await self._receive(begins)
        if isinstance(piece, (str, bytes)):
            self._number = self._connection.streamed
            self._over = self._number == 0
            return piece
        self._over = True
        expected = "a text or binary message" if begins else "the rest of a message"
        raise self._mistaken(piece, expected)

    async def aclose(self) -> None:
        """Discard the rest of the message, as it arrives: what is received next is whole.

        Raises:
            RuntimeError: A task is waiting for the next piece.
        """
        if self._number is not None and not self._over and not self._is_left:
            self._connection.leave_parts()
        self._over = True

    @property
    def _is_left(self) -> bool:
        return self._connection.streamed != self._number
