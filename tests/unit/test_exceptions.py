"""The hierarchy, the attributes and the texts of `wsclient.exceptions`."""

import copy
import errno
import pickle
import ssl

import pytest
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from wsclient import exceptions as exc
from wsclient.types import HandshakeResponse

URL_ = URL("ws://example.org/feed")
REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
HISTORY = (
    HandshakeResponse(302, "Found", CIMultiDictProxy(CIMultiDict(Location="/")), "1.1", URL_),
)

EVERY = [
    exc.ClientError("a"),
    exc.ClientConnectionError("a"),
    exc.ClientOSError(errno.EPIPE, "Broken pipe"),
    exc.ClientConnectorError("example.org", 80, REFUSED),
    exc.ClientConnectorDNSError("example.org", 80, REFUSED, step="dns", ssl=True),
    exc.ClientConnectorSSLError("example.org", 443, REFUSED, step="tls", ssl=False),
    exc.ClientConnectorCertificateError("example.org", 443, REFUSED, step="tls", ssl=True),
    exc.ClientProxyConnectionError(
        "proxy", 3128, REFUSED, step="tls", ssl=True, proxy=URL("https://proxy:3128")
    ),
    exc.UnixClientConnectorError("/run/s", FileNotFoundError(errno.ENOENT, "No such file")),
    exc.ClientConnectionResetError("cannot send on a closed connection"),
    exc.ServerConnectionError("a"),
    exc.ServerDisconnectedError(),
    exc.ServerDisconnectedError("half an answer"),
    exc.ServerFingerprintMismatch(b"a" * 32, b"b" * 32, "example.org", 443),
    exc.ServerTimeoutError("a"),
    exc.ConnectionTimeoutError("not open after 1 s", step="tls"),
    exc.InvalidURL("ftp://example.org", "unknown scheme"),
    exc.ClientResponseError("a", status=500),
    exc.ClientHttpProxyError("proxy answered 407", status=407, headers=CIMultiDict(Server="x")),
    exc.WSServerHandshakeError(
        "server answered 403",
        status=403,
        headers=CIMultiDict(Server="x"),
        body=b"no",
        url=URL_,
        history=HISTORY,
    ),
    exc.TooManyRedirects("too many", status=302, url=URL_, history=HISTORY),
    exc.WebSocketError(1002, "reserved bit set"),
    exc.WSMessageTypeError("expected text, got binary"),
]


def test_every_exception_is_tried_here():
    assert {type(error).__name__ for error in EVERY} == set(exc.__all__)


@pytest.mark.parametrize(
    ("name", "bases"),
    [
        ("ClientConnectionError", ["ClientError"]),
        ("ClientOSError", ["ClientConnectionError", OSError]),
        ("ClientConnectorError", ["ClientOSError"]),
        ("ClientConnectorDNSError", ["ClientConnectorError"]),
        ("ClientConnectorSSLError", ["ClientConnectorError"]),
        ("ClientConnectorCertificateError", ["ClientConnectorSSLError"]),
        ("ClientProxyConnectionError", ["ClientConnectorError"]),
        ("UnixClientConnectorError", ["ClientConnectorError"]),
        ("ClientConnectionResetError", ["ClientOSError", ConnectionResetError, RuntimeError]),
        ("ServerConnectionError", ["ClientConnectionError"]),
        ("ServerDisconnectedError", ["ServerConnectionError"]),
        ("ServerFingerprintMismatch", ["ServerConnectionError"]),
        ("ServerTimeoutError", ["ServerConnectionError", TimeoutError]),
        ("ConnectionTimeoutError", ["ServerTimeoutError"]),
        ("InvalidURL", ["ClientError", ValueError]),
        ("ClientResponseError", ["ClientError"]),
        ("ClientHttpProxyError", ["ClientResponseError"]),
        ("WSServerHandshakeError", ["ClientResponseError"]),
        ("TooManyRedirects", ["WSServerHandshakeError"]),
        ("WebSocketError", ["ClientError"]),
        ("WSMessageTypeError", ["ClientError", TypeError]),
    ],
)
def test_hierarchy(name, bases):
    expected = {getattr(exc, base) if isinstance(base, str) else base for base in bases}
    assert set(getattr(exc, name).__bases__) == expected
    assert f" {name}" in exc.__doc__


@pytest.mark.parametrize("error", EVERY, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("again", [copy.copy, lambda e: pickle.loads(pickle.dumps(e))])
def test_survives_copy_and_pickle(error, again):
    twin = again(error)
    assert type(twin) is type(error)
    assert (str(twin), repr(twin)) == (str(error), repr(error))
    for name, value in vars(error).items():
        if name == "os_error":
            assert (type(twin.os_error), twin.os_error.args) == (type(value), value.args)
        else:
            assert getattr(twin, name) == value


def test_connector_error_names_host_port_step_and_reason():
    error = exc.ClientConnectorError("::1", 8080, REFUSED, step="tcp")
    assert str(error) == "cannot connect to [::1]:8080, step tcp: [Errno 111] Connection refused"
    assert (error.host, error.port, error.os_error) == ("::1", 8080, REFUSED)
    assert (error.errno, error.strerror) == (errno.ECONNREFUSED, "Connection refused")


def test_connector_error_of_an_oserror_without_text_still_says_something():
    assert str(exc.ClientConnectorError("h", 1, ConnectionResetError())).endswith(
        "ConnectionResetError"
    )


def test_connector_error_with_a_context_can_be_pickled():
    context = ssl.create_default_context()
    error = exc.ClientConnectorSSLError("h", 443, REFUSED, step="tls", ssl=context)
    assert error.ssl is context
    assert pickle.loads(pickle.dumps(error)).ssl is None


def test_handshake_error_text_keeps_header_fields_out():
    headers = CIMultiDict({"Set-Cookie": "sid=secret"})
    error = exc.WSServerHandshakeError("server answered 403", status=403, headers=headers, url=URL_)
    assert str(error) == "server answered 403, url='ws://example.org/feed'"
    assert "secret" not in str(error) + repr(error)
    assert error.code == error.status == 403


def test_handshake_error_defaults():
    error = exc.WSServerHandshakeError("nothing came")
    assert (error.status, error.headers, error.body) == (0, None, b"")
    assert (error.url, error.history, str(error)) == (None, (), "nothing came")


def test_websocket_error_has_an_int_code():
    error = exc.WebSocketError(1007, "invalid UTF-8")
    assert type(error.code) is int
    assert (error.code, str(error)) == (1007, "invalid UTF-8")


def test_invalid_url_says_what_is_wrong():
    error = exc.InvalidURL("ftp://h", "unknown scheme")
    assert str(error) == "invalid URL 'ftp://h': unknown scheme"
    assert (error.url, error.description) == ("ftp://h", "unknown scheme")
