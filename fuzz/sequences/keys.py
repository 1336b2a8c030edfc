"""Key functions for `Conflate`, of which most do what they must not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inside import act_inside
from world import Interrupt

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from world import World

__all__ = ["key_function"]

FAILED = "the key function of a WebSocket's queue failed"


class _Key:
    """A key that uses the connection when it is compared."""

    def __init__(self, number: int, act: Callable[[], None]) -> None:
        self.number, self.act = number, act

    def __hash__(self) -> int:
        return self.number

    def __eq__(self, other: object) -> bool:
        self.act()
        if self.number == 1:
            raise ValueError("compared")
        return isinstance(other, _Key) and self.number == other.number


class _Unhashable:
    def __hash__(self) -> int:
        raise ValueError("hashed")


def key_function(world: World, rng: Random, found: list[Any]) -> Callable[[Any], Any]:
    """Make a key function.

    Args:
        world: The episode's.
        rng: What chance decides.
        found: Will hold a weak reference to the WebSocket.
    """

    def act() -> None:
        ws = found[0]() if found else None
        if ws is not None and rng.random() < 0.3:
            act_inside(world, ws, rng)

    def fail(_: int) -> Any:
        raise ValueError("key")

    def interrupt(number: int) -> Any:
        if said:  # of several in a batch, one is raised
            return number
        error = Interrupt("key")
        said.append(error)
        world.raised.append(error)
        raise error

    said: list[Interrupt] = []

    def use(number: int) -> int:
        act()
        return number

    modes: dict[str, Callable[[int], Any]] = {
        "number": lambda number: number,
        "none": lambda _: None,
        "raise": fail,
        "list": lambda _: [],
        "unhashable": lambda _: _Unhashable(),
        "compare": lambda number: _Key(number, act),
        "act": use,
        "interrupt": interrupt,
    }
    mode = rng.choice(list(modes))
    world.note("key", mode)
    if mode in {"raise", "list", "unhashable", "compare"}:
        world.expected.add(FAILED)

    def key(msg: Any) -> Any:
        number = len(msg.data) % 3
        if mode in {"none", "compare", "act"} or rng.random() < 0.2:
            return modes[mode](number)
        return number

    return key
