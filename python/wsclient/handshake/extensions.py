"""permessage-deflate: what a client offers, and which answers it takes (RFC 7692 §7.1).

Pure rules, no bytes: compressing itself is the core's.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from wsclient.arguments import kind_of, read_flag

from .headers import SHOWN, parse_extensions

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Agreement", "PerMessageDeflate", "read_compress", "read_extensions"]

NAME = "permessage-deflate"

_FLAGS = ("server_no_context_takeover", "client_no_context_takeover")
_SERVER_BITS = "server_max_window_bits"
_CLIENT_BITS = "client_max_window_bits"
# §7.1.2: decimal, without leading zeros.
_BITS = {str(bits): bits for bits in range(8, 16)}
_MAX_BITS = 15
# zlib cannot compress with 8 (it can decompress what others have).
_MIN_CLIENT_BITS = 9


class Agreement(NamedTuple):
    """What both sides do once the handshake is over.

    Attributes:
        server_no_context_takeover: The server's messages refer to no earlier ones.
        client_no_context_takeover: This side's messages refer to no earlier ones.
        client_max_window_bits: The largest window that this side may compress with, 8 to 15.
        level: As in `PerMessageDeflate`.
        min_size: As in `PerMessageDeflate`.
    """

    server_no_context_takeover: bool
    client_no_context_takeover: bool
    client_max_window_bits: int
    level: int
    min_size: int


@dataclass(frozen=True, slots=True)
class PerMessageDeflate:
    """How to compress; what ``compress`` of `ws_connect` takes beside window bits.

    Names and meaning are those of RFC 7692 §7.1, as in
    ``websockets.extensions.permessage_deflate.ClientPerMessageDeflateFactory``. By default the
    offer is ``permessage-deflate; client_max_window_bits``: some gateways refuse more.

    A compressor with the largest window takes 380 KB of memory, a decompressor 48 KB. Each
    connection makes its own when it first needs it; without context takeover, all connections of
    a thread share one.

    Args:
        server_no_context_takeover: Ask that the server's messages refer to no earlier ones.
        client_no_context_takeover: Let this side's messages refer to no earlier ones. They get
            larger, and take 2 to 3 microseconds more.
        server_max_window_bits: Ask the server for a window of at most this many bits, 8 to 15;
            None leaves it to the server.
        client_max_window_bits: Compress with a window of at most this many bits, 9 to 15, and let
            the server ask for less; True means 15; None offers nothing, so that it is always 15.
        level: 0 to 9. 1 is the fastest that compresses, and the default.
        min_size: Messages of fewer bytes are sent as they are; 0 compresses all of them.

    Raises:
        TypeError: A value has the wrong type.
        ValueError: A number is out of its range.

    Example:
        >>> ws = await ws_connect(url, compress=PerMessageDeflate(min_size=1024))
    """

    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    server_max_window_bits: int | None = None
    client_max_window_bits: int | Literal[True] | None = True
    level: int = 1
    min_size: int = 0

    def __post_init__(self) -> None:
        for flag in _FLAGS:
            read_flag(flag, getattr(self, flag))
        if self.server_max_window_bits is not None:
            _check(_SERVER_BITS, self.server_max_window_bits, 8, _MAX_BITS)
        own = self.client_max_window_bits
        if own is not None and own is not True:
            _check(_CLIENT_BITS, own, _MIN_CLIENT_BITS, _MAX_BITS)
        _check("level", self.level, 0, 9)
        _check("min_size", self.min_size, 0, sys.maxsize)

    def offer(self) -> str:
        """Return the value of ``Sec-WebSocket-Extensions`` to send (RFC 7692 §7.1)."""
        parts = [NAME]
        parts += [flag for flag in _FLAGS if getattr(self, flag)]
        if self.server_max_window_bits is not None:
            parts.append(f"{_SERVER_BITS}={self.server_max_window_bits}")
        if self.client_max_window_bits is True:
            parts.append(_CLIENT_BITS)
        elif self.client_max_window_bits is not None:
            parts.append(f"{_CLIENT_BITS}={self.client_max_window_bits}")
        return "; ".join(parts)

    def agree(self, params: Sequence[tuple[str, str | None]]) -> Agreement:
        """Hold a server's answer against the offer.

        Args:
            params: Name and value of each parameter of the accepted extension.

        Returns:
            What both sides do from now on.

        Raises:
            ValueError: The answer is one on which RFC 7692 §7.1 makes a client fail the
                connection; says why.
        """
        answer = _read_answer(params)
        if self.server_no_context_takeover and "server_no_context_takeover" not in answer:
            raise ValueError("no server_no_context_takeover, which was asked for")
        self._agree_on_server_bits(answer.get(_SERVER_BITS))
        return Agreement(
            # §7.1.1.1: a server may do so unasked. §7.1.1.2: so may this side.
            "server_no_context_takeover" in answer,
            self.client_no_context_takeover or "client_no_context_takeover" in answer,
            self._agree_on_client_bits(answer.get(_CLIENT_BITS)),
            self.level,
            self.min_size,
        )

    def _agree_on_server_bits(self, answered: int | None) -> None:
        """§7.1.2.1: at most what was asked for; a server may bind itself unasked."""
        asked = self.server_max_window_bits
        if asked is not None and (answered is None or answered > asked):
            got = "no" if answered is None else f"{answered} as"
            raise ValueError(f"{got} {_SERVER_BITS}, at most {asked} was asked for")

    def _agree_on_client_bits(self, answered: int | None) -> int:
        """§7.1.2.2: at most what was offered, and nothing if nothing was."""
        offered = self.client_max_window_bits
        if answered is not None and offered is None:
            raise ValueError(f"{_CLIENT_BITS}, which was not offered")
        own = _MAX_BITS if offered is None or offered is True else offered
        if answered is None:
            return own
        if answered > own:
            raise ValueError(f"{answered} as {_CLIENT_BITS}, at most {own} was offered")
        return answered


def read_compress(compress: int | PerMessageDeflate) -> PerMessageDeflate | None:
    """Read the ``compress`` argument of `ws_connect`.

    Args:
        compress: 0, window bits 9 to 15 for both sides, or settings.

    Returns:
        Settings; None for no compression.

    Raises:
        TypeError: It is neither a number nor settings.
        ValueError: It is another number.
    """
    if isinstance(compress, PerMessageDeflate):
        return compress
    if not isinstance(compress, int):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"compress must be int or PerMessageDeflate, got {kind_of(compress)}")
    # To many a library True says yes; here it would be one bit of window.
    known = not isinstance(compress, bool)
    if not (known and (compress == 0 or _MIN_CLIENT_BITS <= compress <= _MAX_BITS)):
        raise ValueError(f"compress is {compress}, expected 0 or 9 to 15")
    if compress == 0:
        return None
    if compress == _MAX_BITS:
        return PerMessageDeflate()
    return PerMessageDeflate(server_max_window_bits=compress, client_max_window_bits=compress)


def read_extensions(value: str, offered: PerMessageDeflate | None) -> Agreement | None:
    """Hold a server's ``Sec-WebSocket-Extensions`` against what was offered (RFC 6455 §9.1).

    Args:
        value: The header's value.
        offered: What was offered; None for no extension.

    Returns:
        What both sides do from now on; None for no compression.

    Raises:
        ValueError: The server has broken a rule; says which, as the object of "the 101 has".
    """
    try:
        accepted = parse_extensions(value)
    except ValueError as error:
        raise ValueError(f"a malformed Sec-WebSocket-Extensions: {error}") from None
    names = [extension.name for extension in accepted]
    for name in names:
        if offered is None or name != NAME:
            what = "nothing" if offered is None else repr(NAME)
            raise ValueError(f"extension {name[:SHOWN]!r}, offered was {what}")
        if names.count(name) > 1:
            raise ValueError(f"extension {name[:SHOWN]!r} more than once")
    if offered is None:
        return None
    try:
        return offered.agree(accepted[0].params)
    except ValueError as error:
        raise ValueError(f"extension {NAME!r} with {error}") from None


def _read_answer(params: Sequence[tuple[str, str | None]]) -> dict[str, int | None]:
    """Check the parameters of an answer, each by itself."""
    answer: dict[str, int | None] = {}
    for name, value in params:
        if name in answer:
            raise ValueError(f"{name} more than once")
        if name in _FLAGS:
            if value is not None:
                raise ValueError(f"{name}={value[:SHOWN]}, expected no value")
            answer[name] = None
        elif name in {_SERVER_BITS, _CLIENT_BITS}:
            if value not in _BITS:
                got = "no value" if value is None else repr(value[:SHOWN])
                raise ValueError(f"{got} as {name}, expected 8 to 15")
            answer[name] = _BITS[value]
        else:
            raise ValueError(f"an unknown parameter {name[:SHOWN]!r}")
    return answer


def _check(name: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int):
        raise TypeError(f"{name} must be int, got {kind_of(value)}")
    if isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{name} is {value}, expected {low} to {high}")
