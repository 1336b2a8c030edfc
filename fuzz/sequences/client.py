"""A client: it opens WebSockets, uses each from several tasks, and leaves it in some way."""

from __future__ import annotations

import asyncio
import gc
import io
import weakref
from typing import TYPE_CHECKING, Any, ClassVar

import aiohttp
from account import Account
from inside import ACTS, CONCURRENT, Litter
from keys import key_function
from steps import DELAYS, Steps
from world import Interrupt

import wsclient
import wsclient.aiohttp
from wsclient import Conflate, DropOldest, Heartbeat

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from server import Hostile, Server
    from world import World

__all__ = ["Client"]

LIMITS = (4 * 1024 * 1024, 0, 400_000, 70_000, 2000)
BOUND = 60.0
"""Seconds after which nothing can wait for anything any more, on a machine that is busy too."""


class _Class(wsclient.ClientWebSocketResponse):
    """A user's own class, whose `receive` is no longer the core's."""

    async def receive(self, timeout: float | None = None) -> Any:
        """Receive."""
        return await super().receive(timeout)


class Client:
    """Opens connections to a hostile server by one session.

    Args:
        world: The episode's.
        server: To connect to.
        tls: The client's context, if the server does TLS.
        adapter: Go through aiohttp.

    Attributes:
        ERRORS: What it says of a connection that it cannot open.
        STEPS: What it does with one.
        LIMIT: The option for the size of messages.
        ENDS: How it comes to an end with it, and how often.
    """

    ERRORS: tuple[type[Exception], ...] = (wsclient.ClientError, aiohttp.ClientError, TimeoutError)
    STEPS: type[Steps] = Steps
    LIMIT = "max_msg_size"
    ENDS: ClassVar = {"drain": 60, "close": 15, "abort": 10, "forget": 15}

    def __init__(self, world: World, server: Server, tls: Any, *, adapter: bool = False) -> None:
        self.world = world
        self.server = server
        self.tls = tls
        self.adapter = adapter
        self.closed = False
        self.accounts: list[Account] = []
        self.known: list[weakref.ref[Any]] = []
        self.limit = world.random("client").choice([0, 1, 2, 100])
        self.connector: Any
        self.session: Any
        self._start()

    def _start(self) -> None:
        """Make the session."""
        if self.adapter:
            self.connector = aiohttp.TCPConnector(limit=self.limit, ssl=self.tls or True)
            self.session = wsclient.aiohttp.ClientSession(connector=self.connector)
        else:
            self.connector = wsclient.TCPConnector(limit=self.limit, ssl=self.tls or True)
            self.session = wsclient.ClientSession(connector=self.connector)

    async def run(self) -> None:
        """Have several connections beside each other."""
        rng = self.world.random("actors")
        loop = asyncio.get_running_loop()
        actors = [
            loop.create_task(self._actor(f"a{number}", self.world.random("actor", number)))
            for number in range(rng.choice([1, 1, 2, 3]))
        ]
        if rng.random() < 0.1:
            actors.append(loop.create_task(self.close(rng.choice(DELAYS) * 3)))
        await self._see_out(actors, 3 * BOUND)

    async def _see_out(
        self, tasks: list[asyncio.Task[Any]], seconds: float, where: str = ""
    ) -> None:
        """Wait for tasks, of which none may take longer, and complain of what they raise."""
        _, pending = await asyncio.wait(tasks, timeout=seconds)
        for task in pending:
            self.hangs(task)
            task.cancel()
        await asyncio.wait(tasks)
        for task in tasks:
            if not task.cancelled() and (error := task.exception()) is not None:
                self.world.complain("raised", error, where)

    def places(self) -> int:
        """Count the places of the connector's limit that are taken."""
        if not self.adapter:
            semaphore = self.connector._limits._all
            return 0 if semaphore is None else self.limit - semaphore._value
        # What is opened when it is closed stays on aiohttp's list, which says nothing any more.
        return 0 if self.closed else len(self.connector._acquired)

    def hangs(self, task: asyncio.Task[Any]) -> None:
        """Write down that a task waits for what never comes."""
        out = io.StringIO()
        task.print_stack(file=out)
        self.world.find("hang", out.getvalue())

    async def close(self, delay: float = 0.0) -> None:
        """Close the session."""
        await asyncio.sleep(delay)
        self.closed = True
        for account in self.accounts:
            account.ended_here = True
        try:
            await asyncio.wait_for(self.session.close(), BOUND)
        except BaseException as error:  # noqa: BLE001 - a panic is one
            self.world.complain("closing a session", error)

    async def _actor(self, name: str, rng: Random) -> None:
        for number in range(rng.choice([1, 1, 2, 4])):
            key: list[Any] = []
            options = self._options(rng, key)
            path = f"{name}x{number}"
            shown = {name: value for name, value in options.items() if name != "ssl"}
            self.world.note(name, f"opens {path}, {shown}")
            scheme = "wss" if self.tls else "ws"
            url = f"{scheme}://127.0.0.1:{self.server.port}/{path}?max={options[self.LIMIT] or 0}"
            try:
                if not self.adapter and rng.random() < 0.2:
                    await self._reconnect(url, path, options, key, rng)
                else:
                    ws = await self._open(url, options, rng)
                    await self._use(self._know(ws, path, options, key), path, rng)
            except self.ERRORS as error:
                self.world.note(name, f"not opened: {error!r}")
            except RuntimeError as error:
                if str(error).startswith(CONCURRENT):
                    self.world.find("blocked", f"{name}: nobody receives, but {error}")
                elif not (self.closed and "closed" in str(error)):
                    self.world.complain("opening", error)
            except asyncio.CancelledError as error:
                # aiohttp's connector does that to those who wait for a place when it is closed.
                if not (self.closed and self.adapter):
                    self.world.complain("opening", error)
            except BaseException as error:  # noqa: BLE001 - a panic is one
                self.world.complain("opening", error)

    async def _open(self, url: str, options: dict[str, Any], rng: Random) -> Any:
        # With the limit, there may be no place.
        if self.adapter or rng.random() < 0.8:
            opening = self.session.ws_connect(url, **options)
        else:
            opening = wsclient.ws_connect(url, connector=self.connector, **options)
        bound = rng.choice(DELAYS) if rng.random() < 0.15 else BOUND / 2
        return await asyncio.wait_for(opening, bound)

    async def _reconnect(
        self, url: str, path: str, options: dict[str, Any], key: list[Any], rng: Random
    ) -> None:
        delays = [0] * rng.choice([1, 2, 5])
        number = 0
        async for ws in self.session.reconnect(url, reconnect_delays=lambda: delays, **options):
            number += 1
            await self._use(self._know(ws, path, options, key), f"{path}r{number}", rng)
            if number == 4:
                break

    def _know(self, ws: Any, path: str, options: dict[str, Any], key: list[Any]) -> Any:
        """Note what a WebSocket has to live up to."""
        response = ws._response if self.adapter else ws.response
        conflates = isinstance(options.get("queue"), Conflate)
        ws.acts = ACTS
        server = self._account(ws, path, response.headers["X-Name"], conflates=conflates)
        key[:] = [weakref.ref(ws)]
        server.look = _look(weakref.ref(ws))
        return ws

    def _account(self, ws: Any, path: str, name: str, *, conflates: bool = False) -> Hostile:
        """Give a WebSocket what its steps keep of it; returns the server's end."""
        server = self.server.connections[name]
        ws.account = Account(self.world, path, server, conflates=conflates)
        ws.sends = ws.account.sends
        ws.cancels = set()
        ws.tasks = []
        self.accounts.append(ws.account)
        self.known.append(weakref.ref(ws))
        ws.account.ended_here = self.closed
        return server

    def _options(self, rng: Random, key: list[Any]) -> dict[str, Any]:
        options: dict[str, Any] = {
            "autoclose": rng.random() < 0.8,
            "autoping": rng.random() < 0.8,
            "max_msg_size": rng.choice(LIMITS),
            "compress": rng.choice([0, 0, 9, 12, 15]),
            "heartbeat": rng.choice([None, None, None, 0.01, 0.05]),
            "receive_timeout": rng.choice([None, None, None, 0.03]),
            "timeout": rng.choice([0.02, 0.3, 1.5]),
            "decode_text": rng.random() < 0.8,
        }
        if self.adapter:
            del options["receive_timeout"]
            limits = aiohttp.ClientWSTimeout(ws_receive=None, ws_close=options["timeout"])
            options["timeout"] = limits
            return options
        options["connect_timeout"] = rng.choice([0.2, 3.0])
        options["receive_time"] = rng.random() < 0.2
        if rng.random() < 0.2:
            options["ws_response_class"] = _Class
        if rng.random() < 0.1:
            self.world.expected.add("the payload function of a heartbeat failed")
            payload = rng.choice([lambda: b"beat", lambda: bytes(126), lambda: 1 / 0, b"beat"])
            options["heartbeat"] = Heartbeat(0.02, timeout=0.5, periodic=True, payload=payload)
        if not self.tls and rng.random() < 0.15:
            options["busy_poll"] = rng.choice([0.0001, 0.005])
        if rng.random() < 0.35:
            size = rng.choice([1, 1, 2, 10, 1000])
            queues = [DropOldest(size), Conflate(key_function(self.world, rng, key), size)]
            options["queue"] = rng.choice(queues)
        return options

    async def _use(self, ws: Any, name: str, rng: Random) -> None:
        """Let several tasks use it, and come to an end with it."""
        loop = asyncio.get_running_loop()
        for number in range(rng.choice([1, 1, 2, 3])):
            steps = self.STEPS(self.world, f"{name}.{number}", ws, self.world.random(name, number))
            count = rng.choice([0, 1, 5, 20, 60])
            ws.tasks.append(loop.create_task(_steps(steps, count)))
        await self._see_out(ws.tasks, BOUND, f"{name}: ")
        self.world.armed.clear()
        how = rng.choices(list(self.ENDS), list(self.ENDS.values()))[0]
        self.world.note(name, f"at last: {how}")
        if how == "forget":
            ws.account.ended_here = True
            # Whoever forgets one leaves its transport open, if the loop is closed before that ends.
            self.world.expected |= {"unclosed <", "deleting unclosed SSLTransport_Socket"}
            if rng.random() < 0.3:
                ws.pause_reading()
            if rng.random() < 0.3:
                ws.me = ws
            if rng.random() < 0.5:
                Litter(self.world, ws, rng)
            # Until the collector comes, it has its place in the limit; finalizers may keep it once.
            for turn in range(4):
                loop.call_later(turn / 10 + rng.choice(DELAYS), gc.collect)
            return
        while not await self._finished(ws, how, name, rng):
            pass

    async def _finished(self, ws: Any, how: str, name: str, rng: Random) -> bool:
        """Try to come to an end with it; another task may arm a fault that strikes here."""
        try:
            async with asyncio.timeout(BOUND):
                await self._finish(ws, how, rng)
        except TimeoutError:
            connection = ws._connection
            state = {
                name: getattr(connection, name) for name in ("lost", "alive", "reading_paused")
            }
            server = ws.account.server
            self.world.find(
                "hang", f"{name}: {how} of {ws!r} {state}, server: {server.ending},"
                f" {server.sent} sent, gone: {server.transport.is_closing()}"
            )  # fmt: skip
            connection.abort()
        except BaseException as error:
            if not self.world.is_injected(error):
                raise
            return False
        return True

    async def _finish(self, ws: Any, how: str, rng: Random) -> None:
        account = ws.account
        ws.resume_reading()
        if how == "abort":
            account.ended_here = True
            ws._connection.abort()
        elif how == "close":
            account.ended_here = True
            await ws.close()
        called = False
        while not account.closed:
            account.receiving += 1
            try:
                batch = rng.random() < 0.3
                got = await (ws.receive_many() if batch else ws.receive())
            except TimeoutError:
                continue
            except Interrupt as error:
                self.world.surfaced.append(error)
                continue
            except RuntimeError as error:
                if account.stolen and str(error).startswith("the message was taken"):
                    continue
                raise
            finally:
                account.receiving -= 1
            for msg in got if batch else [got]:
                account.take(msg)
                if msg.type.name.lower() == "close" and not called:
                    called = True
                    await ws.close()
        self._judge(ws, account)
        await ws.close()

    def _loses(self, ws: Any, server: Hostile) -> bool:
        """Tell whether TLS may lose what has not been read, by docs/closing.md."""
        if (self.adapter or self.tls.keylog_filename) and ws.stats.pauses:
            # The loop's own TLS, which a reset finds paused.
            return True
        # A send that has failed.
        return server.seen is None or server.seen[1] > 0 or ws.stats.frames_sent != server.seen[0]

    def _judge(self, ws: Any, account: Account) -> None:
        """See that both ends agree on what has been."""
        error, server = ws.exception(), account.server
        # The heartbeat ends a connection before all that was sent has been read, as faults do.
        in_time = not (isinstance(error, TimeoutError) or self.world.is_injected(error))
        lossy = self.tls is not None and self._loses(ws, server)
        account.settle(dropped=ws.dropped, complete=in_time and not lossy, error=error)
        if not ws.closed or ws.close_code is None:
            self.world.find("not closed", f"{ws!r} after a closed message")
        if account.ended_here:
            return
        # A close frame without a code is none to aiohttp.
        codeless = self.adapter and ws._connection.outcome()[0] == 1005
        if ws.close_code == 1006 and error is None and not codeless:
            self.world.find("no reason", f"1006 without an exception, after {server.ending}")
        if not in_time or server.guaranteed is None or codeless:
            return
        if ws.close_code != server.code and not (lossy and ws.close_code == 1006):
            text = f"{ws.close_code}, expected {server.code} after {server.ending}: {error!r}"
            self.world.find("another close code", text)


def _look(reference: weakref.ref[Any]) -> Callable[[], tuple[int, int]]:
    def look() -> tuple[int, int]:
        ws = reference()
        return (0, 0) if ws is None else (ws.stats.frames_sent, ws.buffered_amount)

    return look


async def _steps(steps: Steps, count: int) -> None:
    task = asyncio.current_task()
    assert task is not None
    for _ in range(count):
        try:
            await steps.step()
        except asyncio.CancelledError:
            if task not in steps.ws.cancels:
                raise
            steps.ws.cancels.discard(task)
            task.uncancel()
            steps.world.note(steps.name, "was cancelled")
