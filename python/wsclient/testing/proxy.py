"""A proxy between any client and any server, in which things go wrong when they are told to."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Literal, Self, TypeAlias

from yarl import URL

from .streams import abort, end, ends_within, reset

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["FAULTS", "HARMLESS", "Fault", "FaultProxy", "ProxiedConnection"]

Fault: TypeAlias = Literal["delay", "split", "coalesce", "cut", "reset", "half-open", "stall"]
"""The name of a fault."""

FAULTS: tuple[Fault, ...] = (
    "delay",
    "split",
    "coalesce",
    "cut",
    "reset",
    "half-open",
    "stall",
)
"""All faults; see `ProxiedConnection.strike`."""
HARMLESS: frozenset[Fault] = frozenset({"delay", "split", "coalesce"})
"""Those that no client may notice but by the time they take."""

_READ = 1 << 16
_SINGLE = 300
"""Bytes that come one by one, of as many as are passed on at a time."""
_BOUND = 5.0
"""Seconds in which cancelled tasks end."""


class ProxiedConnection:
    """A client's connection by way of a `FaultProxy`; nothing is ever reordered.

    Attributes:
        number: Which of the proxy's connections this is, from 1.
    """

    def __init__(
        self, number: int, reader: asyncio.StreamReader, client: asyncio.StreamWriter, pause: float
    ) -> None:
        self.number = number
        self._reader = reader
        self._client = client
        self._pause = pause
        self._fault: Fault | None = None
        self._left = 0
        self._struck = False
        self._over = asyncio.Event()

    def strike(self, fault: Fault, *, after: int = 0) -> None:
        """Let something go wrong with what the server sends.

        Args:
            fault: ``"delay"``: every piece comes late; ``"split"``: its first bytes come one by
                one; ``"coalesce"``: what comes within some time comes at once; ``"cut"``: nothing
                more comes but the end of the stream; ``"reset"``: the connection is reset;
                ``"half-open"``: nothing more comes, and what the client sends is taken and lost;
                ``"stall"``: nothing more comes, and what the client sends is not taken.
            after: Bytes that still come from the server, TLS included, before it happens.

        Raises:
            ValueError: There is no such fault.
        """
        if fault not in FAULTS:
            raise ValueError(f"a fault is one of {', '.join(FAULTS)}, not {fault!r}")
        self._fault, self._left = fault, after
        if after == 0 and fault not in HARMLESS:
            # Not only when the server sends again.
            self._ruin()

    async def run(self, host: str, port: int, writers: list[asyncio.StreamWriter]) -> None:
        """Connect to the server and pass on what comes, to the end. Called by the proxy."""
        if self._struck:
            await self._pass_on(None)
            return
        try:
            reader, server = await asyncio.open_connection(host, port)
        except OSError:
            end(self._client)
            return
        writers.append(server)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass_on(server))
                group.create_task(self._bring_back(reader))
        finally:
            server.transport.abort()
            writers.remove(server)

    async def _pass_on(self, server: asyncio.StreamWriter | None) -> None:
        with contextlib.suppress(OSError):
            while data := await self._reader.read(_READ):
                if self._struck or server is None:
                    if self._fault == "stall":
                        await self._over.wait()
                    continue
                server.write(data)
                await server.drain()
        if server is not None:
            server.close()

    async def _bring_back(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_READ):
                if self._fault is not None and self._left:
                    whole, data = data[: self._left], data[self._left :]
                    self._left -= len(whole)
                    self._client.write(whole)
                if data and not self._struck:
                    await self._harm(reader, data)
                await self._client.drain()
            if not self._struck:
                self._client.close()

    async def _harm(self, reader: asyncio.StreamReader, data: bytes) -> None:
        if self._fault is None:
            self._client.write(data)
        elif self._fault not in HARMLESS:
            self._ruin()
        elif self._fault == "split":
            for start in range(min(_SINGLE, len(data))):
                self._client.write(data[start : start + 1])
                # Each byte in a segment of its own, which the client reads by itself.
                await asyncio.sleep(0)
            self._client.write(data[_SINGLE:])
        else:
            await asyncio.sleep(self._pause)
            if self._fault == "coalesce" and not reader.at_eof():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._pause):
                        data += await reader.read(_READ)
            self._client.write(data)

    def _ruin(self) -> None:
        self._struck = True
        if self._fault == "cut":
            # What the client still sends is read, lest it be answered by a reset.
            end(self._client)
        elif self._fault == "reset":
            self._over.set()
            reset(self._client)


class FaultProxy:
    """Stands between clients and a server for the time of an ``async with`` statement.

    It passes on TCP: with ``wss``, TLS is between the two, and only they know what it says. If the
    server cannot be reached, its clients' connections end. What `on_connect` raises is raised at
    the end of the statement.

    Args:
        target: URL of the server.
        pause: Seconds by which what is late is late.
        on_connect: Is called with each `ProxiedConnection` before the server is connected to.

    Attributes:
        port: Its TCP port on this machine.
        connections: The connections that are open.

    Example:
        >>> async with testing.FaultProxy(server.url) as proxy:
        ...     async with wsclient.ws_connect(proxy.url) as ws:
        ...         proxy.strike("reset", after=1000)
    """

    def __init__(
        self,
        target: str | URL,
        *,
        pause: float = 0.03,
        on_connect: Callable[[ProxiedConnection], object] | None = None,
    ) -> None:
        self.port: int = 0
        self.connections: list[ProxiedConnection] = []
        self.on_connect = on_connect
        self._target = URL(target)
        if not self._target.host or not self._target.port:
            raise ValueError("the target's URL must have a host, and a port unless its scheme has")
        self._pause = pause
        self._accepted = 0
        self._listening: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []
        self._failures: list[Exception] = []

    @property
    def url(self) -> str:
        """The target's URL, by way of this proxy."""
        if self._listening is None:
            raise RuntimeError("the proxy runs inside `async with`, and has its URL there")
        return str(self._target.with_host("127.0.0.1").with_port(self.port))

    def strike(self, fault: Fault, *, after: int = 0) -> None:
        """Let something go wrong on all open connections. See `ProxiedConnection.strike`."""
        for connection in self.connections:
            connection.strike(fault, after=after)

    async def __aenter__(self) -> Self:
        if self._listening is not None:
            raise RuntimeError("a proxy runs once")
        self._listening = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._listening.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._listening is not None  # noqa: S101 - entered before it is left
        self._listening.close()
        await ends_within(list(self._tasks), _BOUND)
        await abort(list(self._writers))
        if self._failures and exc is None:
            raise self._failures[0]

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._accepted += 1
        task = asyncio.get_running_loop().create_task(self._attend(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = ProxiedConnection(self._accepted, reader, writer, self._pause)
        self.connections.append(connection)
        self._writers.append(writer)
        try:
            if self.on_connect is not None:
                self.on_connect(connection)
            await connection.run(str(self._target.host), int(self._target.port or 0), self._writers)
        except Exception as error:  # noqa: BLE001 - of on_connect; raised at the end
            self._failures.append(error)
        finally:
            self.connections.remove(connection)
            writer.transport.abort()
            self._writers.remove(writer)
