"""Who is connected to, and what is said when that fails."""

from __future__ import annotations

import errno
from ssl import SSLCertVerificationError, SSLError
from typing import TYPE_CHECKING

from .exceptions import (
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientConnectorSSLError,
    ClientProxyConnectionError,
)
from .tls import context_of

if TYPE_CHECKING:
    from yarl import URL

    from .tls import SSLSetting

__all__ = ["Endpoint"]


class Endpoint:
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
            self.context = None if ssl is None else context_of(ssl)
        except OSError as error:
            raise self.error("tls", error) from error

    def error(self, step: str, cause: Exception) -> ClientConnectorError:
        """Make the error that tells of a failure.

        Args:
            step: What was under way, see `ClientConnectorError`.
            cause: What went wrong.
        """
        os_error = cause if isinstance(cause, OSError) else OSError(errno.EINVAL, str(cause))
        if self.proxy is not None:
            return ClientProxyConnectionError(
                self.host, self.port, os_error, step=step, ssl=self.ssl, proxy=self.proxy
            )
        kind = ClientConnectorError
        if step == "dns":
            kind = ClientConnectorDNSError
        elif isinstance(cause, SSLCertVerificationError):
            kind = ClientConnectorCertificateError
        elif isinstance(cause, SSLError):
            kind = ClientConnectorSSLError
        return kind(self.host, self.port, os_error, step=step, ssl=self.ssl)
