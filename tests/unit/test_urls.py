"""Which URLs can name a WebSocket (RFC 6455 §3), and how errors speak of the others."""

from ipaddress import IPv6Address

import pytest
from yarl import URL

from wsclient.exceptions import InvalidURL
from wsclient.handshake.urls import parse_url, read_url


@pytest.mark.parametrize(
    ("given_", "parsed"),
    [
        ("ws://h", "ws://h"),
        ("http://h/a?b", "ws://h/a?b"),
        ("https://h:8443/", "wss://h:8443/"),
        ("WSS://H/", "wss://h/"),
        (URL("https://h/"), "wss://h/"),
        ("ws://münchen.example/ü", "ws://xn--mnchen-3ya.example/%C3%BC"),
        ("ws://[::1]:81/", "ws://[::1]:81/"),
        ("ws://[fe80::1%25lo]:81/", "ws://[fe80::1%25lo]:81/"),
        ("ws://[::ffff:1.2.3.4]/", f"ws://[{IPv6Address('::ffff:1.2.3.4')}]/"),
        ("ws://u:p@h/", "ws://u:p@h/"),
    ],
)
def test_url_is_normalised(given_, parsed):
    assert str(parse_url(given_)) == parsed


@pytest.mark.parametrize(
    ("given_", "sent"),
    [
        ("?sig=a%2Fb%2fc", "/?sig=a%2Fb%2fc"),
        ("?sig=a%3D%26&x=1+2%20", "/?sig=a%3D%26&x=1+2%20"),
        ("/a%2Fb/%7Eme/%41?%7e=%E9", "/a%2Fb/%7Eme/%41?%7e=%E9"),
        ("/a/../b/./c?d=/../", "/a/../b/./c?d=/../"),
        ("/a:b@c;d=e,f!$&'()*+?a=b?c/d", "/a:b@c;d=e,f!$&'()*+?a=b?c/d"),
        ("?a=1;b&&=", "/?a=1;b&&="),
    ],
)
def test_what_is_valid_is_sent_as_it_is(given_, sent):
    """A signature is of the very characters (RFC 3986 §2.2, §6.2.2.2)."""
    url = parse_url(f"wss://h:443{given_}")
    assert url.raw_path_qs == sent
    assert (url.host, url.port) == ("h", 443)
    assert parse_url(f"https://me:p%2Fw@h{given_}").raw_path_qs == sent
    assert url.extend_query({"x": "/&"}).raw_path_qs == f"{sent}&x=/%26"
    base = parse_url("ws://h/x/y?z")
    if given_.startswith("?"):
        assert base.join(read_url(given_)).raw_path_qs == f"/x/y{sent[1:]}"


@pytest.mark.parametrize(
    ("given_", "sent"),
    [
        ("/ü?ü=%2F&a=ü", "/%C3%BC?%C3%BC=%2F&a=%C3%BC"),
        ("/100%?%zz=%2", "/100%25?%25zz=%252"),
        ('/a[b]|{c}?"<>\\^`=%2f', "/a%5Bb%5D%7C%7Bc%7D?%22%3C%3E%5C%5E%60=%2f"),
        ("/%C3%BC/ü", "/%C3%BC/%C3%BC"),
    ],
)
def test_only_what_is_not_valid_is_quoted(given_, sent):
    assert parse_url(f"ws://h{given_}").raw_path_qs == sent


def test_a_url_that_yarl_has_made_is_sent_as_it_made_it():
    text = "ws://h/?sig=a%2Fb"
    assert parse_url(URL(text)).raw_path_qs == "/?sig=a/b"
    assert parse_url(URL(text, encoded=True)).raw_path_qs == "/?sig=a%2Fb"


@pytest.mark.parametrize("text", ["", "x/y?a%2Fb", "?a%2Fb", "//h/x%2F", "x%2Fy#z"])
def test_references_are_read_without_a_change(text):
    assert str(read_url(text)) == text


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "no scheme"),
        ("h/p", "no scheme"),
        ("//h/p", "no scheme"),
        ("ftp://h/", "unknown scheme 'ftp', expected ws, wss, http or https"),
        ("ws://", "no host"),
        ("ws:///p", "no host"),
        ("ws:h", "no host"),
        ("ws://h:0/", "port"),
        ("ws://h:65536/", "cannot be parsed: Port"),
        ("ws://h:abc/", "cannot be parsed: .*port"),
        ("ws://[::1/", "cannot be parsed"),
        ("ws://l]]b[a@", "cannot be parsed"),
        ("ws://h/#part", "fragments"),
        ("ws://h/#", "fragments"),
        ("ws://h/a b", "space or control"),
        (" ws://h/", "space or control"),
        ("ws://h/\r\nX: y", "space or control"),
        ("ws://h/\x00", "space or control"),
        ("ws://h\x7f/", "space or control"),
        ("ws://a<b/", "host contains"),
        ("ws://u:1]:3@[:ll", "cannot be parsed"),
        ("ws://[::1%25a b]/", "space or control"),
        ("ws://[v1.a:b]/", "host is neither"),
        ("ws://a%3Ab:p@h/", "user name"),
        (URL("ws://h/ü", encoded=True), "percent-encoded"),
        (URL("ws://h/a b", encoded=True), "space or control"),
    ],
)
def test_bad_url_is_refused(url, problem):
    with pytest.raises(InvalidURL, match=problem) as caught:
        parse_url(url)
    assert str(caught.value).startswith("invalid URL '")


@pytest.mark.parametrize("url", [None, 1, b"ws://h/", ["ws://h/"]])
def test_what_is_no_url_is_a_type_error(url):
    with pytest.raises(TypeError, match=f"url must be str or yarl.URL, got {type(url).__name__}"):
        parse_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://u:secret@h/",
        "ws://u:sec/ret@h/",
        "ws://u:secret@h:x/",
        "ws:/u:secret@h/",
        "ws:u:secret@h/",
        "u:secret@h//x",
        "u:secret@h",
    ],
)
def test_bad_url_keeps_its_password_to_itself(url):
    with pytest.raises(InvalidURL) as caught:
        parse_url(url)
    error = caught.value
    assert error.__suppress_context__ or error.__context__ is None
    assert "sec" not in str(error) + repr(error) + repr(error.url)
