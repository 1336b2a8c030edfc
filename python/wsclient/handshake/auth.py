"""Credentials: from an argument, from a URL, from ``.netrc``."""

from __future__ import annotations

import base64
import binascii
import logging
import os
from netrc import NetrcParseError
from netrc import netrc as read_netrc
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from wsclient.arguments import read_type

from .headers import basic_authorization

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from yarl import URL

__all__ = ["BasicAuth", "auth_from_netrc", "authorization"]

_logger = logging.getLogger("wsclient.auth")  # as the documentation has it


class _Fields(NamedTuple):
    login: str
    password: str
    encoding: str


class BasicAuth(_Fields):
    """Name and password for ``Authorization: Basic`` (RFC 7617). Mirrors ``aiohttp.BasicAuth``.

    ``repr`` leaves out the password.

    Attributes:
        login: User name.
        password: Password, empty by default.
        encoding: What makes bytes of both, latin1 by default.

    Raises:
        TypeError: One is not `str`.
        ValueError: `login` contains a colon (RFC 7617 §2), or `encoding` has no bytes for one.
    """

    __slots__ = ()

    def __new__(cls, login: str, password: str = "", encoding: str = "latin1") -> Self:
        """Check the three; see the class."""
        for name, value in (("login", login), ("password", password)):
            read_type(name, value, str, "str")
            try:
                value.encode(encoding)
            except UnicodeEncodeError:
                # Without its cause, which holds the text.
                raise ValueError(f"{name} cannot be encoded in {encoding}") from None
        if ":" in login:
            raise ValueError("login contains ':' (RFC 7617 §2)")
        return super().__new__(cls, login, password, encoding)

    @classmethod
    def decode(cls, auth_header: str, encoding: str = "latin1") -> Self:
        """Read the value of an ``Authorization`` field.

        Args:
            auth_header: The value.
            encoding: What made bytes of name and password.

        Raises:
            ValueError: It is not Basic, or broken.
        """
        scheme, _, encoded = auth_header.partition(" ")
        if scheme.lower() != "basic":
            raise ValueError("authorization is not Basic (RFC 7617 §2)")
        try:
            decoded = base64.b64decode(encoded, validate=True).decode(encoding)
        except (binascii.Error, UnicodeDecodeError):
            raise ValueError("authorization is not base64 of text") from None
        login, colon, password = decoded.partition(":")
        if not colon:
            raise ValueError("authorization has no ':' between name and password")
        return cls(login, password, encoding)

    @classmethod
    def from_url(cls, url: URL, *, encoding: str = "latin1") -> Self | None:
        """Take the credentials out of a URL.

        Args:
            url: A URL.
            encoding: What makes bytes of name and password.

        Returns:
            The credentials, or None if the URL has none.
        """
        if url.user is None and url.password is None:
            return None
        return cls(url.user or "", url.password or "", encoding)

    def encode(self) -> str:
        """Make the value of ``Authorization``."""
        return basic_authorization(self.login, self.password, self.encoding)

    def __repr__(self) -> str:
        return f"BasicAuth(login={self.login!r}, password=***, encoding={self.encoding!r})"


def authorization(
    url: URL, headers: Mapping[str, str], auth: BasicAuth | None, *, netrc: bool
) -> str | None:
    """Choose the value of ``Authorization``, where `headers` and the URL leave it open.

    Args:
        url: What is to be connected to.
        headers: The fields that the caller gives.
        auth: Credentials that go before those in the URL.
        netrc: Failing all these, look into ``.netrc``.

    Raises:
        ValueError: Both `auth` and `headers` have one.
    """
    given = "Authorization" in headers
    if auth is not None:
        if given:
            raise ValueError("auth and an Authorization header were given, expected one")
        return auth.encode()
    if given or url.user is not None or url.password is not None or not netrc:
        return None
    found = auth_from_netrc(url.host or "")
    return None if found is None else found.encode()


def auth_from_netrc(host: str) -> BasicAuth | None:
    """Look a host up in the file that ``NETRC`` names, else in ``~/.netrc``.

    Args:
        host: Name of the host.

    Returns:
        Its credentials or, failing these, the ``default`` entry's. None if there are none, and
        if the file cannot be read, which is logged.
    """
    named = os.environ.get("NETRC")
    try:
        path = Path(named) if named else Path.home() / ".netrc"
        found = read_netrc(str(path)).authenticators(host)
    except FileNotFoundError:
        return None
    except NetrcParseError as error:
        # Its text may quote a password.
        _logger.warning("%s ignored, as its line %s is wrong", error.filename, error.lineno)
        return None
    except (OSError, RuntimeError, UnicodeDecodeError) as error:
        _logger.warning(".netrc ignored: %s", type(error).__name__)
        return None
    if found is None:
        return None
    login, account, password = found
    return BasicAuth(login or account or "", password or "", "utf-8")
