"""Proxies, without I/O: which one a URL takes, and what is said to an HTTP proxy.

Connecting to one is for `tunnel`.
"""

from __future__ import annotations

import re
import urllib.request
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, NoReturn

import h11
from multidict import CIMultiDict
from yarl import URL

from wsclient.arguments import read_type
from wsclient.exceptions import ClientHttpProxyError, InvalidURL
from wsclient.handshake.auth import BasicAuth
from wsclient.handshake.headers import SHOWN, TLS_ALERT, check_headers
from wsclient.handshake.redaction import hide, secrets_of
from wsclient.handshake.urls import read_url
from wsclient.types import is_secure, without_credentials

if TYPE_CHECKING:
    from wsclient.types import LooseHeaders

    from .tls import SSLSetting

__all__ = ["Connect", "Proxy", "parse_proxy", "proxy_from_environment"]

_PORTS = {
    "http": 80,
    "https": 443,
    "socks4": 1080,
    "socks4a": 1080,
    "socks5": 1080,
    "socks5h": 1080,
}
_EXPECTED = ", ".join(_PORTS)
_BARE = re.compile(r"(?:^|@)([-.\w]{1,80}(?::[0-9]{1,5})?)$")
MAX_ANSWER = 32 * 1024
"""Bytes that an HTTP proxy may answer before the tunnel begins."""
_MAX_SOCKS_FIELD = 255  # RFC 1929 §2


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy, checked.

    Attributes:
        url: Its URL without credentials, port included.
        auth: Credentials for it.
        headers: Header fields for an HTTP proxy.
        ssl: How its TLS is verified if its scheme is ``https``.
    """

    url: URL
    auth: BasicAuth | None = field(default=None, repr=False)
    headers: CIMultiDict[str] = field(default_factory=CIMultiDict[str], repr=False)
    ssl: SSLSetting = True

    @property
    def scheme(self) -> str:
        """``http``, ``https``, ``socks4``, ``socks4a``, ``socks5`` or ``socks5h``."""
        return self.url.scheme

    @property
    def host(self) -> str:
        """Name or address of the proxy."""
        return self.url.raw_host or ""

    @property
    def port(self) -> int:
        """TCP port of the proxy."""
        return self.url.port or _PORTS[self.url.scheme]

    @property
    def is_http(self) -> bool:
        """True if it wants ``CONNECT``, False if it speaks SOCKS."""
        return self.url.scheme in {"http", "https"}


def parse_proxy(
    proxy: str | URL,
    auth: BasicAuth | None = None,
    headers: LooseHeaders | None = None,
    ssl: SSLSetting = True,
) -> Proxy:
    """Check a proxy's URL.

    Args:
        proxy: ``http``, ``https``, ``socks4``, ``socks4a``, ``socks5`` or ``socks5h`` URL;
            user and password may be in it. Its port is that of HTTP or HTTPS, or 1080 for
            SOCKS, unless it has one.
        auth: Credentials that go before those in the URL.
        headers: Header fields for an HTTP proxy.
        ssl: How the TLS of an ``https`` proxy is verified.

    Raises:
        TypeError: `proxy`, `auth` or a header has the wrong type.
        InvalidURL: The URL cannot name a proxy.
        ValueError: A header holds what must not be sent, or SOCKS cannot carry the credentials.
    """
    read_type("proxy", proxy, (str, URL), "str or yarl.URL")
    if auth is not None:
        read_type("proxy_auth", auth, BasicAuth, "BasicAuth")
    if "://" not in str(proxy):
        # What else may stand there, as in "host:port:user:password", is not to be shown.
        bare = _BARE.search(str(proxy))
        host = bare[1] if bare else "host:3128"
        text = f"no scheme of a proxy, expected {_EXPECTED}, as 'http://{host}'"
        raise InvalidURL(host if bare else "the proxy's", text)
    try:
        url = read_url(proxy)
        port = url.explicit_port
    except ValueError:
        # yarl's text may repeat a password that it took for a port.
        raise InvalidURL("the proxy's", "cannot be parsed") from None
    # yarl fails on a host that is empty.
    shown = f"{url.scheme}://{url.host_port_subcomponent if url.raw_host else ''}"
    if url.scheme not in _PORTS:
        raise InvalidURL(shown, f"scheme {url.scheme!r} of a proxy, expected {_EXPECTED}")
    if not url.raw_host or port == 0:
        raise InvalidURL(shown, "a proxy needs a host and a port in 1..65535")
    if url.path not in {"", "/"} or url.query_string or url.fragment:
        raise InvalidURL(shown, "a proxy has no path, query or fragment")
    auth = auth or BasicAuth.from_url(url, encoding="utf-8")
    plain = without_credentials(url).with_path("").with_port(port or _PORTS[url.scheme])
    found = Proxy(plain, auth, check_headers(headers), ssl)
    if auth is not None and not found.is_http:
        _check_socks(auth)
    return found


def _check_socks(auth: BasicAuth) -> None:
    for name, value in (("login", auth.login), ("password", auth.password)):
        if not value.isascii() or "\0" in value or len(value) > _MAX_SOCKS_FIELD:
            raise ValueError(
                f"{name} for a SOCKS proxy must be ASCII without NUL, of at most"
                f" {_MAX_SOCKS_FIELD} characters"
            )


def proxy_from_environment(url: URL, ssl: SSLSetting = True) -> Proxy | None:
    """Choose the proxy that the environment has for a URL (`urllib.request.getproxies`).

    Of ``WS_PROXY``, ``SOCKS_PROXY``, ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``ALL_PROXY`` the first
    that is set counts (RFC 6455 §4.1 prefers them in this order); for ``wss`` it is
    ``WSS_PROXY`` instead of ``WS_PROXY``, and ``HTTP_PROXY`` does not count. ``NO_PROXY`` lists
    hosts, with or without port, and domains that take none; ``*`` is all. Lower-case names go
    before upper-case ones.

    Args:
        url: What is to be connected to, its scheme ``ws`` or ``wss``.
        ssl: How the TLS of an ``https`` proxy is verified.

    Raises:
        InvalidURL: What is set cannot name a proxy.
    """
    if urllib.request.proxy_bypass(f"{url.raw_host}:{url.port}"):
        return None
    settings = urllib.request.getproxies()
    names = (
        ("wss", "socks", "https", "all")
        if is_secure(url)
        else ("ws", "socks", "https", "http", "all")
    )
    found = next((settings[name] for name in names if name in settings), None)
    if found is None:
        return None
    # Where a name stands without a scheme, as curl lets it, it is that of an HTTP proxy.
    return parse_proxy(found if "://" in found else f"http://{found}", ssl=ssl)


class Connect:
    """One ``CONNECT`` (RFC 9110 §9.3.6): its request, and the reading of the answer.

    Args:
        proxy: Who is asked.
        host: To whom the tunnel is to lead.
        port: And to which port.

    Attributes:
        trailing: What followed the head of the answer: the first bytes of the tunnel.
    """

    def __init__(self, proxy: Proxy, host: str, port: int) -> None:
        self.trailing: bytes = b""
        self._proxy = proxy
        self._received = 0
        self._first = b""
        self._done = False
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_ANSWER)
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        fields = CIMultiDict({"Host": target, "User-Agent": "wsclient"})
        if proxy.auth is not None:
            fields["Proxy-Authorization"] = proxy.auth.encode()
        fields.update(proxy.headers)
        self._fields = fields
        pairs = [(name.encode(), value.encode()) for name, value in fields.items()]
        request = h11.Request(method="CONNECT", target=target, headers=pairs)
        self._request = (self._http.send(request) or b"") + (
            self._http.send(h11.EndOfMessage()) or b""
        )

    def request(self) -> bytes:
        """Return the bytes to send."""
        return self._request

    def receive(self, data: bytes) -> bool:
        """Take in what the proxy sent.

        Args:
            data: The next bytes, cut anywhere; ``b""`` when it sends no more.

        Returns:
            True if the tunnel stands, whose first bytes are in `trailing`.

        Raises:
            ClientHttpProxyError: The proxy refuses, or its answer is not HTTP.
            ConnectionResetError: The proxy sends no more.
        """
        if self._done:
            self.trailing += data
            return True
        if not data:
            raise ConnectionResetError("proxy closed the connection before it answered CONNECT")
        self._received += len(data)
        self._first = (self._first + data[:5])[:5]
        # h11 would wait for a blank line that another protocol may never send.
        if not b"HTTP/".startswith(self._first):
            if self._first.startswith(TLS_ALERT):
                self._refuse(
                    "answered with a TLS alert: https:// is right for the proxy, not http://,"
                )
            self._refuse("sent what is not HTTP/1.1")
        try:
            self._http.receive_data(data)
            self._done = self._advance()
        except h11.RemoteProtocolError:
            self._refuse("sent what is not HTTP/1.1")
        if not self._done and self._received > MAX_ANSWER:
            self._refuse(f"sent an answer larger than {MAX_ANSWER} bytes")
        return self._done

    def _advance(self) -> bool:
        while True:
            event = self._http.next_event()
            if isinstance(event, h11.Response):
                # Any 2xx opens the tunnel (RFC 9110 §9.3.6).
                if not HTTPStatus.OK <= event.status_code < HTTPStatus.MULTIPLE_CHOICES:
                    secrets = secrets_of(self._proxy.url, self._fields)
                    reason = hide(event.reason.decode("latin-1"), secrets)[:SHOWN]
                    self._refuse(f"answered {event.status_code} {reason!r}", event)
                self.trailing = self._http.trailing_data[0]
                return True
            if not isinstance(event, h11.InformationalResponse):
                return False

    def _refuse(self, what: str, response: h11.Response | None = None) -> NoReturn:
        headers = [] if response is None else response.headers.raw_items()
        raise ClientHttpProxyError(
            f"proxy {what} to CONNECT",
            status=0 if response is None else response.status_code,
            headers=CIMultiDict((n.decode("latin-1"), v.decode("latin-1")) for n, v in headers),
            url=self._proxy.url,
        )
