"""TLS contexts that only Python's `ssl` can serve, and those that need not go through it."""

import asyncio
import logging
import os
import socket
import ssl
import struct
import sys
import threading

import pytest
from tests.conftest import BINARY, TEXT, accept, frame
from websockets.asyncio.server import serve

from wsclient import ClientConnectorError, ws_connect
from wsclient.network.tls import needs_ssl_module

from .servers import server_tls


@pytest.fixture
async def url(certificate):
    """Where messages come back, with TLS."""

    async def handler(ws):
        async for message in ws:
            await ws.send(message)

    async with serve(handler, "127.0.0.1", 0, ssl=server_tls(certificate)) as server:
        yield f"wss://localhost:{server.sockets[0].getsockname()[1]}/"


async def echoes(url, context):
    """Send a message of several reads there and back; returns the connection's `ssl_object`."""
    async with ws_connect(url, ssl=context) as ws:
        await ws.send_str("hello" * 100_000)
        assert await ws.receive_str() == "hello" * 100_000
        return ws.get_extra_info("ssl_object")


class Watching(ssl.SSLObject):
    handshakes = 0

    def do_handshake(self):
        Watching.handshakes += 1
        return super().do_handshake()


class WrapsItself(ssl.SSLContext):
    wrapped = 0

    def wrap_bio(self, *args, **kwargs):
        WrapsItself.wrapped += 1
        return super().wrap_bio(*args, **kwargs)


class HasItsOwnClass(ssl.SSLContext):
    sslobject_class = Watching


class Harmless(ssl.SSLContext):
    """Reads its authorities from elsewhere."""

    def load_default_certs(self, purpose=ssl.Purpose.SERVER_AUTH):
        pass


def context_of(kind, authority):
    context = kind(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    return context


@pytest.mark.parametrize("kind", [ssl.SSLContext, Harmless])
async def test_others_go_by_the_faster_transports(url, authority, caplog, kind):
    caplog.set_level(logging.DEBUG, "wsclient")
    context = context_of(kind, authority)
    assert needs_ssl_module(context) is None
    assert not isinstance(await echoes(url, context), ssl.SSLObject)
    assert not [record for record in caplog.records if record.name == "wsclient.transport"]


def log_keys(context, tmp_path):
    context.keylog_filename = str(tmp_path / "keys")


def watch_messages(context, tmp_path):
    context._msg_callback = lambda *_: context.seen.append(1)
    context.seen = []


def authenticate_later(context, tmp_path):
    context.post_handshake_auth = True


def own_class(context, tmp_path):
    context.sslobject_class = Watching


def own_socket_class(context, tmp_path):
    context.sslsocket_class = ssl.SSLSocket


def own_wrap(context, tmp_path):
    wrap_bio = context.wrap_bio

    def wrap(*args, **kwargs):
        WrapsItself.wrapped += 1
        return wrap_bio(*args, **kwargs)

    context.wrap_bio = wrap


@pytest.mark.parametrize(
    "case",
    [
        (ssl.SSLContext, log_keys, "keylog_filename"),
        (ssl.SSLContext, watch_messages, "_msg_callback"),
        (ssl.SSLContext, authenticate_later, "post_handshake_auth"),
        (ssl.SSLContext, own_class, "sslobject_class"),
        (ssl.SSLContext, own_socket_class, "sslsocket_class"),
        (ssl.SSLContext, own_wrap, "wrap_bio"),
        (HasItsOwnClass, lambda *_: None, "sslobject_class"),
        (WrapsItself, lambda *_: None, "wrap_bio"),
    ],
)
async def test_these_need_the_ssl_module(url, authority, tmp_path, caplog, case):
    """What such a context asks for happens, and a line at DEBUG says why it takes more time."""
    kind, prepare, reason = case
    caplog.set_level(logging.DEBUG, "wsclient")
    context = context_of(kind, authority)
    prepare(context, tmp_path)
    Watching.handshakes = WrapsItself.wrapped = 0
    assert needs_ssl_module(context) == reason
    assert isinstance(await echoes(url, context), ssl.SSLObject)
    if reason == "keylog_filename":
        assert "SECRET" in (tmp_path / "keys").read_text()
    elif reason == "_msg_callback":
        assert context.seen
    elif reason == "sslobject_class":
        assert Watching.handshakes
    elif reason == "wrap_bio":
        assert WrapsItself.wrapped == 1
    (line,) = [r.getMessage() for r in caplog.records if r.name == "wsclient.transport"]
    assert reason in line


@pytest.mark.skipif(sys.version_info < (3, 13), reason="before that, `ssl` has no PSK")
async def test_pre_shared_keys_need_the_ssl_module(authority):
    """Nothing but its memory tells of such a context that it has the callback."""

    def client_context():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("PSK")
        return context

    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.maximum_version = ssl.TLSVersion.TLSv1_2
    server_context.set_ciphers("PSK")
    server_context.set_psk_server_callback(lambda identity: b"key of " + identity.encode())
    context = client_context()
    assert needs_ssl_module(context) is None
    context.set_psk_client_callback(lambda hint: ("me", b"key of me"))
    assert needs_ssl_module(context) == "set_psk_client_callback"

    async def handler(ws):
        async for message in ws:
            await ws.send(message)

    async with serve(handler, "127.0.0.1", 0, ssl=server_context) as server:
        port = server.sockets[0].getsockname()[1]
        assert "PSK" in (await echoes(f"wss://localhost:{port}/", context)).cipher()[0]
    context.set_psk_client_callback(None)
    assert needs_ssl_module(context) is None


async def test_truststore(url, authority, tmp_path, monkeypatch):
    truststore = pytest.importorskip("truststore")
    path = str(tmp_path / "authority.pem")
    authority.cert_pem.write_to_path(path)
    monkeypatch.setenv("SSL_CERT_FILE", path)
    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    assert needs_ssl_module(context) == "wrap_bio"
    assert isinstance(await echoes(url, context), ssl.SSLObject)


CLIENT = """
import asyncio, sys, wsclient

async def main():
    async with wsclient.ws_connect(sys.argv[1]) as ws:
        await ws.send_str("over TLS")
        assert await ws.receive_str() == "over TLS"

if sys.argv[2] == "uvloop":
    import uvloop
    uvloop.run(main())
else:
    asyncio.run(main())
"""


def environment(authority, tmp_path, **more):
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    return {**os.environ, "SSL_CERT_FILE": str(tmp_path / "authority.pem"), **more}


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
async def test_a_key_log_by_environment(url, authority, tmp_path, loop):
    """`ssl.create_default_context` heeds it, so it concerns clients that were told nothing."""
    keys = tmp_path / "keys"
    client = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", CLIENT, url, loop),
        env=environment(authority, tmp_path, SSLKEYLOGFILE=str(keys)),
    )
    assert await client.wait() == 0
    assert "SECRET" in keys.read_text()


