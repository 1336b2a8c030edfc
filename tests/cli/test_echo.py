"""`wsclient echo`: a server to talk to, and what it does about clients that break the rules."""

import asyncio
import contextlib
import errno
import os
import re
import signal
import socket

import aiohttp
import pytest
import websockets.sync.client
from tests.cli.conftest import SIGNALS, end_of
from tests.conftest import BINARY, CLOSE, PING, PONG, TEXT

from wsclient import framing, ws_connect
from wsclient.cli import server as module
from wsclient.cli.echo import Echo

REQUEST = (
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
)


@pytest.fixture
async def port():
    connections = {}
    loop = asyncio.get_running_loop()
    async with await loop.create_server(lambda: Echo(connections), "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
        for connection in connections:
            connection.close(1001)
        if connections:
            await asyncio.wait(connections.values())


class Raw:
    """A client's end, byte by byte."""

    def __init__(self, reader, writer):
        self.reader, self.writer, self.buffer = reader, writer, b""

    async def frame(self):
        while (parsed := framing.parse_frame(self.buffer)) is None:
            data = await self.reader.read(65536)
            if not data:
                return None
            self.buffer += data
        frame, size = parsed
        self.buffer = self.buffer[size:]
        assert not frame.masked
        return frame.opcode, frame.payload

    async def send(self, *frames):
        self.writer.write(b"".join(frames))
        await self.writer.drain()


@contextlib.asynccontextmanager
async def raw(port, first=b""):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(REQUEST + first)
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    try:
        async with asyncio.timeout(30):
            yield Raw(reader, writer)
    finally:
        writer.close()


async def test_clients(port):
    url = f"ws://127.0.0.1:{port}/"
    async with websockets.connect(url, subprotocols=["a", "b"], max_size=None) as ws:
        assert ws.subprotocol == "a"
        for message in ("text é", b"\x00", "", "x" * 1_000_000):
            await ws.send(message)
            assert await ws.recv() == message
        await ws.send(["in ", "frag", "ments"])
        assert await ws.recv() == "in fragments"
        await (await ws.ping())
    assert ws.close_code == 1000
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as ws:
        await ws.send_str("hello")
        assert await ws.receive_str() == "hello"
    async with ws_connect(url, compress=15) as ws:
        assert not ws.compress
        await ws.send_str("hello")
        assert await ws.receive_str() == "hello"
        await ws.close(code=4000, message="bye")
    assert (ws.close_code, ws.close_reason) == (4000, "bye")


async def test_frames_cut_anywhere_and_all_at_once(port):
    frames = b"".join(framing.encode_frame(TEXT, b"%d" % n) for n in range(300))
    async with raw(port, frames[:1000]) as client:
        for position in range(1000, len(frames), 7):
            client.writer.write(frames[position : position + 7])
        for number in range(300):
            assert await client.frame() == (TEXT, b"%d" % number)


async def test_control_frames_between_fragments(port):
    async with raw(port) as client:
        await client.send(
            framing.encode_frame(TEXT, "é".encode()[:1], fin=False),
            framing.encode_frame(PING, b"?"),
            framing.encode_frame(PONG, b"unasked"),
            framing.encode_frame(0, "é".encode()[1:]),
        )
        assert await client.frame() == (PONG, b"?")
        assert await client.frame() == (TEXT, "é".encode())


@pytest.mark.parametrize(
    ("code", "frames"),
    [
        (1002, [framing.encode_frame(TEXT, b"a", mask=False)]),
        (1002, [framing.encode_frame(TEXT, b"a", rsv=4)]),
        (1002, [framing.encode_frame(0, b"a")]),
        (1002, [framing.encode_frame(TEXT, b"a", fin=False), framing.encode_frame(TEXT, b"b")]),
        (1002, [b"\x83\x80\0\0\0\0"]),
        (1002, [b"\x88\x81\0\0\0\0a"]),
        (1007, [framing.encode_frame(TEXT, b"\xff")]),
        (1009, [b"\x82\xfe\x03\xe9\0\0\0\0"]),
        (
            1009,
            [
                framing.encode_frame(BINARY, bytes(600), fin=False),
                framing.encode_frame(0, bytes(600)),
            ],
        ),
    ],
)
async def test_breaches_of_the_protocol(port, monkeypatch, code, frames):
    monkeypatch.setattr(module, "MAX_SIZE", 1000)
    async with raw(port) as client:
        await client.send(*frames, framing.encode_frame(TEXT, b"not answered"))
        opcode, payload = await client.frame()
        assert (opcode, framing.parse_close(payload)[0]) == (CLOSE, code)
        assert await client.frame() is None


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 426),
        (REQUEST.replace(b"GET", b"POST"), 426),
        (REQUEST.replace(b"13", b"8", 1), 426),
        (REQUEST.replace(b"MDEy", b"MDE*"), 400),
        (REQUEST.replace(b"MDEy", b""), 400),
        (b"\x16\x03\x01\x00\xff hello, TLS\r\n\r\n", 400),
    ],
)
async def test_what_opens_no_websocket(port, request_, status):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request_)
    answer = await asyncio.wait_for(reader.read(), 30)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    writer.close()


async def test_a_client_that_does_not_read(port):
    """The server stops reading, and keeps no more than the kernel takes."""
    async with ws_connect(f"ws://127.0.0.1:{port}/") as ws:
        ws.pause_reading()
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 100_000_000:
                await asyncio.wait_for(ws.send_bytes(bytes(1_000_000)), 0.5)
                sent += 1_000_000
        assert sent < 100_000_000


def test_the_command(start):
    process = start("echo", "--port", "0")
    url = re.fullmatch(
        rb"Echoing at (ws://127\.0\.0\.1:\d+/) until Ctrl-C\.\n", process.stdout.readline()
    )[1].decode()
    with websockets.sync.client.connect(url) as ws:
        ws.send("hello")
        assert ws.recv() == "hello"
        assert end_of(process, signal.SIGINT) == (130, "", "")
        with pytest.raises(websockets.ConnectionClosed):
            ws.recv()
        assert ws.close_code == 1001


def test_terminated(start):
    process = start("echo", "--port", "0", "--uvloop")
    assert process.stdout.readline()
    assert end_of(process, signal.SIGTERM) == (SIGNALS[signal.SIGTERM], "", "")


def test_a_port_that_is_taken(run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = run("echo", "--port", str(port))
    assert ran == (
        1,
        "",
        f"wsclient: cannot listen at 127.0.0.1:{port}: {os.strerror(errno.EADDRINUSE)}\n",
    )


def test_mistakes(run):
    assert run("echo", "--port", "65536").status == 2
    ran = run("echo", "--host", "no.invalid")
    assert ran.status == 1
    assert ran.err.startswith("wsclient: cannot listen at no.invalid:8765: ")
    for host in ("a..b", "\udcff"):
        ran = run("echo", "--host", host)
        assert ran.status == 1
        assert ran.err.startswith(f"wsclient: cannot listen at {ascii(host)[1:-1]}:8765: ")
