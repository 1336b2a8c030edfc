"""What a scenario of the side-by-side tests is written with."""

import asyncio
import contextlib
import functools
import inspect
import logging
import re
import ssl
import struct
import zlib
from dataclasses import dataclass
from socket import SO_LINGER, SOL_SOCKET
from typing import Any

import pytest
import trustme
import websockets.asyncio.client
from tests.conftest import CLOSE, accept, frame, trusting
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.protocol import State
from websockets.version import version

from wsclient import framing

SCENARIOS = {}
VERSION = tuple(int(part) for part in version.split(".")[:2])
AUTHORITY = trustme.CA()
NAMES = {0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}
CERTAINLY = 10
"""Seconds after which something will not happen any more."""


@dataclass
class Scenario:
    """Something to do on plain websockets and on the adapter, with the same trace.

    Attributes:
        play: An asynchronous function of a `Script`.
        since: The first websockets that has what it takes.
    """

    play: Any
    since: tuple[int, ...]


def scenario(play):
    """Register a scenario under its function's name."""
    assert play.__name__ not in SCENARIOS
    SCENARIOS[play.__name__] = Scenario(play, getattr(play, "since", (14,)))
    return play


def since(*release):
    """Say which websockets is the first that has what a scenario takes."""

    def mark(play):
        play.since = release
        return play

    return mark


def shown(value):
    """A value as a trace has it: exceptions with all that they tell, and what caused them."""
    if not isinstance(value, BaseException):
        return repr(value)
    facts = [f"{type(value).__module__}.{type(value).__qualname__}", str(value)]
    if isinstance(value, ConnectionClosed):
        facts += [f"{name}={getattr(value, name)!r}" for name in ("rcvd", "sent", "rcvd_then_sent")]
    if isinstance(value, InvalidStatus):
        facts += [repr(value.response.status_code), repr(value.response.body)]
    if value.__cause__ is not None:
        facts += ["from", shown(value.__cause__)]
    return " | ".join(facts)


def closing(code, reason=b""):
    """A close frame of a server."""
    return frame(CLOSE, struct.pack("!H", code) + reason)


@functools.cache
def server_tls():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    AUTHORITY.issue_cert("127.0.0.1", "server.example").configure_cert(context)
    return context


def client_tls():
    return trusting(AUTHORITY)


async def settled(task):
    """Let a task run until it waits for something outside of the loop."""
    for _ in range(20):
        await asyncio.sleep(0)
    assert not task.done()


async def until(condition):
    """Wait for what no event tells."""
    async with asyncio.timeout(CERTAINLY):
        while not condition():
            await asyncio.sleep(0.001)


def reset(writer):
    """Drop a connection with a RST."""
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, linger)
    writer.transport.abort()


