"""Cookies (RFC 6265): a standard `http.cookiejar.CookieJar`, fed from opening handshakes.

The jar's policy says which cookies are taken and sent; this module makes of a URL and a
handshake what the jar wants to see. What the standard library's policy does otherwise than the RFC
is put right by `CookiePolicy`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from http.cookies import Morsel
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit
from urllib.request import Request

from wsclient.arguments import kind_of
from wsclient.types import is_secure, without_credentials

if TYPE_CHECKING:
    from collections.abc import Sequence
    from http.cookiejar import Cookie
    from typing import Self

    from yarl import URL

    from wsclient.types import HandshakeResponse

__all__ = ["CookiePolicy", "LooseCookies", "cookie_header", "join_cookies", "keep_cookies"]

LooseCookies: TypeAlias = Mapping[str, str | Morsel[Any]] | Iterable[tuple[str, str | Morsel[Any]]]
"""Cookies as callers hold them: a mapping, an `http.cookies.SimpleCookie`, or pairs."""

MAX_COOKIES = 3000
"""Cookies that a jar may have and still be given more (RFC 6265 §6.1)."""
MAX_COOKIE = 4096
"""Characters that name and value may have (RFC 6265 §6.1)."""

_NAME = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")  # RFC 6265 §4.1.1, a token
_ILLEGAL_IN_VALUE = re.compile(r"[\x00-\x1f\x7f;]")


class CookiePolicy(DefaultCookiePolicy):
    """What a session's jar takes and sends: RFC 6265 with the standard library's means.

    - A cookie without ``Domain`` goes back to the very host that set it (§5.3 step 6).
    - An IP address has no domain: for one, ``Domain`` may only repeat it (§5.1.3).
    - ``Secure`` cookies come and go with TLS only.
    - Public suffixes: no ``Domain`` without an inner dot, as ``com``, and none like ``co.uk``,
      by the standard library's list of what stands below country codes (``strict_domain``). It
      has no list of all public suffixes, so a server below ``github.io`` can set a cookie for
      all of ``github.io``.
    """

    def __init__(self) -> None:
        super().__init__(
            strict_domain=True, strict_ns_domain=DefaultCookiePolicy.DomainStrictNonDomain
        )

    def set_ok(self, cookie: Cookie, request: Request) -> bool:
        """Tell whether a cookie may be kept (`http.cookiejar.CookiePolicy.set_ok`)."""
        if cookie.value is None or len(cookie.name) + len(cookie.value) > MAX_COOKIE:
            return False
        if cookie.secure and request.type != "https":
            return False
        host = urlsplit(request.full_url).hostname or ""
        if cookie.domain_specified and _is_address(host) and cookie.domain != f".{host}":
            return False
        return super().set_ok(cookie, request)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def join_cookies(cookies: LooseCookies) -> str:
    """Make the value of ``Cookie`` from what a caller has (RFC 6265 §4.2.1).

    Args:
        cookies: The caller's cookies.

    Raises:
        TypeError: They are no cookies, or a name or value is no `str`.
        ValueError: One holds what would make something else of it.
    """
    texts: list[str] = []
    try:
        by_name = dict(cookies)
    except (TypeError, ValueError):
        got = kind_of(cookies)
        raise TypeError(f"cookies must be a mapping or pairs of str, got {got}") from None
    for name, value in by_name.items():
        text: object = value.coded_value if isinstance(value, Morsel) else value
        if not isinstance(name, str) or not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError("cookies must be str by name")
        if not _NAME.fullmatch(name):
            # Not what follows the name, where both were given in one.
            begins = _NAME.match(name)
            what = f"cookie name that begins {begins[0]!r}" if begins else "cookie name"
            raise ValueError(f"{what} is not a token (RFC 6265 §4.1.1)")
        if _ILLEGAL_IN_VALUE.search(text):
            raise ValueError(f"cookie {name} contains ';' or a control character")
        texts.append(f"{name}={text}")
    return "; ".join(texts)


def cookie_header(
    jar: CookieJar, url: URL, given: Sequence[str], otherwise: str = ""
) -> str | None:
    """Make the value of ``Cookie`` for a request (RFC 6265 §5.4).

    Args:
        jar: Holds what servers have set.
        url: What is requested.
        given: Values of ``Cookie`` that the caller has; they go before the jar's cookies.
        otherwise: Cookies that are sent where the jar has none of their names.

    Returns:
        The value, or None if there is no cookie.
    """
    kept = ""
    if next(iter(jar), None) is not None:
        request = _request(url)
        jar.add_cookie_header(request)
        kept = request.get_header("Cookie") or ""
    elif not (given or otherwise):
        return None
    by_name: dict[str, str] = {}
    for text in (*given, kept, otherwise):
        found: dict[str, str] = {}
        for part in filter(None, map(str.strip, text.split(";"))):
            name = part.partition("=")[0]
            # One name may come with several paths.
            found[name] = f"{found[name]}; {part}" if name in found else part
        by_name = {**found, **by_name}
    return "; ".join(by_name.values()) or None


def keep_cookies(jar: CookieJar, response: HandshakeResponse) -> None:
    """Put the cookies that an answer sets into the jar, as far as its policy takes them.

    Args:
        jar: The jar.
        response: The answer; its URL is that of the request.
    """
    lines = [_as_utf8(line) for line in response.headers.getall("Set-Cookie", ())]
    if lines and len(jar) < MAX_COOKIES:
        answer: Any = _Answer(lines)
        jar.extract_cookies(answer, _request(response.url))


def _request(url: URL) -> Request:
    # The jar knows nothing of ws and wss (RFC 6455 §3 and §4.1 have them behave like these).
    scheme = "https" if is_secure(url) else "http"
    return Request(str(without_credentials(url).with_scheme(scheme)))  # noqa: S310 - never opened


def _as_utf8(line: str) -> str:
    """Undo the reading as latin-1, so that what is sent back are the same bytes."""
    try:
        return line.encode("latin-1").decode()
    except UnicodeDecodeError:
        return line


class _Answer:
    """As much of an `http.client.HTTPResponse` as a jar looks at."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def info(self) -> Self:
        return self

    def get_all(self, name: str, default: list[str]) -> list[str]:
        return self._lines if name == "Set-Cookie" else default
