"""What a server can do wrong once the WebSocket is open (RFC 6455 §5, §7, §8.1).

Each violation is as short as it can be: up to the byte that shows it.
"""

import struct
from typing import NamedTuple

from tests.conftest import BINARY, CLOSE, PING, PONG, TEXT, frame

CONTINUATION = 0
FIN = 0x80
MASK = 0x80
LIMIT = 100

PROTOCOL_ERROR, INVALID_TEXT, TOO_BIG = 1002, 1007, 1009


class Violation(NamedTuple):
    """What a server sends, the close code that answers it, and what the error says."""

    sent: bytes
    code: int
    said: str


def header(first, length):
    """Two bytes of a header, and the length's further bytes where it needs them."""
    if length <= 125:
        return bytes([first, length])
    if length <= 0xFFFF:
        return struct.pack("!BBH", first, 126, length)
    return struct.pack("!BBQ", first, 127, length)


def fragment(opcode, payload):
    return frame(opcode, payload, fin=False)


def violations():
    """Name, bytes, close code, and what the error says."""
    for opcode in (TEXT, BINARY, CLOSE, PING, PONG):
        yield f"masked-{opcode}", bytes([FIN | opcode, MASK]), PROTOCOL_ERROR, "masked frame"
    yield (
        "masked-continuation",
        fragment(TEXT, b"a") + bytes([FIN, MASK]),
        PROTOCOL_ERROR,
        "masked frame",
    )
    for bits in range(1, 8):
        said = f"reserved bits {bits:03b} set"
        for opcode in (TEXT, PING, CLOSE):
            yield f"rsv-{bits}-{opcode}", bytes([FIN | bits << 4 | opcode]), PROTOCOL_ERROR, said
    for opcode in (3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF):
        said = f"reserved opcode {opcode:#x}"
        yield f"opcode-{opcode:#x}", bytes([FIN | opcode, 0]), PROTOCOL_ERROR, said
    for opcode, name in ((CLOSE, "close"), (PING, "ping"), (PONG, "pong")):
        said = f"fragmented {name} frame"
        yield f"fragmented-{name}", bytes([opcode, 0]), PROTOCOL_ERROR, said
        for length in (126, 127):
            said = f"{name} frame with a payload over 125 bytes"
            yield f"long-{name}-{length}", bytes([FIN | opcode, length]), PROTOCOL_ERROR, said
    yield from framing_violations()
    yield from text_violations()
    yield from close_violations()
    yield from size_violations()


def framing_violations():
    nothing = "continuation frame, but no message was begun"
    yield "continuation-of-nothing", frame(CONTINUATION)[:2], PROTOCOL_ERROR, nothing
    yield "fragment-of-nothing", fragment(CONTINUATION, b""), PROTOCOL_ERROR, nothing
    for first, name in ((TEXT, "text"), (BINARY, "binary")):
        for second, inner in ((TEXT, "text"), (BINARY, "binary")):
            yield (
                f"{inner}-inside-{name}",
                fragment(first, b"a") + bytes([FIN | second, 0]),
                PROTOCOL_ERROR,
                f"{inner} frame inside a fragmented message",
            )
    yield (
        "interleaved-after-a-ping",
        fragment(TEXT, b"a") + frame(PING, b"p") + bytes([FIN | BINARY, 0]),
        PROTOCOL_ERROR,
        "binary frame inside a fragmented message",
    )
    for length in (0, 125):
        long = struct.pack("!BBH", FIN | BINARY, 126, length)
        said = f"payload length {length} is not encoded in the fewest bytes"
        yield f"16-bit-length-{length}", long, PROTOCOL_ERROR, said
    for length in (0, 125, 126, 65535):
        long = struct.pack("!BBQ", FIN | BINARY, 127, length)
        said = f"payload length {length} is not encoded in the fewest bytes"
        yield f"64-bit-length-{length}", long, PROTOCOL_ERROR, said
    for length in (1 << 63, (1 << 64) - 1):
        long = struct.pack("!BBQ", FIN | BINARY, 127, length)
        said = f"payload length {length:#x} has its most significant bit set"
        yield f"top-bit-{length:#x}", long, PROTOCOL_ERROR, said


def text_violations():
    whole = {
        "a-lone-continuation-byte": (b"ok\x80", 2),
        "an-overlong-form": (b"\xc0\xaf", 0),
        "a-surrogate": (b"ok \xed\xa0\x80", 3),
        "beyond-unicode": (b"\xf4\x90\x80\x80", 0),
        "a-byte-that-never-occurs": (b"\xce\xba\xff", 2),
        "half-a-character-at-the-end": (b"ab\xe2\x82", 2),
    }
    for name, (payload, offset) in whole.items():
        said = f"text is not UTF-8 at byte {offset}"
        yield name, frame(TEXT, payload), INVALID_TEXT, said
    said = "text is not UTF-8 at byte 3"
    yield "before-the-frame-is-complete", header(FIN | TEXT, 90) + b"abc\xff", INVALID_TEXT, said
    yield "in-the-first-fragment", header(TEXT, 90) + b"abc\xff", INVALID_TEXT, said
    yield (
        "in-a-later-fragment",
        fragment(TEXT, b"ab") + header(CONTINUATION, 9) + b"c\xc1",
        INVALID_TEXT,
        said,
    )
    yield (
        "a-character-broken-across-fragments",
        fragment(TEXT, b"abc\xe2\x82") + frame(PING) + header(CONTINUATION, 9) + b"a",
        INVALID_TEXT,
        said,
    )
    yield (
        "a-surrogate-across-fragments",
        fragment(TEXT, b"abc\xed") + header(CONTINUATION, 2) + b"\xa0",
        INVALID_TEXT,
        said,
    )
    yield (
        "half-a-character-in-the-last-fragment",
        fragment(TEXT, b"abc\xf0") + fragment(CONTINUATION, b"\x9f") + frame(CONTINUATION),
        INVALID_TEXT,
        said,
    )


def close_violations():
    yield "1-byte-close", frame(CLOSE, b"\x03"), PROTOCOL_ERROR, "payload of 1 byte"
    for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535):
        said = f"close code {code} must not be sent"
        yield f"close-{code}", frame(CLOSE, struct.pack("!H", code)), PROTOCOL_ERROR, said
    for name, reason in (("bad", b"\xff"), ("cut", b"bye \xe2\x82")):
        payload = struct.pack("!H", 1000) + reason
        yield f"{name}-reason", frame(CLOSE, payload), INVALID_TEXT, "close reason is not UTF-8"


def size_violations():
    for length in (101, 126, 65536, (1 << 63) - 1):
        said = f"message of at least {length} bytes exceeds the limit of {LIMIT} bytes"
        for opcode, name in ((TEXT, "text"), (BINARY, "binary")):
            yield f"{name}-of-{length}", header(FIN | opcode, length), TOO_BIG, said
        yield f"fragment-of-{length}", header(BINARY, length), TOO_BIG, said
    said = f"message of at least 101 bytes exceeds the limit of {LIMIT} bytes"
    yield (
        "sum-of-fragments",
        fragment(TEXT, b"a" * 60) + frame(PING) + header(CONTINUATION, 41),
        TOO_BIG,
        said,
    )
