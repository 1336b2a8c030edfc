"""Cookies as RFC 6265 has them, in a jar of the standard library."""

import http.cookiejar
import http.cookies
from http.cookiejar import CookieJar, DefaultCookiePolicy

import pytest
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from wsclient.handshake.cookies import (
    MAX_COOKIE,
    MAX_COOKIES,
    CookiePolicy,
    cookie_header,
    join_cookies,
    keep_cookies,
)
from wsclient.types import HandshakeResponse


def answer(url, *lines):
    headers = CIMultiDict([("Set-Cookie", line) for line in lines])
    return HandshakeResponse(101, "", CIMultiDictProxy(headers), "1.1", URL(url))


def jar_with(url, *lines):
    jar = CookieJar(CookiePolicy())
    keep_cookies(jar, answer(url, *lines))
    return jar


def sent(jar, url, given=(), otherwise=""):
    return cookie_header(jar, URL(url), given, otherwise)


def test_a_cookie_goes_back():
    jar = jar_with("ws://example.org/feed", "a=1", 'b="2 3"; HttpOnly', "c=")
    assert sent(jar, "ws://example.org/feed") == 'a=1; b="2 3"; c='
    assert sent(jar, "wss://example.org:8443/other") == 'a=1; b="2 3"; c='
    assert sent(CookieJar(), "ws://example.org/") is None


def test_a_later_one_takes_the_place():
    jar = jar_with("ws://example.org/", "a=1", "a=2")
    assert sent(jar, "ws://example.org/") == "a=2"
    keep_cookies(jar, answer("ws://example.org/", "a=3; Max-Age=60"))
    assert sent(jar, "ws://example.org/") == "a=3"
    keep_cookies(jar, answer("ws://example.org/", "a=; Max-Age=0"))
    assert sent(jar, "ws://example.org/") is None


@pytest.mark.parametrize(
    ("attributes", "lives"),
    [
        ("", True),
        ("; Expires=Wed, 09 Jun 2100 10:18:14 GMT", True),
        ("; Expires=Wed, 09 Jun 2021 10:18:14 GMT", False),
        ("; Max-Age=0", False),
        ("; Max-Age=10; Expires=Wed, 09 Jun 2021 10:18:14 GMT", True),
        ("; Expires=nonsense", True),
    ],
)
def test_expiry(attributes, lives):
    assert sent(jar_with("ws://h.org/", "a=1" + attributes), "ws://h.org/") == (
        "a=1" if lives else None
    )


@pytest.mark.parametrize(
    ("attributes", "setter", "receiver", "goes"),
    [
        # §5.3 step 6: without Domain, to the very host only
        ("", "example.org", "example.org", True),
        ("", "example.org", "www.example.org", False),
        ("", "www.example.org", "example.org", False),
        ("", "localhost", "localhost", True),
        ("", "127.0.0.1", "127.0.0.1", True),
        ("", "127.0.0.1", "127.0.0.2", False),
        # §5.1.3: with Domain, below it
        ("; Domain=example.org", "example.org", "example.org", True),
        ("; Domain=example.org", "example.org", "www.example.org", True),
        ("; Domain=.EXAMPLE.org", "a.b.example.org", "c.example.org", True),
        ("; Domain=example.org", "example.org", "badexample.org", False),
        # no domain that the server does not belong to
        ("; Domain=other.org", "example.org", "other.org", False),
        ("; Domain=www.example.org", "example.org", "www.example.org", False),
        ("; Domain=ample.org", "example.org", "example.org", False),
        # public suffixes, as far as the standard library knows them
        ("; Domain=org", "example.org", "other.org", False),
        ("; Domain=co.uk", "example.co.uk", "other.co.uk", False),
        ("; Domain=com.au", "example.com.au", "other.com.au", False),
        # addresses have no domains
        ("; Domain=0.0.1", "127.0.0.1", "127.0.0.1", False),
        ("; Domain=.0.1", "127.0.0.1", "10.0.0.1", False),
        ("; Domain=127.0.0.1", "127.0.0.1", "127.0.0.1", True),
    ],
)
def test_domains(attributes, setter, receiver, goes):
    jar = jar_with(f"wss://{setter}/", "a=1" + attributes)
    assert sent(jar, f"wss://{receiver}/") == ("a=1" if goes else None)


@pytest.mark.parametrize(
    ("attributes", "setter", "receiver", "goes"),
    [
        ("", "/a/b", "/a/c", True),  # §5.1.4: the default path is that of the request
        ("", "/a/b", "/b", False),
        ("", "/feed", "/", True),
        ("; Path=/", "/a/b", "/", True),
        ("; Path=/a", "/", "/a/b?c=d", True),
        ("; Path=/a", "/", "/a", True),
        ("; Path=/a", "/", "/ab", False),
        ("; Path=/a/", "/", "/a", False),
    ],
)
def test_paths(attributes, setter, receiver, goes):
    jar = jar_with(f"ws://h.org{setter}", "a=1" + attributes)
    assert sent(jar, f"ws://h.org{receiver}") == ("a=1" if goes else None)


