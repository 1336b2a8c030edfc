"""What the adapter for websockets does that side by side cannot show."""

import asyncio
import gc
import weakref

import pytest
import websockets.asyncio.client
from tests.conftest import BINARY, CLOSE, TEXT, frame
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK

import wsclient.websockets

CONTINUATION = 0


async def echo(connection):
    async for message in connection:
        await connection.send(message)


def url_of(server):
    return f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def test_install_reaches_what_was_imported_before():
    connect = websockets.asyncio.client.connect
    theirs = websockets.asyncio.client.ClientConnection
    async with serve(echo, "127.0.0.1", 0) as server:
        with wsclient.websockets.install():
            assert wsclient.websockets.install() is not None
            async with connect(url_of(server)) as websocket:
                assert isinstance(websocket, wsclient.websockets.ClientConnection)
                assert isinstance(websocket, theirs)
                await websocket.send("hello")
                assert await websocket.recv() == "hello"
        async with connect(url_of(server)) as websocket:
            assert type(websocket) is theirs
    wsclient.websockets.uninstall()


async def test_what_else_has_changed_is_told(monkeypatch):
    monkeypatch.setattr(websockets.asyncio.client, "ClientConnection", object)
    with pytest.raises(RuntimeError, match="changed by something else"):
        wsclient.websockets.install()


async def test_close_where_the_server_does_not_read(scripted):
    over = asyncio.Event()

    async def script(_):
        await over.wait()

    url = await scripted(script)
    ws = await wsclient.websockets.connect(url, close_timeout=0.2, ping_interval=None)
    sending = asyncio.ensure_future(ws.send(bytes(64 << 20)))
    await asyncio.sleep(0)
    async with asyncio.timeout(30):
        await ws.close()
        with pytest.raises(ConnectionClosedError):
            await sending
    over.set()


async def test_the_keepalive_finds_a_server_dead_that_does_not_read(scripted):
    over = asyncio.Event()

    async def script(_):
        await over.wait()

    ws = await wsclient.websockets.connect(
        await scripted(script), ping_interval=0.05, ping_timeout=0.05, close_timeout=0.05
    )
    sending = [asyncio.ensure_future(ws.send(bytes(16 << 20))) for _ in range(3)]
    async with asyncio.timeout(30):
        for task in sending:
            with pytest.raises(ConnectionClosedError, match="keepalive ping timeout"):
                await task
    over.set()


async def test_a_message_whose_sending_is_interrupted(scripted):
    frames = []

    async def script(wire):
        while (received := await wire.receive()) is not None:
            frames.append((received.opcode, received.fin, received.payload[:2]))
            if received.opcode == CLOSE:
                return

    async def fragments():
        yield "on"
        await asyncio.Event().wait()

    url = await scripted(script)
    ws = await wsclient.websockets.connect(url, ping_interval=None)
    sending = ws.send(fragments())
    sending.send(None)
    with pytest.raises(KeyboardInterrupt):
        sending.throw(KeyboardInterrupt)
    async with asyncio.timeout(30):
        await ws.wait_closed()
    assert frames == [(TEXT, False, b"on"), (CLOSE, True, b"\x03\xf3")]


async def test_the_rest_of_a_message_that_is_left(scripted):
    async def script(wire):
        await wire.send(frame(TEXT, b"1", fin=False))
        await wire.send(frame(CONTINUATION, b"2"), frame(BINARY, b"3"))
        await wire.send(frame(CLOSE, b"\x03\xe8"))
        await wire.end()

    async with wsclient.websockets.connect(await scripted(script)) as ws:
        async for _ in ws.recv_streaming():
            break
        gc.collect()
        await asyncio.sleep(0)
        assert await ws.recv() == b"3"


async def test_nothing_is_left_of_a_connection():
    async with serve(echo, "127.0.0.1", 0) as server:
        connection = await wsclient.websockets.connect(url_of(server))
        kept = weakref.ref(connection)
        await connection.close()
        del connection
        gc.collect()
        assert kept() is None


async def test_a_pong_of_a_connection_that_is_forgotten(scripted):
    async def script(wire):
        await wire.receive()

    ws = await wsclient.websockets.connect(await scripted(script), ping_interval=None)
    pong = await ws.ping()
    del ws
    gc.collect()
    async with asyncio.timeout(30):
        with pytest.raises(ConnectionClosedError, match="no close frame"):
            await pong


@pytest.mark.parametrize("use", ["recv", "send", "iterate"])
async def test_a_finalizer_uses_what_is_collected_with_it(use):
    told = []

    class Held:
        """Garbage in a circle with a connection."""

        def __init__(self, connection):
            self.connection, self.me = connection, self

        def __del__(self):
            connection = self.connection
            awaitable = {
                "recv": connection.recv,
                "send": lambda: connection.send("late"),
                "iterate": lambda: anext(aiter(connection)),
            }[use]()
            try:
                awaitable.send(None)
            except (ConnectionClosedOK, StopAsyncIteration) as error:
                told.append(error)
            finally:
                awaitable.close()

    async with serve(echo, "127.0.0.1", 0) as server:
        connection = await wsclient.websockets.connect(url_of(server))
        await connection.close()
        connection.held = Held(connection)
        del connection
        gc.collect()
    (error,) = told
    assert isinstance(error, StopAsyncIteration if use == "iterate" else ConnectionClosedOK)


@pytest.mark.parametrize(
    "use",
    [
        lambda ws: ws.send("text"),
        lambda ws: ws.send(["in ", "fragments"]),
        lambda ws: ws.ping(),
        lambda ws: ws.pong(b"x"),
        lambda ws: ws.close(),
        lambda ws: ws.recv(),
        lambda ws: anext(ws.recv_streaming()),
    ],
    ids=["send", "send fragments", "ping", "pong", "close", "recv", "recv_streaming"],
)
async def test_another_thread_is_refused_and_ends_nothing(use):
    async def there(ws):
        await use(ws)

    async with serve(echo, "127.0.0.1", 0) as server:
        async with wsclient.websockets.connect(url_of(server)) as ws:
            with pytest.raises(RuntimeError, match="from another thread than the event loop's"):
                await asyncio.to_thread(lambda: asyncio.run(there(ws)))
            await ws.send("after")
            assert await ws.recv() == "after"
        assert ws.close_code == 1000
