"""Connections that are reset: what arrived before is delivered, and the end is told."""

import asyncio
import contextlib
import fcntl
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time

import aiohttp
import pytest
from tests.conftest import TEXT, frame

import wsclient.aiohttp
from wsclient import ClientError, MsgType, reconnect, ws_connect

from .conftest import accept

SERVER = """
import asyncio, sys
from websockets.asyncio.server import serve

async def handler(ws):
    async for message in ws:
        for number in range(200):
            await ws.send(f"{number}" * 100)

async def main():
    async with serve(handler, "127.0.0.1", 0) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().create_future()

asyncio.run(main())
"""


def reset(sock):
    """Close with RST instead of FIN, when all that was sent is in the client's kernel."""
    deadline = time.monotonic() + 30
    while struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)))[0]:
        assert time.monotonic() < deadline
        time.sleep(0.001)  # the kernel has no event for it
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class Resetting:
    """A server on threads that plays a script for each connection, in sockets that block.

    The script is given the socket, after the request was read, and its 101. The loop of the test
    stands still in `together()` until a script is over: what it did is there when the loop looks.
    """

    def __init__(self, script, tls=None):
        self.script = script
        self.tls = tls
        self.go = threading.Event()
        self.over = threading.Event()
        self.failures = []

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(30)
        scheme = "wss" if self.tls else "ws"
        self.url = f"{scheme}://localhost:{self.listener.getsockname()[1]}/"
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()
        return self

    def __exit__(self, *_):
        # Whoever waits for a connection waits no more.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join(30)
        self.listener.close()
        assert not self.thread.is_alive()
        if self.failures:
            raise self.failures[0]

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                self.play(sock)

    def play(self, sock):
        with sock:
            try:
                sock.settimeout(30)
                if self.tls:
                    sock = self.tls.wrap_socket(sock, server_side=True)
                request = b""
                while b"\r\n\r\n" not in request:
                    request += sock.recv(65536)
                self.script(sock, accept(request))
            except Exception as error:  # noqa: BLE001 - raised when the test ends
                self.failures.append(error)
            finally:
                sock.close()
                self.over.set()

    def together(self):
        """Let the script go on, and return when it is over; the event loop stands still."""
        self.go.set()
        assert self.over.wait(30)

    def wait(self):
        assert self.go.wait(30)


@pytest.fixture(params=["ws", "wss"])
def tls(request, server_tls, client_tls):
    """The contexts of server and client, or None twice."""
    return (server_tls, client_tls) if request.param == "wss" else (None, None)


@contextlib.asynccontextmanager
async def adapted(url, **options):
    async with (
        aiohttp.ClientSession() as session,
        wsclient.aiohttp.ws_connect(session, url, **options) as ws,
    ):
        yield ws


@pytest.fixture(params=["native", "adapter"])
def connect(request, tls):
    opens = ws_connect if request.param == "native" else adapted
    options = {"ssl": tls[1]} if tls[1] else {}
    return lambda url, **more: opens(url, **options, **more)


async def rest(ws):
    """All that can be received, up to the end."""
    messages = []
    async with asyncio.timeout(30):
        while (msg := await ws.receive()).type != MsgType.CLOSED:
            messages.append(msg)
    return [msg.data for msg in messages if msg.type == MsgType.TEXT]


FEW, MANY = 3, 9000
"""Messages; the many are more than the inbox takes, and less than the kernel's buffer."""


def numbered(count):
    return [f"{number:04x}" for number in range(count)]


def frames(texts):
    return b"".join(frame(TEXT, text.encode()) for text in texts)


def lost(ws):
    return ws.close_code == 1006 and isinstance(ws.exception(), (ClientError, aiohttp.ClientError))


COUNTS = pytest.mark.parametrize("count", [FEW, MANY])


@COUNTS
@pytest.mark.parametrize("waits", [False, True])
async def test_data_and_reset_that_come_together(connect, tls, count, waits):
    texts = numbered(count)

    def script(sock, head):
        sock.sendall(head + frame(TEXT, b"hello"))
        server.wait()
        sock.sendall(frames(texts))
        reset(sock)

    with Resetting(script, tls[0]) as server:
        async with connect(server.url) as ws:
            assert (await ws.receive()).data == "hello"
            reader = asyncio.ensure_future(rest(ws)) if waits else None
            await asyncio.sleep(0)
            server.together()
            assert await (reader or rest(ws)) == texts
            assert lost(ws)


@COUNTS
async def test_data_and_reset_while_reading_is_paused(connect, tls, count):
    texts = numbered(count)

    def script(sock, head):
        sock.sendall(head + frame(TEXT, b"hello"))
        server.wait()
        sock.sendall(frames(texts))
        reset(sock)

    with Resetting(script, tls[0]) as server:
        async with connect(server.url) as ws:
            assert (await ws.receive()).data == "hello"
            ws.pause_reading()
            server.together()
            await asyncio.sleep(0.01)  # the loop looks, and must not find
            ws.resume_reading()
            received = await rest(ws)
            # What the loops' own TLS transports have read while they are paused, they lose.
            own = isinstance(ws, aiohttp.ClientWebSocketResponse) and tls[0]
            assert received == (texts[: len(received)] if own else texts)
            assert lost(ws)


async def test_a_reset_after_bytes_that_the_server_has_not_read(connect, tls):
    def script(sock, head):
        sock.sendall(head + frame(TEXT, b"hello"))
        server.wait()
        sock.sendall(frames(["last", "words"]))
        # Closing with something unread resets.

    with Resetting(script, tls[0]) as server:
        async with connect(server.url) as ws:
            assert (await ws.receive()).data == "hello"
            await ws.send_str("never read")
            server.together()
            assert await rest(ws) == ["last", "words"]
            assert lost(ws)


@COUNTS
async def test_a_reset_right_after_the_handshake(connect, tls, count):
    texts = numbered(count)

    def script(sock, head):
        sock.sendall(head + frames(texts))
        reset(sock)

    with Resetting(script, tls[0]) as server:
        try:
            async with connect(server.url) as ws:
                assert await rest(ws) == texts
                assert lost(ws)
        except (ClientError, aiohttp.ClientError):
            pass  # the end was seen before the handshake was


async def test_reconnect_goes_on_after_a_reset_right_after_the_handshake(tls):
    def script(sock, head):
        sock.sendall(head)
        reset(sock)

    options = {"ssl": tls[1]} if tls[1] else {}
    with Resetting(script, tls[0]) as server:
        events = []

        def tell(event):
            events.append(event.state)

        async with asyncio.timeout(30):
            async with contextlib.aclosing(
                reconnect(server.url, reconnect_delays=lambda: [0] * 5, on_state=tell, **options)
            ) as attempts:
                with contextlib.suppress(ClientError):  # the last attempt's
                    async for ws in attempts:
                        assert await rest(ws) == []
        assert events.count("connecting") == 6


@pytest.mark.parametrize("opens", [ws_connect, adapted])
async def test_a_server_that_is_killed_at_work(opens):
    for _ in range(5):
        server = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE)  # noqa: ASYNC220
        with server:
            port = int(server.stdout.readline())
            async with opens(f"ws://127.0.0.1:{port}/") as ws, asyncio.timeout(30):
                for _ in range(20):
                    await ws.send_str("more")
                await ws.receive()
                server.send_signal(signal.SIGKILL)
                server.wait()
                await rest(ws)
                assert lost(ws)