def test_longer_paths_go_first():
    jar = jar_with("ws://h.org/", "a=short; Path=/", "a=long; Path=/a/b", "b=1; Path=/a")
    assert sent(jar, "ws://h.org/a/b") == "a=long; a=short; b=1"


@pytest.mark.parametrize(
    ("setter", "receiver", "goes"),
    [
        ("wss", "wss", True),
        ("wss", "ws", False),
        ("wss", "https", True),
        ("ws", "wss", False),
        ("http", "wss", False),
    ],
)
def test_secure_cookies_take_tls_both_ways(setter, receiver, goes):
    jar = jar_with(f"{setter}://h.org/", "a=1; Secure")
    assert sent(jar, f"{receiver}://h.org/") == ("a=1" if goes else None)


@pytest.mark.parametrize("line", ["", "a", "=1", ";", "a" * MAX_COOKIE + "=1", "a; Secure"])
def test_lines_that_set_nothing(line):
    jar = jar_with("wss://h.org/", line)
    assert list(jar) == []


def test_a_jar_does_not_grow_without_end():
    jar = CookieJar(CookiePolicy())
    for number in range(0, MAX_COOKIES + 500, 100):
        lines = [f"a{number + n}=1" for n in range(100)]
        keep_cookies(jar, answer("ws://h.org/", *lines))
    assert len(jar) == MAX_COOKIES


def test_bytes_come_back_as_they_came():
    line = "a=" + "\u20ac".encode().decode("latin-1")
    jar = jar_with("ws://h.org/", line, "b=\xff")
    assert sent(jar, "ws://h.org/").encode().startswith(b"a=\xe2\x82\xac; ")


def test_what_the_caller_sends_goes_first_and_what_he_sends_otherwise_last():
    jar = jar_with("ws://h.org/", "a=jar", "b=jar", "c=jar")
    header = sent(jar, "ws://h.org/", ["a=given; x=given", "c=given"], "b=else; d=else; d=again")
    assert sorted(header.split("; ")) == [
        "a=given",
        "b=jar",
        "c=given",
        "d=again",
        "d=else",
        "x=given",
    ]
    assert sent(CookieJar(), "ws://h.org/", ["a=1"]) == "a=1"
    assert sent(CookieJar(), "ws://h.org/", (), "a=1") == "a=1"


def test_jars_and_policies_of_the_callers():
    jar = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    keep_cookies(jar, answer("ws://h.org/", "a=1"))
    assert sent(jar, "ws://h.org/") is None


def test_a_jar_that_is_saved(tmp_path):
    path = str(tmp_path / "cookies")
    jar = http.cookiejar.LWPCookieJar(path, policy=CookiePolicy())
    keep_cookies(jar, answer("wss://h.org/", "a=1; Max-Age=3600; Secure"))
    jar.save()
    again = http.cookiejar.LWPCookieJar(path, policy=CookiePolicy())
    again.load()
    assert sent(again, "wss://h.org/") == "a=1"
    assert sent(again, "ws://h.org/") is None


def test_credentials_in_the_url_are_no_part_of_the_host():
    jar = jar_with("ws://h.org/", "a=1")
    assert sent(jar, "ws://evil.org:x@h.org/") == "a=1"
    assert sent(jar, "ws://h.org:x@evil.org/") is None


def test_ipv6():
    jar = jar_with("ws://[::1]:8000/", "a=1")
    assert sent(jar, "ws://[::1]/") == "a=1"
    assert sent(jar, "ws://[::2]/") is None
    assert list(jar_with("ws://[::1]/", "a=1; Domain=::1")) == []


# --- what a caller has


def test_cookies_of_the_callers():
    simple = http.cookies.SimpleCookie()
    simple["a"] = "1 2"
    simple["b"] = "3"
    assert join_cookies(simple) == 'a="1 2"; b=3'
    assert join_cookies({"c": simple["b"]}) == "c=3"
    assert join_cookies({"a": "1", "b": ""}) == "a=1; b="
    assert join_cookies([("a", "1"), ("b", "2")]) == "a=1; b=2"
    assert join_cookies({}) == ""


@pytest.mark.parametrize(
    ("cookies", "error"),
    [
        ({"a": "secret; b=1"}, ValueError),
        ({"a": "secret\r\n"}, ValueError),
        ({"a b": "secret"}, ValueError),
        ({"": "secret"}, ValueError),
        ({"a=": "secret"}, ValueError),
        ({"a": 1}, TypeError),
        ({1: "secret"}, TypeError),
    ],
)
def test_cookies_that_would_become_something_else(cookies, error):
    with pytest.raises(error, match="cookie") as caught:
        join_cookies(cookies)
    assert "secret" not in str(caught.value)
