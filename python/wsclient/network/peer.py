"""Who is connected to, and what is said when that fails."""

from __future__ import annotations

import errno
from functools import partial
from ssl import SSLCertVerificationError, SSLError
from typing import TYPE_CHECKING

from wsclient.exceptions import (
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientConnectorSSLError,
    ClientProxyConnectionError,
)

from .tls import breaks_tls, context_of, is_no_tls, spell_out, wants_certificate

if TYPE_CHECKING:
    from collections.abc import Callable
    from ssl import SSLContext

    from yarl import URL

    from .tls import SSLSetting

__all__ = ["Peer"]


class Peer:
    """The server, or the proxy before it.

    Args:
        host: Its name or address.
        port: Its TCP port.
        ssl: How its TLS is verified; None for none.
        proxy: The URL of a proxy, without credentials.

    Attributes:
        context: Does its TLS; None for none.

    Raises:
        ClientConnectorError: There is no context, as where ``SSLKEYLOGFILE`` names a file that
            cannot be written.
    """

    def __init__(
        self, host: str, port: int, ssl: SSLSetting | None, proxy: URL | None = None
    ) -> None:
        self.host = host
        self.port = port
        self.ssl = ssl
        self.proxy = proxy
        try:
            self.context: SSLContext | None = None if ssl is None else context_of(ssl)
        except OSError as error:
            raise self.error("tls", error) from error

    def error(self, step: str, cause: Exception) -> ClientConnectorError:
        """Make the error that tells of a failure.

        Args:
            step: What was under way, see `ClientConnectorError`.
            cause: What went wrong.
        """
        spell_out(cause)
        os_error = cause if isinstance(cause, OSError) else OSError(errno.EINVAL, str(cause))
        kind: Callable[..., ClientConnectorError] = ClientConnectorError
        if self.proxy is not None:
            kind = partial(ClientProxyConnectionError, proxy=self.proxy)
        elif step == "dns":
            kind = ClientConnectorDNSError
        elif isinstance(cause, SSLCertVerificationError):
            kind = ClientConnectorCertificateError
        elif isinstance(cause, SSLError):
            kind = ClientConnectorSSLError
        hint = self._hint(cause) if step == "tls" else ""
        return kind(self.host, self.port, os_error, step=step, ssl=self.ssl, hint=hint)

    def tls_error(self, cause: Exception | None) -> ClientConnectorError | None:
        """Make the error that tells of the end of TLS that stood, if that is what ended.

        Args:
            cause: What the transport reports.
        """
        if not breaks_tls(cause):
            return None
        error = self.error("tls", cause)
        error.__cause__ = cause
        return error

    def _hint(self, cause: Exception) -> str:
        plain, secure = ("ws", "wss") if self.proxy is None else ("http", "https")
        whose = "" if self.proxy is None else " for the proxy"
        if is_no_tls(cause):
            return f"no TLS is spoken there, so {plain}:// may be right{whose}, not {secure}://"
        if isinstance(cause, ConnectionError):
            return f"if no TLS is spoken there, {plain}:// is right{whose}, not {secure}://"
        if wants_certificate(cause):
            return "a certificate for the client is what SSLContext.load_cert_chain() loads"
        return ""
