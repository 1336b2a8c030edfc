"""Connections that are reset: what arrived before is delivered, and the end is told."""

import asyncio
import contextlib
import signal
import subprocess
import sys

import aiohttp
import pytest
from tests.conftest import TEXT, frame

from wsclient import ClientError, reconnect, ws_connect

from .resetting import Greeting, Resetting, adapted, connect, lost, reset, rest, tls

__all__ = ["connect", "tls"]

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


FEW, MANY = 3, 9000
"""Messages; the many are more than the inbox takes, and less than the kernel's buffer."""


def numbered(count):
    return [f"{number:04x}" for number in range(count)]


def frames(texts):
    return b"".join(frame(TEXT, text.encode()) for text in texts)


COUNTS = pytest.mark.parametrize("count", [FEW, MANY])


@COUNTS
@pytest.mark.parametrize("waits", [False, True])
async def test_data_and_reset_that_come_together(connect, tls, count, waits):
    texts = numbered(count)

    with Greeting(tls[0], frames(texts), resets=True) as server:
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

    with Greeting(tls[0], frames(texts), resets=True) as server:
        async with connect(server.url) as ws:
            assert (await ws.receive()).data == "hello"
            ws.pause_reading()
            server.together()
            await asyncio.sleep(0.01)  # the loop looks, and must not find
            ws.resume_reading()
            assert await rest(ws) == texts
            assert lost(ws)


async def test_a_reset_after_bytes_that_the_server_has_not_read(connect, tls):
    # Closing with something unread resets.
    with Greeting(tls[0], frames(["last", "words"])) as server:
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
