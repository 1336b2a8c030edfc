"""A hostile server: it sends numbered messages in every way there is, and ends in every other."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import socket
import struct
from typing import TYPE_CHECKING, cast

import wire
from messages import Messages
from wire import BINARY, CLOSE, PING, PONG, frame

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from random import Random

    from wire import Judge
    from world import World

__all__ = ["Hostile", "Server"]

SIOCOUTQ = 0x5411
WAYS = {
    "close": 20,
    "close and leave": 14,
    "leave": 14,
    "reset": 16,
    "cut": 6,
    "half": 8,
    "violation": 10,
    "oversize": 6,
    "hold": 6,
}
PATIENCE = 0.25
"""Seconds that it waits for a client that may never come."""


class Server:
    """Listens, and keeps what has connected.

    Attributes:
        connections: By name, which is that of the URL's path and how many there were before.
        all: The same, and those that have sent no request.
        port: Where it listens.
        tls: Whether it does TLS.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.connections: dict[str, Hostile] = {}
        self.all: list[Hostile] = []
        self.port = 0
        self.tls = False
        self._counts: dict[str, int] = {}
        self._server: asyncio.Server | None = None

    async def start(self, tls: ssl.SSLContext | None) -> None:
        """Listen."""
        loop = asyncio.get_running_loop()
        self.tls = tls is not None
        self._server = await loop.create_server(lambda: Hostile(self), "127.0.0.1", 0, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]

    def name(self, path: str) -> str:
        """Give a connection its name."""
        count = self._counts[path] = self._counts.get(path, 0) + 1
        return f"{path}.{count}"

    async def stop(self) -> None:
        """Drop everybody, and wait until all are gone."""
        assert self._server is not None
        self._server.close()
        for connection in self.all:
            await connection.stop()


