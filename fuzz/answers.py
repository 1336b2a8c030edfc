"""Whatever a server or a proxy answers ends in an open connection or a documented error.

Run by `make fuzz`; by hand: python fuzz/answers.py CORPUS -max_total_time=60
"""

from __future__ import annotations

import base64
import hashlib
import sys
from http.cookiejar import CookieJar

import atheris

with atheris.instrument_imports(include=["wsclient", "h11", "http.cookiejar"]):
    from wsclient import ClientHttpProxyError, ServerDisconnectedError, WSServerHandshakeError
    from wsclient.handshake.cookies import CookiePolicy, cookie_header, keep_cookies
    from wsclient.handshake.extensions import PerMessageDeflate
    from wsclient.handshake.redirects import Target
    from wsclient.handshake.upgrade import Handshake, is_redirect
    from wsclient.handshake.urls import parse_url
    from wsclient.network.proxy import Connect, parse_proxy
    from wsclient.retry import retry_after
    from wsclient.types import HandshakeResponse

from multidict import CIMultiDict

from wsclient.exceptions import ClientError

URL = parse_url("wss://user:secret@example.org/feed?a=1")
PROXY = parse_proxy("http://user:secret@127.0.0.1:3128", None, None, ssl=True)
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
SECRET = base64.b64encode(b"user:secret").decode()


def handshake() -> Handshake:
    """Offer all there is."""
    return Handshake(URL, protocols=("chat", "feed"), deflate=PerMessageDeflate())


def check_discretion(error: Exception, data: bytes) -> None:
    """See that an error tells no credentials, but for what the other side said."""
    for secret in ("secret", SECRET):
        assert secret not in str(error) or secret.encode() in data


def feed(opening: Handshake, pieces: list[bytes]) -> HandshakeResponse | Exception:
    """Give an answer in pieces, then its end."""
    try:
        for piece in pieces:
            if piece:
                response = opening.receive(piece)
                if response is not None:
                    # What follows belongs to the WebSocket.
                    return response
        opening.receive(b"")
    except (WSServerHandshakeError, ServerDisconnectedError) as error:
        check_discretion(error, b"".join(pieces))
        return error
    raise AssertionError("an answer that ended is no answer")


def verdict(outcome: HandshakeResponse | Exception) -> object:
    """Return what may not depend on how the answer was cut."""
    if isinstance(outcome, Exception):
        return type(outcome), getattr(outcome, "status", None)
    return outcome


def redirected(response: HandshakeResponse) -> None:
    """Follow a redirect in thought."""
    target = Target(URL, CIMultiDict({"Authorization": "secret", "X": "y"}), "name", "a=secret")
    try:
        there = target.after(response)
    except ClientError:
        return
    assert there.url.scheme == "wss"
    if (there.url.raw_host, there.url.port) != (URL.raw_host, URL.port):
        assert there.url.user is None or there.url.user != "user"
        assert not there.cookies
        assert "Authorization" not in there.headers


def answer(data: bytes, cut: int) -> None:
    """Judge an answer to an opening handshake."""
    openings = handshake(), handshake()
    key = openings[0]._key
    openings[1]._key = key
    accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
    data = data.replace(b"ACCEPT", accept)
    cut %= len(data) + 1
    whole = feed(openings[0], [data])
    parts = feed(openings[1], [data[:cut], data[cut:]])
    assert verdict(parts) == verdict(whole), (parts, whole)
    if isinstance(whole, HandshakeResponse):
        jar = CookieJar(CookiePolicy())
        keep_cookies(jar, whole)
        header = cookie_header(jar, URL, ())
        assert header is None or not set("\r\n\0") & set(header)
        if is_redirect(whole):
            redirected(whole)
        else:
            assert data.endswith(openings[0].trailing)
            assert openings[0].subprotocol in {None, "chat", "feed"}
    elif isinstance(whole, WSServerHandshakeError):
        assert retry_after(whole, 0.0) >= 0


def connect(data: bytes, cut: int) -> None:
    """Judge a proxy's answer to CONNECT."""
    cut %= len(data) + 1
    outcomes = []
    for pieces in ([data], [data[:cut], data[cut:]]):
        tunnel = Connect(PROXY, "example.org", 443)
        outcome: object = None
        try:
            for piece in pieces:
                if piece and tunnel.receive(piece):
                    outcome = "open"
                    break
            else:
                tunnel.receive(b"")
        except ClientHttpProxyError as error:
            check_discretion(error, data)
            outcome = error.status
        except ConnectionResetError:
            outcome = "lost"
        outcomes.append(outcome)
    assert outcomes[0] == outcomes[1], outcomes


def one_input(data: bytes) -> None:
    """Take the first three bytes to choose by, the others as what arrives."""
    if len(data) >= 3:
        judge = connect if data[0] & 1 else answer
        judge(data[3:], int.from_bytes(data[1:3], "big"))


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
