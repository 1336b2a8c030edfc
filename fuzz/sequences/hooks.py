"""Loops whose methods fail when they are told to, and a collector that is never far."""

from __future__ import annotations

import asyncio
import gc
import sys
from typing import TYPE_CHECKING, Any

import uvloop

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from world import World

__all__ = ["LOOPS", "Collector"]

# Who calls a method of the loop on the client's behalf: its package, a step of a program that
# calls into the core, and the loop itself whose callback the core is.
CLIENTS = (
    "/wsclient/",
    "/sequences/steps.py",
    "/sequences/client.py",
    "/sequences/websockets_client.py",
    "/sequences/inside.py",
    "asyncio/events.py",
)
LINGER = 1.0
"""What the core waits for in its endings."""


class _Faulty:
    """Methods of a loop that fail for the client, not for the server beside it."""

    world: World

    def _strike(self, name: str) -> None:
        if self.world.armed:
            caller = sys._getframe(2).f_code.co_filename
            if any(part in caller for part in CLIENTS):
                self.world.strike(name)

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> Any:
        """Wait for a tenth of what the core calls a second: there are many episodes to come."""
        self._strike("call_later")
        delay = LINGER / 10 if delay == LINGER else delay
        return super().call_later(delay, callback, *args, context=context)  # type: ignore[misc]

    def create_future(self) -> Any:
        """Make a future."""
        self._strike("create_future")
        return super().create_future()  # type: ignore[misc]

    def add_reader(self, *args: Any) -> Any:
        """Watch a socket."""
        self._strike("add_reader")
        return super().add_reader(*args)  # type: ignore[misc]

    def add_writer(self, *args: Any) -> Any:
        """Watch a socket."""
        self._strike("add_writer")
        return super().add_writer(*args)  # type: ignore[misc]


class AsyncioLoop(_Faulty, asyncio.SelectorEventLoop):
    """asyncio's."""


class UvLoop(_Faulty, uvloop.Loop):
    """uvloop's."""


LOOPS = {"asyncio": AsyncioLoop, "uvloop": UvLoop}
FAILING = ("call_later", "create_future", "add_reader", "add_writer")


class Collector:
    """Lets the garbage collector run at odd moments, and Python code within it.

    Args:
        rng: What chance decides.
        act: Uses some connection; called from inside the collector.
    """

    def __init__(self, rng: Random, act: Callable[[Random], None]) -> None:
        self._rng = rng
        self._act = act
        self._inside = False
        self._acts = rng.random() < 0.3
        self._threshold = rng.choice(
            [(700, 10, 10), (700, 10, 10), (1, 5, 5), (7, 3, 3), (60, 2, 2)]
        )

    def __enter__(self) -> None:
        gc.collect()
        gc.callbacks.append(self._called)
        gc.set_threshold(*self._threshold)

    def __exit__(self, *_: object) -> None:
        gc.set_threshold(700, 10, 10)
        gc.callbacks.remove(self._called)

    def _called(self, phase: str, info: dict[str, int]) -> None:  # noqa: ARG002 - gc's
        if self._acts and not self._inside and self._rng.random() < 0.05:
            self._inside = True
            try:
                self._act(self._rng)
            finally:
                self._inside = False
