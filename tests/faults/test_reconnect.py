"""`reconnect` against a server that dies at every phase; nobody waits for a delay."""

import asyncio
import contextlib
import socket

import pytest

import wsclient
from wsclient import (
    ClientConnectorCertificateError,
    ClientConnectorError,
    ConnectionTimeoutError,
    ReconnectEvent,
    TCPConnector,
    WSServerHandshakeError,
    framing,
    reconnect,
)

from .dying import (
    CLOSE,
    HELLO,
    Server,
    at_once,
    hang_up_mid_answer,
    hang_up_mid_request,
    opening,
    refusing,
    reset,
    serve_well,
    until_hello,
)

# What a connection that dies looks like: the error of opening, or of the open connection.
PHASES = {
    "before the request": (reset, "opening"),
    "in the request": (hang_up_mid_request, "opening"),
    "in the answer": (hang_up_mid_answer, "opening"),
    "with 500": (refusing(500), "opening"),
    "with 503": (refusing(503), "opening"),
    "with 429": (refusing(429), "opening"),
    "right after the 101": (opening(), "open"),
    "right after the 101, by reset": (opening(then_reset=True), "either"),
    "in a header": (opening(b"\x81"), "open"),
    "in a frame": (opening(HELLO[:4]), "open"),
    "in a message": (opening(framing.encode_frame(1, b"he", fin=False, mask=False)), "open"),
    "after a breach of the protocol": (opening(b"\x83\x00"), "open"),
    "after a clean close": (opening(CLOSE), "open"),
}


@pytest.mark.parametrize("tls", [False, True], ids=["ws", "wss"])
@pytest.mark.parametrize("phase", PHASES)
async def test_a_server_that_dies(start, server_tls, client_tls, phase, tls):
    dying, where = PHASES[phase]
    server, url = await start(dying, dying, serve_well, tls=server_tls if tls else None)
    async with asyncio.timeout(20):
        events = await until_hello(url, ssl=client_tls, timeout=0.1)
    assert server.played == 3
    states = [event.state for event in events]
    opening, open_ = ["connecting", "waiting"], ["connecting", "open", "closed", "waiting"]
    assert states[-2:] == ["connecting", "open"]
    if where == "opening":
        assert states[:-2] == opening * 2
        assert isinstance(events[1].exception, wsclient.ClientError)
    elif where == "open":
        assert states[:-2] == open_ * 2
    assert [event.attempt for event in events if event.state == "connecting"] == [1, 2, 3]


async def test_a_server_that_dies_in_tls(start, server_tls, client_tls):
    """Two that hang up on the TLS handshake, then the server."""
    # aiofastnet 1.2 reports this to the loop as well, in a form that logging cannot print.
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    dying, url = await start(hang_up_mid_request)
    port = int(url.rpartition(":")[2].strip("/"))
    server, good = await start(serve_well, tls=server_tls)
    ports = iter([port, port])

    class Ports(TCPConnector):
        async def connect(self, url, protocol, **kwargs):
            return await super().connect(
                url.with_port(next(ports, int(good.rpartition(":")[2].strip("/")))),
                protocol,
                **kwargs,
            )

    async with asyncio.timeout(20):
        events = await until_hello(good, ssl=client_tls, connector=Ports())
    assert (dying.played, server.played) == (2, 1)
    assert [event.exception.step for event in events if event.exception] == ["tls", "tls"]


async def test_a_server_that_is_not_there_yet(start, server_tls):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    events, servers = [], []

    async def serve_from_now_on():
        servers.append(await asyncio.start_server(server.play, "127.0.0.1", port))

    server = Server(serve_well)
    async with asyncio.timeout(20):
        attempts = reconnect(
            f"ws://127.0.0.1:{port}/", reconnect_delays=at_once, on_state=events.append, timeout=1
        )
        async with contextlib.aclosing(attempts):
            waiter = asyncio.create_task(anext(attempts))
            while sum(event.state == "waiting" for event in events) < 3:  # noqa: ASYNC110
                await asyncio.sleep(0)
            await serve_from_now_on()
            ws = await waiter
            assert await ws.receive_str() == "hello"
    assert isinstance(events[1].exception, ClientConnectorError)
    servers[0].close()
    await server.close()


async def test_a_server_that_is_too_slow(start):
    async def silent(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        await reader.read()

    server, url = await start(silent, serve_well)
    events = await until_hello(url, connect_timeout=0.1, timeout=1)
    assert isinstance(events[1].exception, ConnectionTimeoutError)
    assert server.played == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_what_is_fatal_is_raised(start, no_leak, status):
    server, url = await start(refusing(status, "Content-Length: 0"))
    async with no_leak():
        with pytest.raises(WSServerHandshakeError) as caught:
            await until_hello(url)
        assert caught.value.status == status
        assert caught.value.__context__ is None
    assert server.played == 1


async def test_a_certificate_that_is_not_trusted_is_fatal(start, server_tls):
    _, url = await start(serve_well, tls=server_tls)
    with pytest.raises(ClientConnectorCertificateError):
        await until_hello(url)


@pytest.mark.parametrize("options", [{"headers": {"X": "\n"}}, {"haedres": {}}])
async def test_wrong_arguments_are_fatal(options):
    with pytest.raises((ValueError, TypeError)):
        await until_hello("ws://127.0.0.1:1/", **options)


async def test_the_hook_decides(start):
    _, url = await start(refusing(404), refusing(500), serve_well)
    seen = []

    def retry_404(exc):
        seen.append(exc.status)
        return None if exc.status == 404 else KeyError("another one")

    with pytest.raises(KeyError, match="another one") as caught:
        await until_hello(url, process_exception=retry_404)
    assert seen == [404, 500]
    assert isinstance(caught.value.__cause__, WSServerHandshakeError)


async def test_a_hook_that_raises(start):
    _, url = await start(refusing(500))
    with pytest.raises(ZeroDivisionError):
        await until_hello(url, process_exception=lambda exc: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        async for _ in reconnect(url, on_state=lambda event: 1 // 0):
            pass


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_waited_for(start, status):
    _, url = await start(refusing(status, "Retry-After: 1800", "Content-Length: 0"))
    waiting = asyncio.get_running_loop().create_future()

    def note(event):
        if event.state == "waiting":
            waiting.set_result(event)

    async def run():
        async for _ in reconnect(url, on_state=note, reconnect_delays=lambda: [0.5]):
            pass

    task = asyncio.create_task(run())
    event = await waiting
    assert event.delay == 1800.5
    assert event.exception.status == status
    assert event == ReconnectEvent("waiting", 1, 1800.5, event.exception)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
