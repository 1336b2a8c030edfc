"""Every error that `wsclient` raises on its own behalf.

The names and the shape are aiohttp's, so that a bot can change its imports and
keep its ``except`` clauses:

    ClientError
     +- ClientConnectionError
     |   +- ClientOSError (also OSError)
     |   |   +- ClientConnectorError
     |   |   |   +- ClientConnectorDNSError
     |   |   |   +- ClientConnectorSSLError
     |   |   |   |   +- ClientConnectorCertificateError
     |   |   |   +- ClientProxyConnectionError
     |   |   |   +- UnixClientConnectorError
     |   |   +- ClientConnectionResetError (also ConnectionResetError, RuntimeError)
     |   +- ServerConnectionError
     |       +- ServerDisconnectedError
     |       +- ServerFingerprintMismatch
     |       +- ServerTimeoutError (also TimeoutError)
     |           +- ConnectionTimeoutError
     +- InvalidURL (also ValueError)
     +- ClientResponseError
     |   +- ClientHttpProxyError
     |   +- WSServerHandshakeError
     |       +- TooManyRedirects
     +- WebSocketError
     +- WSMessageTypeError (also TypeError)

Wrong arguments raise the built-in `TypeError` and `ValueError`, and a misused
object raises `RuntimeError`, as everywhere in Python.

No text or ``repr`` made here shows a credential, or a value in a URL's query: whoever raises
hands over URLs without their user and password, and header fields and bodies stay in attributes.
Of a body, the beginning is shown without what the request had in it that may be secret.
Each of these errors survives `pickle` and `copy`.
"""

from __future__ import annotations

__all__ = [
    "ClientConnectionError",
    "ClientConnectionResetError",
    "ClientConnectorCertificateError",
    "ClientConnectorDNSError",
    "ClientConnectorError",
    "ClientConnectorSSLError",
    "ClientError",
    "ClientHttpProxyError",
    "ClientOSError",
    "ClientProxyConnectionError",
    "ClientResponseError",
    "ConnectionTimeoutError",
    "InvalidURL",
    "ServerConnectionError",
    "ServerDisconnectedError",
    "ServerFingerprintMismatch",
    "ServerTimeoutError",
    "TooManyRedirects",
    "UnixClientConnectorError",
    "WSMessageTypeError",
    "WSServerHandshakeError",
    "WebSocketError",
]

# aiohttp's users write these names in their except clauses, whatever N818 prefers.
# ruff: noqa: N818

# One import would be enough to let this module fail where it must not; hence the
# attribute types that belong to other packages (URL, headers, SSLContext) are `object`-like.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from yarl import URL

    from .network.tls import SSLSetting
    from .types import HandshakeResponse


class ClientError(Exception):
    """Base of everything `wsclient` raises on its own behalf. Mirrors ``aiohttp.ClientError``."""


class ClientConnectionError(ClientError):
    """The connection could not be made, or was lost."""


class ClientOSError(ClientConnectionError, OSError):
    """The operating system refused something; `errno` and `strerror` say what."""


