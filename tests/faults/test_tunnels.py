"""Proxies that misbehave: what they may not do, and how long they may take."""

import asyncio
import contextlib

import pytest
from tests.conftest import accept

from wsclient import (
    ClientConnectionError,
    ClientConnectorDNSError,
    ClientHttpProxyError,
    ClientProxyConnectionError,
    ConnectionTimeoutError,
    TCPConnector,
    UnixConnector,
    WSServerHandshakeError,
    ws_connect,
)

OPENED = b"HTTP/1.1 200 Connection established\r\n\r\n"
# SOCKS5: no authentication wanted; connected, from 0.0.0.0:0.
CHOSEN, GRANTED = b"\x05\x00", b"\x05\x00\x00\x01" + bytes(6)
both_kinds = pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])


@pytest.fixture
async def proxy(server_tls):
    """A function that starts a proxy which plays a script; its port."""
    writers = []
    async with contextlib.AsyncExitStack() as stack:

        async def start(script, *, tls=False):
            async def play(reader, writer):
                writers.append(writer)
                with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                    await script(reader, writer)
                writer.close()

            context = server_tls if tls else None
            server = await asyncio.start_server(play, "127.0.0.1", 0, ssl=context)
            stack.push_async_callback(asyncio.sleep, 0)
            stack.callback(server.close)
            return server.sockets[0].getsockname()[1]

        yield start
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0)


def answering(*pieces, then_read=True):
    """Read a request with a blank line at its end, then answer it."""

    async def script(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        while then_read and await reader.read(1000):
            pass

    return script


def connect(port, tls=False, *, target="ws", scheme=None, context=None, **options):
    scheme = scheme or ("https" if tls else "http")
    return ws_connect(
        f"{target}://example.invalid/",
        proxy=f"{scheme}://me:secret@localhost:{port}",
        proxy_ssl=context or True,
        **options,
    )


async def failure(kind, connecting):
    with pytest.raises(kind) as caught:
        await connecting
    shown = f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"
    assert "secret" not in shown
    assert "bWU6c2VjcmV0" not in shown
    return caught.value


@both_kinds
async def test_what_comes_with_the_answer_is_the_tunnels(proxy, client_tls, no_leak, tls):
    """A server that speaks before it is asked is none; but its words are not lost."""
    port = await proxy(
        answering(OPENED + b"HTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n"), tls=tls
    )
    async with no_leak():
        error = await failure(WSServerHandshakeError, connect(port, tls, context=client_tls))
        assert error.status == 418


@both_kinds
async def test_nothing_may_come_before_tls(proxy, client_tls, no_leak, tls):
    port = await proxy(answering(OPENED + b"\x16\x03\x01"), tls=tls)
    async with no_leak():
        connecting = connect(port, tls, target="wss", context=client_tls)
        error = await failure(ClientProxyConnectionError, connecting)
        assert error.step == "proxy"
        assert "3 bytes came through the tunnel before TLS" in str(error)
        assert f"//localhost:{port}" in str(error)


@both_kinds
async def test_an_answer_in_pieces(proxy, client_tls, tls):
    async def script(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        for byte in OPENED:
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        writer.write(accept(await reader.readuntil(b"\r\n\r\n")))
        await reader.read(1)

    port = await proxy(script, tls=tls)
    async with connect(port, tls, context=client_tls, timeout=0.1) as ws:
        assert ws.response.status == 101


@both_kinds
@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000, b"a" * 100_000, b"\x05\x00" * 10_000]
)
async def test_answers_without_end_and_without_sense(proxy, client_tls, no_leak, tls, answer):
    port = await proxy(answering(answer), tls=tls)
    async with no_leak():
        error = await failure(ClientHttpProxyError, connect(port, tls, context=client_tls))
        assert error.status == 0
        assert f"//localhost:{port}" in str(error)


@both_kinds
@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 Conn"])
async def test_a_proxy_that_hangs_up(proxy, client_tls, no_leak, tls, answer):
    port = await proxy(answering(answer, then_read=False), tls=tls)
    async with no_leak():
        error = await failure(ClientProxyConnectionError, connect(port, tls, context=client_tls))
        assert error.step == "proxy"
        assert "before it answered CONNECT" in str(error)


