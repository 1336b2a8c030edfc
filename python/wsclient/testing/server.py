"""A WebSocket server for the time of a test."""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Self, TypeAlias, cast

from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.protocol import State
from websockets.server import ServerProtocol

from .certificates import client_context, server_context
from .connection import TIMEOUT, ServerConnection
from .expectations import ClientGone, ExpectationError
from .script import Refusal, Script
from .streams import abort, ends_within
from .threads import ServerThread
from .wire import Wire

if TYPE_CHECKING:
    import ssl as tls
    from collections.abc import Awaitable, Callable, Sequence
    from types import TracebackType

    from websockets.http11 import Request
    from websockets.typing import Subprotocol

    from .expectations import Received

__all__ = ["Handler", "Server", "compressing", "echo", "serve"]

Handler: TypeAlias = "Callable[[ServerConnection], Awaitable[object]] | Refusal"
"""What plays the server's end of a connection: a function, a `Script`, or what `refuse` returns."""

_QUIET = 25
"""Turns of the loop without anything new after which nothing is on its way any more."""
_SETTLING = 1.0
"""Seconds that it may take until then, in which a client may send without end."""


async def echo(ws: ServerConnection) -> None:
    """Send every message back: the handler where no other is given."""
    async for message in ws:
        await ws.send(message)


