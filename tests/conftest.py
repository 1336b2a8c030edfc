"""What all tests share: both event loops, a scripted server, an echo server."""

import asyncio
import base64
import contextlib
import gc
import hashlib
import os
import re
import shutil
import signal
import socket
import ssl
from pathlib import Path

import pytest
import uvloop
from hypothesis import HealthCheck, settings

from wsclient import framing, testing

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

# How long an example takes depends on what else the machine does.
settings.register_profile(
    "patient", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("patient")


def pytest_asyncio_loop_factories(config, item):
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


def pytest_configure(config):
    """Let programs of the tests be interrupted, even where a shell runs all in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish(session):
    """Keep the garbage collector from looking at thousands of tests each time that one calls it."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter, config):
    """Say which tests did not run, and what runs them."""
    if config.option.markexpr == "not slow":
        terminalreporter.write_line("Slow tests were left out: make test-slow runs them.")
    lines = Path(__file__).with_name("programs.txt").read_text().splitlines()
    programs = dict(line.split() for line in lines)
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
    missing = [program for program in programs if shutil.which(program, path=path) is None]
    if missing:
        packages = " ".join(programs[program] for program in missing)
        terminalreporter.write_line(
            f"Tests that need {', '.join(missing)} were skipped. On Debian and Ubuntu:"
            f" sudo apt-get install {packages}"
        )


def resolved(host, port, address="127.0.0.1"):
    """What a resolver of aiohttp's kind says of a host."""
    return {
        "hostname": host,
        "host": address,
        "port": port,
        "family": socket.AF_INET6 if ":" in address else socket.AF_INET,
        "proto": 0,
        "flags": 0,
    }


def frame(opcode, payload=b"", **options):
    """A frame as a server sends it."""
    return framing.encode_frame(opcode, payload, mask=False, **options)


def trusting(authority):
    """A client's context that trusts this authority alone; the machine's take long to load."""
    return ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())


TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Wire:
    """The server's end of an open WebSocket, byte by byte.

    Attributes:
        request: The head of the client's opening handshake.
    """

    def __init__(self, request, reader, writer):
        self.request = request
        self._reader = reader
        self._writer = writer
        self._received = b""

    async def send(self, *frames):
        self._writer.write(b"".join(frames))
        await self._writer.drain()

    async def receive(self):
        """The client's next frame, or None at the end of the stream."""
        while True:
            parsed = framing.parse_frame(self._received)
            if parsed is not None:
                received, size = parsed
                self._received = self._received[size:]
                assert received.masked
                return received
            data = await self._reader.read(65536)
            if not data:
                assert not self._received
                return None
            self._received += data

    async def answer_close(self):
        """Read up to the client's close frame and echo it."""
        while (received := await self.receive()) is not None:
            if received.opcode == CLOSE:
                await self.send(frame(CLOSE, received.payload))
                return

    async def end(self):
        """Wait until the client has closed its end, whatever it still sends."""
        with contextlib.suppress(ConnectionError):
            while await self._reader.read(65536):
                pass

    def reset(self):
        """Drop the connection without a word."""
        self._writer.transport.abort()

    @property
    def transport(self):
        return self._writer.transport


def accept(request, *extra, **replace):
    """Make the 101 that answers a request; keyword arguments replace its fields."""
    key = re.search(rb"(?i)^sec-websocket-key: *(\S+)", request, re.MULTILINE)[1]
    fields = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Accept": base64.b64encode(hashlib.sha1(key + GUID).digest()).decode(),
    }
    fields.update({name.replace("_", "-"): value for name, value in replace.items()})
    lines = [f"{name}: {value}" for name, value in fields.items() if value is not None]
    head = ["HTTP/1.1 101 Switching Protocols", *lines, *extra, "", ""]
    return "\r\n".join(head).encode()


async def _handshake(reader, writer, extensions=None):
    request = await reader.readuntil(b"\r\n\r\n")
    writer.write(accept(request, Sec_WebSocket_Extensions=extensions))
    return request


@pytest.fixture
async def scripted():
    """A function that starts a server which plays `await script(wire)` on each connection.

    Returns the server's URL. The connection is closed when the script returns. A script that
    raises fails the test. `extensions` is the server's Sec-WebSocket-Extensions.
    """
    servers, connections, failures = [], [], []

    async def start(script, *, extensions=None):
        async def play(reader, writer):
            connections.append(writer)
            try:
                request = await _handshake(reader, writer, extensions)
                await script(Wire(request, reader, writer))
            except Exception as error:  # noqa: BLE001 - raised by the fixture below
                failures.append(error)
            writer.close()

        server = await asyncio.start_server(play, "127.0.0.1", 0)
        servers.append(server)
        return f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"

    yield start
    for server in servers:
        server.close()
    for writer in connections:
        # asyncio's transport forgets its loop when a close() has flushed its buffer.
        with contextlib.suppress(AttributeError):
            writer.transport.abort()
    # Aborted transports close their sockets in the next turns of the loop.
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    if failures:
        raise failures[0]


@pytest.fixture
async def echo():
    """The URL of a server that sends every message back."""
    async with testing.serve(compression=True) as server:
        yield server.url