@both_kinds
@pytest.mark.parametrize("target", ["ws", "wss"])
async def test_a_proxy_that_hangs_up_after_its_answer(proxy, client_tls, no_leak, tls, target):
    port = await proxy(answering(OPENED, then_read=False), tls=tls)
    async with no_leak():
        connecting = connect(port, tls, target=target, context=client_tls)
        error = await failure(ClientConnectionError, connecting)
        assert "example.invalid" in str(error)
        assert target == "ws" or error.step == "tls"


@pytest.mark.parametrize("status", [401, 403, 407, 502])
async def test_a_refusal(proxy, no_leak, status):
    answer = f"HTTP/1.1 {status} No\r\nX-A: 1\r\nContent-Length: 2\r\n\r\nno".encode()
    port = await proxy(answering(answer))
    async with no_leak():
        error = await failure(ClientHttpProxyError, connect(port))
        assert (error.status, error.headers["x-a"]) == (status, "1")
        assert error.url.port == port


async def test_headers_for_the_proxy(proxy):
    requests = []

    async def script(reader, writer):
        requests.append(await reader.readuntil(b"\r\n\r\n"))

    port = await proxy(script)
    connecting = connect(port, proxy_headers={"X-Key": "value"}, headers={"X-Private": "1"})
    await failure(ClientProxyConnectionError, connecting)
    assert requests[0].startswith(b"CONNECT example.invalid:80 HTTP/1.1\r\n")
    assert b"X-Key: value\r\n" in requests[0]
    assert b"X-Private" not in requests[0]


SOCKS_ANSWERS = {
    "wrong version": [b"\x04\x00"],
    "unknown method": [b"\x05\x77"],
    "no method": [b"\x05\xff"],
    "refused": [CHOSEN, b"\x05\x05\x00\x01" + bytes(6)],
    "unknown reply": [CHOSEN, b"\x05\x99\x00\x01" + bytes(6)],
    "wrong version of the reply": [CHOSEN, b"\x00" * 10],
    "unknown kind of address": [CHOSEN, b"\x05\x00\x00\x09" + bytes(6)],
    "name that is no text": [CHOSEN, b"\x05\x00\x00\x03\x02\xff\xff\x00\x00"],
    "HTTP": [b"HTTP/1.1 400 Bad Request\r\n\r\n"],
    "end before": [],
    "end within": [CHOSEN, b"\x05\x00"],
}


def socks(pieces, requests=None):
    async def script(reader, writer):
        await reader.read(1)
        for piece in pieces:
            writer.write(piece)
        if pieces == [CHOSEN, GRANTED]:
            await reader.readuntil(b"\r\n\r\n")

    return script


@pytest.mark.parametrize("name", SOCKS_ANSWERS)
async def test_socks_that_does_not_open(proxy, no_leak, name):
    port = await proxy(socks(SOCKS_ANSWERS[name]))
    async with no_leak():
        error = await failure(ClientProxyConnectionError, connect(port, scheme="socks5"))
        assert error.step == "proxy"
        assert str(error).startswith(f"cannot connect by proxy socks5://localhost:{port}, step")


async def test_a_name_that_socks_cannot_carry(proxy):
    port = await proxy(socks([CHOSEN]))
    with pytest.raises(ClientProxyConnectionError):
        await ws_connect(f"ws://{'a' * 64}.invalid/", proxy=f"socks5://127.0.0.1:{port}")


async def test_socks4_needs_an_address(proxy):
    class OnlyIPv6:
        async def resolve(self, host, port=0, family=0):
            return [{"hostname": host, "host": "::1", "port": port, "family": 10, "flags": 0}]

    port = await proxy(socks([]))
    for connector in (TCPConnector(), TCPConnector(resolver=OnlyIPv6())):
        with pytest.raises(ClientConnectorDNSError) as caught:
            await connect(port, scheme="socks4", connector=connector)
        assert caught.value.host == "example.invalid"


