"""Using a connection from where no coroutine can be: finalizers, callbacks, key functions."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import aiohttp
import websockets.exceptions

import wsclient

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random
    from types import FrameType

    from account import Account
    from world import World

__all__ = ["ACTS", "CONCURRENT", "RESET", "SIZES", "Litter", "act_inside", "step"]

CONCURRENT = ("another task is already", "Concurrent call", "cannot call recv")
"""What is said of a second receiver, here, in aiohttp and in websockets."""

RESET = (
    wsclient.ClientConnectionResetError,
    aiohttp.ClientConnectionResetError,
    websockets.exceptions.ConnectionClosed,
)
SIZES = (0, 0, 50, 110, 126, 1000, 65_536, 300_000)


class Litter:
    """Garbage that uses a connection when it is found."""

    def __init__(self, world: World, ws: Any, rng: Random) -> None:
        self.world, self.ws, self.rng = world, ws, rng
        self.me = self

    def __del__(self) -> None:
        act_inside(self.world, self.ws, self.rng)


def act_inside(world: World, ws: Any, rng: Random) -> None:
    """Do something that chance decides, and judge what comes of it."""
    if _is_within_loop():
        return
    act = rng.choice(ws.acts)
    world.note("inside", act.__name__.lstrip("_"))
    try:
        act(world, ws, rng)
    except RESET:
        pass
    except RuntimeError as error:
        if world.over and str(error).endswith(": the WebSocket's event loop is closed"):
            # What the collector finds after it: docs/closing.md, "What raises".
            pass
        elif not str(error).startswith(CONCURRENT):
            world.complain("inside", error, f"{act.__name__}: ")
        elif not ws.account.receiving:
            world.find("blocked", f"nobody receives, but {error}")
    except BaseException as error:  # noqa: BLE001 - a panic is one
        world.complain("inside", error, f"{act.__name__}: ")


def _look(_: World, ws: Any, __: Random) -> None:
    for name in ("closed", "close_code", "close_reason", "latency", "dropped", "compress"):
        getattr(ws, name)
    assert repr(ws)
    assert ws.buffered_amount >= 0
    ws.exception()
    ws.get_extra_info("peername")


def _count(_: World, ws: Any, __: Random) -> None:
    assert ws.stats is not None


def _take(_: World, ws: Any, __: Random) -> None:
    msg = ws.receive_nowait()
    if msg is not None:
        ws.account.stolen += 1
        ws.account.take(msg, loose=True)


def _send(_: World, ws: Any, rng: Random) -> None:
    ws.sends.attempt(ws, "inside", rng.choice(SIZES), text=rng.random() < 0.5).close()


def _ping(_: World, ws: Any, __: Random) -> None:
    ws.ping(b"inside").close()


def _pong(_: World, ws: Any, __: Random) -> None:
    ws.pong(b"unasked").close()


def _pause(_: World, ws: Any, __: Random) -> None:
    ws.pause_reading()
    ws.resume_reading()


def _drive(_: World, ws: Any, __: Random) -> None:
    step(ws.receive(), ws.account, ws.account.take)


def _abort(_: World, ws: Any, rng: Random) -> None:
    if rng.random() < 0.1:
        ws.account.ended_here = True
        ws._connection.abort()


ACTS = (_look, _count, _take, _send, _ping, _pong, _pause, _drive, _abort, Litter)


def step(awaitable: Any, account: Account, take: Callable[..., None]) -> None:
    """Step what receives by hand, and leave it.

    Args:
        awaitable: What receives.
        account: The connection's.
        take: Takes what it returns.
    """
    if not isinstance(awaitable, wsclient._core.Receive):
        awaitable.close()
        return
    account.receiving += 1
    try:
        awaitable.send(None)
    except StopIteration as stop:
        account.stolen += 1
        take(stop.value, loose=True)
    finally:
        awaitable.close()
        account.receiving -= 1


# What no finalizer can enter a second time, whoever's it is.
HALF_DONE = {
    *("add_reader", "_add_reader", "_remove_reader", "add_writer", "_add_writer"),
    *("_remove_writer", "call_soon", "call_later", "call_at", "_call_soon", "_add_callback"),
}


def _is_within_loop() -> bool:
    """Tell whether a method of asyncio's loop is half done."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_name in HALF_DONE or frame.f_code.co_filename.endswith("selectors.py"):
            return True
        frame = frame.f_back
    return False
