"""The grammar of the header fields that an opening handshake is made of.

RFC 9110 §5.5 and §5.6 for tokens and values, RFC 6455 §9.1 for extensions. What a
caller wants to send is checked here, before anything is sent; error texts name the
field and leave out its value, which may be a credential.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from multidict import CIMultiDict

from wsclient.arguments import kind_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsclient.types import LooseHeaders

__all__ = [
    "SHOWN",
    "TLS_ALERT",
    "Extension",
    "basic_authorization",
    "check_headers",
    "check_protocols",
    "check_value",
    "parse_extensions",
]

SHOWN = 80
"""Characters of someone else's words that an error text repeats."""
TLS_ALERT = b"\x15"
"""What an answer begins with where TLS is expected, not HTTP (RFC 8446 §5.1)."""

# Fields that the handshake writes; a caller's would contradict what is verified later.
# The last two would announce a body, and the request has none.
_RESERVED = frozenset({"upgrade", "connection", "content-length", "transfer-encoding"})

_PAIR = 2  # a name and a value

_TOKEN = r"[-!#$%&'*+.^_`|~0-9A-Za-z]+"  # noqa: S105 - RFC 9110 §5.6.2
_IS_TOKEN = re.compile(_TOKEN)
_NOT_IN_TOKEN = re.compile(r"[^-!#$%&'*+.^_`|~0-9A-Za-z]")
_ILLEGAL_IN_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # RFC 9110 §5.5

# RFC 6455 §9.1, with the optional white space and empty elements of RFC 9110 §5.6.1.
_VALUE = rf'{_TOKEN}|"(?:[^"\\]|\\.)*"'
_EXTENSION = re.compile(
    rf"[ \t]*(?:(?P<name>{_TOKEN})"
    rf"(?P<params>(?:[ \t]*;[ \t]*{_TOKEN}(?:[ \t]*=[ \t]*(?:{_VALUE}))?)*)[ \t]*)?(?:,|\Z)"
)
_PARAM = re.compile(rf";[ \t]*(?P<name>{_TOKEN})(?:[ \t]*=[ \t]*(?P<value>{_VALUE}))?")


class Extension(NamedTuple):
    """One element of ``Sec-WebSocket-Extensions`` (RFC 6455 §9.1).

    Attributes:
        name: Registered name, as ``permessage-deflate``.
        params: Name and value of each parameter, in order; None where it has no value.
    """

    name: str
    params: tuple[tuple[str, str | None], ...] = ()


def parse_extensions(value: str) -> tuple[Extension, ...]:
    """Parse the value of a ``Sec-WebSocket-Extensions`` header (RFC 6455 §9.1).

    Args:
        value: The header's value.

    Returns:
        The extensions, in order, with quotes and escapes of their parameters undone.

    Raises:
        ValueError: The value does not follow the grammar, or lists nothing.
    """
    found: list[Extension] = []
    position = 0
    while position < len(value):
        match = _EXTENSION.match(value, position)
        if match is None:
            raise ValueError(f"not an extension list at offset {position}: {value[:SHOWN]!r}")
        position = match.end()
        if match["name"] is not None:
            params = tuple(
                (param["name"], _unquote(param["value"]))
                for param in _PARAM.finditer(match["params"])
            )
            found.append(Extension(match["name"], params))
    if not found:
        raise ValueError("empty extension list")
    return tuple(found)


def _unquote(value: str | None) -> str | None:
    if value is None or not value.startswith('"'):
        return value
    text = re.sub(r"\\(.)", r"\1", value[1:-1])
    if not _IS_TOKEN.fullmatch(text):
        raise ValueError(f"quoted extension parameter is not a token: {text[:SHOWN]!r}")
    return text


