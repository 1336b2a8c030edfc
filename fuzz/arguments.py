"""Whatever a caller passes is refused as documented, or sent without changing the request's shape.

Run by `make fuzz`; by hand: python fuzz/arguments.py CORPUS -max_total_time=60
"""

from __future__ import annotations

import re
import sys

import atheris

with atheris.instrument_imports(include=["wsclient", "yarl"]):
    from wsclient.exceptions import InvalidURL
    from wsclient.handshake.auth import BasicAuth
    from wsclient.handshake.cookies import join_cookies
    from wsclient.handshake.extensions import PerMessageDeflate
    from wsclient.handshake.headers import parse_extensions
    from wsclient.handshake.upgrade import Handshake
    from wsclient.handshake.urls import parse_url
    from wsclient.network.proxy import Connect, parse_proxy

# RFC 9112 §2.1, with what RFC 9110 §5.5 lets a value hold.
REQUEST = re.compile(
    rb"(GET|CONNECT) [^\x00-\x20\x7f]+ HTTP/1\.1\r\n"
    rb"([-!#$%&'*+.^_`|~0-9A-Za-z]+: ?[^\x00-\x08\x0a-\x1f\x7f]*\r\n)*\r\n"
)


def url(text: str) -> None:
    """Take a URL, and all that is made of it."""
    try:
        parsed = parse_url(text)
    except InvalidURL as error:
        assert "secret@" not in str(error)
        return
    assert parsed.scheme in {"ws", "wss"}
    assert REQUEST.fullmatch(Handshake(parsed).request())


def proxy(text: str) -> None:
    """Take a proxy's URL."""
    try:
        parsed = parse_proxy(text, None, None, ssl=True)
    except ValueError:
        return
    assert "secret" not in repr(parsed) or "secret" in parsed.host
    if parsed.is_http:
        assert REQUEST.fullmatch(Connect(parsed, "example.org", 443).request())


def header(text: str) -> None:
    """Take header fields, subprotocols, an origin and cookies."""
    name, _, value = text.partition("=")
    target = parse_url("ws://example.org/")
    for arguments in (
        {"headers": {name: value}},
        {"headers": [(name, value), (name, value)]},
        {"headers": {"X": value}},
        {"origin": value},
        {"protocols": (name, value)},
    ):
        try:
            request = Handshake(target, **arguments).request()
        except ValueError:
            continue
        assert REQUEST.fullmatch(request), request
    try:
        cookies = join_cookies({name: value})
        request = Handshake(target, headers={"Cookie": cookies}).request()
    except ValueError:
        return
    assert REQUEST.fullmatch(request), request


def extensions(text: str) -> None:
    """Take the value of Sec-WebSocket-Extensions."""
    try:
        for extension in parse_extensions(text):
            agreement = PerMessageDeflate().agree(extension.params)
            assert 8 <= agreement.client_max_window_bits <= 15
    except ValueError:
        return


def authorization(text: str) -> None:
    """Take the value of Authorization."""
    try:
        auth = BasicAuth.decode(text)
    except ValueError:
        return
    assert BasicAuth.decode(auth.encode()) == auth


TAKE = (url, proxy, header, extensions, authorization)


def one_input(data: bytes) -> None:
    """Choose by the first byte, and pass the others as text."""
    if data:
        TAKE[data[0] % len(TAKE)](data[1:].decode("utf-8", "surrogateescape"))


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
