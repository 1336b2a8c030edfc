r"""WebSocket framing without I/O, for people who bring their own transport (RFC 6455 §5).

Example:
    >>> from wsclient import framing
    >>> framing.encode_frame(1, b"hi", mask=False)
    b'\x81\x02hi'
    >>> framing.MessageParser().feed(b"\x81\x02hi")
    [(1, b'hi')]
"""

from ._core import (
    Frame,
    MessageParser,
    Utf8Validator,
    apply_mask,
    encode_close,
    encode_frame,
    is_utf8,
    parse_close,
    parse_frame,
)

__all__ = [
    "Frame",
    "MessageParser",
    "Utf8Validator",
    "apply_mask",
    "encode_close",
    "encode_frame",
    "is_utf8",
    "parse_close",
    "parse_frame",
]
