"""The same client by the API of the `websockets` package."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from typing import TYPE_CHECKING, Any, ClassVar

import wire
from client import BOUND, Client
from inside import SIZES, Litter, step
from steps import DELAYS, Steps
from websockets.exceptions import ConcurrencyError, ConnectionClosed, WebSocketException
from world import Interrupt

import wsclient.websockets
from wsclient.stats import Stats

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from random import Random

    from world import World

__all__ = ["WebsocketsClient"]


class _Class(wsclient.websockets.ClientConnection):
    """A user's own class, whose `recv` is no longer the core's."""

    async def recv(self, decode: bool | None = None) -> Any:
        """Receive."""
        return await super().recv(decode)


def _stats(ws: Any) -> Stats:
    return Stats._make(ws._connection.counts())


def _look(_: World, ws: Any, __: Random) -> None:
    for name in ("state", "close_code", "close_reason", "latency", "remote_address", "id"):
        getattr(ws, name)
    assert repr(ws)
    assert _stats(ws) is not None


def _drive(_: World, ws: Any, __: Random) -> None:
    step(ws.recv(), ws.account, ws.account.take_data)


def _begin(_: World, ws: Any, __: Random) -> None:
    ws.send("never").close()


def _abort(_: World, ws: Any, rng: Random) -> None:
    if rng.random() < 0.1:
        ws.account.ended_here = True
        ws.transport.abort()


ACTS = (_look, _drive, _begin, _abort, Litter)


class _Steps(Steps):
    """What a client can do with websockets' methods."""

    WEIGHTS: ClassVar = {
        "receive": 30, "iterate": 8, "stream": 8, "wait_for": 6, "in_a_task": 6, "by_hand": 3,
        "thrown": 2, "send": 20, "send_wrong": 1, "send_fragments": 6, "ping": 6, "pong": 1,
        "look": 6, "sleep": 8, "turn": 8, "later": 4, "litter": 5, "collect": 2, "cancel": 8,
        "fault": 4, "close": 2, "abort": 1,
    }  # fmt: skip

    def _one(self) -> Any:
        return self.ws.recv(self.rng.choice([None, None, True, False]))

    def _take(self, got: Any, *, loose: bool = False) -> None:
        self.account.take_data(got, loose=loose)

    async def receive(self) -> None:
        """One message."""
        for _ in range(self.rng.choice([1, 1, 3, 20])):
            self._take(await self._receiving(self._one()))

    async def iterate(self) -> None:
        """`async for`."""
        iterator = aiter(self.ws)
        for _ in range(self.rng.choice([1, 5, 50])):
            try:
                data = await self._receiving(anext(iterator))
            except StopAsyncIteration:
                return
            self._take(data)

    async def stream(self) -> None:
        """One message in pieces, perhaps not to its end."""
        await self._receiving(self._stream(), at_once=False)

    async def _stream(self) -> None:
        pieces: list[bytes] = []
        stream = self.ws.recv_streaming(self.rng.choice([None, None, True, False]))
        try:
            async with contextlib.aclosing(stream):
                async for piece in stream:
                    pieces.append(piece.encode() if isinstance(piece, str) else piece)
                    if self.rng.random() < 0.1:
                        self.account.spared += 1
                        return
        except BaseException:
            self.account.spared += bool(pieces)
            raise
        self._take(b"".join(pieces))

    async def send(self) -> None:
        """Send numbered messages."""
        rng, sends = self.rng, self.ws.sends
        for _ in range(rng.choice([1, 1, 4, 40])):
            number = sends.doubtful(self.name)
            data = wire.numbered(self.name, number, rng.choice(SIZES))
            await self.ws.send(rng.choice([data, data.decode(), bytearray(data), memoryview(data)]))
            sends.arrives(self.name, number)

    async def send_wrong(self) -> None:
        """Send what cannot be sent."""
        for call in (
            lambda: self.ws.send(1),
            lambda: self.ws.send({"a": 1}),
            lambda: self.ws.send("\ud800"),
            lambda: self.ws.ping(bytes(126)),
            lambda: self.ws.ping(1),
        ):
            try:
                await call()
            except (TypeError, ValueError, WebSocketException):
                continue
            self.world.find("taken", "what cannot be sent was")

    def _send_all(self, fragments: AsyncIterator[bytes], text: bool | None) -> Awaitable[None]:
        return self.ws.send(fragments, text=text)

    async def ping(self) -> None:
        """Send a ping whose pong may come, and be awaited."""
        try:
            pong = await self.ws.ping(self.rng.choice([None, None, b"same", "text"]))
        except ConcurrencyError:
            # Another one waits for the same.
            return
        if self.rng.random() < 0.3:
            pong.cancel()
        elif self.rng.random() < 0.5:
            await asyncio.wait_for(pong, self.rng.choice(DELAYS))

    async def close(self) -> None:
        """Close, and cancel that perhaps."""
        if self.rng.random() < 0.6:
            return
        self.account.ended_here = True
        code = self.rng.choice([1000, 1000, 1001, 3000, 4999])
        if self.rng.random() < 0.6:
            await self.ws.close(code, "bye")
        else:
            await asyncio.wait_for(self.ws.close(), self.rng.choice(DELAYS))

    async def abort(self) -> None:
        """Drop the connection."""
        if self.rng.random() < 0.3:
            self.account.ended_here = True
            self.ws.transport.abort()


