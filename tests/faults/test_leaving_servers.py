"""Servers that leave while this side sends: it is told at once, and hears their last words."""

import asyncio
import contextlib
import errno
import gc
import socket
import weakref

import aiohttp
import pytest
from tests.conftest import BINARY, CLOSE, TEXT, accept, frame

from wsclient import (
    ClientConnectionResetError,
    ClientError,
    MsgType,
    TCPConnector,
    framing,
    ws_connect,
)

from .resetting import Greeting, adapted, connect, lost, rest, tls

pytestmark = pytest.mark.slow

__all__ = ["connect", "tls"]

RESETS = (ClientConnectionResetError, aiohttp.ClientConnectionResetError)
GOODBYE = frame(TEXT, b"last") + frame(TEXT, b"words") + frame(CLOSE, b"\x0f\xa1bye")


async def test_a_loop_of_sends_ends_when_the_server_has_left(connect, tls):
    with Greeting(tls[0]) as server:
        async with connect(server.url) as ws:
            await ws.receive()
            server.together()
            with pytest.raises(RESETS, match=r"closed|lost|Cannot write to closing transport"):
                # The loop is given no turn, unless a send waits.
                for _ in range(1_000_000):
                    await ws.send_bytes(b"still there?")
            for _ in range(3):
                with pytest.raises(RESETS):
                    await ws.send_bytes(b"and now?")
            await rest(ws)
            assert lost(ws)


async def test_sends_that_nobody_awaits_end_too(tls):
    # The adapter's have to be awaited.
    with Greeting(tls[0]) as server:
        async with ws_connect(server.url, ssl=tls[1] or True) as ws:
            await ws.receive()
            server.together()
            with pytest.raises(RESETS):
                for _ in range(2000):
                    ws.send_bytes(bytes(10_000))
            await rest(ws)


@pytest.fixture(params=["native", "adapter"])
def opens(request):
    return ws_connect if request.param == "native" else adapted


@pytest.mark.parametrize("paused", [False, True])
@pytest.mark.parametrize("words", [1, 20_000])
async def test_last_words_outlive_a_send_that_fails(opens, words, paused):
    with Greeting(last=frame(TEXT, b"") * words + GOODBYE) as server:
        async with opens(server.url) as ws:
            await ws.receive()
            if paused:
                ws.pause_reading()
            server.together()
            with pytest.raises(RESETS):
                while True:
                    await ws.send_bytes(b"still there?")
            texts = await rest(ws)
            assert texts == [""] * words + ["last", "words"]
            assert (ws.close_code, ws.close_reason) == (4001, "bye")
            assert ws.exception() is None


async def test_last_words_outlive_a_backlog_that_cannot_be_sent(opens):
    with Greeting(last=GOODBYE) as server:
        async with opens(server.url) as ws:
            await ws.receive()
            ws.pause_reading()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.1):
                    await ws.send_bytes(bytes(20_000_000))
            server.together()
            assert await rest(ws) == ["last", "words"]
            assert ws.close_code == 4001


class Full(asyncio.Protocol):
    """A loop's method that fails once it is told to."""

    def __init__(self, monkeypatch, method):
        self.error = None
        loop = asyncio.get_running_loop()
        real = getattr(loop, method)

        def sometimes(*args):
            if self.error is not None:
                raise self.error
            return real(*args)

        monkeypatch.setattr(loop, method, sometimes, raising=False)

    @staticmethod
    def raising(error):
        def fail(*_):
            raise error

        return fail


@pytest.mark.parametrize("batches", [False, True])
async def test_a_loop_that_cannot_watch_the_socket_any_more(scripted, monkeypatch, batches):
    ready = asyncio.Event()

    async def script(wire):
        await wire.send(frame(BINARY, bytes(100)) * 20_000)
        ready.set()
        await wire.end()

    add_reader = Full(monkeypatch, "add_reader")
    async with asyncio.timeout(30), ws_connect(await scripted(script)) as ws:
        while not ws._connection.reading_paused:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0)
        add_reader.error = OSError(errno.ENOSPC, "no space for another watch")
        received = 0
        while not ws.closed:
            messages = await ws.receive_many() if batches else [await ws.receive()]
            received += sum(msg.type == MsgType.BINARY for msg in messages)
        assert received > 1000
        assert "no space" in str(ws.exception())
        assert (await ws.receive()).type == MsgType.CLOSED
        add_reader.error = None