class ClientConnectorError(ClientOSError):
    """A connection to a host could not be established.

    Args:
        host: Host that was asked for, as the URL names it (no brackets around IPv6).
        port: TCP port that was asked for.
        os_error: What the operating system (or `ssl`) reported.
        step: What was under way: ``"dns"``, ``"tcp"``, ``"tls"`` or ``"unix"``.
        ssl: The TLS setting in force; None on a connection without TLS.
        hint: What may help, in words.
    """

    def __init__(
        self,
        host: str,
        port: int,
        os_error: OSError,
        *,
        step: str = "tcp",
        ssl: SSLSetting | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(os_error.errno, os_error.strerror or str(os_error))
        # What pickle calls the class with; OSError would keep (errno, strerror).
        self.args: tuple[object, ...] = (host, port, os_error)
        self.host = host
        self.port = port
        self.os_error = os_error
        self.step = step
        self.ssl = ssl
        self.hint = hint

    @property
    def reason(self) -> str:
        """What `os_error` says, in words."""
        return str(self.os_error) or type(self.os_error).__name__

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"cannot connect to {host}:{self.port}, {self._why}"

    @property
    def _why(self) -> str:
        return f"step {self.step}: {self.reason}" + (f"; {self.hint}" if self.hint else "")

    def __reduce__(
        self,
    ) -> tuple[type[ClientConnectorError], tuple[object, ...], dict[str, object]]:
        # An SSLContext cannot be pickled, and its settings are no part of what went wrong.
        plain = self.ssl if isinstance(self.ssl, bool) else None
        return type(self), self.args, {"step": self.step, "ssl": plain, "hint": self.hint}


class ClientConnectorDNSError(ClientConnectorError):
    """The host name could not be resolved."""


class ClientConnectorSSLError(ClientConnectorError):
    """TLS could not be set up."""


class ClientConnectorCertificateError(ClientConnectorSSLError):
    """The server's certificate was not accepted: untrusted, expired, or for another host."""


class ClientProxyConnectionError(ClientConnectorError):
    """A proxy could not be connected to, or a SOCKS proxy did not open the way to the server.

    Args:
        host: The proxy's host.
        port: The proxy's port.
        os_error: What the operating system, `ssl` or the proxy reported.
        step: What was under way: ``"dns"``, ``"tcp"``, ``"tls"``, or ``"proxy"``, which is
            what comes after these.
        ssl: The TLS setting for the proxy; None if it is spoken to without TLS.
        proxy: The proxy's URL, without credentials.
        hint: What may help, in words.
    """

    def __init__(
        self,
        host: str,
        port: int,
        os_error: OSError,
        *,
        step: str = "tcp",
        ssl: SSLSetting | None = None,
        proxy: URL | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(host, port, os_error, step=step, ssl=ssl, hint=hint)
        self.proxy = proxy

    def __str__(self) -> str:
        return f"cannot connect by proxy {self.proxy}, {self._why}"

    def __reduce__(
        self,
    ) -> tuple[type[ClientConnectorError], tuple[object, ...], dict[str, object]]:
        kind, args, state = super().__reduce__()
        return kind, args, {**state, "proxy": self.proxy}


class UnixClientConnectorError(ClientConnectorError):
    """A Unix socket could not be connected to.

    Args:
        path: The socket's path.
        os_error: What the operating system reported.
    """

    def __init__(self, path: str, os_error: OSError) -> None:
        super().__init__(path, 0, os_error, step="unix")
        self.args: tuple[object, ...] = (path, os_error)
        self.path = path

    def __str__(self) -> str:
        return f"cannot connect to Unix socket {self.path}: {self.os_error}"


class ClientConnectionResetError(ClientOSError, ConnectionResetError, RuntimeError):
    """Something was sent on a connection that is closed or closing.

    It is a `RuntimeError` too, because aiohttp 0.17 raised one here.
    """


class ServerConnectionError(ClientConnectionError):
    """The server broke off, or did not answer."""


class ServerDisconnectedError(ServerConnectionError):
    """The server closed TCP without a close frame, or in the middle of the handshake.

    Args:
        message: What was under way and what had arrived.
    """

    def __init__(self, message: str = "server disconnected") -> None:
        super().__init__(message)
        self.message = message


class ServerFingerprintMismatch(ServerConnectionError):
    """The server's certificate is another one than the `Fingerprint` names.

    Args:
        expected: SHA-256 that the certificate should have had.
        got: SHA-256 of the certificate that the server has shown.
        host: Host that was asked for.
        port: TCP port that was asked for.
    """

    def __init__(self, expected: bytes, got: bytes, host: str, port: int) -> None:
        super().__init__(expected, got, host, port)
        self.expected = expected
        self.got = got
        self.host = host
        self.port = port

    def __str__(self) -> str:
        return (
            f"certificate of {self.host}:{self.port} has the fingerprint {self.got.hex()},"
            f" expected {self.expected.hex()}"
        )


class ServerTimeoutError(ServerConnectionError, TimeoutError):
    """The server did not answer in time."""


class ConnectionTimeoutError(ServerTimeoutError):
    """The connection was not open in time.

    Args:
        message: URL, seconds and step in words.
        step: What was under way: ``"limit"`` (waiting until the connector's limits let one more
            connection be), ``"proxy"`` (all there is to do with one), ``"dns"``, ``"tcp"``,
            ``"unix"``, ``"tls"`` or ``"handshake"``.
    """

    def __init__(self, message: str = "opening timed out", *, step: str = "") -> None:
        super().__init__(message)
        self.step = step


class InvalidURL(ClientError, ValueError):
    """The URL cannot be used for a WebSocket (RFC 6455 §3).

    Args:
        url: The URL as it was given, without credentials and values in its query.
        description: What is wrong with it.
    """

    def __init__(self, url: object, description: str | None = None) -> None:
        super().__init__(url, description)
        self.url = url
        self.description = description

    def __str__(self) -> str:
        shown = repr(str(self.url))
        return f"invalid URL {shown}: {self.description}" if self.description else shown


class ClientResponseError(ClientError):
    """The answer to a request was not the one that was needed.

    Args:
        message: What came and what was expected.
        status: HTTP status of the answer; 0 when there was none that could be read.
        headers: Header fields of the answer; None when there was none.
        body: The beginning of the answer's body, undecoded.
        url: What was requested, without credentials. Texts show it without the values in its
            query as well.
        history: The redirects that led here, oldest first.
    """

    def __init__(
        self,
        message: str = "",
        *,
        status: int = 0,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        url: URL | None = None,
        history: tuple[HandshakeResponse, ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.headers = headers
        self.body = body
        self.url = url
        self.history = history

    @property
    def code(self) -> int:
        """`status`, under the name that aiohttp 0.17 gave it."""
        return self.status

    def __str__(self) -> str:
        if self.url is None:
            return self.message
        return f"{self.message}, url={hide_query(str(self.url))!r}"


class ClientHttpProxyError(ClientResponseError):
    """An HTTP proxy did not open the way to the server; `url` is the proxy's."""


class WSServerHandshakeError(ClientResponseError):
    """The server's answer does not open a WebSocket (RFC 6455 §4.1)."""


class TooManyRedirects(WSServerHandshakeError):
    """The server kept redirecting; `history` holds the redirects that were followed."""


class WebSocketError(ClientError):
    """The peer broke the WebSocket protocol.

    Args:
        code: Close code that answers the violation (RFC 6455 §7.4.1).
        message: What the peer did.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code, message)
        self.code: int = int(code)
        self.message = message

    def __str__(self) -> str:
        return self.message


class WSMessageTypeError(ClientError, TypeError):
    """A message of another type arrived than the one asked for, as by ``receive_str()``."""


def hide_query(text: str) -> str:
    """Put asterisks in the place of the values in a URL's query, as feeds have their keys there.

    Args:
        text: A URL, which may be malformed.

    Returns:
        The same with the names of the parameters alone, and with nothing of a fragment.
    """
    text, fragment_follows, _ = text.partition("#")
    before, query_follows, query = text.partition("?")
    shown = "&".join(map(_hide_value, query.split("&")))
    return before + query_follows + shown + (f"{fragment_follows}***" if fragment_follows else "")


def _hide_value(part: str) -> str:
    name, _, value = part.partition("=")
    # Without a value, or with what pads base64, the name is one.
    return f"{name}=***" if value.strip("=") else "***" if part else ""
