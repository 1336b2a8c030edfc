"""The opening handshake, without I/O: the request to send, the answer to verify.

RFC 6455 §4.1 says what the request holds and which answers a client must refuse;
§1.3 defines the accept key, §9.1 the grammar of extensions and §11.3 the header
fields. HTTP/1.1 itself is left to h11, but for a whole 101, which httparse reads faster.

A `Handshake` lives for one request::

    handshake = Handshake(parse_url("wss://example.org/feed"))
    transport.write(handshake.request())
    ...
    response = handshake.receive(data)  # None: more is needed
    handshake.trailing                  # bytes that belong to the WebSocket already
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING, NoReturn

import h11
from multidict import CIMultiDict, CIMultiDictProxy, istr

from wsclient._core import parse_switching_head
from wsclient.exceptions import ServerDisconnectedError, WSServerHandshakeError
from wsclient.types import HandshakeResponse, LooseHeaders, is_secure, without_credentials

from .extensions import read_extensions
from .headers import (
    SHOWN,
    TLS_ALERT,
    basic_authorization,
    check_headers,
    check_protocols,
    check_value,
)
from .redaction import hide, secrets_of
from .urls import shown_url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from yarl import URL

    from .extensions import Agreement, PerMessageDeflate

__all__ = ["Handshake", "is_redirect"]

MAX_HEAD = 32 * 1024
"""Bytes that the head of one answer may have, status line to blank line."""
MAX_FIELDS = 128
"""Header fields that one answer may have."""
MAX_INFORMATIONAL = 16
"""1xx answers that may precede the final one."""
SHOWN_BODY = 200
"""Characters of a refusal's body that an error text repeats."""
_FIRST = 1024
"""Bytes of an answer that are kept until it is known whether it is HTTP."""

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3
# 101 ends HTTP, all other 1xx announce another answer (RFC 9110 §15.2).
_FINAL = frozenset({HTTPStatus.SWITCHING_PROTOCOLS, *range(200, 1000)})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})  # RFC 9110 §15.4
# What nearly every answer has, and its `HandshakeResponse` keeps: once for all of them.
_NAMES = {
    spelt: istr(spelt)
    for name in (
        "Connection", "Date", "Sec-WebSocket-Accept", "Sec-WebSocket-Extensions",
        "Sec-WebSocket-Protocol", "Server", "Upgrade",
    )
    for spelt in (name, name.lower())
}  # fmt: skip
_WORDS = {word: word for word in ("websocket", "Upgrade", "upgrade", "Switching Protocols")}
_USE_TLS = "wss:// is right, not ws://"
# nginx, Go and Apache.
_WANTS_TLS = re.compile(
    rb"plain HTTP request was sent to HTTPS|HTTP request to an HTTPS server|speaking plain HTTP to"
)


def is_redirect(response: HandshakeResponse) -> bool:
    """Tell whether an answer sends the client elsewhere (RFC 9110 §15.4).

    Args:
        response: What `Handshake.receive` returned.

    Returns:
        True for 301, 302, 303, 307 and 308 with a ``Location``.
    """
    return response.status in _REDIRECTS and "Location" in response.headers