async def test_a_transport_that_cannot_resume_loses_nothing_that_was_taken(scripted):
    async def script(wire):
        await wire.send(frame(BINARY, bytes(100)) * 20_000)
        await wire.end()

    async with asyncio.timeout(30), ws_connect(await scripted(script)) as ws:
        while not ws._connection.reading_paused:  # noqa: ASYNC110
            await asyncio.sleep(0)
        transport = next(o for o in gc.get_referents(ws._connection) if hasattr(o, "write"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(transport), "resume_reading", refuse)
            messages = []
            while (msg := await ws.receive()).type == MsgType.BINARY:
                messages.append(msg)
        assert ws.stats.messages_received == len(messages)
        assert "no space" in str(ws.exception())


def refuse(_):
    raise OSError(errno.ENOSPC, "no space for another watch")


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "no space"), MemoryError("no space")])
async def test_a_frame_of_which_a_part_has_left_is_the_last(scripted, monkeypatch, error):
    read_on = asyncio.Event()

    async def script(wire):
        await wire.send(frame(TEXT, b"hello"))
        await read_on.wait()
        await wire.end()

    async with asyncio.timeout(30), ws_connect(await scripted(script)) as ws:
        monkeypatch.setattr(asyncio.get_running_loop(), "add_writer", Full.raising(error))
        with pytest.raises(ClientConnectionResetError):
            ws.send_bytes(bytes(20_000_000))
        monkeypatch.undo()
        with pytest.raises(ClientConnectionResetError):
            ws.send_bytes(b"b")
        read_on.set()
        assert (await ws.receive()).data == "hello"
        assert (await ws.receive()).type == MsgType.CLOSED
        assert "no space" in str(ws.exception())


async def test_a_frame_waits_for_the_rest_of_a_huge_request():
    """A server may say 101 before it has read all fields."""
    huge = {"X-Huge": "h" * 10_000_000}
    received = asyncio.get_running_loop().create_future()

    async def serve(reader, writer):
        request = b""
        while b"\r\n" not in request.partition(b"Sec-WebSocket-Key")[2]:
            request += await reader.read(1000)
        writer.write(accept(request) + frame(TEXT, b"hello"))
        await writer.drain()
        await go.wait()
        while framing.parse_frame(request.partition(b"\r\n\r\n")[2]) is None:
            request += await reader.read(1_000_000)
        received.set_result(request)
        writer.close()

    go = asyncio.Event()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with server, asyncio.timeout(30), ws_connect(url, headers=huge) as ws:
        await ws.receive()
        ws.send_str("first")
        go.set()
        request = await received
        head, _, frames = request.partition(b"\r\n\r\n")
        assert len(head) > 10_000_000
        assert framing.parse_frame(frames)[0].payload == b"first"


class Node:
    """A part of a reference cycle, which may say goodbye."""

    def __init__(self, ws, *, sends):
        self.ws = ws
        ws.node = self
        self.sends = sends

    def __del__(self):
        if self.sends:
            with contextlib.suppress(ClientError, RuntimeError, aiohttp.ClientError):
                self.ws.send_str("goodbye")


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.parametrize("sends", [False, True])
async def test_one_forgotten_in_a_cycle_while_reading_is_paused(tls, sends, no_leak):
    options = {"ssl": tls[1]} if tls[1] else {}
    with Greeting(tls[0]) as server:
        connector = TCPConnector(limit=1)
        gc.collect()
        for _ in range(3):
            ws = await ws_connect(server.url, connector=connector, **options)
            await ws.receive()
            ws.pause_reading()
            node, gone = Node(ws, sends=sends), weakref.ref(ws)
            server.go.set()
            del ws, node
            gc.disable()
            try:
                gc.collect()
                # Whatever numbers have become free are a stranger's.
                strangers = [socket.socketpair() for _ in range(5)]
            finally:
                gc.enable()
            assert gone() is None
            await asyncio.sleep(0.01)
            with contextlib.ExitStack() as stack:
                for sock in [stack.enter_context(sock) for pair in strangers for sock in pair]:
                    sock.setblocking(False)
                    with pytest.raises(BlockingIOError):
                        sock.recv(100)
        # The place in the limit was given back each time, or this would not come so far.