class Server:
    """What `serve` returns: a server that runs inside an ``async with`` or ``with`` statement.

    Attributes:
        url: Where it is, once it runs.
        port: Its TCP port.
        ssl_context: What a client trusts it with, for the `ssl` of a client; None without TLS, and
            where the context is your own.
        received: All messages that have come, in their order.
        connections: Its connections that have opened, in their order.
    """

    def __init__(
        self,
        handlers: Sequence[Handler],
        *,
        protocol: Callable[[], ServerProtocol],
        ssl: bool | tls.SSLContext | None,
        process_request: Callable[[Request], Refusal | None] | None,
        port: int,
    ) -> None:
        self.port: int = port
        self.ssl_context: tls.SSLContext | None = client_context() if ssl is True else None
        self.received: list[Received] = []
        self.connections: list[ServerConnection] = []
        self._tls = server_context() if ssl is True else ssl or None
        self._handlers = handlers
        self._protocol = protocol
        self._process_request = process_request
        self._listening: asyncio.Server | None = None
        self._thread: ServerThread | None = None
        self._begun = 0
        self._progress = 0
        self._changed = asyncio.Event()
        self._playing: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._wires: dict[Wire, asyncio.Task[None]] = {}
        self._unfinished = 0
        self._failures: list[Exception] = []
        self._raised: Exception | None = None
        self._ended = False

    @property
    def url(self) -> str:
        """Where it is."""
        if self._listening is None:
            raise RuntimeError("the server runs inside `async with`, and has its URL there")
        return f"{'ws' if self._tls is None else 'wss'}://127.0.0.1:{self.port}/"

    def __repr__(self) -> str:
        where = "not started" if self._listening is None else self.url
        return f"<Server {where}, {self._begun} connections>"

    async def wait_finished(self, timeout: float = TIMEOUT) -> None:
        """Wait until each handler has been played to its end, if the bot does not end by itself.

        Args:
            timeout: Seconds to wait.

        Raises:
            ExpectationError: They have not ended in that time.
            Exception: What a handler raised.
        """
        try:
            async with asyncio.timeout(timeout):
                while not self._failures and (
                    self._begun < len(self._handlers) or self._unfinished
                ):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise ExpectationError(
                self._begun,
                self.connections[-1].steps if self.connections else 0,
                f"{len(self._handlers)} handlers to be played",
                f"{self._begun - self._unfinished} within {timeout:g} seconds",
            ) from None
        self._raise_failures()

    async def __aenter__(self) -> Self:
        if self._listening is not None:
            raise RuntimeError("a server runs once")
        self._listening = await asyncio.start_server(
            self._connected, "127.0.0.1", self.port, ssl=self._tls
        )
        self.port = self._listening.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._listening is not None  # noqa: S101 - entered before it is left
        if exc is None:
            await self._settle()
        self._listening.close()
        await self._end()
        if exc is None:
            self._failures.extend(self._unplayed())
            self._raise_failures()
        elif exc is not self._raised:
            self._blame(exc)

    def __enter__(self) -> Self:
        self._thread = ServerThread(self)
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._thread is not None  # noqa: S101 - entered before it is left
        self._thread.stop(exc)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._ended:
            # Its TLS handshake was under way.
            writer.transport.abort()
            return
        task = asyncio.get_running_loop().create_task(self._attend(reader, writer))
        self._playing[task] = writer
        task.add_done_callback(self._playing.pop)

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._progress += 1
        wire = Wire(self._protocol(), reader, writer)
        request = await wire.request()
        if request is not None:
            try:
                await self._converse(wire, request)
            except Exception as error:  # noqa: BLE001 - of process_request; raised at the end
                self._failures.append(error)
                self._changed.set()
        writer.close()

    async def _converse(self, wire: Wire, request: Request) -> None:
        """Play the next handler on a new connection."""
        self._progress += 1
        handler = self._handlers[min(self._begun, len(self._handlers) - 1)]
        refusal = self._process_request(request) if self._process_request is not None else None
        if refusal is None:
            self._begun += 1
            refusal = handler if isinstance(handler, Refusal) else None
        wire.answer(wire.protocol.accept(request) if refusal is None else refusal.response())
        self._changed.set()
        reading = asyncio.get_running_loop().create_task(wire.pump())
        self._wires[wire] = reading
        try:
            if not isinstance(handler, Refusal) and wire.protocol.state is State.OPEN:
                number = len(self.connections) + 1
                connection = ServerConnection(number, request, wire, self.received.append)
                self.connections.append(connection)
                await self._play(handler, connection)
            await reading
        finally:
            reading.cancel()
            del self._wires[wire]

    async def _play(
        self, handler: Callable[[ServerConnection], Awaitable[object]], connection: ServerConnection
    ) -> None:
        self._unfinished += 1
        code = 1000
        try:
            await handler(connection)
        except Exception as error:  # noqa: BLE001 - raised at the end of the test
            if not _is_leaving(error):
                self._failures.append(error)
                code = 1011
        finally:
            self._unfinished -= 1
            self._changed.set()
        await connection.close(code)

    async def _settle(self) -> None:
        """Let what clients have sent be read, and be taken by handlers."""
        quiet, seen = 0, -1
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _SETTLING
        while quiet < _QUIET and loop.time() < deadline:
            # Under load the kernel may take a moment between two ends on one machine.
            await asyncio.sleep(0.001 if quiet == _QUIET // 2 else 0)
            now = self._progress + len(self.received) + len(self._failures)
            now += sum(wire.progress for wire in self._wires)
            now += sum(connection.steps for connection in self.connections)
            quiet, seen = (quiet + 1, seen) if now == seen else (0, now)

    async def _end(self) -> None:
        """End what still plays, say goodbye where that can be heard, and close everything."""
        self._ended = True
        for wire in self._wires:
            wire.test_ends = True
        writers = list(self._playing.values())
        wires = list(self._wires)
        if not await ends_within(list(self._playing), TIMEOUT):
            self._failures.append(
                RuntimeError(f"a handler has not ended {TIMEOUT:g} seconds after it was cancelled")
            )
        for wire in wires:
            wire.go_away()
        await abort(writers)

    def _unplayed(self) -> list[Exception]:
        return [
            ExpectationError(number, 0, f"{handler} to be played", f"{self._begun} connections")
            for number, handler in enumerate(self._handlers, 1)
            if number > self._begun and isinstance(handler, Script)
        ]

    def _raise_failures(self) -> None:
        if self._failures:
            self._raised = self._failures[0]
            if len(self._failures) > 1:
                self._raised = ExceptionGroup("handlers of the server have failed", self._failures)
            raise self._raised

    def _blame(self, exc: BaseException) -> None:
        """Say what the server saw, beside a test's own failure or as its cause."""
        causes = [f for f in self._failures if not (isinstance(f, ExpectationError) and f.follows)]
        if causes and isinstance(exc, Exception):
            raise causes[0] from exc
        for failure in self._failures:
            exc.add_note(f"The server's handler failed, too: {type(failure).__name__}: {failure}")


def _is_leaving(error: BaseException) -> bool:
    """Whether an exception says that the client has left, and nothing else."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(_is_leaving, cast("BaseExceptionGroup", error).exceptions))
    return isinstance(error, ClientGone)


def compressing() -> list[ServerPerMessageDeflateFactory]:
    """Make the extensions of a server that compresses messages if the client offers it."""
    return [ServerPerMessageDeflateFactory()]


def serve(
    *handlers: Handler,
    ssl: bool | tls.SSLContext | None = None,
    subprotocols: Sequence[str] = (),
    compression: bool = False,
    process_request: Callable[[Request], Refusal | None] | None = None,
    port: int = 0,
) -> Server:
    """Make a WebSocket server on this machine, for ``async with`` in a test.

    What a handler raises is raised at the end of the ``async with`` statement, as is what a
    `Script` still expected there; the client's leaving fails no test by itself. Handlers that are
    still busy then are cancelled, and open connections closed with 1001.

    In a ``with`` statement it runs in a thread of its own, for tests without an event loop.

    Args:
        handlers: Each plays one connection, in their order; the last one all that are left. A
            handler is an asynchronous function of a `ServerConnection`, a `Script`, or what
            `refuse` returns. When it returns, the WebSocket is closed with 1000. Without any, all
            is echoed.
        ssl: True for ``wss``, with a certificate that `Server.ssl_context` trusts; or a context.
        subprotocols: Subprotocols that are known, the preferred one first. Whoever offers none of
            them is refused with 400.
        compression: Whether messages are compressed if the client offers it (RFC 7692).
        process_request: Is called with each handshake, which has `path` and `headers`, and
            returns None, or what `refuse` returned to refuse it. No handler is used up by that.
        port: TCP port, such as that of a server before; 0 takes any that is free.

    Raises:
        TypeError: A handler is none.
        ImportError: `ssl` is True, and trustme is not installed.

    Example:
        >>> async with testing.serve(testing.Script().expect("hello").send("hi")) as server:
        ...     await bot(server.url)
    """
    for handler in handlers:
        if not (callable(handler) or isinstance(handler, Refusal)):  # pyright: ignore[reportUnnecessaryIsInstance] - callers without types
            raise TypeError(
                "a handler is an asynchronous function, a Script, or what refuse() returns, not"
                f" {type(handler).__name__}"
            )
    known: list[Subprotocol] = [*subprotocols]  # type: ignore[list-item]
    protocol = functools.partial(
        ServerProtocol,
        subprotocols=known or None,
        extensions=compressing() if compression else None,
        max_size=None,
    )
    return Server(
        handlers or (echo,),
        protocol=protocol,
        ssl=ssl,
        process_request=process_request,
        port=port,
    )
