"""How TLS is verified, and what in a context or an error of `ssl` decides something."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from ssl import (
    CERT_NONE,
    PROTOCOL_TLS_CLIENT,
    SSL_ERROR_SSL,
    SSLCertVerificationError,
    SSLContext,
    SSLEOFError,
    SSLError,
    SSLObject,
    SSLZeroReturnError,
    create_default_context,
)
from typing import Any, TypeAlias, TypeGuard

from wsclient.arguments import kind_of, read_type

__all__ = [
    "Fingerprint",
    "SSLSetting",
    "breaks_tls",
    "check_ssl",
    "context_of",
    "is_no_tls",
    "is_verdict",
    "needs_ssl_module",
    "say_as_ssl",
    "spell_out",
    "wants_certificate",
]


class Fingerprint:
    """The one certificate that a server may have. Mirrors ``aiohttp.Fingerprint``.

    It takes the place of all other verification: authority, host name and dates are not looked at.

    Args:
        fingerprint: SHA-256 of the certificate in DER form, 32 bytes.

    Raises:
        TypeError: It is not `bytes`.
        ValueError: It has another length.
    """

    def __init__(self, fingerprint: bytes) -> None:
        kinds = (bytes, bytearray, memoryview)
        read_type("fingerprint", fingerprint, kinds, "bytes, as of bytes.fromhex(...)")
        if len(fingerprint) != hashlib.sha256().digest_size:
            raise ValueError(
                f"fingerprint has {len(fingerprint)} bytes, expected the 32 bytes of a SHA-256"
            )
        self.fingerprint: bytes = bytes(fingerprint)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fingerprint) and other.fingerprint == self.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __repr__(self) -> str:
        return f"Fingerprint(bytes.fromhex({self.fingerprint.hex()!r}))"


SSLSetting: TypeAlias = bool | SSLContext | Fingerprint
"""True: verify as browsers do. False: TLS without verification. A context: as it is. A
`Fingerprint`: that certificate and no other."""


def check_ssl(ssl: object, name: str = "ssl") -> SSLSetting:
    """Check what a caller gave as `ssl`.

    Args:
        ssl: What it is.
        name: What the argument is called.

    Raises:
        TypeError: It is no `SSLSetting`.
    """
    if not isinstance(ssl, (bool, SSLContext, Fingerprint)):
        expected = "bool, ssl.SSLContext or Fingerprint"
        raise TypeError(f"{name} must be {expected}, got {kind_of(ssl)}")
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


# Reasons in OpenSSL's words, which put the version before: alerts by which a server says that a
# client as it is will not do (RFC 8446 §6.2, RFC 7301 §3.2), and what a client says so of a server.
_VERDICT = re.compile(
    r"(?:HANDSHAKE_FAILURE|(?:BAD|UNSUPPORTED)_CERTIFICATE|CERTIFICATE_(?:REVOKED|EXPIRED|UNKNOWN"
    r"|REQUIRED)|UNKNOWN_CA|ACCESS_DENIED|PROTOCOL_VERSION|INSUFFICIENT_SECURITY"
    r"|INAPPROPRIATE_FALLBACK|(?:MISSING|UNSUPPORTED)_EXTENSION|UNRECOGNIZED_NAME"
    r"|UNKNOWN_PSK_IDENTITY|NO_APPLICATION_PROTOCOL|UNSUPPORTED_PROTOCOL)\Z"
)
_NO_TLS = frozenset(
    {
        "WRONG_VERSION_NUMBER",
        "WRONG_SSL_VERSION",
        "PACKET_LENGTH_TOO_LONG",
        "RECORD_LAYER_FAILURE",  # of OpenSSL 3.2
        "HTTP_REQUEST",
    }
)
_UNNAMED = re.compile(r"\[SSL\] (.*?)(?: \(_ssl\.c|$)")


def breaks_tls(error: BaseException | None) -> TypeGuard[SSLError]:
    """Tell whether TLS has failed, other than by the end of the connection.

    Args:
        error: What a transport reports.
    """
    if not isinstance(error, SSLError) or isinstance(error, (SSLEOFError, SSLZeroReturnError)):
        return False
    return _reason(error) != "UNEXPECTED_EOF_WHILE_READING"


def spell_out(error: BaseException) -> None:
    """Give an error of aiofastnet's (1.2) the arguments that one of `ssl` has.

    Without them ``repr`` is empty, and so is what `pickle` makes of it.

    Args:
        error: Any error.
    """
    if isinstance(error, SSLError) and not error.args:
        error.errno = int(SSL_ERROR_SSL)
        error.args = (error.errno, error.strerror)


def say_as_ssl(error: BaseException, server_hostname: str | None) -> None:
    """Give an error of aiofastnet's (1.2) the arguments and the text that one of `ssl` has.

    Args:
        error: Any error.
        server_hostname: Name that the certificate was verified for.
    """
    if not isinstance(error, SSLError) or error.args:
        return
    error.library = "SSL"
    text = f"[SSL: {error.reason}] {error.reason.lower().replace('_', ' ')}"
    if isinstance(error, SSLCertVerificationError):
        reason = error.verify_message
        if error.verify_code in _MISMATCHES:
            reason = f"{_MISMATCHES[error.verify_code]} '{server_hostname}'."
            error.verify_message = reason
        text = f"{text}: {reason}"
    error.strerror = text
    spell_out(error)


# X509_V_ERR_HOSTNAME_MISMATCH, and the one for an IP address; `ssl` has words of its own for them.
_MISMATCHES = {
    62: "Hostname mismatch, certificate is not valid for",
    64: "IP address mismatch, certificate is not valid for",
}


def is_verdict(error: BaseException) -> bool:
    """Tell whether TLS failed in a way that will be the same the next time."""
    return _VERDICT.search(_reason(error)) is not None


def is_no_tls(error: BaseException) -> bool:
    """Tell whether a server has answered something that is not TLS."""
    return _reason(error) in _NO_TLS


def wants_certificate(error: BaseException) -> bool:
    """Tell whether a server wants a certificate of the client's (RFC 8446 §6.2)."""
    return _reason(error).endswith("CERTIFICATE_REQUIRED")


def _reason(error: BaseException) -> str:
    if not isinstance(error, SSLError):
        return ""
    # CPython has no name for those that are newer than itself.
    unnamed = _UNNAMED.match(str(error))
    return getattr(error, "reason", None) or (
        unnamed[1].upper().replace(" ", "_") if unnamed else ""
    )
