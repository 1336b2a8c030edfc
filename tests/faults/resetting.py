"""Servers on threads, which may leave while the event loop of the test stands still."""

import asyncio
import contextlib
import fcntl
import socket
import ssl
import struct
import termios
import threading
import time

import aiohttp
import pytest
import trustme
from tests.conftest import TEXT, accept, frame

import wsclient.aiohttp
from wsclient import ClientError, MsgType, ws_connect


def contexts(scheme):
    """What a server and a client of localhost take for `ssl`, for ws or wss."""
    if scheme == "ws":
        return None, True
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    return tls, trusted


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


class Greeting(Resetting):
    """Such a server that says hello, and when it may go on, these last words.

    Then it closes, with RST if it `resets`.
    """

    def __init__(self, tls=None, last=b"", *, resets=False):
        super().__init__(self.greet, tls)
        self.last = last
        self.resets = resets

    def greet(self, sock, head):
        sock.sendall(head + frame(TEXT, b"hello"))
        self.wait()
        sock.sendall(self.last)
        if self.resets:
            reset(sock)


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


def lost(ws):
    return ws.close_code == 1006 and isinstance(ws.exception(), (ClientError, aiohttp.ClientError))
