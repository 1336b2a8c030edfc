"""Which failures pass, and how long to wait: the rules, without a connection."""

import itertools
import ssl

import pytest
from multidict import CIMultiDict

import wsclient
from wsclient import (
    ClientConnectionResetError,
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientConnectorSSLError,
    ClientHttpProxyError,
    ClientProxyConnectionError,
    ConnectionTimeoutError,
    InvalidURL,
    ServerDisconnectedError,
    ServerFingerprintMismatch,
    TooManyRedirects,
    WSServerHandshakeError,
    backoff,
    process_exception,
)
from wsclient.retry import MAX_RETRY_AFTER, retry_after

REFUSED = ConnectionRefusedError(111, "refused")
NOT_TRUSTED = ssl.SSLCertVerificationError(1, "self-signed certificate")


@pytest.mark.parametrize(
    "exc",
    [
        ClientConnectorError("h", 80, REFUSED),
        ClientConnectorDNSError("h", 80, OSError("no such host")),
        ClientConnectorSSLError("h", 443, ssl.SSLError(1, "handshake failure")),
        ClientProxyConnectionError("p", 80, REFUSED),
        ClientConnectionResetError("lost"),
        ConnectionTimeoutError("late"),
        ServerDisconnectedError(),
        TimeoutError(),
        REFUSED,
        OSError("something"),
        *(WSServerHandshakeError("no", status=status) for status in (408, 425, 429, 500, 503, 599)),
        *(ClientHttpProxyError("no", status=status) for status in (429, 502, 504)),
    ],
    ids=repr,
)
def test_what_may_pass(exc):
    assert process_exception(exc) is None


@pytest.mark.parametrize(
    "exc",
    [
        *(
            WSServerHandshakeError("no", status=status)
            for status in (0, 101, 200, 400, 401, 403, 404)
        ),
        *(ClientHttpProxyError("no", status=status) for status in (0, 403, 407)),
        TooManyRedirects("many", status=302),
        ClientConnectorCertificateError("h", 443, NOT_TRUSTED),
        ClientProxyConnectionError("p", 443, NOT_TRUSTED, step="tls"),
        ServerFingerprintMismatch(b"", b"", "h", 443),
        InvalidURL("nonsense"),
        ValueError("wrong"),
        TypeError("wrong"),
        RuntimeError("session is closed"),
        ZeroDivisionError(),
    ],
    ids=repr,
)
def test_what_will_not_pass(exc):
    assert process_exception(exc) is exc


def test_delays_grow_to_a_limit():
    delays = list(itertools.islice(backoff(1, 60, 2, random=lambda: 1.0), 9))
    assert delays == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert next(backoff(100, 60, random=lambda: 1.0)) == 60
    # A year of delays does not overflow.
    assert next(itertools.islice(backoff(random=lambda: 1.0), 500_000, None)) == 60


def test_delays_have_full_jitter():
    assert list(itertools.islice(backoff(1, 60, 2, random=lambda: 0.0), 9)) == [0] * 9
    lots = [next(itertools.islice(backoff(8), 0, None)) for _ in range(1000)]
    assert 0 <= min(lots) < 1
    assert 7 < max(lots) < 8


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30),
        (" 0 ", 0),
        ("3600", 3600),
        ("3601", MAX_RETRY_AFTER),
        ("9" * 5000, MAX_RETRY_AFTER),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 37),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 37),
        ("Sun Nov  6 08:49:37 1994", 37),
        ("Sun, 06 Nov 1994 08:48:37 GMT", 0),
        ("Sun, 06 Nov 2094 08:49:37 GMT", MAX_RETRY_AFTER),
        ("Sun, 06 Nov 99999999 08:49:37 GMT", 0),
        ("-1", 0),
        ("1.5", 0),
        ("soon", 0),
        ("", 0),
    ],
)
def test_retry_after(value, seconds):
    now = 784111740  # 1994-11-06 08:49:00 GMT
    exc = WSServerHandshakeError("no", status=429, headers=CIMultiDict({"retry-after": value}))
    assert retry_after(exc, now) == seconds


def test_retry_after_of_what_is_no_answer():
    assert retry_after(None, 0) == 0
    assert retry_after(ClientConnectorError("h", 80, REFUSED), 0) == 0
    assert retry_after(WSServerHandshakeError("no"), 0) == 0
    assert retry_after(WSServerHandshakeError("no", status=503, headers={}), 0) == 0


def test_the_names_are_functions():
    """Of which no module of the package has the name."""
    for name in ("reconnect", "ws_connect", "backoff", "process_exception"):
        assert callable(getattr(wsclient, name))
