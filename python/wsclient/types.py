"""The small public types that the other modules share.

Nothing here does I/O, and nothing here imports another module of the package.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, TypeAlias

from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

__all__ = [
    "MSG_BINARY",
    "MSG_CLOSE",
    "MSG_PING",
    "MSG_PONG",
    "MSG_TEXT",
    "ClientWSTimeout",
    "HandshakeResponse",
    "LooseHeaders",
    "MsgType",
    "WSCloseCode",
    "WSMsgType",
    "is_secure",
    "shown",
    "without_credentials",
]

LooseHeaders: TypeAlias = Mapping[str, str] | Iterable[tuple[str, str]]
"""Header fields as callers hold them: a mapping, a multidict, or name and value pairs."""


class MsgType(IntEnum):
    """Types of `Message`: the opcodes of RFC 6455 §5.2, and three of the client's own.

    The lower-case names are those of aiohttp 0.17, the upper-case ones today's; both
    name the same members.
    """

    if TYPE_CHECKING:  # mypy takes an alias for a member of its own, which would not narrow
        CONTINUATION = 0x0
        TEXT = 0x1
        BINARY = 0x2
        CLOSE = 0x8
        PING = 0x9
        PONG = 0xA
        CLOSING = 0x100
        CLOSED = 0x101
        ERROR = 0x102

        continuation: ClassVar[Literal[MsgType.CONTINUATION]]
        text: ClassVar[Literal[MsgType.TEXT]]
        binary: ClassVar[Literal[MsgType.BINARY]]
        close: ClassVar[Literal[MsgType.CLOSE]]
        ping: ClassVar[Literal[MsgType.PING]]
        pong: ClassVar[Literal[MsgType.PONG]]
        closing: ClassVar[Literal[MsgType.CLOSING]]
        closed: ClassVar[Literal[MsgType.CLOSED]]
        error: ClassVar[Literal[MsgType.ERROR]]
    else:
        continuation = 0x0
        text = 0x1
        binary = 0x2
        close = 0x8
        ping = 0x9
        pong = 0xA
        closing = 0x100
        closed = 0x101
        error = 0x102

        CONTINUATION = continuation
        TEXT = text
        BINARY = binary
        CLOSE = close
        PING = ping
        PONG = pong
        CLOSING = closing
        CLOSED = closed
        ERROR = error


WSMsgType = MsgType

MSG_TEXT: Final = MsgType.TEXT
MSG_BINARY: Final = MsgType.BINARY
MSG_CLOSE: Final = MsgType.CLOSE
MSG_PING: Final = MsgType.PING
MSG_PONG: Final = MsgType.PONG


class WSCloseCode(IntEnum):
    """Close codes of RFC 6455 §7.4.1 and its registry, with aiohttp's names."""

    OK = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    ABNORMAL_CLOSURE = 1006
    INVALID_TEXT = 1007
    POLICY_VIOLATION = 1008
    MESSAGE_TOO_BIG = 1009
    MANDATORY_EXTENSION = 1010
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    BAD_GATEWAY = 1014


@dataclass(frozen=True, slots=True)
class ClientWSTimeout:
    """How long to wait for the peer. Mirrors ``aiohttp.ClientWSTimeout``, and adds `ws_connect`.

    Attributes:
        ws_receive: Seconds that one ``receive()`` may take; None waits without end.
        ws_close: Seconds that the closing handshake may take; None waits without end.
        ws_connect: Seconds that opening may take, redirects included; None for no bound.
    """

    ws_receive: float | None = None
    ws_close: float | None = 10.0
    ws_connect: float | None = 10.0


@dataclass(frozen=True, slots=True, repr=False)
class HandshakeResponse:
    """The head of the server's answer to an opening handshake.

    ``repr`` leaves out the server's words, which may hold cookies, and the query, which may hold
    keys.

    Attributes:
        status: HTTP status code.
        reason: Reason phrase as it came; often empty.
        headers: Header fields; names compare without regard to case.
        http_version: ``"1.1"`` for an accepted handshake; ``"1.0"`` of some old gateways.
        url: What was requested, without credentials, its scheme ``ws`` or ``wss``.
        history: The redirects that led here, oldest first.
        body: The beginning of the body of an answer that opened nothing.
    """

    status: int
    reason: str
    headers: CIMultiDictProxy[str]
    http_version: str
    url: URL
    history: tuple[HandshakeResponse, ...] = ()
    body: bytes = b""

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(status={self.status}, http_version={self.http_version!r},"
            f" url={str(self.url.with_query(None))!r}, history={self.history!r})"
        )

    def __reduce__(self) -> tuple[object, ...]:
        # A CIMultiDictProxy cannot be pickled, and errors that carry this must be.
        rest: dict[str, Any] = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name != "headers"
        }
        return _restore_response, (CIMultiDict(self.headers), rest)


def _restore_response(headers: CIMultiDict[str], rest: dict[str, Any]) -> HandshakeResponse:
    return HandshakeResponse(headers=CIMultiDictProxy(headers), **rest)


def is_secure(url: URL) -> bool:
    """Tell whether a URL asks for TLS.

    Args:
        url: A URL whose scheme is known to be usable.

    Returns:
        True for ``wss`` and ``https`` (RFC 6455 §3).
    """
    return url.scheme in {"wss", "https"}


def without_credentials(url: URL) -> URL:
    """Strip user and password from a URL, for texts and for other origins.

    Args:
        url: An absolute URL.

    Returns:
        The same URL with an authority of only host and port.
    """
    return url if url.raw_user is None and url.raw_password is None else url.with_user(None)


def shown(url: str | URL) -> str:
    """Write a URL down for a ``repr``: user, password and query are left out.

    Args:
        url: A URL or a reference to one, which need not be right.
    """
    try:
        parsed = URL(url)
        plain = str(without_credentials(parsed).with_query(None).with_fragment(None))
    except Exception:  # noqa: BLE001 - whatever yarl makes of nonsense
        # Where a password stands in what cannot be parsed, nobody knows.
        return "a URL that cannot be parsed"
    return f"{plain}?…" if parsed.raw_query_string else plain
