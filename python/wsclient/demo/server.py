"""The demo's server: asks one question after the other, and after some seconds says ``close``.

It runs in a process of its own, so that it takes no turns of the client's event loop. HTTP is
done by hand here and trusts the demo's client; the frames are `wsclient.framing`'s.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import sys
import time
from typing import cast

from wsclient import framing
from wsclient.types import MsgType

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3


class Questions(asyncio.Protocol):
    """The server's end of one connection.

    The questions are numbers. The next one is sent when the last is answered, so each message
    that the client receives ends one round trip.

    Args:
        seconds: How long to ask.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end: float | None = None
        self._question = 0
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport. Called by the event loop."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Read the opening handshake, then frames. Called by the event loop."""
        self._received += data
        if self._end is None:
            request, blank_line, rest = self._received.partition(b"\r\n\r\n")
            if not blank_line:
                return
            self._transport.write(_accept(request))
            self._received = rest
            self._end = time.monotonic() + self._seconds
            self._ask()
        while (parsed := framing.parse_frame(self._received)) is not None:
            frame, size = parsed
            self._received = self._received[size:]
            self._take(frame)

    def _ask(self) -> None:
        self._question += 1
        over = self._end is not None and time.monotonic() >= self._end
        text = b"close" if over else b"%d" % self._question
        self._transport.write(framing.encode_frame(MsgType.text, text, mask=False))

    def _take(self, frame: framing.Frame) -> None:
        if frame.opcode == MsgType.close:
            self._transport.write(framing.encode_frame(frame.opcode, frame.payload, mask=False))
            self._transport.close()
        elif frame.payload == b"%d/answer" % self._question:
            self._ask()
        else:
            reason = framing.encode_close(1008, "that is no answer to my question")
            self._transport.write(framing.encode_frame(MsgType.close, reason, mask=False))


def _accept(request: bytes) -> bytes:
    key = re.search(rb"(?im)^sec-websocket-key: *(\S+)", request)
    token = hashlib.sha1((key[1] if key else b"") + _GUID).digest()  # noqa: S324 - §1.3
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(token) + b"\r\n\r\n"
    )


async def _main(seconds: float) -> None:
    """Print the port, and serve until standard input ends, as it does with the parent process."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Questions(seconds), "127.0.0.1", 0)
    async with server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_main(float(sys.argv[1])))