class Peer:
    """The server's end of an open WebSocket, frame by frame.

    Attributes:
        request: The head of the client's opening handshake.
    """

    def __init__(self, request, reader, writer, saw):
        self.request = request
        self.saw = saw
        self._reader = reader
        self._writer = writer
        self._received = bytearray()
        self._inflated = zlib.decompressobj(-15)
        self._compressed = False

    async def send(self, *frames):
        self._writer.write(b"".join(frames))
        await self._writer.drain()

    async def receive(self):
        """The client's next frame, or None at the end of the stream, whichever end it is."""
        while (parsed := framing.parse_frame(self._received)) is None:
            try:
                data = await self._reader.read(1 << 20)
            except ConnectionError:
                return None
            if not data:
                return None
            self._received += data
        received, size = parsed
        del self._received[:size]
        assert received.masked
        return received

    async def hear(self):
        """Note the client's next frame; None is the end of the stream."""
        received = await self.receive()
        if received is None:
            self.saw("end")
            return None
        said = [NAMES[received.opcode], self._plain(received)]
        if not received.fin:
            said.append("to be continued")
        if received.rsv:
            said.append(f"rsv {received.rsv}")
        self.saw(*said)
        return received

    def _plain(self, received):
        if received.opcode in {1, 2}:
            self._compressed = bool(received.rsv)
        if received.opcode > CLOSE - 1 or not self._compressed:
            payload = received.payload
        else:
            payload = self._inflated.decompress(received.payload)
            if received.fin:
                payload += self._inflated.decompress(b"\0\0\xff\xff")
        return payload if len(payload) < 1000 else f"{len(payload)} bytes, {zlib.crc32(payload)}"

    async def hear_all(self):
        """Note what comes up to the end; answer nothing."""
        while await self.hear() is not None:
            pass

    async def behave(self):
        """Note what comes up to the end; answer a close frame and end the stream then."""
        while (received := await self.hear()) is not None:
            if received.opcode == CLOSE:
                await self.send(frame(CLOSE, received.payload))
                self.end()

    async def close(self, code, reason=b""):
        """Close as servers should: wait for the answer, then end the stream."""
        await self.send(closing(code, reason))
        await self.hear()
        self.end()
        await self.hear_all()

    def end(self):
        """Send nothing more."""
        if self._writer.can_write_eof():
            self._writer.write_eof()
        else:
            self._writer.close()

    def reset(self):
        """Drop the connection with a RST."""
        reset(self._writer)


class Records(logging.Handler):
    def __init__(self, note):
        super().__init__(logging.INFO)
        self.note = note

    def emit(self, record):
        text = re.sub(r"in \d+\.\d seconds", "in ... seconds", record.getMessage())
        error = record.exc_info and record.exc_info[1]
        self.note("log", record.name, record.levelname, text, error, hasattr(record, "websocket"))


