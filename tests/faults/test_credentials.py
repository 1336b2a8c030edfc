"""Credentials and cookies on the wire: where they go, and above all where they do not."""

import re
from http.cookiejar import CookieJar

import pytest
from tests.conftest import accept

from wsclient import (
    BasicAuth,
    ClientConnectorError,
    ClientSession,
    CookiePolicy,
    TooManyRedirects,
    WSServerHandshakeError,
    ws_connect,
)

ME, YOU = "Basic bWU6c2VjcmV0", "Basic eW91Om90aGVy"


def field(request, name):
    found = re.findall(rf"(?im)^{name}: ?([^\r\n]*)\r$".encode(), request)
    assert len(found) <= 1
    return found[0].decode() if found else None


async def connect(session, url, **options):
    ws = await session.ws_connect(url, timeout=0.05, **options)
    await ws.close()
    return ws


def moved(location, *lines, status=302):
    head = [f"HTTP/1.1 {status} Moved", f"Location: {location}", "Content-Length: 0", *lines]
    return "\r\n".join([*head, "", ""]).encode()


def by_path(answers):
    """A script that answers by the path; a value is the location or what to accept with."""

    def script(request):
        answer = answers.get(request.split(b" ")[1].decode(), ())
        return accept(request, *answer) if isinstance(answer, tuple) else answer

    return script


# --- auth


@pytest.mark.parametrize(
    ("of_session", "of_call", "userinfo", "expected"),
    [
        ({}, {}, "", None),
        ({}, {"auth": BasicAuth("me", "secret")}, "", ME),
        ({"auth": BasicAuth("me", "secret")}, {}, "", ME),
        ({"auth": BasicAuth("me", "secret")}, {"auth": BasicAuth("you", "other")}, "", YOU),
        ({"auth": BasicAuth("me", "secret")}, {"auth": None}, "", None),
        ({}, {}, "me:secret@", ME),
        ({"auth": BasicAuth("me", "secret")}, {}, "you:other@", YOU),
        ({}, {"auth": BasicAuth("me", "secret")}, "you:other@", ME),
        ({}, {"headers": {"Authorization": "Bearer x"}}, "you:other@", "Bearer x"),
        ({"headers": {"Authorization": "Bearer x"}}, {}, "", "Bearer x"),
    ],
)
async def test_authorization(serve, of_session, of_call, userinfo, expected):
    peer = await serve(accept)
    url = peer.url.replace("localhost", f"{userinfo}localhost")
    async with ClientSession(**of_session) as session:
        await connect(session, url, **of_call)
    assert field(peer.requests[0], "Authorization") == expected


async def test_two_kinds_of_credentials_reach_no_server(serve):
    peer = await serve(accept)
    async with ClientSession(headers={"Authorization": "Bearer secret"}) as session:
        with pytest.raises(ValueError, match="expected one"):
            await session.ws_connect(peer.url, auth=BasicAuth("me", "secret"))
    assert peer.requests == []


async def test_the_sessions_credentials_are_for_its_base_url(serve):
    peer, other = await serve(accept), await serve(accept)
    options = {"auth": BasicAuth("me", "secret"), "cookies": {"sid": "secret"}}
    async with ClientSession(peer.url, **options) as session:
        await connect(session, "/x")
        await connect(session, other.url)
        await connect(session, other.url, auth=BasicAuth("you", "other"))
    assert field(peer.requests[0], "Authorization") == ME
    assert field(peer.requests[0], "Cookie") == "sid=secret"
    assert field(other.requests[0], "Authorization") is None
    assert field(other.requests[0], "Cookie") is None
    assert field(other.requests[1], "Authorization") == YOU


@pytest.fixture
def netrc(tmp_path, monkeypatch):
    path = tmp_path / "netrc"
    path.write_text("machine localhost login me password secret\n")
    path.chmod(0o600)
    monkeypatch.setenv("NETRC", str(path))


async def test_netrc(serve, netrc):
    peer = await serve(accept)
    async with ClientSession(trust_env=True) as session:
        await connect(session, peer.url)
        await connect(session, peer.url, trust_env=False)
        await connect(session, peer.url.replace("localhost", "127.0.0.1"))
    assert [field(request, "Authorization") for request in peer.requests] == [ME, None, None]


async def test_no_credentials_cross_origins_on_redirect(serve, netrc):
    """The target is another origin by its port alone, and known to netrc."""
    target = await serve(accept)
    peer = await serve(moved(f"ws://localhost:{target.port}/x"))
    ways = [
        {"auth": BasicAuth("me", "secret")},
        {"headers": {"Authorization": "Bearer secret", "Cookie": "sid=secret"}},
        {"trust_env": True},
    ]
    for way in ways:
        async with ClientSession(cookies={"own": "secret"}, **way) as session:
            ws = await connect(session, peer.url)
            assert len(ws.response.history) == 1
    for request, redirected in zip(peer.requests, target.requests, strict=True):
        assert field(request, "Authorization") is not None
        assert "own=secret" in field(request, "Cookie")
        assert field(redirected, "Authorization") is None
        assert b"secret" not in redirected


async def test_credentials_stay_with_their_origin(serve):
    peer = await serve(b"")
    peer.script = by_path({"/feed": moved("/next")})
    async with ClientSession(auth=BasicAuth("me", "secret"), cookies={"own": "1"}) as session:
        await connect(session, peer.url)
    assert [field(request, "Authorization") for request in peer.requests] == [ME, ME]
    assert [field(request, "Cookie") for request in peer.requests] == ["own=1", "own=1"]


