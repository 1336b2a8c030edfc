"""Which proxy a URL takes, and what is said to it."""

import pickle

import pytest
from yarl import URL

from wsclient import BasicAuth, ClientHttpProxyError, Fingerprint, InvalidURL
from wsclient.network.proxy import MAX_ANSWER, Connect, parse_proxy, proxy_from_environment


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """A function that sets variables; all others that name a proxy are unset."""
    for name in ("ws", "wss", "http", "https", "socks", "all", "no"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name}_PROXY".upper(), raising=False)

    def set_all(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return set_all


@pytest.mark.parametrize(
    ("given", "url", "host", "port"),
    [
        ("http://proxy", "http://proxy", "proxy", 80),
        ("https://proxy/", "https://proxy", "proxy", 443),
        ("http://proxy:3128", "http://proxy:3128", "proxy", 3128),
        ("socks5://proxy", "socks5://proxy:1080", "proxy", 1080),
        ("socks5h://[::1]:9050", "socks5h://[::1]:9050", "::1", 9050),
        ("socks4a://proxy", "socks4a://proxy:1080", "proxy", 1080),
        (URL("socks4://proxy:1"), "socks4://proxy:1", "proxy", 1),
    ],
)
def test_urls_of_proxies(given, url, host, port):
    proxy = parse_proxy(given)
    assert (str(proxy.url), proxy.host, proxy.port, proxy.auth) == (url, host, port, None)
    assert proxy.is_http == url.startswith("http")


@pytest.mark.parametrize(
    "given",
    [
        "ftp://user:secret@proxy",
        "user:secret@proxy",
        "proxy:3128",
        "http://",
        "http://user:secret@:80",
        "http://user:secret@proxy:0",
        "http://user:secret@proxy:port",
        "http://user:secret@proxy/path",
        "http://user:secret@proxy?a=secret",
        "http://user:secret@proxy#secret",
        "http://user:sec/ret@proxy",
        "",
        "//:",
        "http://l]]b[a@",
        "http://u:1]:3@[:ll",
    ],
)
def test_urls_that_name_no_proxy(given):
    with pytest.raises(InvalidURL, match="prox") as caught:
        parse_proxy(given)
    assert "sec" not in f"{caught.value} {caught.value!r}"


def test_wrong_types():
    with pytest.raises(TypeError, match=r"proxy must be str or yarl\.URL, got bytes"):
        parse_proxy(b"http://proxy")
    with pytest.raises(TypeError, match="proxy_auth must be BasicAuth, got tuple"):
        parse_proxy("http://proxy", ("user", "secret"))


def test_credentials():
    assert parse_proxy("http://me:p%40ss@proxy").auth[:2] == ("me", "p@ss")
    assert parse_proxy("http://me@proxy").auth[:2] == ("me", "")
    other = BasicAuth("you", "other")
    proxy = parse_proxy("http://me:secret@proxy", other)
    assert proxy.auth is other
    assert "me" not in str(proxy.url)
    assert "other" not in repr(proxy)


@pytest.mark.parametrize("login", ["ü", "a" * 256, "a\0b"])
def test_credentials_that_socks_cannot_carry(login):
    for auth in (BasicAuth(login, "a"), BasicAuth("a", login)):
        with pytest.raises(ValueError, match="for a SOCKS proxy must be ASCII") as caught:
            parse_proxy("socks5://proxy", auth)
        assert login not in str(caught.value)
        assert parse_proxy("http://proxy", auth).auth is auth


@pytest.mark.parametrize(
    ("variables", "url", "expected"),
    [
        ({}, "ws://h/", None),
        ({"http_proxy": "http://p"}, "ws://h/", "http://p"),
        ({"http_proxy": "http://p"}, "wss://h/", None),
        ({"HTTPS_PROXY": "http://p"}, "wss://h/", "http://p"),
        ({"HTTPS_PROXY": "http://p", "http_proxy": "http://q"}, "ws://h/", "http://p"),
        ({"HTTPS_PROXY": "http://p", "SOCKS_PROXY": "socks5://q"}, "wss://h/", "socks5://q:1080"),
        ({"SOCKS_PROXY": "socks5://q", "ws_proxy": "http://r"}, "ws://h/", "http://r"),
        ({"ws_proxy": "http://r"}, "wss://h/", None),
        ({"wss_proxy": "https://r"}, "wss://h/", "https://r"),
        ({"ALL_PROXY": "socks5h://s:9050"}, "wss://h/", "socks5h://s:9050"),
        ({"ALL_PROXY": "socks5h://s", "https_proxy": "http://p"}, "wss://h/", "http://p"),
        ({"https_proxy": "http://p", "HTTPS_PROXY": "http://upper"}, "wss://h/", "http://p"),
        ({"https_proxy": ""}, "wss://h/", None),
        ({"https_proxy": "proxy:3128"}, "wss://h/", "http://proxy:3128"),
        ({"https_proxy": "http://p", "no_proxy": "h"}, "wss://h/", None),
        ({"https_proxy": "http://p", "no_proxy": "x, .example.org"}, "wss://a.example.org/", None),
        (
            {"https_proxy": "http://p", "no_proxy": "example.org"},
            "wss://badexample.org/",
            "http://p",
        ),
        ({"https_proxy": "http://p", "NO_PROXY": "h:8443"}, "wss://h:8443/", None),
        ({"https_proxy": "http://p", "NO_PROXY": "h:8443"}, "wss://h/", "http://p"),
        ({"https_proxy": "http://p", "no_proxy": "*"}, "wss://h/", None),
    ],
)
def test_the_environment(environment, variables, url, expected):
    environment(**variables)
    proxy = proxy_from_environment(URL(url))
    assert (None if proxy is None else str(proxy.url)) == expected


def test_the_environment_has_credentials_too(environment):
    environment(https_proxy="http://me:secret@p:3128")
    pinned = Fingerprint(bytes(32))
    proxy = proxy_from_environment(URL("wss://h/"), pinned)
    assert proxy.auth[:2] == ("me", "secret")
    assert proxy.ssl is pinned


def test_an_environment_that_names_no_proxy(environment):
    environment(all_proxy="gopher://me:secret@p")
    with pytest.raises(InvalidURL, match="gopher://p") as caught:
        proxy_from_environment(URL("wss://h/"))
    assert "secret" not in repr(caught.value)


# --- CONNECT


def test_the_request():
    proxy = parse_proxy(
        "http://proxy", BasicAuth("me", "secret"), {"User-Agent": "bot", "X-A": "1"}
    )
    first, *fields = Connect(proxy, "::1", 80).request().decode().split("\r\n")
    assert first == "CONNECT [::1]:80 HTTP/1.1"
    assert sorted(fields) == [
        "",
        "",
        "Host: [::1]:80",
        "Proxy-Authorization: Basic bWU6c2VjcmV0",
        "User-Agent: bot",
        "X-A: 1",
    ]


@pytest.mark.parametrize("headers", [{"X": "a\r\nb"}, {"X y": "a"}, {"X": 1}])
def test_headers_that_must_not_be_sent(headers):
    with pytest.raises((ValueError, TypeError)):
        Connect(parse_proxy("http://proxy", None, headers), "h", 1)


PROXY = parse_proxy("http://me:secret@proxy:3128")


def answered(*pieces):
    connect = Connect(PROXY, "h", 443)
    return connect, [connect.receive(piece) for piece in pieces]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 Connection established\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nProxy-Agent: x\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 204\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 299 Yes\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
@pytest.mark.parametrize("trailing", [b"", b"\x81\x00more"])
def test_any_2xx_opens_the_tunnel_and_what_follows_is_its_content(answer, trailing):
    connect, [opened] = answered(answer + trailing)
    assert opened
    assert connect.trailing == trailing
    connect, opened = answered(*(bytes([byte]) for byte in answer + trailing))
    assert opened == [False] * (len(answer) - 1) + [True] * (1 + len(trailing))
    assert connect.trailing == trailing


@pytest.mark.parametrize("status", [302, 403, 407, 502])
def test_any_other_answer_is_a_refusal(status):
    with pytest.raises(ClientHttpProxyError) as caught:
        answered(f"HTTP/1.1 {status} No\r\nProxy-Authenticate: Basic\r\n\r\n".encode())
    error = caught.value
    assert (error.status, error.code) == (status, status)
    assert error.headers["proxy-authenticate"] == "Basic"
    assert str(error.url) == "http://proxy:3128"
    assert str(error) == f"proxy answered {status} 'No' to CONNECT, url='http://proxy:3128'"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@pytest.mark.parametrize(
    "answer",
    [
        b"\x05\x00",
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n bad\r\n\r\n",
    ],
)
def test_what_is_no_answer(answer):
    with pytest.raises(ClientHttpProxyError, match=r"what is not HTTP/1\.1") as caught:
        answered(answer + b"\r\n\r\n")
    assert caught.value.status == 0


@pytest.mark.parametrize(
    "piece", [b"HTTP/1.1 100 Continue\r\n\r\n", b"X: " + b"a" * 100 + b"\r\n", b"a" * 1000]
)
def test_an_answer_without_end(piece):
    connect = Connect(PROXY, "h", 1)
    connect.receive(b"HTTP/1.1 100 Continue\r\n" + (b"\r\n" if piece.startswith(b"HTTP") else b""))
    sent = 0
    with pytest.raises(ClientHttpProxyError):
        while True:
            connect.receive(piece)
            sent += len(piece)
    assert sent <= MAX_ANSWER


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200"])
def test_the_end_of_the_connection(answer):
    connect = Connect(PROXY, "h", 1)
    if answer:
        assert not connect.receive(answer)
    with pytest.raises(ConnectionResetError, match="before it answered CONNECT"):
        connect.receive(b"")
