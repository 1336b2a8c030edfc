"""Values and names of `wsclient.types`."""

import copy
import dataclasses
import pickle

import aiohttp
import pytest
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from wsclient import types


def test_message_types_have_the_documented_and_todays_names():
    values = {
        "continuation": 0,
        "text": 1,
        "binary": 2,
        "close": 8,
        "ping": 9,
        "pong": 10,
        "closing": 0x100,
        "closed": 0x101,
        "error": 0x102,
    }
    assert {member.name: member.value for member in types.MsgType} == values
    for name in values:
        assert types.MsgType[name.upper()] is types.MsgType[name]
        assert aiohttp.WSMsgType[name.upper()] == types.MsgType[name]


def test_aliases_are_the_same_objects():
    assert types.WSMsgType is types.MsgType
    for name in ("TEXT", "BINARY", "CLOSE", "PING", "PONG"):
        assert getattr(types, f"MSG_{name}") is types.MsgType[name]


def test_close_codes_are_aiohttps():
    ours = {code.name: code.value for code in types.WSCloseCode}
    assert ours == {code.name: code.value for code in aiohttp.WSCloseCode}


def test_timeout_is_frozen_and_has_the_documented_defaults():
    timeout = types.ClientWSTimeout()
    assert (timeout.ws_receive, timeout.ws_close) == (None, 10.0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        timeout.ws_close = 1.0


@pytest.mark.parametrize("again", [copy.copy, lambda r: pickle.loads(pickle.dumps(r))])
def test_response_survives_copy_and_pickle_and_shows_no_cookie(again):
    headers = CIMultiDictProxy(CIMultiDict({"Set-Cookie": "sid=secret"}))
    first = types.HandshakeResponse(302, "Found", headers, "1.1", URL("ws://h/a"), body=b"secret")
    response = types.HandshakeResponse(101, "", headers, "1.1", URL("ws://h/b"), (first,))
    twin = again(response)
    assert twin == response
    assert isinstance(twin.headers, CIMultiDictProxy)
    assert twin.history[0].headers["set-cookie"] == "sid=secret"
    assert "secret" not in repr(response)


@pytest.mark.parametrize(
    ("url", "secure"),
    [("ws://h", False), ("http://h", False), ("wss://h", True), ("https://h", True)],
)
def test_is_secure(url, secure):
    assert types.is_secure(URL(url)) is secure


@pytest.mark.parametrize("url", ["ws://u:p@h:81/x?y", "ws://u@h:81/x?y", "ws://:p@h:81/x?y"])
def test_without_credentials(url):
    assert str(types.without_credentials(URL(url))) == "ws://h:81/x?y"
