"""Redirects: followed to a limit, never to plain text, never with another's credentials."""

import re

import pytest
from tests.conftest import accept
from yarl import URL

from wsclient.exceptions import (
    ClientConnectorCertificateError,
    TooManyRedirects,
    WSServerHandshakeError,
)
from wsclient.handshake.urls import parse_url
from wsclient.network.tcp import TCPConnector
from wsclient.opening import open_websocket

PRIVATE = {
    "Authorization": "Bearer secret",
    "Cookie": "sid=secret",
    "Proxy-Authorization": "secret",
}


def moved(location, status=302):
    return f"HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()


def redirecting(location, status=302):
    """Redirect the path /feed, accept every other."""

    def script(request):
        path = request.split(b" ")[1]
        return moved(location, status) if path == b"/feed" else accept(request)

    return script


def names(request):
    return {name.lower() for name in re.findall(rb"(?m)^([^:\s]+):", request)}


async def opened_by(url, **kwargs):
    opened = await open_websocket(parse_url(url), connector=TCPConnector(), **kwargs)
    opened.transport.abort()
    return opened


async def refused(kind, url, **kwargs):
    with pytest.raises(kind) as caught:
        await opened_by(url, **kwargs)
    assert "secret" not in f"{caught.value} {caught.value!r}"
    return caught.value


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_relative_redirect_is_followed(serve, no_leak, status):
    peer = await serve(redirecting("other?a=b#part", status))
    async with no_leak():
        opened = await opened_by(peer.url, protocols=["p"])
    assert peer.requests[1].startswith(b"GET /other?a=b HTTP/1.1\r\n")
    assert b"Sec-WebSocket-Protocol: p\r\n" in peer.requests[1]
    keys = [re.search(rb"Sec-WebSocket-Key: (\S+)", request)[1] for request in peer.requests]
    assert keys[0] != keys[1]
    (first,) = opened.response.history
    assert (first.status, first.url) == (status, URL(peer.url))
    assert opened.response.url == URL(peer.url).with_path("/other").with_query("a=b")


@pytest.mark.parametrize("absolute", [False, True])
async def test_a_location_is_followed_to_the_letter(serve, absolute):
    """Quoting it anew would break what is signed in it (RFC 9110 §10.2.2, RFC 3986 §6.2.2.2)."""
    peer = await serve(b"")
    before = f"ws://localhost:{peer.port}" if absolute else ""
    peer.script = redirecting(f"{before}/a%2Fb/%7Ex?sig=a%2Fb%2b+c&t=%41#part")
    await opened_by(peer.url)
    assert peer.requests[1].startswith(b"GET /a%2Fb/%7Ex?sig=a%2Fb%2b+c&t=%41 HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("raw", "sent"),
    [
        ("/größe?q=日本&s=%2F".encode(), b"/gr%C3%B6%C3%9Fe?q=%E6%97%A5%E6%9C%AC&s=%2F"),
        ("//localhost:{port}/ü".encode(), b"/%C3%BC"),
        (b"/gr\xf6\xdfe", b"/gr%F6%DFe"),
        (b"/a b|c", b"/a%20b%7Cc"),
    ],
    ids=["UTF-8", "network-path", "latin-1", "spaces"],
)
async def test_a_location_of_raw_bytes(serve, raw, sent):
    """Servers send them, in UTF-8 mostly, and browsers and aiohttp follow them."""
    peer = await serve(b"")
    location = raw.replace(b"{port}", str(peer.port).encode())

    def script(request):
        if b" /feed " not in request:
            return accept(request)
        return b"HTTP/1.1 302 x\r\nLocation: " + location + b"\r\nContent-Length: 0\r\n\r\n"

    peer.script = script
    await opened_by(peer.url)
    assert peer.requests[1].startswith(b"GET " + sent + b" HTTP/1.1\r\n")


@pytest.mark.parametrize("absolute", [False, True])
async def test_same_origin_keeps_credentials(serve, absolute):
    peer = await serve(b"")
    peer.script = redirecting(f"http://localhost:{peer.port}/next" if absolute else "/next")
    url = peer.url.replace("localhost", "user:secret@localhost")
    await opened_by(url, headers={"Cookie": "sid=secret", "Host": "virtual"})
    fields = [sorted(re.findall(rb"(?m)^(?:Auth|Cook|Host).*", r)) for r in peer.requests]
    assert fields[0] == fields[1]
    assert len(fields[0]) == 3


