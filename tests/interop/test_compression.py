"""permessage-deflate with real servers: what is negotiated, and that every message arrives."""

import asyncio
import itertools

import pytest
from websockets.asyncio.server import serve as websockets_serve
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

from wsclient import MsgType, PerMessageDeflate, ws_connect

SETTINGS = {
    "aiohttp-15": 15,
    "aiohttp-9": 9,
    "alone": PerMessageDeflate(server_no_context_takeover=True, client_no_context_takeover=True),
    "server-alone": PerMessageDeflate(server_no_context_takeover=True, level=6),
    "client-alone": PerMessageDeflate(client_no_context_takeover=True, min_size=100),
    "small-windows": PerMessageDeflate(server_max_window_bits=9, client_max_window_bits=9),
}
MESSAGES = [
    *(f'{{"symbol":"BTCUSDT","price":"{64000 + n}.5","size":"0.{n:03}"}}' for n in range(200)),
    "",
    b"",
    "\u20ac\U0001f600" * 50_000,
    bytes(range(256)) * 10_000,
    bytes(3_000_000),
]


async def exchange(ws, peer_done):
    """Send all messages, each in the shadow of the one before, and take them back."""

    async def send():
        for number, message in enumerate(MESSAGES):
            compress = 0 if number % 7 == 3 else None
            if isinstance(message, str):
                await ws.send_str(message, compress)
            else:
                await ws.send_bytes(message, compress)

    sending = asyncio.create_task(send())
    for message in MESSAGES:
        received = await ws.receive()
        assert received.tp is (MsgType.text if isinstance(message, str) else MsgType.binary)
        # No assertion on the values, whose report would spell them out.
        differs = received.data != message
        assert not differs
    await sending
    peer_done.set()


@pytest.mark.parametrize("compress", SETTINGS.values(), ids=SETTINGS)
async def test_every_message_arrives(link, compress):
    done = asyncio.Event()

    async def script(peer):
        for _ in MESSAGES:
            await peer.send(await peer.receive())
        await done.wait()

    async with link(script, compress=compress) as ws:
        assert "permessage-deflate" in ws.response.headers["Sec-WebSocket-Extensions"]
        assert ws.compress
        await exchange(ws, done)


@pytest.mark.parametrize(
    ("server_alone", "client_alone", "bits"),
    [*itertools.product([False, True], [False, True], [9, 12, 15])],
)
async def test_what_the_server_wants(server_alone, client_alone, bits):
    """The server sets its own terms: all that §7.1 lets it."""
    done = asyncio.Event()

    async def echo(ws):
        async for message in ws:
            await ws.send(message)
        await done.wait()

    factory = ServerPerMessageDeflateFactory(
        server_no_context_takeover=server_alone,
        client_no_context_takeover=client_alone,
        server_max_window_bits=bits,
        client_max_window_bits=bits,
    )
    options = {"compression": None, "max_size": None, "extensions": [factory]}
    async with websockets_serve(echo, "127.0.0.1", 0, **options) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        async with ws_connect(url, compress=15) as ws:
            assert (ws.compress, ws.client_notakeover) == (bits, client_alone)
            await exchange(ws, done)


async def test_a_server_that_does_not_compress():
    async def echo(ws):
        await ws.send(await ws.recv())

    async with websockets_serve(echo, "127.0.0.1", 0, compression=None) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        async with ws_connect(url, compress=15) as ws:
            assert ws.compress == 0
            await ws.send_str("plain")
            assert await ws.receive_str() == "plain"
