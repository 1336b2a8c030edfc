"""Numbered messages, frames as a server sends them, and a judge of those that a client sends."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
DEFLATED = 0x40
SENDABLE_CODES = {*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)}


def numbered(owner: str, number: int, size: int) -> bytes:
    """Make a message that tells whose it is, which, and whether it is whole; it is UTF-8."""
    unit = f"{number * 2654435761 % 2**32:08x}" + ("é€𝄞" if number % 4 == 3 else "")
    body = (unit.encode() * (size // len(unit) + 1))[:size].decode(errors="ignore").encode()
    return b"%s:%d:%08x:%s" % (owner.encode(), number, zlib.crc32(body), body)


def read_numbered(data: str | bytes) -> tuple[str, int]:
    """Return whose message it is, and which.

    Raises:
        ValueError: It is not whole, or none at all.
    """
    raw = data.encode() if isinstance(data, str) else bytes(data)
    parts = raw.split(b":", 3)
    if len(parts) != 4:
        raise ValueError(f"no numbered message: {raw[:60]!r}, {len(raw)} bytes")
    owner, number, checksum, body = parts
    if int(checksum, 16) != zlib.crc32(body):
        raise ValueError(f"message {owner!r} {number!r} was altered, {len(body)} bytes of body")
    return owner.decode(), int(number)


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0) -> bytes:
    """Make a frame as a server sends it."""
    size = len(payload)
    first = opcode | rsv | (0x80 if fin else 0)
    if size < 126:
        head = struct.pack("!BB", first, size)
    elif size < 0x10000:
        head = struct.pack("!BBH", first, 126, size)
    else:
        head = struct.pack("!BBQ", first, 127, size)
    return head + payload


def violation(rng: Random) -> tuple[bytes, int]:
    """Make a frame that no server may send; returns it and the close code that answers it."""
    return rng.choice([
        (b"\x83\x00", 1002),
        (b"\xb1\x00", 1002),
        (b"\x81\x80abcd", 1002),
        (b"\x80\x01x", 1002),
        (b"\x09\x00", 1002),
        (b"\x89\x7e\x00\x7e" + bytes(126), 1002),
        (b"\x88\x01x", 1002),
        (b"\x88\x02\x03\xed", 1002),
        (b"\x81\x7e\x00\x01x", 1002),
        (b"\x82\x7f\x80" + bytes(7), 1002),
        (b"\x81\x02\xc3\x28", 1007),
        (b"\x81\x01\xff", 1007),
        (b"\x88\x04\x03\xe8\xc3\x28", 1007),
    ])  # fmt: skip


class Judge:
    """Reads what a client sends after its request.

    Attributes:
        complaints: What was wrong.
        close_code: Of the client's close frame; 1005 if it had none.
        messages: By owner, the numbers that have arrived.
    """

    def __init__(self, *, deflate: bool, keeps_context: bool) -> None:
        self.complaints: list[str] = []
        self.close_code: int | None = None
        self.messages: dict[str, list[int]] = {}
        self.pings: list[bytes] = []
        self.answerable: set[bytes] = set()
        self._deflate = deflate
        self._keeps_context = keeps_context
        self._inflater = zlib.decompressobj(wbits=-15)
        self._data = bytearray()
        self._parts: list[bytes] | None = None
        self._packed = False

    def feed(self, data: bytes) -> None:
        """Take what was read."""
        self._data += data
        while not self.complaints and self._frame():
            pass

    def _complain(self, text: str) -> None:
        self.complaints.append(text)

    def _frame(self) -> bool:
        data = self._data
        head = self._head() if len(data) >= 2 else None
        if head is None:
            return False
        start, size = head
        end = start + 4 + size
        if len(data) < end:
            return False
        key = bytes(data[start : start + 4])
        mask = int.from_bytes((key * (size // 4 + 1))[:size], "big")
        payload = (int.from_bytes(data[start + 4 : end], "big") ^ mask).to_bytes(size, "big")
        first = data[0]
        del data[:end]
        self._judge(first, payload)
        return True

    def _head(self) -> tuple[int, int] | None:
        """Find where the key begins and how long the payload is, if that is here and right."""
        data = self._data
        shown = bytes(data[:40])
        if self.close_code is not None and data[0] != 0x80 | PONG:
            # Pings are answered up to the other end's close frame (RFC 6455 §5.5.2).
            self._complain(f"after the close frame: {shown!r}")
            return None
        if not data[1] & 0x80:
            self._complain(f"not masked: {shown!r}")
            return None
        size, start, least = data[1] & 0x7F, 2, 0
        if size >= 126:
            start, least = (4, 126) if size == 126 else (10, 0x10000)
            size = int.from_bytes(data[2:start], "big")
        if len(data) < start:
            return None
        if size < least or size > 1 << 30:
            self._complain(f"length {size}: {shown!r}")
            return None
        return start, size

    def _judge(self, first: int, payload: bytes) -> None:
        opcode, fin, rsv = first & 0x0F, bool(first & 0x80), first & 0x70
        packed = rsv == DEFLATED and opcode in {TEXT, BINARY} and self._deflate
        if rsv and not packed:
            self._complain(f"reserved bits {rsv:#x} in a frame with opcode {opcode}")
        elif opcode in {CLOSE, PING, PONG}:
            if not fin or len(payload) > 125:
                self._complain(f"control frame {opcode} with {len(payload)} bytes, fin {fin}")
            else:
                self._control(opcode, payload)
        elif opcode not in {TEXT, BINARY, CONTINUATION}:
            self._complain(f"opcode {opcode}")
        elif (opcode == CONTINUATION) != (self._parts is not None):
            self._complain(f"opcode {opcode} where the message says otherwise")
        else:
            if self._parts is None:
                self._parts, self._packed = [], packed
            self._parts.append(payload)
            if fin:
                self._message(b"".join(self._parts))
                self._parts = None

    def _control(self, opcode: int, payload: bytes) -> None:
        if opcode == PING:
            self.pings.append(payload)
        elif opcode == PONG:
            if payload not in self.answerable and not payload.startswith(b"unasked"):
                self._complain(f"a pong that answers no ping: {payload!r}")
        elif len(payload) == 1:
            self._complain("a close frame of one byte")
        else:
            self.close_code = int.from_bytes(payload[:2], "big") if payload else 1005
            if payload and self.close_code not in SENDABLE_CODES:
                self._complain(f"close code {self.close_code}")

    def _message(self, data: bytes) -> None:
        try:
            if self._packed:
                if not self._keeps_context:
                    self._inflater = zlib.decompressobj(wbits=-15)
                data = self._inflater.decompress(data + b"\x00\x00\xff\xff")
            owner, number = read_numbered(data)
        except (ValueError, zlib.error) as error:
            self._complain(f"{type(error).__name__}: {error}")
            return
        before = self.messages.setdefault(owner, [])
        if before and number <= before[-1]:
            self._complain(f"message {number} of {owner} after {before[-1]}")
        before.append(number)