async def test_a_key_log_that_cannot_be_written(url, authority, tmp_path):
    client = await asyncio.create_subprocess_exec(
        *(sys.executable, "-X", "dev", "-c", CLIENT, url, "asyncio"),
        env=environment(authority, tmp_path, SSLKEYLOGFILE=str(tmp_path / "no" / "keys")),
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await client.communicate()
    assert b"ClientConnectorError: cannot connect to localhost" in errors
    assert b"step tls: [Errno 2]" in errors
    assert b"ResourceWarning" not in errors


# --- resets


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


@pytest.mark.parametrize("how", [socket.socket.close, reset])
@pytest.mark.parametrize("greeting", [b"", b"\x16\x03\x03"])
async def test_a_server_that_leaves_during_tls(caplog, capfd, how, greeting):
    """The exception handler of the loop hears nothing of it: whoever connects is told."""
    contexts = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: contexts.append(context))

    async def leave():
        sock, _ = await loop.sock_accept(listening)
        await loop.sock_recv(sock, 1)
        await loop.sock_recv(sock, 100_000)
        await loop.sock_sendall(sock, greeting)
        how(sock)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        leaving = asyncio.create_task(leave())
        with pytest.raises(ClientConnectorError) as caught:
            await ws_connect(f"wss://localhost:{listening.getsockname()[1]}/")
        await leaving
    assert caught.value.step == "tls"
    assert isinstance(caught.value.os_error, ConnectionResetError)
    assert contexts == []
    assert not caplog.records
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("own", [False, True])
async def test_a_server_that_resets_an_open_websocket(certificate, authority, capfd, own):
    async def handler(ws):
        await ws.recv()
        sock = ws.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        ws.transport.abort()

    context = context_of(WrapsItself if own else ssl.SSLContext, authority)
    async with serve(handler, "127.0.0.1", 0, ssl=server_tls(certificate)) as server:
        url = f"wss://localhost:{server.sockets[0].getsockname()[1]}/"
        async with ws_connect(url, ssl=context) as ws:
            await ws.send_str("go")
            message = await ws.receive()
            assert message.data == 1006
            assert ws.exception() is not None
    assert "Logging error" not in capfd.readouterr().err


def serve_once(listening, certificate, go, *frames):
    """Open one WebSocket in a thread; when told to, send frames and reset the connection."""
    sock, _ = listening.accept()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with server_tls(certificate).wrap_socket(sock, server_side=True) as secured:
        request = b""
        while b"\r\n\r\n" not in request:
            request += secured.recv(65536)
        secured.sendall(accept(request))
        go.wait(10)
        for each in frames:
            secured.sendall(each)
        secured.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize("own", [False, True])
async def test_last_words_and_a_reset_at_once(certificate, authority, own):
    """Both are there before the event loop looks, which uvloop tells of only once."""
    go = threading.Event()
    words = frame(TEXT, b"last words")

    context = context_of(WrapsItself if own else ssl.SSLContext, authority)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = threading.Thread(target=serve_once, args=(listening, certificate, go, words))
        serving.start()
        ws = await ws_connect(f"wss://localhost:{listening.getsockname()[1]}/", ssl=context)
        for _ in range(5):  # until its transport waits for the socket
            await asyncio.sleep(0)
        go.set()
        serving.join(10)
        async with asyncio.timeout(10):
            assert await ws.receive_str() == "last words"
            assert (await ws.receive()).data == 1006
        assert isinstance(ws.exception().__cause__, ConnectionResetError)
        await ws.close()


@pytest.mark.parametrize("own", [False, True])
async def test_a_reset_behind_more_than_is_read_at_once(certificate, authority, own):
    """Reading pauses meanwhile, as nobody takes the messages."""
    go = threading.Event()
    frames = [frame(BINARY, number.to_bytes(4, "big") * 5000) for number in range(100)]
    context = context_of(WrapsItself if own else ssl.SSLContext, authority)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        arguments = (listening, certificate, go, *frames)
        serving = threading.Thread(target=serve_once, args=arguments)
        serving.start()
        ws = await ws_connect(f"wss://localhost:{listening.getsockname()[1]}/", ssl=context)
        go.set()
        await asyncio.to_thread(serving.join, 10)
        async with asyncio.timeout(10):
            received = [message.data async for message in ws]
        # What had not left the server is lost.
        assert received == [number.to_bytes(4, "big") * 5000 for number in range(len(received))]
        assert received
        assert ws.close_code == 1006
