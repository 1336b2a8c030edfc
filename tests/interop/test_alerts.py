"""TLS that fails, or is not there: what the error says, and whether to try again."""

import asyncio
import contextlib
import errno
import hashlib
import socket
import ssl
import threading

import pytest
import trustme

from wsclient import (
    ClientConnectorError,
    ClientConnectorSSLError,
    ClientProxyConnectionError,
    Fingerprint,
    ServerDisconnectedError,
    WSServerHandshakeError,
    process_exception,
    reconnect,
    ws_connect,
)
from wsclient.network.tls import needs_ssl_module

from .servers import server_tls

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


class Wrapping(ssl.SSLContext):
    """Goes by the event loop's own transports."""

    def wrap_bio(self, *args, **kwargs):
        return super().wrap_bio(*args, **kwargs)


@pytest.fixture(params=[ssl.SSLContext, Wrapping], ids=["fast", "own"])
def trusting(request, authority):
    """A client's context."""
    context = request.param(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    assert (needs_ssl_module(context) is None) == (request.param is ssl.SSLContext)
    return context


@contextlib.asynccontextmanager
async def served(talk):
    """Serve `talk(sock)` in a thread, as blocking servers send their alerts; yields the port."""

    def serve():
        while True:
            try:
                sock, _ = listening.accept()
            except OSError:
                return
            with sock, contextlib.suppress(OSError):
                sock.settimeout(10)
                talk(sock)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            await asyncio.to_thread(thread.join)


def speaks_tls(context):
    def talk(sock):
        with context.wrap_socket(sock, server_side=True) as secured:
            while secured.recv(65536):
                pass

    return talk


def says(answer):
    def talk(sock):
        sock.recv(65536)
        sock.sendall(answer)
        while sock.recv(65536):
            pass

    return talk


async def refusal(kind, url, **options):
    with pytest.raises(kind) as caught:
        await ws_connect(url, **options)
    return caught.value


# --- certificates of the client


@pytest.mark.parametrize("version", [V12, V13])
@pytest.mark.parametrize(
    "case",
    [
        (False, {V12: "HANDSHAKE_FAILURE", V13: "CERTIFICATE_REQUIRED"}),
        (True, {V12: "UNKNOWN_CA", V13: "UNKNOWN_CA"}),
    ],
    ids=["missing", "unknown"],
)
async def test_a_client_certificate_that_is_missing_or_unknown(
    certificate, authority, trusting, version, case
):
    """With TLS 1.3 the alert comes when the client's handshake is complete (RFC 8446 §4.4.2.4)."""
    shown, alerts = case
    context = server_tls(certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    context.minimum_version = context.maximum_version = version
    if shown:
        trustme.CA().issue_cert("me").configure_cert(trusting)
    attempts = []
    async with served(speaks_tls(context)) as port:
        url = f"wss://localhost:{port}/"
        for _ in range(10):  # the server resets the connection right after its alert
            error = await refusal(ClientConnectorSSLError, url, ssl=trusting)
            assert (error.host, error.port, error.step) == ("localhost", port, "tls")
            assert f"ALERT_{alerts[version]}" in str(error)
            assert error.os_error.reason.endswith(alerts[version])
            assert error.__cause__ is error.os_error
            assert repr(error.os_error).startswith("SSLError(1, '[SSL")
        assert ("load_cert_chain" in str(error)) == (alerts[version] == "CERTIFICATE_REQUIRED")
        assert process_exception(error) is error
        with pytest.raises(ClientConnectorSSLError):
            async for _ in reconnect(url, ssl=trusting, on_state=attempts.append):
                pass
    assert [event.state for event in attempts] == ["connecting"]


async def test_the_pinned_certificate_is_compared_before_anything_is_sent(certificate, authority):
    """So an alert may be overtaken by a reset; whatever is told, it is no exception of others."""
    context = server_tls(certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    der = ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode())
    async with served(speaks_tls(context)) as port:
        pin = Fingerprint(hashlib.sha256(der).digest())
        url = f"wss://localhost:{port}/"
        await refusal((ClientConnectorSSLError, ServerDisconnectedError), url, ssl=pin)


async def test_a_proxy_that_wants_a_client_certificate(certificate, authority, trusting):
    context = server_tls(certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    async with served(speaks_tls(context)) as port:
        proxy = f"https://localhost:{port}"
        for _ in range(10):
            error = await refusal(
                ClientProxyConnectionError,
                "ws://localhost:1/",
                proxy=proxy,
                proxy_ssl=trusting,
            )
            assert error.step == "tls"
            assert "ALERT_CERTIFICATE_REQUIRED" in str(error)
    assert process_exception(error) is error


# --- alerts

WILL_NOT_PASS = {
    40: "HANDSHAKE_FAILURE",
    42: "BAD_CERTIFICATE",
    43: "UNSUPPORTED_CERTIFICATE",
    44: "CERTIFICATE_REVOKED",
    45: "CERTIFICATE_EXPIRED",
    46: "CERTIFICATE_UNKNOWN",
    48: "UNKNOWN_CA",
    49: "ACCESS_DENIED",
    70: "PROTOCOL_VERSION",
    71: "INSUFFICIENT_SECURITY",
    112: "UNRECOGNIZED_NAME",
    116: "CERTIFICATE_REQUIRED",
    120: "NO_APPLICATION_PROTOCOL",
}
MAY_PASS = {10: "UNEXPECTED_MESSAGE", 20: "BAD_RECORD_MAC", 80: "INTERNAL_ERROR"}


@pytest.mark.parametrize("number", [*WILL_NOT_PASS, *MAY_PASS])
async def test_alerts(trusting, number):
    """RFC 8446 §6.2: a verdict on the client will be the same the next time."""
    async with served(says(bytes([0x15, 3, 3, 0, 2, 2, number]))) as port:
        error = await refusal(ClientConnectorSSLError, f"wss://localhost:{port}/", ssl=trusting)
    said = str(error).upper().replace(" ", "_")  # CPython 3.11 has no name for the last
    assert {**WILL_NOT_PASS, **MAY_PASS}[number] in said
    assert process_exception(error) is (error if number in WILL_NOT_PASS else None)


async def test_no_version_in_common(certificate, trusting):
    context = server_tls(certificate)
    context.minimum_version, trusting.maximum_version = V13, V12
    async with served(speaks_tls(context)) as port:
        error = await refusal(ClientConnectorSSLError, f"wss://localhost:{port}/", ssl=trusting)
    assert "ALERT_PROTOCOL_VERSION" in str(error)
    assert process_exception(error) is error


# --- the wrong scheme


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH_9\r\n"])
async def test_tls_to_a_port_without(trusting, answer):
    async with served(says(answer)) as port:
        error = await refusal(ClientConnectorSSLError, f"wss://localhost:{port}/", ssl=trusting)
        assert str(error).endswith("; no TLS is spoken there, so ws:// may be right, not wss://")
        assert process_exception(error) is None
        error = await refusal(
            ClientProxyConnectionError,
            "ws://localhost:1/",
            proxy=f"https://localhost:{port}",
            proxy_ssl=trusting,
        )
        assert str(error).endswith("so http:// may be right for the proxy, not https://")


async def test_tls_to_a_port_that_hangs_up(trusting):
    async with served(lambda sock: sock.recv(65536)) as port:
        error = await refusal(ClientConnectorError, f"wss://localhost:{port}/", ssl=trusting)
    assert error.step == "tls"
    assert "if no TLS is spoken there, ws:// is right, not wss://" in str(error)
    assert process_exception(error) is None


async def test_tls_to_a_proxy_that_hangs_up(trusting):
    async with served(lambda sock: sock.recv(65536)) as port:
        proxy = f"https://localhost:{port}"
        error = await refusal(
            ClientProxyConnectionError, "ws://h:1/", proxy=proxy, proxy_ssl=trusting
        )
    assert error.step == "tls"
    assert "if no TLS is spoken there, http:// is right for the proxy, not https://" in str(error)


async def test_no_tls_to_a_port_that_answers_with_an_alert():
    async with served(says(b"\x15\x03\x01\x00\x02\x02\x46")) as port:
        error = await refusal(WSServerHandshakeError, f"ws://localhost:{port}/")
    assert "not HTTP/1.1 (a TLS alert: wss:// is right, not ws://)" in str(error)
    assert process_exception(error) is error


async def test_no_tls_to_a_port_that_hangs_up(certificate):
    async with served(speaks_tls(server_tls(certificate))) as port:
        error = await refusal(ServerDisconnectedError, f"ws://localhost:{port}/")
    assert "if TLS is spoken there, wss:// is right, not ws://" in str(error)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>\r\n<head><title>400 The plain HTTP request was sent to HTTPS port</title></head>",
        b"Client sent an HTTP request to an HTTPS server.\n",
        b"Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />",
    ],
    ids=["nginx", "Go", "Apache"],
)
async def test_no_tls_to_a_server_that_says_so(body):
    head = f"HTTP/1.1 400 Bad Request\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    async with served(says(head + body)) as port:
        error = await refusal(WSServerHandshakeError, f"ws://localhost:{port}/")
    assert "server answered 400 'Bad Request'" in str(error)
    assert "; wss:// is right, not ws://" in str(error)


async def test_no_tls_to_a_proxy_with():
    async with served(says(b"\x15\x03\x01\x00\x02\x02\x46")) as port:
        error = await refusal(Exception, "ws://localhost:1/", proxy=f"http://localhost:{port}")
    assert "https:// is right for the proxy, not http://" in str(error)


def test_there_is_no_hint_for_what_has_nothing_to_do_with_tls():
    error = ClientConnectorError("h", 80, ConnectionRefusedError(errno.ECONNREFUSED, "refused"))
    assert (error.hint, "TLS" in str(error)) == ("", False)
