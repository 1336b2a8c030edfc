"""A certificate for the servers of tests, and what trusts it."""

from __future__ import annotations

import functools
import ssl
from typing import TYPE_CHECKING

from wsclient.distribution import NAME

if TYPE_CHECKING:
    import trustme

__all__ = ["client_context", "server_context"]


@functools.cache
def _authority() -> trustme.CA:
    try:
        import trustme  # noqa: PLC0415 - needed for TLS alone
    except ImportError:
        raise ImportError(
            f"serve(ssl=True) needs trustme, which is not installed: pip install {NAME}[testing]",
            name="trustme",
        ) from None
    return trustme.CA()


@functools.cache
def server_context() -> ssl.SSLContext:
    """Make a server's context, with a certificate for this machine."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate = _authority().issue_cert("localhost", "127.0.0.1", "::1")
    certificate.configure_cert(context)  # pyright: ignore[reportUnknownMemberType] - pyOpenSSL's
    return context


def client_context() -> ssl.SSLContext:
    """Make a client's context, which trusts that certificate and no other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _authority().configure_trust(context)  # pyright: ignore[reportUnknownMemberType] - pyOpenSSL's
    return context
