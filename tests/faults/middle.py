"""A man in the middle of TCP: it passes bytes on until it is told what goes wrong."""

import asyncio
import contextlib
import socket
import struct

FAULTS = ("delay", "split", "coalesce", "cut", "reset", "half-open", "stall")
HARMLESS = {"delay", "split", "coalesce"}
PAUSE = 0.03
"""Seconds by which bytes are late."""
SINGLE = 300
"""Bytes that come one by one, of as many as are passed on at a time."""


class Middle:
    """Stands between clients and the server on a port; nothing is ever reordered.

    What the server sends is what a fault strikes, from some byte on:

    - delay: every piece comes late
    - split: its first bytes come one by one
    - coalesce: what comes within some time comes at once
    - cut: nothing more comes but the end of the stream
    - reset: the connection is reset
    - half-open: nothing more comes; what the client sends is taken, and lost
    - stall: nothing more comes, and what the client sends is not taken
    """

    def __init__(self, port):
        self.port = port
        self.at_accept = None
        self.fault = None
        self.before = 0
        self.struck = asyncio.Event()
        self.tasks = set()
        self.sockets = set()

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.accept, "127.0.0.1", 0)
        self.own_port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for writer in self.sockets:
            writer.transport.abort()
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    def strike(self, fault, after=0):
        """Let `after` bytes more come from the server, then the fault."""
        self.fault, self.before = fault, after
        if after == 0 and fault not in HARMLESS:
            # Not only when the server sends again.
            self.tasks.add(asyncio.ensure_future(self.ruin()))

    async def accept(self, reader, writer):
        self.sockets.add(writer)
        self.client = writer
        if self.at_accept is not None:
            self.fault, self.before = self.at_accept, 0
            if self.fault not in HARMLESS:
                await self.ruin()
                return
        there, upstream = await asyncio.open_connection("127.0.0.1", self.port)
        self.sockets.add(upstream)
        self.upstream = upstream
        for pump in (self.pass_on(reader, upstream), self.bring_back(there, writer)):
            task = asyncio.ensure_future(pump)
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def pass_on(self, reader, writer):
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                if self.struck.is_set():
                    if self.fault == "stall":
                        await asyncio.Event().wait()
                    continue
                writer.write(data)
                await writer.drain()
            writer.close()

    async def bring_back(self, reader, writer):
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                if self.fault is None:
                    writer.write(data)
                    continue
                if self.before:
                    whole, data = data[: self.before], data[self.before :]
                    self.before -= len(whole)
                    writer.write(whole)
                    await writer.drain()
                if data and not self.struck.is_set():
                    await self.harm(reader, writer, data)
            if not self.struck.is_set():
                writer.close()

    async def harm(self, reader, writer, data):
        if self.fault not in HARMLESS:
            await self.ruin()
        elif self.fault == "split":
            for start in range(min(SINGLE, len(data))):
                writer.write(data[start : start + 1])
                # Each byte in a segment of its own, which the client reads by itself.
                await asyncio.sleep(0)
            writer.write(data[SINGLE:])
        else:
            await asyncio.sleep(PAUSE)
            if self.fault == "coalesce" and not reader.at_eof():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(PAUSE):
                        data += await reader.read(65536)
            writer.write(data)

    async def ruin(self):
        self.struck.set()
        if self.fault == "cut":
            # What the client still sends is read, lest it be answered by a reset.
            self.client.write_eof()
        elif self.fault == "reset":
            sock = self.client.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.client.transport.abort()