class WebsocketsClient(Client):
    """Opens connections by `wsclient.websockets.connect`."""

    ERRORS = (WebSocketException, OSError)
    STEPS = _Steps
    LIMIT = "max_size"
    # Its transport keeps a connection that is forgotten, as in websockets.
    ENDS: ClassVar = {"drain": 60, "close": 15, "abort": 10}

    def _start(self) -> None:
        """There is no session."""

    def places(self) -> int:
        """There is no limit."""
        return 0

    async def close(self, delay: float = 0.0) -> None:
        """Close all connections."""
        await asyncio.sleep(delay)
        for account in self.accounts:
            account.ended_here = True
        for reference in self.known[:]:
            if (ws := reference()) is not None:
                try:
                    await asyncio.wait_for(ws.close(), BOUND)
                except BaseException as error:  # noqa: BLE001 - a panic is one
                    self.world.complain("closing all", error)

    async def _open(self, url: str, options: dict[str, Any], rng: Random) -> Any:
        bound = rng.choice(DELAYS) if rng.random() < 0.15 else BOUND / 2
        opening = wsclient.websockets.connect(url, **options)
        if rng.random() < 0.2:
            return await asyncio.wait_for(opening.__aenter__(), bound)
        return await asyncio.wait_for(opening, bound)

    async def _reconnect(
        self, url: str, path: str, options: dict[str, Any], key: list[Any], rng: Random
    ) -> None:
        def at_once() -> Iterator[float]:
            while True:
                yield 0.0

        number = 0
        connections = aiter(wsclient.websockets.connect(url, reconnect_delays=at_once, **options))
        async with contextlib.aclosing(connections):
            async for ws in connections:
                number += 1
                await self._use(self._know(ws, path, options, key), f"{path}r{number}", rng)
                if number == 4:
                    break

    def _know(self, ws: Any, path: str, options: dict[str, Any], key: list[Any]) -> Any:
        """Note what a WebSocket has to live up to."""
        del options, key
        ws.acts = ACTS
        server = self._account(ws, path, ws.response.headers["X-Name"])
        server.look = _sent(weakref.ref(ws))
        return ws

    def _options(self, rng: Random, key: list[Any]) -> dict[str, Any]:
        del key
        options: dict[str, Any] = {
            "max_size": rng.choice([4 * 1024 * 1024, None, 400_000, 70_000, 2000]),
            "compression": rng.choice([None, "deflate"]),
            "ping_interval": rng.choice([None, None, 0.01, 0.05]),
            "ping_timeout": rng.choice([None, 0.5]),
            "open_timeout": rng.choice([0.2, 3.0]),
            "close_timeout": rng.choice([0.02, 0.3, 1.5]),
            "max_queue": rng.choice([16, None, 1, (4, 2)]),
            "write_limit": rng.choice([32_768, (100, 10)]),
            "proxy": None,
        }
        if self.tls:
            options["ssl"] = self.tls
        if rng.random() < 0.2:
            options["create_connection"] = _Class
        return options

    async def _finish(self, ws: Any, how: str, rng: Random) -> None:
        account = ws.account
        if how == "abort":
            account.ended_here = True
            ws.transport.abort()
        elif how == "close":
            account.ended_here = True
            await ws.close()
        while not account.closed:
            account.receiving += 1
            try:
                account.take_data(await ws.recv(rng.choice([None, True])))
            except ConnectionClosed:
                account.closed = True
            except Interrupt as error:
                self.world.surfaced.append(error)
            except RuntimeError as error:
                if not (account.stolen and str(error).startswith("the message was taken")):
                    raise
            finally:
                account.receiving -= 1
        self._judge_end(ws)
        await ws.close()
        await ws.wait_closed()

    def _judge_end(self, ws: Any) -> None:
        """See that both ends agree on what has been."""
        account = ws.account
        server, sent = account.server, ws.protocol.close_sent
        error = ws.protocol.close_exc.__cause__
        # The keepalive ends a connection before all that was sent has been read, as faults do.
        kept = sent is None or sent.code != 1011
        # Where a fault comes in the middle of a send, the library closes and names it there.
        ended_by = ws.close_error().__cause__
        injected = self.world.is_injected(error) or self.world.is_injected(ended_by)
        in_time = kept and not injected
        lossy = self.tls is not None and (
            (self.tls.keylog_filename and _stats(ws).pauses)
            or server.seen is None
            or server.seen[1] > 0
            or _stats(ws).frames_sent != server.seen[0]
        )
        account.settle(dropped=0, complete=in_time and not lossy, error=error)
        if account.ended_here or not in_time or server.guaranteed is None:
            return
        code = ws.close_code
        if code == 1006 and server.ending in {"violation", "oversize"}:
            # What this side has said of it: no answer has come.
            code = 1006 if sent is None else sent.code
        # A send may find the server gone while its last words wait to be read.
        early = isinstance(ended_by, OSError)
        if code != server.code and not ((lossy or early) and code == 1006):
            text = f"{code}, expected {server.code} after {server.ending}: {error!r}"
            self.world.find("another close code", text)


def _sent(reference: weakref.ref[Any]) -> Callable[[], tuple[int, int]]:
    def look() -> tuple[int, int]:
        ws = reference()
        if ws is None or ws._connection.lost:
            return (0, 0)
        return _stats(ws).frames_sent, ws.transport.get_write_buffer_size()

    return look