class Handshake:
    """One opening handshake: its request, and the reading of its answer.

    Args:
        url: What `parse_url` returned. User and password become ``Authorization: Basic``
            unless `headers` has an ``Authorization`` of its own.
        protocols: Subprotocols to offer, preferred ones first (RFC 6455 §1.9).
        deflate: The compression to offer; None offers nothing.
        origin: Value of ``Origin``; None sends none.
        headers: Further header fields. They may replace ``Host``, ``Origin`` and
            ``User-Agent``.
        max_body: Bytes that are kept of the body of an answer that opens nothing.

    Attributes:
        url: What is requested, without credentials.
        trailing: What followed the head of the 101: the first bytes of the WebSocket.
        subprotocol: The offered subprotocol that the server chose, or None.
        agreement: How to compress, if the server accepted it, or None.

    Raises:
        TypeError: A header's name or value is not `str`.
        ValueError: A header, the origin or a subprotocol holds what must not be sent, or
            a header is the handshake's own.
    """

    def __init__(
        self,
        url: URL,
        *,
        protocols: Sequence[str] = (),
        deflate: PerMessageDeflate | None = None,
        origin: str | None = None,
        headers: LooseHeaders | None = None,
        max_body: int = 4096,
    ) -> None:
        self.url: URL = without_credentials(url)
        self.trailing: bytes = b""
        self.subprotocol: str | None = None
        self.agreement: Agreement | None = None
        self._protocols = check_protocols(protocols)
        self._asked = url
        self._given = check_headers(headers)
        self._deflate = deflate
        self._max_body = max_body
        # RFC 6455 §4.1 item 7: 16 bytes, unpredictable, new for every request.
        self._key = base64.b64encode(secrets.token_bytes(16))
        self._http: h11.Connection | None = None
        self._received = 0
        self._head_start = 0
        self._first = b""
        self._informational = 0
        self._response: HandshakeResponse | None = None
        self._complete = False
        self._body = bytearray()

        fields = CIMultiDict({"Host": _host_field(url)})
        fields["Upgrade"] = "websocket"
        fields["Connection"] = "Upgrade"
        fields["Sec-WebSocket-Key"] = self._key.decode()
        fields["Sec-WebSocket-Version"] = "13"
        if self._protocols:
            fields["Sec-WebSocket-Protocol"] = ", ".join(self._protocols)
        if deflate is not None:
            fields["Sec-WebSocket-Extensions"] = deflate.offer()
        if origin is not None:
            fields["Origin"] = check_value("Origin", origin)
        fields["User-Agent"] = "wsclient"
        if url.user is not None or url.password is not None:
            fields["Authorization"] = basic_authorization(url.user or "", url.password or "")
        fields.update(self._given)
        self._request = _encode(url.raw_path_qs, fields)

    def request(self) -> bytes:
        """Return the bytes to send (RFC 6455 §4.1): the whole request, which has no body."""
        return self._request

    def receive(self, data: bytes) -> HandshakeResponse | None:
        """Take in what the server sent.

        Args:
            data: The next bytes, cut anywhere; ``b""`` when the server sends no more.

        Returns:
            The answer when it is complete: a verified 101, after which `trailing`
            holds what followed it, or a redirect (see `is_redirect`). None while more
            bytes are needed.

        Raises:
            WSServerHandshakeError: The answer opens nothing: no HTTP/1.1, too large,
                another status, or a 101 that breaks RFC 6455 §4.1.
            ServerDisconnectedError: The answer ended before its head was complete.
        """
        if self._complete:
            self.trailing += data
            return self._response
        if not data:
            self._end()
        self._received += len(data)
        self._first = (self._first + data[:_FIRST])[:_FIRST]
        # h11 would wait for a blank line that another protocol may never send.
        if not b"HTTP/".startswith(self._first[:5]):
            raise self._garbage_error("no HTTP status line")
        if self._http is None:
            head = parse_switching_head(data[:MAX_HEAD])
            if head is not None:
                reason, fields, size = head
                self.trailing = data[size:]
                return self._switch(
                    self._head(HTTPStatus.SWITCHING_PROTOCOLS.value, reason, fields, "1.1")
                )
            self._http = _http_connection()
        try:
            self._http.receive_data(data)
            return self._advance(self._http)
        except h11.RemoteProtocolError as error:
            # h11's own text may quote a cookie.
            raise self._broken(error) from None

    def _switch(self, response: HandshakeResponse) -> HandshakeResponse:
        self._verify(response)
        self._response = response
        self._complete = True
        return response

    def _advance(self, http: h11.Connection) -> HandshakeResponse | None:
        """Work through what h11 has; see `receive`."""
        while True:
            event = http.next_event()
            if isinstance(event, (h11.InformationalResponse, h11.Response)):
                response = self._read_head(event, http)
                if response.status == HTTPStatus.SWITCHING_PROTOCOLS:
                    self.trailing = http.trailing_data[0]
                    return self._switch(response)
                if is_redirect(response):
                    self._response = response
                    self._complete = True
                    self.trailing = http.trailing_data[0]
                    return response
                if response.status in _FINAL:
                    self._response = response
            elif isinstance(event, h11.Data):
                self._body += event.data
                if len(self._body) >= self._max_body:
                    raise self._status_error()
            elif event is h11.NEED_DATA:
                return None
            else:
                raise self._status_error()

    def _read_head(
        self, event: h11.InformationalResponse | h11.Response, http: h11.Connection
    ) -> HandshakeResponse:
        end = self._received - len(http.trailing_data[0])
        size, self._head_start = end - self._head_start, end
        # h11 bounds only heads that come in pieces; the verdict must not depend on that.
        if size > MAX_HEAD:
            raise self._head_error(f"larger than {MAX_HEAD} bytes")
        if len(event.headers) > MAX_FIELDS:
            raise self._head_error(f"of {len(event.headers)} fields, expected at most {MAX_FIELDS}")
        if event.status_code not in _FINAL:
            self._informational += 1
            if self._informational > MAX_INFORMATIONAL:
                raise self._head_error(f"after {MAX_INFORMATIONAL} informational ones")
        fields = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in event.headers.raw_items()]
        reason, version = event.reason.decode("latin-1"), event.http_version.decode("ascii")
        return self._head(event.status_code, reason, fields, version)

    def _head(
        self, status: int, reason: str, fields: list[tuple[str, str]], version: str
    ) -> HandshakeResponse:
        shared = [(_NAMES.get(name, name), _WORDS.get(value, value)) for name, value in fields]
        return HandshakeResponse(
            status=status,
            reason=_WORDS.get(reason, reason),
            headers=CIMultiDictProxy(CIMultiDict(shared)),
            http_version=version,
            url=self.url,
        )

    def _verify(self, response: HandshakeResponse) -> None:
        """Hold a 101 against RFC 6455 §4.1, the list under "the client MUST validate"."""
        # That list has no version. Of old gateways, browsers and aiohttp take HTTP/1.0.
        if response.http_version not in {"1.1", "1.0"}:
            self._refuse(response, f"HTTP/{response.http_version}, expected HTTP/1.1")
        for name, token in (("Upgrade", "websocket"), ("Connection", "upgrade")):
            values = response.headers.getall(name, [])
            if token not in {part.strip().lower() for v in values for part in v.split(",")}:
                self._refuse(response, f"{name} {self._shown(values)}, expected {token!r} in it")
        expected = base64.b64encode(hashlib.sha1(self._key + _GUID).digest())  # noqa: S324 - §1.3
        accept = self._single(response, "Sec-WebSocket-Accept")
        if accept != expected.decode():
            got = "no Sec-WebSocket-Accept" if accept is None else "a wrong Sec-WebSocket-Accept"
            self._refuse(response, f"{got}, expected the answer to this request's key")
        # Empty fields break the grammar of §11.3.2 and §11.3.4, but choose nothing.
        chosen = self._single(response, "Sec-WebSocket-Protocol") or None
        if chosen is not None and chosen not in self._protocols:
            offered = self._shown(self._protocols)
            self._refuse(response, f"subprotocol {self._shown([chosen])}, offered was {offered}")
        self.agreement = self._verify_extensions(response)
        self.subprotocol = chosen

    def _verify_extensions(self, response: HandshakeResponse) -> Agreement | None:
        value = self._single(response, "Sec-WebSocket-Extensions")
        if not value:
            return None
        try:
            return read_extensions(value, self._deflate)
        except ValueError as error:
            self._refuse(response, self._hide(str(error)))

    def _single(self, response: HandshakeResponse, name: str) -> str | None:
        """Return a field that an answer may have once (RFC 6455 §11.3.2 to §11.3.4)."""
        values = response.headers.getall(name, [])
        if len(values) > 1:
            self._refuse(response, f"{name} {len(values)} times, expected it once")
        return values[0] if values else None

    def _end(self) -> NoReturn:
        if self._response is not None:
            raise self._status_error()
        missing = "the end of its head" if self._received else "any of it"
        hint = ""
        if not (self._received or is_secure(self.url)):
            hint = "; if TLS is spoken there, wss:// is right, not ws://"
        raise ServerDisconnectedError(
            f"server closed the connection during the opening handshake, {self._received} bytes"
            f" into its answer and before {missing}{hint}, url={shown_url(self.url)!r}"
        )

    def _refuse(self, response: HandshakeResponse, what: str) -> NoReturn:
        raise self._error(f"server's 101 has {what}", response)

    def _broken(self, error: h11.RemoteProtocolError) -> WSServerHandshakeError:
        """Say what h11 found wrong with the answer."""
        if self._response is not None:
            return self._status_error()
        if error.error_status_hint == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
            return self._head_error(f"larger than {MAX_HEAD} bytes")
        return self._garbage_error(_reason(error))

    def _status_error(self) -> WSServerHandshakeError:
        response = self._response
        status = "" if response is None else f"{response.status} {self._shown([response.reason])}"
        text = f"server answered {status}, expected 101 Switching Protocols"
        body = self._hide(" ".join(self._body.decode(errors="replace").split()))
        if body:
            text += f"; its body begins {body[:SHOWN_BODY]!r}"
        if not is_secure(self.url) and _WANTS_TLS.search(self._body):
            text += f"; {_USE_TLS}"
        return self._error(text, response)

    def _head_error(self, what: str) -> WSServerHandshakeError:
        return self._error(f"server sent an answer {what}", None)

    def _garbage_error(self, reason: str) -> WSServerHandshakeError:
        # The first line only: header fields may hold cookies.
        line = self._hide(self._first.partition(b"\n")[0].decode("latin-1"))[:SHOWN]
        if self._first.startswith(TLS_ALERT) and not is_secure(self.url):
            reason = f"a TLS alert: {_USE_TLS}"
        return self._error(
            f"server's answer is not HTTP/1.1 ({reason}), it begins {line.encode('latin-1')!r}",
            None,
        )

    def _shown(self, values: Sequence[str]) -> str:
        return repr(self._hide(", ".join(values))[:SHOWN]) if values else "nothing"

    def _hide(self, text: str) -> str:
        """Take out of someone's words what the request had in it that may be secret."""
        return hide(text, secrets_of(self._asked, self._given, self._protocols))

    def _error(self, text: str, response: HandshakeResponse | None) -> WSServerHandshakeError:
        if response is None:
            return WSServerHandshakeError(text, url=self.url)
        return WSServerHandshakeError(
            text,
            status=response.status,
            headers=CIMultiDict(response.headers),
            body=bytes(self._body[: self._max_body]),
            url=self.url,
        )


def _encode(target: str, fields: CIMultiDict[str]) -> bytes:
    """Write a request (RFC 9112 §3), of which `parse_url` and `check_headers` have seen each part.

    h11 would check all of it again, at 20 us of the 300 that opening a connection takes.
    """
    if len(fields.getall("Host")) > 1:
        raise ValueError("cannot build the request: multiple Host headers")
    lines = [f"GET {target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def _http_connection() -> h11.Connection:
    """Make what reads an answer, and understands that it may switch protocols."""
    http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
    fields = [("Host", "a"), ("Upgrade", "websocket"), ("Connection", "Upgrade")]
    http.send(h11.Request(method="GET", target="/", headers=fields))
    return http


def _host_field(url: URL) -> str:
    # A zone is of this machine only (RFC 6874 §4 wants it removed).
    return re.sub(r"%[^\]]*(?=\])", "", url.host_port_subcomponent or "")


def _reason(error: h11.ProtocolError) -> str:
    """h11's words without the peer's or the caller's bytes that it quotes after them."""
    return str(error).split(": b", 1)[0]
