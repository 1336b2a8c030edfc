"""What a client has received of what a server has sent."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import wire
from wire import read_numbered

from wsclient._core import Sent

if TYPE_CHECKING:
    from server import Hostile
    from world import World

__all__ = ["Account", "Sends"]


class Sends:
    """What a client has sent on one connection, by who did."""

    def __init__(self) -> None:
        self._next: Counter[str] = Counter()
        self._doubtful: set[tuple[str, int]] = set()

    def doubtful(self, owner: str) -> int:
        """Take a number for a message that need not arrive."""
        number = self._next[owner]
        self._next[owner] += 1
        self._doubtful.add((owner, number))
        return number

    def certain(self, owner: str, numbers: list[int]) -> None:
        """Let such messages have to arrive after all."""
        self._doubtful.difference_update((owner, number) for number in numbers)

    def attempt(self, ws: Any, owner: str, size: int, *, text: bool) -> Any:
        """Send a message, and return what `send_*` returns."""
        number = self.doubtful(owner)
        data = wire.numbered(owner, number, size)
        sent = ws.send_str(data.decode()) if text else ws.send_bytes(data)
        if isinstance(sent, Sent):
            self.arrives(owner, number)
        return sent

    def arrives(self, owner: str, number: int) -> None:
        """Take note that a message is to arrive, if a later one does."""
        self._doubtful.discard((owner, number))

    def missing(self, arrived: dict[str, list[int]]) -> list[tuple[str, int]]:
        """List what has not arrived although a later one of the same owner has."""
        return [
            (owner, number)
            for owner, numbers in arrived.items()
            for number in set(range(numbers[-1])) - set(numbers)
            if (owner, number) not in self._doubtful
        ]


class Account:
    """The messages of one connection.

    Attributes:
        ended_here: This side has done what may lose messages: closed, aborted, forgotten.
        spared: Messages that were taken and not seen, as by ``receive_str`` of a binary one.
        errors: Messages of the type `error`.
        receiving: Calls of ``receive`` that may be under way.
        stolen: Messages that were taken inside of other calls.
    """

    def __init__(self, world: World, who: str, server: Hostile, *, conflates: bool) -> None:
        self._world = world
        self._who = who
        self.server = server
        self._conflates = conflates
        self._strict: list[int] = []
        self._loose: list[int] = []
        self.ended_here = False
        self.spared = 0
        self.errors: list[Any] = []
        self.closed = False
        self.receiving = 0
        self.stolen = 0
        self.sends = Sends()

    def take(self, message: Any, *, loose: bool = False) -> None:
        """Take note of a message.

        Args:
            message: What was received.
            loose: It was taken inside of other calls, so its order tells nothing.
        """
        kind = message.type.name.lower()
        if kind in {"text", "binary"}:
            self.take_data(message.data, loose=loose)
        elif kind == "error":
            self.errors.append(message.data)
            if len(self.errors) > 1:
                self._find("two errors", repr(self.errors))
        elif kind == "closed":
            self.closed = True

    def take_data(self, data: str | bytes, *, loose: bool = False) -> None:
        """Take note of a message's data."""
        try:
            owner, number = read_numbered(data)
        except ValueError as error:
            self._find("altered", str(error))
            return
        if owner != self.server.name:
            self._find("a stranger's message", f"{owner} {number}")
        if not loose and not self._conflates and self._strict and number < self._strict[-1]:
            self._find("out of order", f"{number} after {self._strict[-1]}")
        if number in self._strict or number in self._loose:
            self._find("twice", f"message {number}")
        (self._loose if loose else self._strict).append(number)

    def _find(self, kind: str, text: str) -> None:
        self._world.find(kind, f"{self._who}: {text}")

    def settle(self, *, dropped: int, complete: bool, error: BaseException | None) -> None:
        """Compare both ends, when all has been received.

        Args:
            dropped: What a policy has dropped.
            error: What the connection ended with.
            complete: All that arrived before the end must be here.
        """
        got = sorted({*self._strict, *self._loose})
        if got and got[-1] >= self.server.sent:
            self._find("never sent", f"{got[-1]}, of {self.server.sent}")
        accounted = len(got) + self.spared + dropped
        expected = self.server.guaranteed if complete and not self.ended_here else None
        holes = (got[-1] + 1 if got else 0) - len(got)
        if holes > self.spared + dropped:
            missing = sorted(set(range(got[-1])) - set(got))[:10]
            self._find("lost inside", f"{missing} of {got[-1] + 1}, {dropped} dropped")
        elif expected is not None and accounted < expected:
            self._find(
                "lost at the end",
                f"{len(got)} received, {dropped} dropped, {self.spared} unseen, {expected}"
                f" sent before the end ({self.server.ending}): {error!r}",
            )
        if len(got) + dropped > self.server.sent:
            self._find("counted twice", f"{len(got)} and {dropped} of {self.server.sent}")
