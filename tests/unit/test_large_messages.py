"""Messages that do not arrive in one read: received whole, whatever comes between and after."""

import asyncio
import hashlib
import resource
import socket
import ssl
import tracemalloc
from pathlib import Path

import pytest
import trustme
from tests.conftest import BINARY, CLOSE, PING, PONG, TEXT, frame, trusting

from wsclient import MsgType, ws_connect

from .linked import deliver, linked

SIZES = [65_535, 65_536, 262_144, 1_000_003, 5_000_000]


def payload(size):
    return (hashlib.sha256(size.to_bytes(8)).digest() * (size // 32 + 1))[:size]


async def in_pieces(wire, stream, size):
    for start in range(0, len(stream), size):
        await wire.send(stream[start : start + size])
        await asyncio.sleep(0)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("piece", [1_000_000_000, 70_001, 4_099])
async def test_received_whole_with_what_follows(scripted, size, piece):
    async def script(wire):
        stream = frame(TEXT, b"before") + frame(BINARY, payload(size)) + frame(TEXT, b"after")
        await in_pieces(wire, stream * 2, piece)
        await wire.answer_close()

    async with ws_connect(await scripted(script), max_msg_size=0) as ws:
        for _ in range(2):
            assert await ws.receive_str() == "before"
            assert await ws.receive_bytes() == payload(size)
            assert await ws.receive_str() == "after"


@pytest.fixture
def tls():
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(server)
    client = trusting(authority)
    return server, client


@pytest.mark.parametrize("size", SIZES)
async def test_received_whole_through_tls(tls, size):
    from websockets.asyncio.server import serve

    async def handler(ws):
        await ws.send(payload(size))
        await ws.send("after")
        await ws.wait_closed()

    async with serve(handler, "localhost", 0, ssl=tls[0], compression=None) as server:
        url = f"wss://localhost:{next(iter(server.sockets)).getsockname()[1]}/"
        async with ws_connect(url, ssl=tls[1], max_msg_size=0) as ws:
            assert await ws.receive_bytes() == payload(size)
            assert await ws.receive_str() == "after"


async def test_fragments_and_a_ping_between(scripted):
    whole = payload(600_000)

    async def script(wire):
        await wire.send(
            frame(BINARY, whole[:300_000], fin=False),
            frame(PING, b"?"),
            frame(0, whole[300_000:]),
        )
        assert (await wire.receive()).opcode == PONG
        await wire.answer_close()

    async with ws_connect(await scripted(script)) as ws:
        assert await ws.receive_bytes() == whole


async def test_an_empty_first_fragment(scripted):
    async def script(wire):
        await wire.send(frame(BINARY, b"", fin=False))
        await in_pieces(wire, frame(0, payload(300_000)), 50_000)
        await wire.answer_close()

    async with ws_connect(await scripted(script)) as ws:
        assert await ws.receive_bytes() == payload(300_000)


@pytest.mark.parametrize("size", [4 * 1024 * 1024, 4 * 1024 * 1024 + 1])
async def test_the_limit_holds(scripted, size):
    async def script(wire):
        await wire.send(frame(BINARY, bytes(size)))
        await wire.answer_close()
        await wire.end()

    async with ws_connect(await scripted(script)) as ws:
        msg = await ws.receive()
        if size > 4 * 1024 * 1024:
            assert msg.tp is MsgType.error
            assert ws.close_code == 1009
        else:
            assert len(msg.data) == size


async def test_lost_inside(scripted):
    async def script(wire):
        await wire.send(frame(TEXT, b"before"), frame(BINARY, payload(200_000))[:150_000])
        wire.reset()

    async with ws_connect(await scripted(script)) as ws:
        assert await ws.receive_str() == "before"
        assert (await ws.receive()).tp is MsgType.closed
        assert ws.close_code == 1006


@pytest.mark.parametrize("how", ["lost", "heartbeat"])
async def test_what_had_begun_is_let_go(scripted, how):
    """A message that will not be whole takes no memory after the connection's end."""

    async def script(wire):
        header = b"\x82\x7f" + (4 * 1024 * 1024).to_bytes(8)
        await wire.send(frame(TEXT, b"begun") + header + bytes(100_000))
        if how == "lost":
            wire.reset()
        else:
            await wire.end()

    url = await scripted(script)
    tracemalloc.start()
    try:
        ws = await ws_connect(url, heartbeat=0.05 if how == "heartbeat" else None)
        assert await ws.receive_str() == "begun"
        while (await ws.receive()).tp is not MsgType.closed:
            pass
        held = tracemalloc.take_snapshot().statistics("filename")
        assert max(found.size for found in held) < 1024 * 1024
    finally:
        tracemalloc.stop()


async def test_close_inside(scripted):
    """What comes after `close()` is for nobody, a message that had begun included."""

    async def script(wire):
        stream = frame(BINARY, payload(200_000))
        await wire.send(frame(TEXT, b"begun"), stream[:100_000])
        assert (await wire.receive()).opcode == CLOSE
        await wire.send(stream[100_000:], frame(CLOSE, b"\x03\xe8"))

    async with ws_connect(await scripted(script)) as ws:
        assert await ws.receive_str() == "begun"
        assert await ws.close()
        assert (await ws.receive()).tp is MsgType.closed
        assert ws.close_code == 1000


async def test_paused_inside(scripted):
    async def script(wire):
        await in_pieces(wire, frame(TEXT, b"begun") + frame(BINARY, payload(3_000_000)), 100_000)
        await wire.answer_close()

    async with ws_connect(await scripted(script)) as ws:
        assert await ws.receive_str() == "begun"
        for _ in range(5):
            ws.pause_reading()
            await asyncio.sleep(0)
            ws.resume_reading()
        assert await ws.receive_bytes() == payload(3_000_000)


async def test_a_part_that_waited_for_room(scripted):
    """What was read when the queue was full is not waited for again."""
    async with linked(scripted) as (ws, wire):
        small = [bytes([number]) * 2048 for number in range(250)]
        large = frame(BINARY, payload(1_000_000))
        stream = b"".join(frame(BINARY, data) for data in small) * 2 + large
        sending = asyncio.create_task(wire.send(stream[:-100_000]))
        for data in small * 2:
            assert await ws.receive_bytes() == data
            await asyncio.sleep(0)
        await sending
        await wire.send(stream[-100_000:], frame(TEXT, b"after"))
        assert await ws.receive_bytes() == payload(1_000_000)
        assert await ws.receive_str() == "after"


@pytest.mark.parametrize("end", ["eof", "reset", "close"])
async def test_an_end_that_comes_inside(scripted, end):
    async with linked(scripted, timeout=0.1) as (ws, wire):
        await deliver(wire)
        await wire.send(frame(BINARY, payload(1_000_000))[:10_000])
        await asyncio.sleep(0.01)
        if end == "close":
            await ws.close()
        elif end == "reset":
            wire.reset()
        else:
            wire.transport.write_eof()
        assert (await ws.receive()).tp is MsgType.closed
        assert ws.close_code == 1006


async def test_announced_sizes_take_no_memory(scripted):
    """A header that announces 4 MiB costs what was sent, not what was announced."""
    connections = 100
    go = asyncio.Event()

    async def script(wire):
        header = b"\x82\x7f" + (4 * 1024 * 1024).to_bytes(8)
        await wire.send(frame(TEXT, b"begun") + header + bytes(100))
        await go.wait()

    url = await scripted(script)
    before = resident()
    sockets = [await ws_connect(url) for _ in range(connections)]
    for ws in sockets:
        assert await ws.receive_str() == "begun"
    assert resident() - before < 16 * 1024 * 1024
    go.set()
    for ws in sockets:
        assert (await ws.receive()).tp is MsgType.closed


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


async def test_a_reset_is_named(scripted):
    async def script(wire):
        await wire.send(frame(TEXT, b"before"))
        linger = (1).to_bytes(4, "little") + bytes(4)
        wire.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, linger
        )
        wire.reset()

    async with ws_connect(await scripted(script)) as ws:
        assert await ws.receive_str() == "before"
        assert (await ws.receive()).tp is MsgType.closed
        assert "ConnectionResetError: [Errno 104] Connection reset" in str(ws.exception())
