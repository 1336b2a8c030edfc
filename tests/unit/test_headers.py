"""The grammar of header fields: what callers may send, and extension lists."""

import base64

import pytest
from multidict import CIMultiDict

from wsclient.handshake.headers import (
    Extension,
    basic_authorization,
    check_headers,
    check_protocols,
    check_value,
    parse_extensions,
)


@pytest.mark.parametrize("headers", [None, {}, {"a": "1"}, [("a", "1"), ("A", "2")]])
def test_headers_are_copied(headers):
    assert check_headers(headers) == CIMultiDict(headers or ())


def test_white_space_inside_a_value_and_text_beyond_ascii_are_legal():
    assert check_value("X", "a\tb c é €") == "a\tb c é €"


@pytest.mark.parametrize(
    "name",
    [
        "Sec-WebSocket-Key",
        "sec-websocket-version",
        "Sec-WebSocket-Accept",
        "Sec-WebSocket-Extensions",
        "Sec-WebSocket-Protocol",
        "Upgrade",
        "CONNECTION",
        "Content-Length",
        "Transfer-Encoding",
    ],
)
def test_the_handshakes_own_headers_cannot_be_given(name):
    with pytest.raises(ValueError, match=f"header {name} belongs to the handshake"):
        check_headers({name: "secret"})


@pytest.mark.parametrize("bad", ["a\r\nX: secret", "secret\n", "\rsecret", "se\x00cret", "s\x7f"])
def test_illegal_header_values_are_refused_without_being_shown(bad):
    with pytest.raises(ValueError, match="header X-Token contains a control character") as caught:
        check_headers({"X-Token": bad})
    assert "secret" not in str(caught.value)
    with pytest.raises(ValueError, match="header Origin contains a control character"):
        check_value("Origin", bad)


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\r\nb", "é", "a\x00"])
def test_illegal_header_names_are_refused(name):
    with pytest.raises(ValueError, match="is not a token"):
        check_headers({name: "v"})


def test_header_values_must_be_str():
    with pytest.raises(TypeError, match="header X must be str, got int"):
        check_headers({"X": 1})


@pytest.mark.parametrize("bad", [[""], ["a b"], ["a,b"], ["a", "a"], ["é"], ["a\r\nb"]])
def test_bad_subprotocols_are_refused(bad):
    with pytest.raises(ValueError, match="subprotocol"):
        check_protocols(bad)


def test_one_str_is_no_list_of_subprotocols():
    with pytest.raises(TypeError, match="sequence of str"):
        check_protocols("chat")


def test_subprotocols_keep_their_order():
    assert check_protocols(["b", "a.v2", "A"]) == ("b", "a.v2", "A")
    assert check_protocols(name for name in ("b", "a")) == ("b", "a")


def test_basic_authorization_is_utf8():
    scheme, _, value = basic_authorization("üser", "p:ss").partition(" ")
    assert (scheme, base64.b64decode(value).decode()) == ("Basic", "üser:p:ss")


@pytest.mark.parametrize(
    ("value", "parsed"),
    [
        ("a", [("a", ())]),
        (" a ,, b\t; c = d ,", [("a", ()), ("b", (("c", "d"),))]),
        ('a; b="c"; d; e="\\f"', [("a", (("b", "c"), ("d", None), ("e", "f")))]),
        ("p; x=10, p", [("p", (("x", "10"),)), ("p", ())]),
    ],
)
def test_extension_lists(value, parsed):
    assert parse_extensions(value) == tuple(Extension(name, params) for name, params in parsed)


@pytest.mark.parametrize(
    "bad", ["", ",", "a b", "a;", "=", 'a; b="c d"', 'a; b=""', 'a; b="c', "é"]
)
def test_malformed_extension_lists(bad):
    with pytest.raises(ValueError, match="extension"):
        parse_extensions(bad)
