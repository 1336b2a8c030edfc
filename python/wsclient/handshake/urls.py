"""Which URLs name a WebSocket (RFC 6455 §3)."""

from __future__ import annotations

import re
from ipaddress import IPv6Address

from yarl import URL

from wsclient.arguments import read_type
from wsclient.exceptions import InvalidURL, hide_query
from wsclient.types import without_credentials

__all__ = ["parse_url", "read_url", "shown_url"]

_SCHEMES = {"ws": "ws", "http": "ws", "wss": "wss", "https": "wss"}
_EXPECTED = "ws, wss, http or https"
_ILLEGAL_IN_URL = re.compile(r"[\x00-\x20\x7f]")  # RFC 3986 §2
_HOST = re.compile(r"[-A-Za-z0-9._~!$&'()*+,;=%:]+")  # RFC 3986 §3.2.2


# RFC 3986 appendix B.
_PARTS = re.compile(r"((?:[^:/?#]+:)?(?://[^/?#]*)?)([^?#]*)(?:\?([^#]*))?(?:#(.*))?", re.DOTALL)
# What is no character of a path (RFC 3986 §3.3) or query (§3.4), nor a "%" that quotes one.
_TO_QUOTE = re.compile(r"%(?![0-9A-Fa-f]{2})|[^!$%&'()*+,\-./0-9:;=?@A-Z_a-z~]")


def read_url(url: str | URL) -> URL:
    """Make a `yarl.URL`, which may lack any part.

    Args:
        url: A URL, or a reference to one. Of a `str`, path and query stay as they are, but for
            characters that must not stand there, which are quoted. (yarl would write others anew
            as well: it turns ``%2F`` in a query into ``/``.) Surrogates are bytes, as
            ``surrogateescape`` makes them.

    Raises:
        ValueError: It cannot be parsed.
    """
    try:
        parsed = URL(url) if isinstance(url, URL) else _read_as_it_is(url)
    except IndexError:  # yarl's (1.25) own, over a host that is empty
        raise ValueError("no host beside what surrounds it") from None
    if not _is_name_or_address(parsed.raw_host or ""):
        raise ValueError("host is neither a name nor an IP address")
    return parsed


def _read_as_it_is(text: str) -> URL:
    matched = _PARTS.fullmatch(text)
    assert matched is not None  # noqa: S101 - each part may be anything, or empty
    before, path, query, fragment = (
        part if number == 0 else _TO_QUOTE.sub(_quote, part)
        for number, part in enumerate(matched.groups(""))
    )
    parsed = URL(
        before + path + (f"?{query}" if query else "") + (f"#{fragment}" if fragment else "")
    )
    if (parsed.raw_path, parsed.raw_query_string) == (path, query):
        return parsed
    authority = parsed.raw_authority
    if parsed.scheme and not authority:
        return parsed
    return URL.build(
        scheme=parsed.scheme,
        authority=authority,
        path=path,
        query_string=query,
        fragment=parsed.raw_fragment,
        encoded=True,
    )


def _quote(matched: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in matched[0].encode("utf-8", "surrogateescape"))


def parse_url(url: str | URL) -> URL:
    """Check a URL and bring it into the form the other modules use (RFC 6455 §3).

    Args:
        url: ``ws``, ``wss``, ``http`` or ``https`` URL; user and password may be in it.

    Returns:
        The URL with scheme ``ws`` or ``wss``, a host and a valid port.

    Raises:
        TypeError: `url` is neither `str` nor `yarl.URL`.
        InvalidURL: It cannot be parsed or cannot name a WebSocket.
    """
    read_type("url", url, (str, URL), "str or yarl.URL")
    text = str(url)
    try:
        parsed = read_url(url)
    except ValueError as error:
        # yarl's text may repeat a password that it took for a port.
        reason = "" if "@" in text else f": {error}"
        raise InvalidURL(_shown(text), f"cannot be parsed{reason}") from None
    problem = _url_problem(text, parsed)
    if problem is not None:
        raise InvalidURL(_shown(text), problem)
    scheme = _SCHEMES[parsed.scheme]
    return parsed if parsed.scheme == scheme else parsed.with_scheme(scheme)


def shown_url(url: URL) -> str:
    """Write a URL for texts, which others may read: without credentials and `hide_query`.

    Args:
        url: An absolute URL.
    """
    return hide_query(str(without_credentials(url)))


def _url_problem(text: str, url: URL) -> str | None:
    """Tell what makes a URL useless for a WebSocket; None if nothing does."""
    scheme, host = url.scheme, url.raw_host or ""
    checks = (
        (_ILLEGAL_IN_URL.search(text), "contains a space or control character"),
        (not scheme, f"no scheme, expected {_EXPECTED}"),
        (scheme not in _SCHEMES, f"unknown scheme {scheme!r}, expected {_EXPECTED}"),
        (not host, "no host"),
        (not _HOST.fullmatch(host), "host contains an illegal character"),
        (not url.port, "port must be in 1..65535"),
        ("#" in text, "fragments must not be used (RFC 6455 §3)"),
        (":" in (url.user or ""), "user name contains ':' (RFC 7617 §2)"),
        (not url.raw_path_qs.isascii(), "path or query is not percent-encoded"),
    )
    for wrong, problem in checks:
        if wrong:
            return problem
    return None


def _is_name_or_address(host: str) -> bool:
    if ":" not in host:
        return True
    try:
        # With its zone as in a URL (RFC 6874 §2), or as people write it.
        IPv6Address(host.replace("%25", "%"))
    except ValueError:
        return False
    return True


def _shown(text: str) -> str:
    # The last @ counts: a password with a slash in it is why parsing may have failed. So may
    # slashes that are missing.
    matched = re.fullmatch(r"((?:[A-Za-z][-+.A-Za-z0-9]*://?)?)(.*@)?(.*)", text, re.DOTALL)
    assert matched is not None  # noqa: S101 - each part may be anything, or empty
    scheme, before, rest = matched.groups("")
    # A password with a question mark, or an @ in the query: who knows.
    return f"{scheme}***" if re.search("[?#]", before) else scheme + hide_query(rest)
