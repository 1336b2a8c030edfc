"""Both sides send much at the same time: each must go on reading, or both wait for ever."""

import asyncio

import aiohttp
import pytest
from tests.conftest import BINARY, CLOSE, PING, PONG, frame
from websockets.asyncio.server import serve as websockets_serve

import wsclient.aiohttp
from wsclient import Heartbeat, ws_connect

MiB = 1024 * 1024
MUCH = 16 * MiB


async def take(ws, count):
    """Receive that many binary messages; returns their sizes."""
    return [len(await ws.receive_bytes()) for _ in range(count)]


@pytest.mark.parametrize(
    "options", [{}, {"heartbeat": Heartbeat(0.05, timeout=30)}, {"compress": 15}]
)
@pytest.mark.parametrize("size", [MUCH, 64 * 1024, 1024])
async def test_a_server_that_pings_and_sends_before_it_reads_on(scripted, size, options):
    count = MUCH // size

    async def script(wire):
        await wire._reader.readexactly(14)
        await wire.send(
            frame(PING, b"first"), frame(BINARY, bytes(size)) * count, frame(PING, b"last")
        )
        pongs, received = [], 0
        while (got := await wire.receive()).opcode != CLOSE:
            if got.opcode == PONG:
                pongs.append(got.payload)
            elif got.opcode == PING:
                await wire.send(frame(PONG, got.payload))
            else:
                received += 1
        await wire.send(frame(CLOSE, got.payload))
        outcome.set_result((pongs, received))

    outcome = asyncio.get_running_loop().create_future()
    # The first 14 bytes are not a frame's border for the server, which reads on from there.
    async with asyncio.timeout(60):
        ws = await ws_connect(await scripted(script), max_msg_size=0, **options)
        reader = asyncio.create_task(take(ws, count))
        await ws.send_bytes(b"8 bytes.")
        for _ in range(count):
            await ws.send_bytes(bytes(size), compress=0 if options.get("compress") else None)
        assert await reader == [size] * count
        await ws.close()
        pongs, received = await outcome
    assert pongs[-1] == b"last"
    assert received == count


@pytest.mark.parametrize("adapted", [False, True])
async def test_a_server_with_keepalive_and_large_messages(adapted):
    async def handler(ws):
        async def push():
            for _ in range(30):
                await ws.send(bytes(MiB))

        pushing = asyncio.create_task(push())
        for _ in range(30):
            await ws.recv()
        await pushing

    async with (
        asyncio.timeout(60),
        websockets_serve(handler, "127.0.0.1", 0, max_size=None, ping_interval=0.01) as server,
        aiohttp.ClientSession() as session,
    ):
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        opening = (
            wsclient.aiohttp.ws_connect(session, url, max_msg_size=0)
            if adapted
            else ws_connect(url, max_msg_size=0)
        )
        async with opening as ws:
            reader = asyncio.create_task(take(ws, 30))
            for _ in range(30):
                await ws.send_bytes(bytes(MiB))
            assert await reader == [MiB] * 30
