"""Write where the fuzzers begin: python fuzz/seeds.py CORPORA; each target has a folder there."""

from __future__ import annotations

import struct
import sys
import zlib
from pathlib import Path

SWITCHING = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
    b"Sec-WebSocket-Accept: ACCEPT\r\n"
)
FRAMES = (
    b"\x81\x05Hello\x89\x01?\x01\x03Hel\x80\x02lo\x82\x7e\x00\x80"
    + bytes(128)
    + b"\x88\x02\x03\xe8"
)


def raw_deflate(message: bytes) -> bytes:
    """Compress a message as RFC 7692 §7.2.1 has it."""
    compressor = zlib.compressobj(wbits=-15)
    return (compressor.compress(message) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


def program(setting: int, *steps: tuple[int, int, int]) -> bytes:
    """Write a setting and its steps as `arbitrary` reads them: a byte says that one follows."""
    return struct.pack("<I", setting) + b"".join(
        b"\1" + struct.pack("<BHH", *step) for step in steps
    )


# Steps of `tests/endpoint/play/step.rs`, by their numbers.
MESSAGE, BURST, PING, DELIVER = (12, 0, 20), (20, 3, 29), (24, 0, 9), (0, 2, 0)
TAKE, SEND, TICK = (29, 0, 0), (39, 13, 999), (55, 0, 0)
CLOSE, SHUT, LEAVE = (58, 0, 0), (60, 0, 0), (61, 0, 0)

# The first byte chooses between a server's answer and a proxy's; two say where it is cut.
SERVER, PROXY = b"\0\0\x20", b"\1\0\x20"

SEEDS: dict[str, list[bytes]] = {
    "header": [
        b"\x81\x05",
        b"\x82\x7e\x01\x00",
        b"\x82\xff" + bytes(5) + b"\1\0\0abcd",
        b"\x88\x7f",
    ],
    "bytes": [
        bytes(4) + FRAMES,
        b"\xff\xff\1\1" + FRAMES,
        bytes(4) + b"\xc1\x07" + raw_deflate(b"Hello"),
    ],
    "text": [
        text.encode() for text in ("abc" * 9, "naïve café", "Καλημέρα, мир" * 3, "龥語", "🙂😀")
    ],
    "mask": [b"abcd\0" + bytes(200)],
    "inflate": [bytes(3) + raw_deflate(b"Hello" * count) for count in (1, 100)],
    "endpoint": [
        program(0, MESSAGE, PING, DELIVER, TAKE, CLOSE, DELIVER),
        program(0, MESSAGE, CLOSE, DELIVER, TICK, TICK),
        program(0, BURST, DELIVER, DELIVER, DELIVER, TAKE, LEAVE, DELIVER),
        program(0x4010, BURST, SEND, SEND, DELIVER, PING, DELIVER, SHUT, CLOSE, DELIVER),
        program(0x121A, MESSAGE, MESSAGE, MESSAGE, PING, DELIVER, TAKE, LEAVE, DELIVER),
    ],
    "answers": [
        SERVER + SWITCHING + b"\r\n" + FRAMES,
        SERVER + SWITCHING + b"Sec-WebSocket-Protocol: chat\r\nSet-Cookie: a=b; Path=/\r\n\r\n",
        SERVER + SWITCHING + b"Sec-WebSocket-Extensions: permessage-deflate; "
        b"server_no_context_takeover; client_max_window_bits=12\r\n\r\n",
        SERVER + b"HTTP/1.1 100 Continue\r\n\r\n" + SWITCHING + b"\r\n",
        SERVER
        + b"HTTP/1.1 302 Found\r\nLocation: wss://example.com/x\r\nContent-Length: 0\r\n\r\n",
        SERVER + b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno",
        SERVER
        + b"HTTP/1.1 503 x\r\nRetry-After: 10\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"2\r\nno\r\n0\r\n\r\n",
        PROXY + b"HTTP/1.1 200 OK\r\n\r\n\x16\x03\x01",
        PROXY + b"HTTP/1.1 407 Auth\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n",
    ],
    "arguments": [
        b"\0wss://user:secret@example.org:8443/a?b=c",
        b"\0ws://[fe80::1%25lo]/",
        b"\1socks5h://user:secret@127.0.0.1:1080",
        b"\1http://user:secret@[::1]:3128",
        b"\2X-Name=value; and more",
        b'\3permessage-deflate; client_max_window_bits="10", x',
        b"\4Basic dXNlcjpzZWNyZXQ=",
    ],
}


def main() -> None:
    """Write them all."""
    corpora = Path(sys.argv[1])
    for target, seeds in SEEDS.items():
        folder = corpora / target
        folder.mkdir(parents=True, exist_ok=True)
        for index, seed in enumerate(seeds):
            (folder / f"seed-{index}").write_bytes(seed)


if __name__ == "__main__":
    main()
