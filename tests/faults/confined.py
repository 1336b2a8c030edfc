"""A client in a process of its own that may take 300 MiB more than it has.

    python confined.py asyncio text 400

Receives a small message, one of so many MiB, and a small one, or sends them. Writes as JSON what
came of it.
"""

import asyncio
import json
import re
import resource
import sys
import zlib
from pathlib import Path

from tests.conftest import BINARY, CLOSE, TEXT, frame
from tests.faults.starved import LOOPS, listen, served
from tests.unit.linked import gone

from wsclient import MsgType, ws_connect

MEBIBYTE = 1024 * 1024
ROOM = 300 * MEBIBYTE
DEFLATED = "permessage-deflate"


def confine():
    """Take little more address space from now on."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    size = 1024 * int(re.search(r"VmSize:\s+(\d+) kB", status)[1])
    resource.setrlimit(resource.RLIMIT_AS, (size + ROOM, resource.RLIM_INFINITY))


def message(kind, count):
    """The large message, in pieces as they are sent."""
    piece = b"\xc3\xa9" * (MEBIBYTE // 2) if kind == "wide" else b"x" * MEBIBYTE
    opcode = BINARY if kind == "binary" else TEXT
    if kind == "deflate":
        deflate = zlib.compressobj(1, zlib.DEFLATED, -15)
        payload = b"".join(deflate.compress(piece) for _ in range(count))
        payload += deflate.flush(zlib.Z_SYNC_FLUSH)
        yield frame(TEXT, payload[:-4], rsv=4)
    elif kind == "fragments":
        yield frame(BINARY, piece, fin=False)
        for _ in range(count - 2):
            yield frame(0, piece, fin=False)
        yield frame(0, piece)
    else:
        yield bytes([0x80 | opcode, 127]) + (count * MEBIBYTE).to_bytes(8, "big")
        for _ in range(count):
            yield piece


def teller(kind, count):
    """A server that sends all, whether or not the client is still there."""

    def tell(sock, _pipe):
        sock.recv(100)
        try:
            sock.sendall(frame(TEXT, b"before"))
            for piece in message(kind, count):
                sock.sendall(piece)
            sock.sendall(frame(TEXT, b"after") + frame(CLOSE, b"\x03\xe8"))
            sock.recv(100)
        except OSError:
            pass

    return tell


async def receiving(url, _pipe):
    """Receive to the end."""
    sizes = []
    async with ws_connect(url, max_msg_size=0, compress=15) as ws:
        confine()
        ws.send_str("go", compress=0)
        while (message := await ws.receive()).tp in {MsgType.text, MsgType.binary}:
            assert set(message.data[:9]) <= set(b"x") | set("xébeforat")
            sizes.append(len(message.data))
            del message
        error = repr(ws.exception())
        return {"sizes": sizes, "code": ws.close_code, "error": error, "last": message.tp.name}


async def sending(url, pipe, kind, count):
    """Send the large message as another type, and small ones around it."""
    large = {"bytes": bytes, "text": lambda size: "0" * size}.get(kind, bytearray)(count * MEBIBYTE)
    if kind == "memoryview":
        large = memoryview(large)
    ws = await ws_connect(url, compress=15 if kind == "deflate" else 0)
    confine()
    failures = 0
    for data in ("   1", large, "   2"):
        try:
            if isinstance(data, str):
                ws.send_str(data)
            else:
                ws.send_bytes(data)
        except (MemoryError, ConnectionError) as error:
            failures += isinstance(error, MemoryError)
    pipe.sendall(b"!")
    failure = ws.exception()
    while ws.buffered_amount:  # noqa: ASYNC110 - it has no event
        await asyncio.sleep(0)
    ws._connection.abort()
    await gone(ws)
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    numbers, rest = json.loads(pipe.makefile().readline())
    return {"failures": failures, "error": repr(failure), "arrived": numbers, "rest": rest}


def main(loop, kind, count):
    """Be the client, and start its server."""
    sends = kind.startswith("send-")
    kind = kind.removeprefix("send-")
    script = listen if sends else teller(kind, count)
    extensions = DEFLATED if kind == "deflate" else None
    with (
        served(script, extensions=extensions) as (url, pipe),
        asyncio.Runner(loop_factory=LOOPS[loop]) as runner,
    ):
        said = runner.run(sending(url, pipe, kind, count) if sends else receiving(url, pipe))
    sys.stdout.write(json.dumps(said))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
