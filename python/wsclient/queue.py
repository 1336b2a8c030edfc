"""What becomes of messages that nobody takes in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from .arguments import read_callable, read_count

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from ._core import Message

__all__ = ["Conflate", "DropOldest", "Queue"]


@dataclass(frozen=True, slots=True)
class DropOldest:
    """Keep the newest messages; what `queue` of `ws_connect` takes.

    Reading does not pause: where more than `max_size` messages wait, the oldest is dropped, and
    counted in `ClientWebSocketResponse.dropped`. Messages that tell of the connection (close,
    error, pings without ``autoping``) are not dropped, and do not count.

    Args:
        max_size: How many messages may wait.

    Raises:
        TypeError: `max_size` is not `int`.
        ValueError: `max_size` is less than 1.
    """

    max_size: int

    def __post_init__(self) -> None:
        read_count("max_size", self.max_size, 1)


@dataclass(frozen=True, slots=True)
class Conflate:
    """Keep the newest message of each kind; what `queue` of `ws_connect` takes.

    A message takes the place of the waiting one that has the same key, which counts in
    `ClientWebSocketResponse.dropped`. Its place stays, so that a busy key does not hold up the
    others. Where more than `max_size` messages wait all the same, the oldest is dropped.

    Args:
        key: Called with each text and binary `Message` when it arrives, before anyone receives it;
            returns what tells messages apart, or None for one that is to replace no other. It must
            be quick, and must not use the connection. If it raises, or what it returns cannot be
            hashed, the event loop's exception handler is told, and the message replaces no other.
            A `KeyboardInterrupt` or `SystemExit` reaches whoever runs the loop.
        max_size: How many messages may wait.

    Raises:
        TypeError: `key` cannot be called, or `max_size` is not `int`.
        ValueError: `max_size` is less than 1.

    Example:
        >>> def symbol(msg):
        ...     return json.loads(msg.data).get("symbol")
        >>> ws = await ws_connect(url, queue=Conflate(symbol))
    """

    key: Callable[[Message], Hashable | None]
    max_size: int = 10_000

    def __post_init__(self) -> None:
        read_callable("key", self.key, "a function")
        read_count("max_size", self.max_size, 1)


Queue: TypeAlias = DropOldest | Conflate
"""What becomes of messages that nobody takes in time."""