def check_protocols(protocols: Sequence[str]) -> tuple[str, ...]:
    """Check the subprotocols to offer (RFC 6455 §4.1 item 10).

    Args:
        protocols: Names, preferred ones first.

    Returns:
        The same names.

    Raises:
        TypeError: It is no sequence of `str`, or one `str`.
        ValueError: A name is not a token, or comes twice.
    """
    if isinstance(protocols, str):
        raise TypeError("protocols must be a sequence of str, got one str")
    if not isinstance(protocols, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"protocols must be a sequence of str, got {kind_of(protocols)}")
    names = tuple(protocols)
    for name in names:
        if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"protocols must be a sequence of str, got one of {kind_of(name)}")
        if not _IS_TOKEN.fullmatch(name):
            # Not the name itself, as some pass their credentials so.
            position = f"{names.index(name) + 1} of {len(names)}"
            wrong = next(iter(_NOT_IN_TOKEN.findall(name)), "")
            why = f"{wrong!r} in it" if wrong else "it is empty"
            raise ValueError(f"subprotocol {position} is not a token (RFC 9110 §5.6.2): {why}")
    if len(set(names)) != len(names):
        raise ValueError(f"subprotocols must differ, got one of {len(names)} more than once")
    return names


def check_headers(headers: LooseHeaders | None, argument: str = "headers") -> CIMultiDict[str]:
    """Check the header fields that a caller adds to the request.

    Args:
        headers: The caller's fields.
        argument: What they were given as.

    Returns:
        A copy of them.

    Raises:
        TypeError: They are no fields, or a name or value is not `str`.
        ValueError: A field is the handshake's own, or holds what must not be sent.
    """
    fields = CIMultiDict(_pairs(() if headers is None else headers, argument))
    for name, value in fields.items():
        lower = name.lower()
        if not _IS_TOKEN.fullmatch(name):
            # Not what follows the name, where both were given in one.
            shown = _NOT_IN_TOKEN.split(name)[0][:SHOWN]
            what = f"header name that begins {shown!r}" if shown else "header name"
            raise ValueError(f"{what} is not a token (RFC 9110 §5.6.2)")
        if lower in _RESERVED or lower.startswith("sec-websocket-"):
            raise ValueError(f"header {name} belongs to the handshake and cannot be given")
        check_value(name, value)
    return fields


def _pairs(headers: Any, argument: str) -> list[tuple[str, Any]]:
    """Read names and values. Lines ("A: x") would be refused without a word of what is wanted."""
    items = getattr(headers, "items", None)
    given: object = items() if callable(items) else headers
    got = kind_of(headers)
    if isinstance(given, Iterable) and not isinstance(given, (str, bytes)):
        pairs: list[Any] = list(given)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        wrong = next((pair for pair in pairs if not _is_pair(pair)), pairs)
        if wrong is pairs:
            return pairs
        got += f" with {kind_of(wrong)}"
        if isinstance(wrong, (tuple, list)):
            got += f" of {', '.join(map(kind_of, wrong))}"  # pyright: ignore[reportUnknownArgumentType]
    raise TypeError(
        f"{argument} must be a mapping or pairs of name and value, as {{'A': 'x'}}, got {got}"
    )


def _is_pair(pair: Any) -> bool:
    if not isinstance(pair, (tuple, list)):
        return False
    parts: list[Any] = [*pair]
    return len(parts) == _PAIR and isinstance(parts[0], str)


def check_value(name: str, value: object) -> str:
    """Check the value of one header field (RFC 9110 §5.5).

    Args:
        name: The field, for the error text.
        value: What is to be sent.

    Returns:
        The value.

    Raises:
        TypeError: It is not `str`.
        ValueError: It holds CR, LF, NUL or another control character.
    """
    if not isinstance(value, str):
        raise TypeError(f"header {name} must be str, got {kind_of(value)}")
    if _ILLEGAL_IN_VALUE.search(value):
        raise ValueError(f"header {name} contains a control character (RFC 9110 §5.5)")
    return value


def basic_authorization(user: str, password: str, encoding: str = "utf-8") -> str:
    """Make the value of ``Authorization`` from credentials (RFC 7617 §2).

    Args:
        user: User name, which must not hold a colon.
        password: Password, which may be empty.
        encoding: What makes bytes of both.

    Returns:
        ``Basic`` and both, in base64.
    """
    return "Basic " + base64.b64encode(f"{user}:{password}".encode(encoding)).decode()
