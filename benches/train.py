"""Traffic that the compiler is shown, so that it optimises for it: `make wheel` runs this (PGO).

Needs nothing but wsclient.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import ssl
import zlib
from typing import TYPE_CHECKING

import wsclient
from wsclient import framing

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3
DEFLATE = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
BATCH = 50

ASCII = '{"stream":"trade","symbol":"BTCUSDT","price":"67012.30","quantity":"0.0150"}' * 3
MIXED = "Καλημέρα, мир! Hello, naïve café. Ціна 42 ₴. " * 4
PAYLOADS: list[tuple[bytes | str, int]] = [
    (bytes(256), 4000),
    (ASCII, 4000),
    (MIXED, 1000),
    (bytes(20_000), 200),
    (bytes(1_000_000), 10),
]
"""What is exchanged, and how often."""


async def shake_hands(reader: StreamReader, writer: StreamWriter, *, deflate: bool) -> None:
    """Answer an opening handshake (RFC 6455 §4.2.2)."""
    head = await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
    accept = base64.b64encode(hashlib.sha1(fields[b"Sec-WebSocket-Key"] + GUID).digest())
    lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
    lines.append(f"Sec-WebSocket-Accept: {accept.decode()}")
    if deflate:
        lines.append(f"Sec-WebSocket-Extensions: {DEFLATE}")
    writer.write("\r\n".join([*lines, "", ""]).encode())


async def skip_frame(reader: StreamReader) -> None:
    """Read a client's frame (RFC 6455 §5.2)."""
    size = (await reader.readexactly(2))[1] & 0x7F
    if size > 125:  # noqa: PLR2004 - §5.2
        size = int.from_bytes(await reader.readexactly(2 if size == 126 else 8))  # noqa: PLR2004
    await reader.readexactly(4 + size)


def frame(payload: bytes | str, *, deflate: bool) -> bytes:
    """Encode a message as a server sends it."""
    opcode, data = (2, payload) if isinstance(payload, bytes) else (1, payload.encode())
    if not deflate:
        return framing.encode_frame(opcode, data, mask=False)
    compressor = zlib.compressobj(wbits=-15)
    data = (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]  # RFC 7692 §7.2.1
    return framing.encode_frame(opcode, data, rsv=4, mask=False)


def anonymous(protocol: int) -> ssl.SSLContext:
    """Return a context for TLS in which nobody has a certificate.

    Raises:
        ssl.SSLError: OpenSSL was built without that.
    """
    context = ssl.SSLContext(protocol)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("aNULL:@SECLEVEL=0")
    return context


async def take(ws: wsclient.ClientWebSocketResponse, payload: bytes | str, count: int) -> None:
    """Have a payload echoed, then take what is pushed."""
    if isinstance(payload, bytes):
        send, receive, receive_many = ws.send_bytes, ws.receive_bytes, ws.receive_many_bytes
    else:
        send, receive, receive_many = ws.send_str, ws.receive_str, ws.receive_many_str
    for _ in range(count):
        await send(payload)
        await ws.receive()
    pushed = count // BATCH * BATCH
    for _ in range(pushed):
        await ws.receive()
    for _ in range(pushed):
        await receive()
    taken = 0
    while taken < 2 * pushed:
        taken += len(await receive_many())
    while not ws.closed:
        await ws.receive_many()


async def exchange(
    payload: bytes | str, count: int, *, deflate: bool = False, tls: bool = False
) -> None:
    """Send and receive a payload in turn, then have it pushed, and take it in every way."""
    one = frame(payload, deflate=deflate)
    close = framing.encode_frame(8, framing.encode_close(1000), mask=False)

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        await shake_hands(reader, writer, deflate=deflate)
        for _ in range(count):
            await skip_frame(reader)
            writer.write(one)
        for _ in range(6 * (count // BATCH)):
            writer.write(one * BATCH)
            await writer.drain()
        writer.write(close)
        await skip_frame(reader)
        writer.close()

    ours, theirs = None, True
    if tls:
        ours, theirs = anonymous(ssl.PROTOCOL_TLS_SERVER), anonymous(ssl.PROTOCOL_TLS_CLIENT)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=ours)
    address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    url = f"wss://{address}" if tls else f"ws://{address}"
    async with (
        server,
        wsclient.ws_connect(url, ssl=theirs, compress=15 if deflate else 0, max_msg_size=0) as ws,
    ):
        await take(ws, payload, count)


async def train(share: int) -> None:
    """Exchange everything."""
    for payload, count in PAYLOADS:
        for deflate in (False, True):
            await exchange(payload, count // share, deflate=deflate)
        await exchange(payload, count // share, tls=True)


def main() -> None:
    """Exchange as much as is asked for."""
    parser = argparse.ArgumentParser(description="Exchange messages with a server of its own.")
    parser.add_argument("--share", type=int, default=1, help="only one in so many (default: 1)")
    asyncio.run(train(parser.parse_args().share))


if __name__ == "__main__":
    main()
