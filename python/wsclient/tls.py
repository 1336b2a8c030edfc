"""How TLS is verified."""

from __future__ import annotations

import hashlib
from functools import cache
from ssl import CERT_NONE, SSLContext, create_default_context
from typing import TypeAlias

__all__ = ["Fingerprint", "SSLSetting", "check_ssl", "context_of"]


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
        if not isinstance(fingerprint, (bytes, bytearray, memoryview)):  # pyright: ignore[reportUnnecessaryIsInstance]
            kind = type(fingerprint).__name__
            raise TypeError(f"fingerprint must be bytes, as of bytes.fromhex(...), got {kind}")
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
        raise TypeError(
            f"{name} must be bool, ssl.SSLContext or Fingerprint, got {type(ssl).__name__}"
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
