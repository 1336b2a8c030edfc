"""Redirects: where they lead, and what goes along (RFC 9110 §15.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from multidict import CIMultiDict

from wsclient.exceptions import InvalidURL, WSServerHandshakeError
from wsclient.types import is_secure, without_credentials

from .cookies import cookie_header
from .urls import parse_url, read_url, shown_url

if TYPE_CHECKING:
    from http.cookiejar import CookieJar

    from yarl import URL

    from wsclient.types import HandshakeResponse

__all__ = ["Target", "bad_redirect", "same_origin"]

# Meant for one origin: RFC 9110 §15.4 on the fields that a redirect must not carry along.
_FOR_ONE_ORIGIN = ("Authorization", "Cookie", "Proxy-Authorization", "Host")


class Target(NamedTuple):
    """Where one hop goes, and what goes with it.

    Attributes:
        url: What to connect to, credentials included.
        headers: Header fields of the caller's.
        server_hostname: Name to verify the certificate for; None for the URL's host.
        cookies: Cookies to send where a jar has none of their names.
    """

    url: URL
    headers: CIMultiDict[str]
    server_hostname: str | None
    cookies: str

    def fields(self, jar: CookieJar | None) -> CIMultiDict[str]:
        """Return the header fields for this hop.

        Args:
            jar: Has further cookies; None for none.
        """
        if jar is None:
            return self.headers
        fields = self.headers.copy()
        given = fields.popall("Cookie", ())
        cookie = cookie_header(jar, self.url, given, self.cookies)
        if cookie is not None:
            fields["Cookie"] = cookie
        return fields

    def after(self, response: HandshakeResponse) -> Target:
        """Return where a redirect leads (RFC 9110 §10.2.2, §15.4).

        On the way to another origin credentials and the caller's cookies are left behind, and on
        the way to another host `server_hostname` is.

        Args:
            response: The redirect.

        Raises:
            WSServerHandshakeError: It leads nowhere, or from TLS to plain text.
        """
        url = self._location(response)
        if same_origin(self.url, url):
            if url.user is None and url.password is None:
                url = url.with_user(self.url.user).with_password(self.url.password)
            return self._replace(url=url)
        headers = self.headers.copy()
        for name in _FOR_ONE_ORIGIN:
            headers.popall(name, None)
        same_host = self.url.raw_host == url.raw_host
        return Target(
            without_credentials(url), headers, self.server_hostname if same_host else None, ""
        )

    def _location(self, response: HandshakeResponse) -> URL:
        locations = response.headers.getall("Location")
        if len(locations) != 1:
            raise bad_redirect(response, f"with {len(locations)} Location headers")
        try:
            # Servers send UTF-8 as it is (RFC 9110 §5.5 lets them send bytes that mean nothing).
            location = locations[0].encode("latin-1").decode("utf-8", "surrogateescape")
            # A fragment is for whoever shows the page (RFC 9110 §10.2.2), not for a request.
            url = parse_url(self.url.join(read_url(location)).with_fragment(None))
        except InvalidURL as error:
            raise bad_redirect(response, f"to an unusable Location: {error}") from None
        except ValueError:
            raise bad_redirect(response, "to a Location that is no URL") from None
        if is_secure(self.url) and not is_secure(url):
            raise bad_redirect(response, f"from a secure to an insecure URL, {shown_url(url)!r}")
        return url


def same_origin(one: URL, other: URL) -> bool:
    """Tell whether two URLs have the same origin (RFC 6454 §5): TLS or not, host, port."""
    return _origin(one) == _origin(other)


def _origin(url: URL) -> tuple[bool, str | None, int | None]:
    return is_secure(url), url.raw_host, url.port


def bad_redirect(
    response: HandshakeResponse,
    what: str,
    kind: type[WSServerHandshakeError] = WSServerHandshakeError,
) -> WSServerHandshakeError:
    """Make the error for a redirect that is not followed.

    Args:
        response: The redirect.
        what: Why, as the end of "server redirects".
        kind: Its class.
    """
    return kind(
        f"server redirects ({response.status}) {what}",
        status=response.status,
        headers=CIMultiDict(response.headers),
        url=response.url,
    )
