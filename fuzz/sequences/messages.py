"""A server's side of a handshake, and the messages that follow it."""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from itertools import pairwise
from typing import TYPE_CHECKING

import wire
from wire import BINARY, CONTINUATION, PING, TEXT, Judge, frame

if TYPE_CHECKING:
    from random import Random

__all__ = ["Messages"]

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
SMALL = (0, 0, 5, 30, 100, 110, 126, 1000, 5000)
SIZES = (*SMALL, 65_000, 65_536, 70_000, 300_000, 1_200_000)


class Messages:
    """Makes what one connection sends, as it was negotiated.

    Args:
        name: The connection's.
        rng: What chance decides.
        limit: Of the client, in bytes a message; 0 for none.
        request: The client's.

    Attributes:
        sent: How many messages were made.
        accept: The 101.
        judge: Of what the client sends.
    """

    def __init__(self, name: str, rng: Random, limit: int, request: str) -> None:
        self.name = name
        self.sent = 0
        self.limit = limit
        self._rng = rng
        self._deflater: zlib._Compress | None = None
        self._bits = 15
        self._resets = False
        extension = self._negotiate(request)
        self.accept = _accept(request, [f"X-Name: {name}", *extension])
        keeps = b"client_no_context_takeover" not in self.accept
        self.judge = Judge(deflate=self._deflater is not None, keeps_context=keeps)

    def _negotiate(self, request: str) -> list[str]:
        offer = re.search(r"(?im)^sec-websocket-extensions: *(.*?)\r?$", request)
        if offer is None or self._rng.random() < 0.2:
            return []
        answer = "Sec-WebSocket-Extensions: permessage-deflate"
        named = re.search(r"server_max_window_bits=(\d+)", offer[1])
        if named is not None:
            self._bits = int(named[1])
            answer += f"; server_max_window_bits={self._bits}"
        self._resets = self._rng.random() < 0.5 or "server_no_context_takeover" in offer[1]
        if self._resets:
            answer += "; server_no_context_takeover"
        if self._rng.random() < 0.5:
            answer += "; client_no_context_takeover"
        self._deflater = zlib.compressobj(wbits=-self._bits)
        return [answer]

    def some(self, count: int, *, large: bool = False) -> bytes:
        """Make the next messages' frames; they count as sent."""
        sizes = SIZES if large else SMALL
        return b"".join([self.message(self._rng.choice(sizes)) for _ in range(count)])

    def message(self, size: int) -> bytes:
        """Make the next message's frames."""
        rng = self._rng
        if self.limit:
            size = max(0, min(size, self.limit - 60))
        data = wire.numbered(self.name, self.sent, size)
        self.sent += 1
        opcode, rsv = rng.choice([TEXT, BINARY]), 0
        if self._deflater is not None and rng.random() < 0.6:
            data, rsv = self._deflate(data), wire.DEFLATED
        if rng.random() < 0.75:
            return frame(opcode, data, rsv=rsv)
        cuts = sorted(rng.randrange(len(data) + 1) for _ in range(rng.choice([1, 2, 6])))
        out = frame(opcode, data[: cuts[0]], fin=False, rsv=rsv)
        for start, end in pairwise(cuts):
            out += self.ping() if rng.random() < 0.2 else b""
            out += frame(CONTINUATION, data[start:end], fin=False)
        return out + frame(CONTINUATION, data[cuts[-1] :])

    def _deflate(self, data: bytes) -> bytes:
        assert self._deflater is not None
        packed = self._deflater.compress(data) + self._deflater.flush(zlib.Z_SYNC_FLUSH)
        if self._resets:
            self._deflater = zlib.compressobj(wbits=-self._bits)
        return packed[:-4]

    def ping(self) -> bytes:
        """Make a ping that may be answered."""
        payload = self._rng.randbytes(self._rng.choice([0, 4, 125]))
        self.judge.answerable.add(payload)
        return frame(PING, payload)


def _accept(request: str, fields: list[str]) -> bytes:
    key = re.search(r"(?im)^sec-websocket-key: *(\S+)", request)
    assert key is not None
    accept = base64.b64encode(hashlib.sha1(key[1].encode() + GUID).digest()).decode()
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept}",
        *fields,
        "\r\n",
    ]
    return "\r\n".join(lines).encode()
