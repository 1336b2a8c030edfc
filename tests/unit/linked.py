"""Both ends of one WebSocket, for tests that take turns between them."""

import asyncio
import contextlib
import socket
import sys
import threading

from tests.conftest import PING, PONG, accept, frame

from wsclient import ws_connect

TASKS = ("C task", "Python task", "Python task in debug mode")
if sys.version_info >= (3, 14):
    # asyncio.timeout() and asyncio.current_task() do not know of the others any more.
    TASKS = TASKS[:1]


@contextlib.contextmanager
def tasks_of(kind):
    """Let the running loop make its tasks of one of `TASKS`."""
    loop = asyncio.get_running_loop()
    debug = loop.get_debug()
    if kind != "C task":
        loop.set_task_factory(
            lambda loop, coro, **options: asyncio.tasks._PyTask(coro, loop=loop, **options)
        )
    loop.set_debug("debug" in kind)
    yield
    loop.set_task_factory(None)
    loop.set_debug(debug)


async def deliver(wire, *frames):
    """Send frames, and return when the client has read and parsed them."""
    await wire.send(*frames, frame(PING, b"delivered?"))
    while True:
        received = await wire.receive()
        if (received.opcode, received.payload) == (PONG, b"delivered?"):
            return


async def gone(ws):
    """Wait until the connection is lost."""
    lost = ws._connection.wait_lost()
    if lost is not None:
        await lost


@contextlib.asynccontextmanager
async def linked(scripted, **options):
    """Open a WebSocket and yield it with the server's `Wire`; drop both in the end.

    A body that waits for what never comes ends with a TimeoutError.
    """
    wires = asyncio.Queue()
    over = asyncio.Event()

    async def script(wire):
        wires.put_nowait(wire)
        await over.wait()

    ws = await ws_connect(await scripted(script), **options)
    try:
        async with asyncio.timeout(30):
            yield ws, await wires.get()
    finally:
        over.set()
        ws._connection.abort()
        await gone(ws)


def shake_hands(sock, extensions=None):
    """Answer the opening handshake, as a server."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += sock.recv(65536)
    sock.sendall(accept(request, Sec_WebSocket_Extensions=extensions))


@contextlib.contextmanager
def threaded(script):
    """Serve one connection with `script(sock)` on a thread, and yield the URL.

    For tests that count or block what their event loop does. An error of the script fails the
    test when the context ends.
    """
    failures = []

    def serve():
        try:
            sock, _ = listener.accept()
            with sock:
                sock.settimeout(10)
                shake_hands(sock)
                script(sock)
        except Exception as error:  # noqa: BLE001 - raised below
            failures.append(error)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            thread.join(10)
    assert not thread.is_alive()
    if failures:
        raise failures[0]