@pytest.mark.parametrize("in_url", [False, True])
async def test_another_origin_gets_no_credentials(serve, in_url):
    target = await serve(accept)
    peer = await serve(redirecting(f"ws://localhost:{target.port}/x"))
    url = peer.url.replace("localhost", "user:secret@localhost") if in_url else peer.url
    headers = {"X-A": "1", "Host": "virtual"} if in_url else {"X-A": "1", **PRIVATE}
    opened = await opened_by(url, headers=headers)
    assert names(peer.requests[0]) & {b"authorization"}
    private = {name.lower().encode() for name in PRIVATE}
    assert not names(target.requests[0]) & private
    assert b"secret" not in target.requests[0]
    assert b"X-A: 1\r\n" in target.requests[0]
    assert f"Host: localhost:{target.port}\r\n".encode() in target.requests[0]
    assert "secret" not in repr(opened)


async def test_credentials_in_the_location_of_another_origin_are_not_sent(serve):
    target = await serve(accept)
    peer = await serve(redirecting(f"ws://user:secret@localhost:{target.port}/x"))
    await opened_by(peer.url)
    assert b"authorization" not in names(target.requests[0])


async def test_credentials_do_not_come_back_with_a_second_redirect(serve):
    peer = await serve(b"")
    middle = await serve(moved(f"ws://localhost:{peer.port}/back"))
    peer.script = redirecting(f"ws://localhost:{middle.port}/")
    await opened_by(peer.url, headers=PRIVATE)
    assert b"secret" in peer.requests[0]
    assert b"secret" not in peer.requests[1]


async def test_plain_to_secure_is_followed_without_credentials(serve, server_tls, client_tls):
    target = await serve(accept, tls=server_tls)
    peer = await serve(redirecting(f"https://localhost:{target.port}/x"))
    opened = await opened_by(peer.url, ssl=client_tls, headers=PRIVATE)
    assert opened.response.url == URL(f"wss://localhost:{target.port}/x")
    assert b"secret" not in target.requests[0]


@pytest.mark.parametrize("scheme", ["ws", "http"])
async def test_secure_to_plain_is_refused(serve, server_tls, client_tls, no_leak, scheme):
    target = await serve(accept)
    location = f"{scheme}://user:secret@localhost:{target.port}/x"
    peer = await serve(redirecting(location), tls=server_tls)
    async with no_leak():
        error = await refused(WSServerHandshakeError, peer.url, ssl=client_tls)
    assert "from a secure to an insecure URL" in str(error)
    assert (error.status, len(error.history)) == (302, 1)
    assert target.writers == []


async def test_server_hostname_stays_with_its_host(serve, server_tls, client_tls):
    # By address the certificate fits only under the explicit name.
    target = await serve(accept, tls=server_tls)
    same = await serve(redirecting(f"wss://127.0.0.1:{target.port}/x"), tls=server_tls)
    url = same.url.replace("localhost", "127.0.0.1")
    await opened_by(url, ssl=client_tls, server_hostname="localhost")
    assert len(target.requests) == 1
    # From localhost to the address, the name must not vouch for another host.
    error = await refused(
        ClientConnectorCertificateError, same.url, ssl=client_tls, server_hostname="localhost"
    )
    assert error.port == target.port
    assert len(target.requests) == 1


@pytest.mark.parametrize("limit", [0, 3])
async def test_loop_ends_at_the_limit(serve, no_leak, limit):
    peer = await serve(moved("/feed"))
    async with no_leak():
        error = await refused(TooManyRedirects, peer.url, max_redirects=limit)
    assert len(peer.requests) == limit + 1
    assert len(error.history) == limit
    assert (error.status, error.headers["location"]) == (302, "/feed")
    assert f"beyond the limit of {limit}" in str(error)


async def test_failure_after_a_redirect_tells_its_history(serve):
    peer = await serve(b"")
    peer.script = lambda request: (
        moved("/gone") if b" /feed " in request else b"HTTP/1.1 410 \r\n\r\n"
    )
    error = await refused(WSServerHandshakeError, peer.url)
    assert (error.status, error.url.path) == (410, "/gone")
    assert [response.url.path for response in error.history] == ["/feed"]


@pytest.mark.parametrize(
    "location",
    [
        "ftp://user:secret@h/",
        "ws://[::1",
        "ws://h:99999/",
        "//",
        "ws://u:sec@secret:x/",
        "//l]]b[a@",
    ],
)
async def test_unusable_location(serve, no_leak, location):
    peer = await serve(moved(location))
    async with no_leak():
        error = await refused(WSServerHandshakeError, peer.url, max_redirects=1)
    assert error.status == 302


async def test_two_locations(serve):
    peer = await serve(b"HTTP/1.1 302 x\r\nLocation: /a\r\nLocation: /b\r\n\r\n")
    error = await refused(WSServerHandshakeError, peer.url)
    assert "2 Location headers" in str(error)