class Hostile(asyncio.Protocol):
    """One connection.

    Attributes:
        guaranteed: How many messages a client must get that reads to the end and does not end the
            connection itself; None while that is not known.
        ending: What it did in the end.
        code: The close code that such a client sees.
        look: Tells the client's frames sent and bytes queued.
        seen: What `look` has told when this end left.
    """

    transport: asyncio.Transport
    _messages: Messages
    _rng: Random

    def __init__(self, server: Server) -> None:
        self.server = server
        self.world = server.world
        self.name = "?"
        self.guaranteed: int | None = None
        self.ending = "none"
        self.code: int | None = None
        self.look: Callable[[], tuple[int, int]] = lambda: (0, 0)
        self.seen: tuple[int, int] | None = None
        self.judge: Judge | None = None
        self._head = b""
        self._script: asyncio.Task[None] | None = None
        self._gone = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._closed = asyncio.Event()
        server.all.append(self)

    @property
    def sent(self) -> int:
        """How many messages were sent, or were to be."""
        return self._messages.sent

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be told of a client."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Read the request, and judge what follows."""
        if self.judge is not None:
            self.judge.feed(data)
            if self.judge.close_code is not None:
                self._closed.set()
            return
        self._head += data
        if b"\r\n\r\n" in self._head and self._script is None:
            self._script = asyncio.get_running_loop().create_task(self._play())
            self._script.set_name("server")

    def eof_received(self) -> bool:
        """Be told that the client sends no more."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        """Be told that the client is gone."""
        self._gone.set()
        self._closed.set()
        self._room.set()

    def pause_writing(self) -> None:
        """Be told to write no more."""
        self._room.clear()

    def resume_writing(self) -> None:
        """Be told to write on."""
        self._room.set()

    async def stop(self) -> None:
        """Drop the client, and end the script."""
        if self._script is not None:
            self._script.cancel()
            await asyncio.wait([self._script])
            if not self._script.cancelled() and (error := self._script.exception()) is not None:
                self.world.complain("the server itself", error)
        if hasattr(self, "transport"):
            # asyncio's transport forgets its loop when a close() has flushed its buffer.
            with contextlib.suppress(AttributeError):
                self.transport.abort()
            await self._happens(self._gone, 1)
        for complaint in self.judge.complaints if self.judge else ():
            self.world.find("on the wire", f"{self.name}: {complaint}")

    def _note(self, text: str) -> None:
        self.world.note(f"server {self.name}", text)

    async def _play(self) -> None:
        try:
            await self._perform()
        except RuntimeError:
            # uvloop's transports say so where asyncio's do nothing.
            if not self.transport.is_closing():
                raise

    async def _perform(self) -> None:
        request = self._head.decode("latin-1")
        path, _, limit = request.split()[1].partition("?max=")
        self.name = self.server.name(path.strip("/"))
        self._rng = self.world.random("server", self.name)
        self._messages = Messages(self.name, self._rng, int(limit), request)
        self.server.connections[self.name] = self
        if not await self._greet():
            return
        for _ in range(self._rng.choice([0, 1, 2, 5, 15])):
            if self._closed.is_set():
                break
            await self._act()
        if self._closed.is_set():
            await self._answer()
        else:
            await self._end()

    async def _greet(self) -> bool:
        rng, write = self._rng, self.transport.write
        how = rng.choices(
            ["open", "early", "pieces", "leave", "reset", "refuse", "garbage", "stall", "redirect"],
            [60, 20, 8, 2, 4, 2, 1, 1, 2],
        )[0]
        self._note(f"greets: {how}")
        if how in {"open", "early", "pieces"}:
            head = self._accept()
            if how == "early":
                head += self._messages.some(rng.choice([1, 1, 5, 200]))
            elif how == "pieces":
                cut = rng.randrange(1, len(head))
                write(head[:cut])
                await asyncio.sleep(0.005)
                head = head[cut:]
            write(head)
            return True
        there = f"/again?max={self._messages.limit}"
        answers = {
            "refuse": b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\nRetry-After: 0\r\n\r\nbusy",
            "garbage": bytes(100),
            "redirect": b"HTTP/1.1 302 There\r\nContent-Length: 0\r\n"
            b"Location: %s\r\n\r\n" % there.encode(),
            "reset": self._accept() if how == "reset" and rng.random() < 0.6 else b"",
        }
        write(answers.get(how, b""))
        if how == "stall":
            await self._happens(self._closed, 0.5)
        self._leave(reset=how == "reset")
        return False

    def _accept(self) -> bytes:
        self.judge = self._messages.judge
        self.judge.feed(self._head.partition(b"\r\n\r\n")[2])
        return self._messages.accept

    async def _act(self) -> None:
        rng, messages = self._rng, self._messages
        what = rng.choices(
            ["message", "burst", "ping", "pong", "flood", "nap", "deaf", "turn"],
            [40, 15, 10, 4, 2, 8, 6, 10],
        )[0]
        self._note(what)
        match what:
            case "message":
                await self._write(messages.some(1, large=True))
            case "burst":
                count = rng.choice([2, 10, 100, 1500])
                out = messages.some(count // 2, large=count == 2)
                out += messages.ping() if rng.random() < 0.3 else b""
                await self._write(out + messages.some(count // 2))
            case "ping":
                await self._write(messages.ping())
            case "pong":
                pings = messages.judge.pings
                await self._write(frame(PONG, pings.pop() if pings else b"unasked"))
            case "flood":
                pings = [messages.ping() for _ in range(rng.choice([100, 3000]))]
                await self._write(b"".join(pings))
            case "nap":
                await self._happens(self._closed, rng.choice([0.001, 0.02, 0.06]))
            case "deaf":
                self.transport.pause_reading()
                await self._happens(self._closed, rng.choice([0.0, 0.02, 0.1]))
                if rng.random() < 0.8:
                    self.transport.resume_reading()
            case _:
                await asyncio.sleep(0)

    async def _write(self, data: bytes) -> None:
        """Write, now and then in pieces, when there is room."""
        await self._happens(self._room, 1)
        if self._rng.random() < 0.25 and len(data) > 1:
            for _ in range(self._rng.choice([1, 1, 4])):
                cut = self._rng.randrange(len(data) + 1)
                self.transport.write(data[:cut])
                data = data[cut:]
                await asyncio.sleep(self._rng.choice([0, 0, 0.002]))
        self.transport.write(data)

    async def _happens(self, event: asyncio.Event, seconds: float) -> None:
        """Wait for something, but not for ever."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), seconds)

    def _unsent(self) -> int:
        """Count the bytes that are not yet the client's kernel's."""
        unsent = self.transport.get_write_buffer_size()
        with contextlib.suppress(OSError, AttributeError, ValueError):
            sock = self.transport.get_extra_info("socket")
            unsent += struct.unpack("i", fcntl.ioctl(sock.fileno(), SIOCOUTQ, bytes(4)))[0]
        return unsent

    async def _flushed(self) -> bool:
        """Wait until the client's kernel has all that was written."""
        quiet = 0
        for _ in range(300):
            if self._gone.is_set():
                return False
            quiet = 0 if self._unsent() else quiet + 1
            if quiet == 2:
                return True
            await asyncio.sleep(0.002)
        return False

    async def _blurt(self, data: bytes) -> bool:
        """Write past the transport, so that the end follows before the client looks."""
        for _ in range(2):
            # uvloop writes when the tasks have had their turn.
            await asyncio.sleep(0)
        if self._gone.is_set() or self._unsent():
            self.transport.write(data)
            return False
        written = 0
        with contextlib.suppress(OSError):
            written = os.write(self.transport.get_extra_info("socket").fileno(), data)
        if written < len(data):
            self.transport.write(data[written:])
        return written == len(data) and not self._unsent()

    def _leave(self, *, reset: bool) -> None:
        self.seen = self.look()
        if reset:
            with contextlib.suppress(OSError, AttributeError, ValueError):
                sock = self.transport.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()
        self.transport.close()

    async def _answer(self) -> None:
        """Answer the client's close frame, or see that it is gone."""
        how = self._rng.choice(["echo", "echo", "echo", "leave", "silence", "reset", "more"])
        self.ending = f"client closed, {how}"
        self._note(self.ending)
        if how == "more":
            self.transport.write(self._messages.message(200_000))
        if how in {"echo", "more"}:
            self.transport.write(frame(CLOSE, b"\x03\xe8"))
        if how == "silence":
            await self._happens(self._gone, PATIENCE)
        self._leave(reset=how == "reset")

    def _last_words(self, how: str) -> tuple[bytes, int]:
        """Make the last that it sends, and the close code that the client will see."""
        rng, limit = self._rng, self._messages.limit
        match how:
            case "close" | "close and leave":
                code = rng.choice([1000, 1001, 4001, 1005])
                payload = b"" if code == 1005 else code.to_bytes(2, "big") + b"bye"
                more = rng.choice([b"", b"", frame(PING, b"late"), b"\x83\x00"])
                return frame(CLOSE, payload) + more, code
            case "violation":
                return wire.violation(rng)
            case "oversize" if limit:
                return frame(BINARY, bytes(limit + 1)), 1009
            case "cut":
                size = rng.choice([1, 200, 70_000, 400_000])
                whole = frame(BINARY, bytes(min(size, limit or size)))
                return whole[: rng.randrange(1, len(whole))], 1006
            case _:
                return b"", 1006

    async def _end(self) -> None:
        rng = self._rng
        how = self.ending = rng.choices(list(WAYS), list(WAYS.values()))[0]
        last, code = self._last_words(how)
        if rng.random() < 0.5:
            # Not alone in its read.
            last = self._messages.some(3) + last
        self._note(f"ends: {how}, {self.sent} messages sent")
        if rng.random() < 0.4 and not self.server.tls:
            flushed = await self._blurt(last)
        else:
            await self._write(last)
            if how == "hold":
                await self._happens(self._closed, PATIENCE)
            flushed = await self._flushed()
        if flushed:
            self.guaranteed, self.code = self.sent, code
        if how in {"close", "violation", "oversize"}:
            await self._happens(self._closed, PATIENCE)
        elif how == "half":
            with contextlib.suppress(NotImplementedError, OSError, RuntimeError):
                self.transport.write_eof()
            await self._happens(self._closed, PATIENCE)
        self._leave(reset=how == "reset")
        self._note(f"has left, {self.guaranteed} guaranteed")
