"""Whether an installed wsclient works: it talks to a server of its own, on every event loop here.

Run by the interpreter of the environment that it is installed in. Needs nothing but wsclient.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import platform
import sys
import zlib
from importlib.metadata import files, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import wsclient
from wsclient import framing
from wsclient.distribution import NAME

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, StreamReader, StreamWriter
    from collections.abc import Callable

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3
CLOSE = 8
MESSAGES: list[str | bytes] = [
    "",
    "hello",
    "naïve Καλημέρα 🎉" * 1000,
    b"",
    bytes(range(256)) * 4000,
]
PUSHED = "pushed" * 50


async def serve(reader: StreamReader, writer: StreamWriter) -> None:
    """Push a compressed message, then echo everything, the close frame too."""
    head = await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
    accept = base64.b64encode(hashlib.sha1(fields[b"Sec-WebSocket-Key"] + GUID).digest())
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )
    compressor = zlib.compressobj(wbits=-15)
    data = compressor.compress(PUSHED.encode()) + compressor.flush(zlib.Z_SYNC_FLUSH)
    writer.write(framing.encode_frame(1, data[:-4], rsv=4, mask=False))  # RFC 7692 §7.2.1
    received = b""
    while True:
        while (parsed := framing.parse_frame(received)) is None:
            received += await reader.read(1 << 16)
        frame, size = parsed
        received = received[size:]
        echo = framing.encode_frame(frame.opcode, frame.payload, rsv=frame.rsv, mask=False)
        writer.write(echo)
        if frame.opcode == CLOSE:
            writer.close()
            return


async def talk() -> None:
    """Send every message and have it back."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with server, asyncio.timeout(60), wsclient.ws_connect(url, compress=15) as ws:
        expect(await ws.receive_str(), PUSHED)
        for message in MESSAGES:
            if isinstance(message, str):
                await ws.send_str(message)
            else:
                await ws.send_bytes(message)
            expect((await ws.receive()).data, message)
        await ws.close(code=4000, message=b"enough")
        expect((ws.close_code, ws.exception()), (4000, None))


def expect(found: object, expected: object) -> None:
    """End with an error if it is something else."""
    if found != expected:
        sys.exit(f"found {found!r:.100}, not {expected!r:.100}")


def loops() -> dict[str, Callable[[], AbstractEventLoop]]:
    """Return the event loops that there are on this system."""
    found: dict[str, Callable[[], AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
    if sys.platform == "win32":
        found = {"proactor": asyncio.ProactorEventLoop, "selector": asyncio.SelectorEventLoop}
    elif find_spec("uvloop"):
        import uvloop  # noqa: PLC0415 - where it is installed

        found["uvloop"] = uvloop.new_event_loop
    return found


def main() -> None:
    """Check what is installed, then talk."""
    expect(wsclient.__version__, version(NAME))
    installed = {path.name for path in files(NAME) or ()}
    expect({"py.typed", "LICENSE", "_core.pyi"} - installed, set())
    # Not the sources, which may lie beside.
    expect(Path(wsclient.__file__).parent.parent.name.endswith("-packages"), expected=True)
    for name, factory in loops().items():
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(talk())
        print(f"{NAME} {wsclient.__version__} works on {name}, {sys.version.split()[0]}", end=", ")
        print(platform.machine(), *platform.libc_ver())


if __name__ == "__main__":
    main()