async def test_a_proxy_that_is_not_there(no_leak):
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    async with no_leak():
        error = await failure(ClientProxyConnectionError, connect(port))
        assert (error.step, error.host, error.port) == ("tcp", "localhost", port)
        assert str(error.proxy) == f"http://localhost:{port}"
        assert isinstance(error.os_error, ConnectionRefusedError)
        with pytest.raises(ClientProxyConnectionError) as caught:
            await ws_connect("ws://127.0.0.1/", proxy="http://u:secret@nope.invalid")
        assert caught.value.step == "dns"


async def test_tls_with_a_proxy_that_has_none(proxy, no_leak):
    async def script(reader, writer):
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    port = await proxy(script)
    async with no_leak():
        error = await failure(ClientProxyConnectionError, connect(port, tls=True))
        assert error.step == "tls"


SILENT = {
    "http": ("http", False, []),
    "https": ("https", True, []),
    "no TLS": ("https", False, []),
    "socks5": ("socks5", False, []),
    "socks5, half": ("socks5", False, [CHOSEN]),
    "socks4a": ("socks4a", False, []),
}


@pytest.fixture(params=SILENT)
async def silent(request, proxy, client_tls):
    """A function that connects by a proxy which falls silent, and an event for that."""
    scheme, tls, pieces = SILENT[request.param]
    reached = asyncio.Event()

    async def script(reader, writer):
        await reader.read(1)
        for piece in pieces:
            writer.write(piece)
        reached.set()
        while await reader.read(1000):
            pass

    port = await proxy(script, tls=tls)

    def start(**options):
        return connect(port, scheme=scheme, context=client_tls, **options)

    return start, reached, f"{scheme}://localhost:{port}"


async def test_a_slow_proxy_is_blamed(silent, no_leak):
    start, _, url = silent
    async with no_leak():
        error = await failure(ConnectionTimeoutError, start(connect_timeout=0.1))
        assert error.step == "proxy"
        assert f"not open after 0.1 s, step proxy by proxy {url}, url=" in str(error)


async def test_a_slow_server_behind_a_proxy_is_blamed(proxy, no_leak):
    port = await proxy(answering(OPENED))
    for target, step in (("ws", "handshake"), ("wss", "tls")):
        async with no_leak():
            connecting = connect(port, target=target, connect_timeout=0.1)
            error = await failure(ConnectionTimeoutError, connecting)
            assert error.step == step


async def test_cancelling_leaves_nothing(silent, no_leak):
    start, reached, _ = silent
    async with no_leak():
        tasks = asyncio.all_tasks()
        task = asyncio.create_task(start())
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task not in asyncio.all_tasks() - tasks


@both_kinds
async def test_cancelling_at_every_turn_of_the_loop(proxy, client_tls, no_leak, tls):
    """Through TLS with the proxy and TLS in the tunnel, as far as the latter's first words."""
    port = await proxy(answering(OPENED), tls=tls)
    async with no_leak():
        for turns in range(0, 60, 3):
            task = asyncio.create_task(
                connect(port, tls, target="wss", context=client_tls, ssl=client_tls)
            )
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises((asyncio.CancelledError, OSError)):
                await task


async def test_an_unix_socket_goes_by_no_proxy(monkeypatch, tmp_path):
    connector = UnixConnector(str(tmp_path / "nothing"))
    with pytest.raises(ValueError, match="a UnixConnector cannot go through a proxy"):
        await ws_connect("ws://h/", connector=connector, proxy="http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(FileNotFoundError):
        try:
            await ws_connect("ws://h/", connector=connector, trust_env=True)
        except OSError as error:
            raise error.os_error from None


async def test_trust_env(proxy, monkeypatch):
    for name in ("ws_proxy", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    port = await proxy(answering(b"HTTP/1.1 403 No\r\n\r\n"))
    monkeypatch.setenv("ws_proxy", f"http://127.0.0.1:{port}")
    await failure(ClientHttpProxyError, ws_connect("ws://example.invalid/", trust_env=True))
    await failure(ClientConnectorDNSError, ws_connect("ws://example.invalid/"))
    monkeypatch.setenv("no_proxy", "example.invalid")
    await failure(ClientConnectorDNSError, ws_connect("ws://example.invalid/", trust_env=True))
