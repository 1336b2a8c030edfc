"""What a client can do with an open WebSocket, one method for each."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
from typing import TYPE_CHECKING, Any, ClassVar

import aiohttp
import wire
from hooks import FAILING
from inside import CONCURRENT, RESET, SIZES, Litter, act_inside, step

import wsclient
from wsclient._core import Sent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from random import Random

    from account import Account
    from world import World

__all__ = ["DELAYS", "Steps"]

MISTYPED = (wsclient.WSMessageTypeError, aiohttp.WSMessageTypeError)
DELAYS = (0.0, 0.0, 0.001, 0.01, 0.05)


class Steps:
    """Does one thing after another with one WebSocket; one object for each task.

    Args:
        world: The episode's.
        name: Of the task.
        ws: Has an attribute `account`, and `sends`.
        rng: What chance decides.

    Attributes:
        WEIGHTS: How often each method's turn comes.
    """

    WEIGHTS: ClassVar = {
        "receive": 30, "receive_many": 6, "receive_nowait": 4, "iterate": 6, "typed": 6,
        "wait_for": 6, "in_a_task": 6, "by_hand": 3, "thrown": 2, "send": 20, "send_many": 8,
        "cork": 6, "send_json": 2, "send_wrong": 1, "send_fragments": 6, "round_trip": 3,
        "ping": 3, "pong": 1, "pause": 4, "look": 6, "sleep": 8, "turn": 8, "later": 4,
        "litter": 5, "collect": 2, "cancel": 8, "fault": 4, "close": 2, "abort": 1,
    }  # fmt: skip

    def __init__(self, world: World, name: str, ws: Any, rng: Random) -> None:
        self.world = world
        self.name = name
        self.ws = ws
        self.rng = rng
        self.account: Account = ws.account

    async def step(self) -> None:
        """Do something."""
        names = list(self.WEIGHTS)
        what = self.rng.choices(names, list(self.WEIGHTS.values()))[0]
        self.world.note(self.name, what)
        method: Callable[[], Awaitable[None]] = getattr(self, what)
        try:
            await method()
        except (*RESET, TimeoutError) as error:
            self.world.note(self.name, f"{what}: {error!r}")
        except RuntimeError as error:
            self.world.note(self.name, f"{what}: {error!r}")
            stolen = str(error).startswith("the message was taken") and self.account.stolen
            if not str(error).startswith(CONCURRENT) and not stolen:
                self.world.complain("raised", error, f"{self.name} {what}: ")
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - a panic is one
            self.world.complain("raised", error, f"{self.name} {what}: ")

    async def _receiving(self, awaitable: Awaitable[Any], *, at_once: bool = True) -> Any:
        """Await something that receives; alone it may never hear of another task.

        Args:
            awaitable: What receives.
            at_once: And not in a task of its own, before which others may.
        """
        self.account.receiving += 1
        before = self.account.receiving
        try:
            return await awaitable
        except RuntimeError as error:
            if at_once and before == 1 and str(error).startswith(CONCURRENT):
                self.world.find("blocked", f"{self.name}: nobody receives, but {error}")
            raise
        finally:
            self.account.receiving -= 1

    def _one(self) -> Any:
        """Ask for a message, without waiting for it."""
        return self.ws.receive()

    def _take(self, got: Any, *, loose: bool = False) -> None:
        """Take note of what that gave."""
        self.account.take(got, loose=loose)

    def _timeout(self) -> float | None:
        return self.rng.choice([None, None, 0, 0.0001, 0.003, 0.02, 0.2])

    async def receive(self) -> None:
        """One message."""
        for _ in range(self.rng.choice([1, 1, 3, 20])):
            msg = await self._receiving(self.ws.receive(self._timeout()))
            self.account.take(msg)
            if self.account.closed:
                break

    async def receive_many(self) -> None:
        """All that is there."""
        for msg in await self._receiving(self.ws.receive_many(self._timeout())):
            self.account.take(msg)

    async def receive_nowait(self) -> None:
        """One, if it is there."""
        msg = self.ws.receive_nowait()
        if msg is not None:
            self.account.take(msg)

    async def iterate(self) -> None:
        """`async for`."""
        left = self.rng.choice([1, 5, 50])
        iterator = aiter(self.ws)
        while left:
            left -= 1
            try:
                msg = await self._receiving(anext(iterator))
            except StopAsyncIteration:
                return
            self.account.take(msg)

    async def typed(self) -> None:
        """`receive_str` and the like, which take what they do not return."""
        batches = ("receive_many_str", "receive_many_bytes")
        name = self.rng.choice(["receive_str", "receive_bytes", "receive_json", *batches])
        method = getattr(self.ws, name)
        if name == "receive_json":
            awaitable = method(loads=lambda text: text, timeout=0.05)
        else:
            awaitable = method(timeout=0.05)
        try:
            data = await self._receiving(awaitable)
        except MISTYPED:
            # It may have been the end, or an error; at most a message.
            self.account.spared += 1
            return
        for each in data if name in batches else [data]:
            self.account.take_data(each)

    async def wait_for(self) -> None:
        """Receive within a bound that is not the connection's."""
        seconds = self.rng.choice(DELAYS)
        receiving = asyncio.wait_for(self._one(), seconds)
        self._take(await self._receiving(receiving, at_once=False), loose=True)

    async def in_a_task(self) -> None:
        """Receive in a task of its own, and cancel it perhaps."""
        account = self.account
        task = asyncio.get_running_loop().create_task(self._one())
        account.receiving += 1

        def over(task: asyncio.Task[Any]) -> None:
            account.receiving -= 1
            if not task.cancelled() and task.exception() is None:
                self._take(task.result(), loose=True)

        task.add_done_callback(over)
        try:
            await asyncio.sleep(self.rng.choice(DELAYS))
            if self.rng.random() < 0.5:
                await asyncio.wait([task], timeout=0.1)
        finally:
            task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()

    async def by_hand(self) -> None:
        """Step a `receive` as a task does, and leave it."""
        step(self._one(), self.account, self._take)

    async def thrown(self) -> None:
        """Throw into a `receive` that waits, or does not."""
        awaitable = self._one()
        self.account.receiving += 1
        try:
            if self.rng.random() < 0.5 and hasattr(awaitable, "_expire"):
                awaitable.send(None)
            awaitable.throw(KeyError("thrown"))
        except StopIteration as stop:
            self._take(stop.value)
        except KeyError:
            pass
        finally:
            self.account.receiving -= 1

    async def send(self) -> None:
        """Send numbered messages, awaited or not."""
        rng, sends = self.rng, self.ws.sends
        for _ in range(rng.choice([1, 1, 4, 40])):
            sent = sends.attempt(self.ws, self.name, rng.choice(SIZES), text=rng.random() < 0.5)
            if not isinstance(sent, Sent) or rng.random() < 0.5:
                await sent

    async def send_many(self) -> None:
        """Send numbered messages as a batch, awaited or not."""
        rng, sends = self.rng, self.ws.sends
        numbers = [sends.doubtful(self.name) for _ in range(rng.choice([0, 1, 5, 50]))]
        messages = [wire.numbered(self.name, number, rng.choice(SIZES)) for number in numbers]

        def each() -> Iterator[str | bytes]:
            for data in messages:
                if rng.random() < 0.02:
                    act_inside(self.world, self.ws, rng)
                yield data.decode() if rng.random() < 0.5 else data

        sent = self.ws.send_many(each())
        # In the adapter it is a coroutine.
        if isinstance(self.ws, aiohttp.ClientWebSocketResponse) or rng.random() < 0.5:
            # One that is cancelled takes messages back.
            await sent
        sends.certain(self.name, numbers)

    async def cork(self) -> None:
        """Send inside a cork, and do something else there perhaps."""
        with self.ws.cork():
            await self.send()
            if self.rng.random() < 0.5:
                await self.step()
            await self.send()

    async def send_json(self) -> None:
        """Send what `dumps` makes of it, which uses the connection."""
        rng, sends = self.rng, self.ws.sends
        number = sends.doubtful(self.name)

        def dumps(data: object) -> str:
            act_inside(self.world, self.ws, rng)
            return wire.numbered(self.name, number, 30).decode() if data else json.dumps(data)

        await self.ws.send_json([1], dumps=dumps)

    async def send_fragments(self) -> None:
        """Send a numbered message in fragments, between which others use the connection."""
        rng = self.rng
        number = self.ws.sends.doubtful(self.name)
        data = wire.numbered(self.name, number, rng.choice(SIZES))
        size = max(1, len(data) // rng.choice([1, 2, 5]))

        async def fragments() -> AsyncIterator[bytes]:
            for start in range(0, len(data), size):
                yield data[start : start + size]
                if rng.random() < 0.5:
                    await asyncio.sleep(rng.choice(DELAYS))
                if rng.random() < 0.1:
                    act_inside(self.world, self.ws, rng)

        try:
            async with contextlib.aclosing(fragments()) as source:
                await self._send_all(source, rng.choice([None, True]))
        except BaseException:
            # If a part has left, the connection is closed.
            self.account.ended_here = True
            raise

    def _send_all(self, fragments: AsyncIterator[bytes], text: bool | None) -> Awaitable[None]:
        """Send a message in fragments."""
        return self.ws.send_fragments(fragments, text=text)

    async def round_trip(self) -> None:
        """Send a ping whose pong may come, and be awaited."""
        try:
            future = self.ws.round_trip(self.rng.choice([None, None, b"same"]))
        except ValueError:
            # Another one waits for the same.
            return
        if self.rng.random() < 0.3:
            future.cancel()
        elif self.rng.random() < 0.5:
            await asyncio.wait_for(future, self.rng.choice(DELAYS))

    async def send_wrong(self) -> None:
        """Send what cannot be sent."""
        for call in (
            lambda: self.ws.send_str(b"x"),
            lambda: self.ws.send_bytes("x"),
            lambda: self.ws.send_bytes(None),
            lambda: self.ws.ping(bytes(126)),
            lambda: self.ws.send_str("\ud800"),
            lambda: self.ws.send_many(["a", "\ud800"]),
            lambda: self.ws.send_many([b"a", 1]),
        ):
            try:
                await call()
            except (TypeError, ValueError):
                continue
            self.world.find("taken", "what cannot be sent was")

    async def ping(self) -> None:
        """Send a ping."""
        await self.ws.ping(self.rng.randbytes(self.rng.choice([0, 4, 125])))

    async def pong(self) -> None:
        """Send a pong that nobody asked for."""
        await self.ws.pong(b"unasked")

    async def pause(self) -> None:
        """Pause reading for a while."""
        self.ws.pause_reading()
        seconds = self.rng.choice(DELAYS)
        try:
            asyncio.get_running_loop().call_later(seconds, self.ws.resume_reading)
        except (OSError, MemoryError):
            # A fault that was not for the connection.
            self.ws.resume_reading()
            raise

    async def look(self) -> None:
        """Ask for all there is to know."""
        act_inside(self.world, self.ws, self.rng)

    async def sleep(self) -> None:
        """Let others do something."""
        await asyncio.sleep(self.rng.choice(DELAYS))

    async def turn(self) -> None:
        """Let the loop turn."""
        await asyncio.sleep(0)

    async def later(self) -> None:
        """Use the connection from a callback."""
        loop = asyncio.get_running_loop()
        delay = self.rng.choice(DELAYS)
        loop.call_later(delay, act_inside, self.world, self.ws, self.rng)

    async def litter(self) -> None:
        """Leave garbage that uses the connection."""
        Litter(self.world, self.ws, self.rng)

    async def collect(self) -> None:
        """Collect garbage."""
        gc.collect(self.rng.choice([0, 1, 2]))

    async def cancel(self) -> None:
        """Cancel another task of the same connection, wherever it is."""
        others = [task for task in self.ws.tasks if task is not asyncio.current_task()]
        if others:
            task = self.rng.choice(others)
            if not task.done():
                self.ws.cancels.add(task)
                task.cancel()

    async def fault(self) -> None:
        """Let a method of the loop fail the next time."""
        if self.world.faulty:
            self.world.armed[self.rng.choice(FAILING)] = self.rng.choice([0, 0, 1, 3])

    async def close(self) -> None:
        """Close, and cancel that perhaps."""
        if self.rng.random() < 0.6:
            return
        self.account.ended_here = True
        code = self.rng.choice([1000, 1000, 1001, 3000, 4999])
        if self.rng.random() < 0.6:
            await self.ws.close(code=code, message=b"bye")
        else:
            await asyncio.wait_for(self.ws.close(), self.rng.choice(DELAYS))

    async def abort(self) -> None:
        """Drop the connection."""
        if self.rng.random() < 0.3:
            self.account.ended_here = True
            self.ws._connection.abort()