class Script:
    """One play of a scenario.

    Attributes:
        library: What is tried: it has `connect`, `unix_connect` and `ClientConnection`.
        folder: Where files may be put.
        trace: What the client saw.
        wire: What the server saw on each of its connections.
    """

    def __init__(self, library, folder):
        self.library = library
        self.folder = folder
        self.trace = []
        self.wire = []
        self._clients = []
        self._ports = []
        self._plays = []
        self._writers = []
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self):
        await self._stack.__aenter__()
        records = Records(self.note)
        for logger in (logging.getLogger("websockets.client"), logging.getLogger("own")):
            logger.addHandler(records)
            logger.setLevel(logging.INFO)
            self._stack.callback(logger.setLevel, logging.NOTSET)
            self._stack.callback(logger.removeHandler, records)
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(
            lambda _, context: self.note("unhandled", context["message"], context.get("exception"))
        )
        self._stack.callback(loop.set_exception_handler, None)
        return self

    async def __aexit__(self, exc_type, exc, traceback):
        if exc_type is None:
            for ws in self._clients:
                await ws.close()
                assert ws.state is State.CLOSED
            async with asyncio.timeout(CERTAINLY):
                await asyncio.gather(*self._plays)
        for transport in [*self._writers, *self._clients]:
            # asyncio's transport forgets its loop when a close() has flushed its buffer.
            with contextlib.suppress(AttributeError):
                transport.transport.abort()
        await self._stack.aclose()
        # Aborted transports close their sockets in the next turns of the loop.
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    @property
    def told(self):
        """All that was seen, without what is different each time."""
        return [self._tidy(line) for line in self.trace], [
            [self._tidy(line) for line in lines] for lines in self.wire
        ]

    def _tidy(self, line):
        for number, port in enumerate(self._ports):
            line = re.sub(rf"\b{port}\b", f"PORT{number}", line)
        line = re.sub(r"(?i)(Sec-WebSocket-Key: )[\w+/]+==", r"\1...", line)
        return line.replace(str(self.folder), "FOLDER")

    def note(self, *what):
        self.trace.append(", ".join(map(shown, what)))

    async def attempt(self, doing, awaitable):
        """Await something, and note what comes of it."""
        try:
            result = await awaitable
        except Exception as error:  # noqa: BLE001 - noted
            self.note(doing, error)
            return error
        self.note(doing, result)
        return result

    async def recv(self, ws, times=1, **options):
        for _ in range(times):
            await self.attempt("recv", ws.recv(**options))

    def state(self, ws):
        told = ws if hasattr(ws, "close_code") else ws.protocol
        self.note("state", ws.state, told.close_code, told.close_reason)

    async def ended(self, ws):
        """Note how everything ends now."""
        await self.recv(ws, 2)
        self.state(ws)
        await self.attempt("send", ws.send("late"))
        await self.attempt("ping", ws.ping())
        await self.attempt("pong", ws.pong())
        await self.attempt("close", ws.close())
        await self.attempt("wait_closed", ws.wait_closed())
        self.state(ws)

    def dial(self, url, **options):
        """`connect(url)` of the library, without a proxy that the environment may have."""
        if VERSION >= (15,):
            options.setdefault("proxy", None)
        return self.library.connect(url, **options)

    async def connect(self, url, **options):
        """An open connection, which is closed in the end."""
        return self.keep(await self.dial(url, **options))

    def keep(self, ws):
        """Have a connection closed in the end."""
        self._clients.append(ws)
        return ws

    async def raw(self, play, *, tls=False, path=None):
        """Start a server that plays `await play(reader, writer, saw)` on each connection.

        Returns:
            Its URL, or that for `unix_connect` if it is at a `path`.
        """

        async def run(reader, writer):
            self._plays.append(done := asyncio.get_running_loop().create_future())
            self._writers.append(writer)
            self.wire.append(lines := [])
            try:
                await play(reader, writer, lambda *what: lines.append(", ".join(map(shown, what))))
            except (ConnectionError, asyncio.IncompleteReadError):
                pass
            except Exception as error:  # noqa: BLE001 - raised in the end
                done.set_exception(error)
            if not done.done():
                done.set_result(None)
            writer.close()

        options = {"ssl": server_tls() if tls else None}
        if path is not None:
            server = await asyncio.start_unix_server(run, path, **options)
            self._stack.callback(server.close)
            return f"{'wss' if tls else 'ws'}://localhost/"
        server = await asyncio.start_server(run, "127.0.0.1", 0, **options)
        self._stack.callback(server.close)
        return self._url(server, tls=tls)

    def _url(self, server, *, tls):
        self._ports.append(port := server.sockets[0].getsockname()[1])
        return f"{'wss' if tls else 'ws'}://127.0.0.1:{port}/"

    async def server(self, play, *lines, after=b"", extensions=None, **options):
        """Start a server that accepts, with more `lines`, and plays `await play(peer)`.

        `after` comes in the same segment as the answer. See `raw` for what else there is.
        """

        async def run(reader, writer, saw):
            request = await reader.readuntil(b"\r\n\r\n")
            writer.write(accept(request, *lines, Sec_WebSocket_Extensions=extensions) + after)
            await play(Peer(request, reader, writer, saw))

        return await self.raw(run, **options)

    async def serve(self, handler, *, tls=False, **options):
        """Start the server of websockets; returns its URL."""
        quiet = logging.getLogger("quiet")
        quiet.propagate = False
        options = {"ssl": server_tls() if tls else None, "logger": quiet, **options}
        server = await self._stack.enter_async_context(serve(handler, "127.0.0.1", 0, **options))
        return self._url(server, tls=tls)

    def retry_at_once(self, options):
        """Take away the delays between attempts to reconnect."""

        def at_once():
            while True:
                yield 0.0

        parameters = inspect.signature(websockets.asyncio.client.connect).parameters
        if "reconnect_delays" in parameters:
            return {"reconnect_delays": at_once, **options}
        patch = self._stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(websockets.asyncio.client, "backoff", at_once)
        return options
