"""What a request has in it that may be secret, taken out of words that repeat it."""

import html
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from yarl import URL

from wsclient.handshake.auth import BasicAuth
from wsclient.handshake.redaction import hide, secrets_of


def found(url="ws://h/", headers=(), protocols=()):
    return secrets_of(URL(url, encoded=True), CIMultiDict(headers), protocols)


@pytest.mark.parametrize(
    ("request_", "secrets"),
    [
        ({}, set()),
        ({"url": "ws://me:pa%2Fss@h/"}, {"me", "pa/ss", "pa%2Fss"}),
        (
            {"url": "ws://h/path?a=one&b=two%20&three&four==&e="},
            {"one", "two%20", "three", "=", "e"},
        ),
        ({"headers": [("X-Key", "a b"), ("Host", "h"), ("User-Agent", "u")]}, {"a b"}),
        ({"headers": [("Cookie", 'a=1; b="2"')]}, {'a=1; b="2"', "1", "2"}),
        ({"headers": [("Authorization", "Bearer a.b")]}, {"Bearer a.b", "a.b"}),
        ({"protocols": ["chat", "x" * 32]}, {"x" * 32}),
    ],
)
def test_what_may_be_secret(request_, secrets):
    assert found(**request_) == secrets


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_both_halves_of_basic_credentials(encoding):
    value = BasicAuth("mé", "pä:ss", encoding).encode()
    assert {value, value.partition(" ")[2], "mé", "pä:ss"} <= found(
        headers=[("Proxy-Authorization", value)]
    )
    assert "Basic é" in found(headers=[("Authorization", "Basic é")])


def spellings(secret):
    return (
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        html.escape(secret),
        json.dumps(secret)[1:-1],
    )


@given(
    secret=st.text(st.characters(codec="utf-8", exclude_characters="*"), min_size=4),
    spelling=st.integers(0, 4),
    before=st.text(max_size=5),
    after=st.text(max_size=5),
    cut=st.integers(0, 40),
)
def test_no_spelling_and_no_beginning_is_left(secret, spelling, before, after, cut):
    """As it was sent, which is quoted in a query."""
    spelt = spellings(secret)[spelling]
    text = (before + spelt + after)[:cut]
    for sent in (secret, quote(secret, safe="")):
        hidden = hide(text, {sent})
        assert spelt not in hidden
        assert len(text) <= len(before) + 3 or not hidden.endswith(spelt[:4])


def test_words_in_which_nothing_is_secret_stay():
    assert hide("error code: 1020", {"abc", "token"}) == "error code: 1020"
    assert hide("v 2", {"2"}) == "v 2"
    assert hide("", {"token"}) == ""
