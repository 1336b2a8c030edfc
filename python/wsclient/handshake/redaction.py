"""Taking what one side has sent out of the words of the other, before these are shown.

A server that refuses a request may repeat it, and error texts repeat the server.
"""

from __future__ import annotations

import base64
import html
import json
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus, unquote, unquote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from multidict import CIMultiDict
    from yarl import URL

__all__ = ["hide", "secrets_of"]

_SHORTEST = 4
"""Characters from which on a value may be a secret; what is shorter stands in any text."""
_TOKEN = 32
"""Characters from which on a subprotocol is no name but a token, as browsers have to send them."""
_PUBLIC = frozenset({"host", "origin", "user-agent", "accept", "accept-language"})


def secrets_of(
    url: URL, headers: CIMultiDict[str], protocols: Sequence[str] = ()
) -> frozenset[str]:
    """Collect what may be secret in a request.

    Args:
        url: What is requested, credentials included.
        headers: What the caller adds to the request.
        protocols: The subprotocols that are offered.
    """
    found = [url.user or "", url.password or "", url.raw_user or "", url.raw_password or ""]
    for part in url.raw_query_string.split("&"):
        name, _, value = part.partition("=")
        found.append(value or name)
    for name, value in headers.items():
        if name.lower() not in _PUBLIC:
            found += _parts(name.lower(), value)
    found += [protocol for protocol in protocols if len(protocol) >= _TOKEN]
    return frozenset(text for text in found if text)


def _parts(name: str, value: str) -> Iterable[str]:
    yield value
    if name == "cookie":
        for pair in value.split(";"):
            yield pair.partition("=")[2].strip().strip('"')
    elif name.endswith("authorization"):
        scheme, _, credentials = value.partition(" ")
        yield credentials.strip()
        if scheme.lower() == "basic":
            try:
                decoded = base64.b64decode(credentials)
            except ValueError:
                return
            for encoding in ("latin-1", "utf-8"):
                yield from decoded.decode(encoding, errors="replace").split(":", 1)


def hide(text: str, secrets: Iterable[str]) -> str:
    """Put asterisks in the place of secrets.

    Args:
        text: Someone's words.
        secrets: What `secrets_of` returned.

    Returns:
        The text without them, in whichever usual spelling they stand in it. Where it ends with
        the beginning of one, as it was cut there, that is gone as well.
    """
    spelt = {
        spelling
        for secret in secrets
        for spelling in _spellings(secret)
        if len(spelling) >= _SHORTEST
    }
    for spelling in sorted(spelt, key=len, reverse=True):
        text = text.replace(spelling, "***")
    for spelling in spelt:
        longest = min(len(spelling), len(text))
        for size in range(longest, _SHORTEST - 1, -1):
            if text.endswith(spelling[:size]):
                text = text[:-size] + "***"
                break
    return text


def _spellings(secret: str) -> Iterable[str]:
    for plain in (secret, unquote(secret), unquote_plus(secret)):
        as_json = json.dumps(plain)[1:-1]
        yield from (plain, html.escape(plain), as_json, as_json.replace("/", "\\/"))
        yield from (quote(plain, safe="", errors="replace"), quote_plus(plain, errors="replace"))
