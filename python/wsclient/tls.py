"""How TLS is verified, and what in a context or an error of `ssl` decides something."""

from __future__ import annotations

import hashlib
from functools import cache
from ssl import CERT_NONE, PROTOCOL_TLS_CLIENT, SSLContext, SSLObject, create_default_context
from typing import Any, TypeAlias

__all__ = ["Fingerprint", "SSLSetting", "check_ssl", "context_of", "needs_ssl_module"]


class Fingerprint:
    """The one certificate that a server may have. Mirrors ``aiohttp.Fingerprint``.

    It takes the place of all other verification: authority, host name and dates are not looked at.

    Args:
        fingerprint: SHA-256 of the certificate in DER form, 32 bytes.

    Raises:
        ValueError: It has another length.
    """

    def __init__(self, fingerprint: bytes) -> None:
        if len(fingerprint) != hashlib.sha256().digest_size:
            raise ValueError(
                f"fingerprint has {len(fingerprint)} bytes, expected the 32 bytes of a SHA-256"
            )
        self.fingerprint = bytes(fingerprint)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fingerprint) and other.fingerprint == self.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __repr__(self) -> str:
        return f"Fingerprint({self.fingerprint!r})"


SSLSetting: TypeAlias = bool | SSLContext | Fingerprint
"""True: verify as browsers do. False: TLS without verification. A context: as it is. A
`Fingerprint`: that certificate and no other."""


def check_ssl(ssl: object) -> SSLSetting:
    """Check what a caller gave as `ssl`.

    Raises:
        TypeError: It is no `SSLSetting`.
    """
    if not isinstance(ssl, (bool, SSLContext, Fingerprint)):
        raise TypeError(
            f"ssl must be bool, ssl.SSLContext or Fingerprint, got {type(ssl).__name__}"
        )
    return ssl


def context_of(setting: SSLSetting) -> SSLContext:
    """Return the context that does what a setting says, as far as a context can.

    Args:
        setting: With a `Fingerprint`, comparing it is left to the caller.
    """
    if isinstance(setting, SSLContext):
        return setting
    return _default_context(setting is True)


@cache
def _default_context(verify: bool) -> SSLContext:
    # Loading the certificate authorities takes milliseconds: once for the process.
    context = create_default_context()
    # RFC 8441 (WebSocket in HTTP/2) is another protocol than the one we speak.
    context.set_alpn_protocols(["http/1.1"])
    if not verify:
        context.check_hostname = False
        context.verify_mode = CERT_NONE
    return context


# What Python code can put in the way of a handshake.
_HOOKS = (
    "wrap_bio",
    "_wrap_bio",
    "wrap_socket",
    "_wrap_socket",
    "_encode_hostname",
    "sslobject_class",
    "sslsocket_class",
)


def needs_ssl_module(context: SSLContext) -> str | None:
    """Tell why a context needs the objects of Python's `ssl`, if it does.

    Faster transports (aiofastnet's) take the ``SSL_CTX`` out of a context and make an ``SSL``
    of their own from it. Callbacks of the module crash when they do not find its object behind
    that, and what the module does when it makes one is not done.

    Args:
        context: A client's.

    Returns:
        The attribute or method that is to blame, or None.
    """
    if context.keylog_filename:
        return "keylog_filename"
    if getattr(context, "_msg_callback", None) is not None:
        return "_msg_callback"
    if context.post_handshake_auth:
        return "post_handshake_auth"
    if context.sslobject_class is not SSLObject:
        return "sslobject_class"
    # `truststore` puts a subclass in the place of `ssl.SSLContext`.
    standard = next((kind for kind in type(context).__mro__ if kind.__module__ == "ssl"), None)
    for name in _HOOKS:
        own = name in vars(context) or standard is None
        if own or getattr(type(context), name, None) is not getattr(standard, name, None):
            return name
    return "set_psk_client_callback" if _has_psk_callback(context) else None


def _has_psk_callback(context: SSLContext) -> bool:
    offset = _psk_callback_offset()
    return offset is not None and _words(context)[offset] != 0


@cache
def _psk_callback_offset() -> int | None:
    """Find out where a context keeps the callback, for which there is no getter."""
    context: Any = SSLContext(PROTOCOL_TLS_CLIENT)
    if not hasattr(context, "set_psk_client_callback"):  # before Python 3.13
        return None

    def callback(_: object) -> tuple[None, bytes]:
        return None, b""

    context.set_psk_client_callback(callback)
    words = _words(context)
    return words.index(id(callback)) if id(callback) in words else None


def _words(context: SSLContext) -> list[int]:
    """Read the memory of a context's C part, which is its beginning."""
    from ctypes import c_size_t, sizeof  # noqa: PLC0415 - takes 10 ms, and few have a use for it

    count = SSLContext.__base__.__basicsize__ // sizeof(c_size_t)  # type: ignore[union-attr]
    return list((c_size_t * count).from_address(id(context)))