# --- cookies


async def test_cookies_of_a_101_are_kept(serve):
    peer = await serve(by_path({"/feed": ("Set-Cookie: sid=1", "Set-Cookie: x=2; Path=/other")}))
    async with ClientSession() as session:
        for path in ("/feed", "/feed", "/other"):
            await connect(session, f"ws://localhost:{peer.port}{path}")
        assert sorted(cookie.name for cookie in session.cookie_jar) == ["sid", "x"]
    assert [field(r, "Cookie") for r in peer.requests] == [None, "sid=1", "x=2; sid=1"]


async def test_cookies_of_a_redirect_are_kept(serve):
    """As logins do it: set a cookie, and send the client on."""
    peer = await serve(by_path({"/feed": moved("/next", "Set-Cookie: sid=1; Path=/")}))
    async with ws_connect(peer.url, timeout=0.05) as ws:
        assert len(ws.response.history) == 1
    assert [field(request, "Cookie") for request in peer.requests] == [None, "sid=1"]


async def test_each_session_has_a_jar_and_may_share_one(serve):
    peer = await serve(by_path({"/feed": ("Set-Cookie: sid=1",)}))
    jar = CookieJar(CookiePolicy())
    for options in ({}, {}, {"cookie_jar": jar}, {"cookie_jar": jar}):
        async with ClientSession(**options) as session:
            await connect(session, peer.url)
    assert [field(r, "Cookie") for r in peer.requests] == [None, None, None, "sid=1"]


async def test_cookies_of_a_refusal_are_not_kept(serve):
    peer = await serve(b"HTTP/1.1 403 No\r\nSet-Cookie: a=1\r\nContent-Length: 0\r\n\r\n")
    async with ClientSession() as session:
        with pytest.raises(WSServerHandshakeError):
            await session.ws_connect(peer.url)
        assert list(session.cookie_jar) == []


async def test_a_redirect_takes_cookies_to_no_other_host(serve):
    target = await serve(accept)
    peer = await serve(moved(f"ws://127.0.0.1:{target.port}/x", "Set-Cookie: sid=secret; Path=/"))
    async with ClientSession() as session:
        await connect(session, peer.url)
        assert len(session.cookie_jar) == 1
    assert field(target.requests[0], "Cookie") is None


async def test_secure_cookies_stay_with_tls(serve, server_tls, client_tls):
    secure = await serve(by_path({"/feed": ("Set-Cookie: sid=secret; Secure",)}), tls=server_tls)
    plain = await serve(by_path({"/feed": ("Set-Cookie: sid=forged; Secure",)}))
    async with ClientSession(ssl=client_tls) as session:
        await connect(session, secure.url)
        await connect(session, plain.url)
        await connect(session, secure.url)
    assert field(plain.requests[0], "Cookie") is None
    assert field(secure.requests[1], "Cookie") == "sid=secret"


async def test_what_the_caller_sends_and_what_the_server_set(serve):
    peer = await serve(by_path({"/feed": ("Set-Cookie: a=jar", "Set-Cookie: b=jar")}))
    async with ClientSession(cookies={"b": "own", "c": "own"}) as session:
        await connect(session, peer.url)
        await connect(session, peer.url, headers={"Cookie": "a=call"})
    assert field(peer.requests[0], "Cookie") == "b=own; c=own"
    assert sorted(field(peer.requests[1], "Cookie").split("; ")) == ["a=call", "b=jar", "c=own"]


async def test_bad_cookies_are_told_at_once():
    with pytest.raises(ValueError, match="cookie a contains ';'"):
        ClientSession(cookies={"a": "b;c"})


# --- redirects and parameters


async def test_the_limit_of_redirects(serve):
    peer = await serve(moved("/feed"))
    async with ClientSession(max_redirects=1) as session:
        for options, count in (({}, 1), ({"max_redirects": 0}, 0), ({"max_redirects": 3}, 3)):
            with pytest.raises(TooManyRedirects) as caught:
                await session.ws_connect(peer.url, **options)
            assert len(caught.value.history) == count
    assert len(peer.requests) == 2 + 1 + 4


@pytest.mark.parametrize("params", [{"a": "1", "b": "ü&"}, [("a", "1"), ("b", "ü&")]])
async def test_params(serve, params):
    peer = await serve(accept)
    async with ClientSession() as session:
        await connect(session, peer.url + "?x=0", params=params)
    assert peer.requests[0].startswith(b"GET /feed?x=0&a=1&b=%C3%BC%26 HTTP/1.1\r\n")


async def test_a_signed_url_is_sent_as_it_is(serve):
    peer = await serve(accept)
    async with ClientSession(f"ws://localhost:{peer.port}/base/", params={"k": "a/b"}) as session:
        await connect(session, peer.url + "?sig=a%2Fb%3D&x=%7E")
        await connect(session, "p%2Fq?sig=a%2Fb%3D&x=%7E")
    assert [request.split(b" ")[1] for request in peer.requests] == [
        b"/feed?sig=a%2Fb%3D&x=%7E&k=a/b",
        b"/base/p%2Fq?sig=a%2Fb%3D&x=%7E&k=a/b",
    ]


async def test_a_url_that_base_url_cannot_take_keeps_its_secrets():
    async with ClientSession("ws://localhost:1/") as session:
        with pytest.raises(ValueError, match="cannot be parsed") as caught:
            await session.ws_connect("ws://me:secret@h:port/")
        assert "secret" not in repr(caught.value)
        with pytest.raises(ClientConnectorError):
            await session.ws_connect("relative")
