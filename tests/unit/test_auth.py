"""`BasicAuth` and ``.netrc``."""

import copy
import logging
import pickle

import aiohttp
import pytest
from yarl import URL

from wsclient import BasicAuth
from wsclient.handshake.auth import auth_from_netrc, authorization


@pytest.mark.parametrize(
    ("args", "value"),
    [
        (("Aladdin", "open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),  # RFC 7617 §2
        (("test", "123\u00a3", "utf-8"), "Basic dGVzdDoxMjPCow=="),  # RFC 7617 §2.1
        (("test", "123\u00a3"), "Basic dGVzdDoxMjOj"),
        (("me",), "Basic bWU6"),
        (("", ""), "Basic Og=="),
        (("me", "a:b"), "Basic bWU6YTpi"),
    ],
)
def test_encoding(args, value):
    auth = BasicAuth(*args)
    assert auth.encode() == value
    assert BasicAuth.decode(value, auth.encoding) == auth
    with pytest.warns(DeprecationWarning, match="BasicAuth"):
        theirs = aiohttp.BasicAuth(*args)
    assert theirs.encode() == value
    assert tuple(theirs) == tuple(auth)


def test_wrong_arguments():
    with pytest.raises(ValueError, match="login contains ':'"):
        BasicAuth("a:b", "secret")
    for name, args in (("login", (None, "secret")), ("password", ("a", b"secret"))):
        with pytest.raises(TypeError, match=f"{name} must be str"):
            BasicAuth(*args)
    with pytest.raises(ValueError, match="password cannot be encoded in latin1") as caught:
        BasicAuth("a", "\u20ac secret")
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    "value", ["", "Basic", "Bearer secret", "Basic secret!", "Basic c2VjcmV0", "Basic /////w=="]
)
def test_decoding_what_is_not_basic(value):
    with pytest.raises(ValueError, match=r"^authorization ") as caught:
        BasicAuth.decode(value, "utf-8")
    assert "secret" not in str(caught.value)


def test_from_url():
    assert BasicAuth.from_url(URL("ws://h/")) is None
    assert BasicAuth.from_url(URL("ws://me:p%40ss@h/")) == BasicAuth("me", "p@ss")
    assert BasicAuth.from_url(URL("ws://:pass@h/"), encoding="utf-8") == ("", "pass", "utf-8")


def test_repr_keeps_the_password():
    auth = BasicAuth("me", "secret")
    assert repr(auth) == "BasicAuth(login='me', password=***, encoding='latin1')"
    assert "secret" not in f"{auth} {[auth]} {auth!s}"
    assert (auth.login, auth.password, auth.encoding) == ("me", "secret", "latin1")
    for twin in (copy.copy(auth), pickle.loads(pickle.dumps(auth))):
        assert type(twin) is BasicAuth
        assert twin == auth


# --- .netrc

NETRC = """
machine example.org login me password secret
machine account.org account other password secret
machine [::1] login six password secret
"""


@pytest.fixture
def netrc(tmp_path, monkeypatch):
    """A function that writes the file which ``NETRC`` names."""
    path = tmp_path / "my netrc"
    monkeypatch.setenv("NETRC", str(path))

    def write(text, mode=0o600):
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(mode)
        return path

    return write


def test_netrc(netrc):
    netrc(NETRC)
    assert auth_from_netrc("example.org") == ("me", "secret", "utf-8")
    assert auth_from_netrc("account.org") == ("other", "secret", "utf-8")
    assert auth_from_netrc("www.example.org") is None
    netrc(NETRC + "default login anyone password p\u00e4ss\n")
    assert auth_from_netrc("www.example.org") == ("anyone", "p\u00e4ss", "utf-8")


def test_netrc_at_home(tmp_path, monkeypatch):
    monkeypatch.delenv("NETRC", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert auth_from_netrc("example.org") is None
    (tmp_path / ".netrc").write_text(NETRC)
    (tmp_path / ".netrc").chmod(0o600)
    assert auth_from_netrc("example.org").login == "me"


@pytest.mark.parametrize("text", ["machine example.org login me passwd secret", b"\xff\xfe\x00"])
def test_a_broken_netrc_is_logged_without_its_content(netrc, caplog, text):
    netrc(text)
    with caplog.at_level(logging.WARNING, "wsclient"):
        assert auth_from_netrc("example.org") is None
    (record,) = caplog.records
    assert "ignored" in record.getMessage()
    assert "secret" not in record.getMessage()


def test_a_netrc_that_cannot_be_read(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("NETRC", str(tmp_path))
    assert auth_from_netrc("example.org") is None
    assert "IsADirectoryError" in caplog.text


@pytest.mark.parametrize(
    ("url", "headers", "auth", "expected"),
    [
        ("ws://example.org/", {}, None, "Basic bWU6c2VjcmV0"),
        ("ws://elsewhere.org/", {}, None, None),
        ("ws://you:other@example.org/", {}, None, None),  # the handshake takes it from the URL
        ("ws://you@example.org/", {}, BasicAuth("they", "x"), "Basic dGhleTp4"),
        ("ws://example.org/", {"Authorization": "Bearer x"}, None, None),
    ],
)
def test_which_credentials_count(netrc, url, headers, auth, expected):
    netrc(NETRC)
    assert authorization(URL(url), headers, auth, netrc=True) == expected


def test_netrc_is_left_alone_unless_asked(netrc):
    netrc(NETRC)
    assert authorization(URL("ws://example.org/"), {}, None, netrc=False) is None


def test_two_kinds_of_credentials():
    auth = BasicAuth("me", "secret")
    with pytest.raises(ValueError, match="auth and an Authorization header") as caught:
        authorization(URL("ws://h/"), {"Authorization": "Bearer secret"}, auth, netrc=False)
    assert "secret" not in str(caught.value)
