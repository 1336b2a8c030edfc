"""A server that dies as it is told, and clients that come back."""

import asyncio
import contextlib
import itertools
import ssl

from tests.conftest import accept

from wsclient import ClientWebSocketResponse, framing, reconnect

HELLO = framing.encode_frame(1, b"hello", mask=False)
CLOSE = framing.encode_frame(8, b"\x03\xe9", mask=False)


def at_once():
    return itertools.repeat(0)


class Server:
    """Plays the next of its scripts with each connection; the last one for ever."""

    def __init__(self, *scripts):
        self.scripts = list(scripts)
        self.played = 0
        self.writers = []

    async def play(self, reader, writer):
        self.writers.append(writer)
        script = self.scripts[min(self.played, len(self.scripts) - 1)]
        self.played += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            await script(reader, writer)
        writer.close()

    async def close(self):
        for writer in self.writers:
            writer.transport.abort()
        await asyncio.sleep(0)
        await asyncio.sleep(0)


def refusing(status, *fields):
    async def script(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write("\r\n".join([f"HTTP/1.1 {status} No", *fields, "", ""]).encode())

    return script


async def reset(reader, writer):
    writer.transport.abort()


async def hang_up_mid_request(reader, writer):
    await reader.read(10)
    writer.transport.abort()


async def hang_up_mid_answer(reader, writer):
    writer.write(accept(await reader.readuntil(b"\r\n\r\n"))[:50])


def opening(*data, then_reset=False, read=False):
    """Accept, send, and end."""

    async def script(reader, writer):
        writer.write(accept(await reader.readuntil(b"\r\n\r\n")) + b"".join(data))
        await writer.drain()
        if read:
            while await reader.read(1000):
                pass
        if then_reset:
            writer.transport.abort()

    return script


async def serve_well(reader, writer):
    """Accept, say hello, and answer the close frame."""
    writer.write(accept(await reader.readuntil(b"\r\n\r\n")) + HELLO)
    received = b""
    while data := await reader.read(1000):
        received += data
        while parsed := framing.parse_frame(received):
            frame, size = parsed
            received = received[size:]
            if frame.opcode == 8:
                writer.write(framing.encode_frame(8, frame.payload, mask=False))
                return


async def until_hello(url, **options):
    """Connect until a server says hello; return what was told on the way."""
    events = []
    options.setdefault("reconnect_delays", at_once)
    async with contextlib.aclosing(reconnect(url, on_state=events.append, **options)) as attempts:
        async for ws in attempts:
            assert isinstance(ws, ClientWebSocketResponse)
            async for msg in ws:
                if msg.data == "hello":
                    await ws.close()
                    return events
    raise AssertionError("the loop has ended")


async def never(reader, writer):
    """Accept the connection, and nothing else."""
    await reader.read()
