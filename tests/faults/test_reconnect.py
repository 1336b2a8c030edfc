"""`reconnect` against a server that dies at every phase; nobody waits for a delay."""

import asyncio
import contextlib
import itertools
import socket
import ssl
from math import inf

import pytest

import wsclient
from wsclient import (
    ClientConnectorCertificateError,
    ClientConnectorError,
    ClientSession,
    ClientWebSocketResponse,
    ConnectionTimeoutError,
    MsgType,
    ReconnectEvent,
    ServerDisconnectedError,
    TCPConnector,
    WSServerHandshakeError,
    framing,
    reconnect,
)

from .conftest import accept

HELLO = framing.encode_frame(1, b"hello", mask=False)
CLOSE = framing.encode_frame(8, b"\x03\xe9", mask=False)


def at_once():
    return itertools.repeat(0)


class Server:
    """Plays the next of its scripts with each connection; the last one for ever."""

    def __init__(self, *scripts):
        self.scripts = list(scripts)
        self.played = 0
        self.writers = []

    async def play(self, reader, writer):
        self.writers.append(writer)
        script = self.scripts[min(self.played, len(self.scripts) - 1)]
        self.played += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            await script(reader, writer)
        writer.close()

    async def close(self):
        for writer in self.writers:
            writer.transport.abort()
        await asyncio.sleep(0)
        await asyncio.sleep(0)


@pytest.fixture
async def start():
    """A function that starts a `Server` and returns it with its URL."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(*scripts, tls=None):
            server = Server(*scripts)
            listening = await asyncio.start_server(server.play, "localhost", 0, ssl=tls, family=2)
            stack.push_async_callback(server.close)
            stack.callback(listening.close)
            port = listening.sockets[0].getsockname()[1]
            return server, f"{'wss' if tls else 'ws'}://localhost:{port}/"

        yield start


def refusing(status, *fields):
    async def script(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write("\r\n".join([f"HTTP/1.1 {status} No", *fields, "", ""]).encode())

    return script


async def reset(reader, writer):
    writer.transport.abort()


async def hang_up_mid_request(reader, writer):
    await reader.read(10)
    writer.transport.abort()


async def hang_up_mid_answer(reader, writer):
    writer.write(accept(await reader.readuntil(b"\r\n\r\n"))[:50])


def opening(*data, then_reset=False, read=False):
    """Accept, send, and end."""

    async def script(reader, writer):
        writer.write(accept(await reader.readuntil(b"\r\n\r\n")) + b"".join(data))
        await writer.drain()
        if read:
            while await reader.read(1000):
                pass
        if then_reset:
            writer.transport.abort()

    return script


async def serve_well(reader, writer):
    """Accept, say hello, and answer the close frame."""
    writer.write(accept(await reader.readuntil(b"\r\n\r\n")) + HELLO)
    received = b""
    while data := await reader.read(1000):
        received += data
        while parsed := framing.parse_frame(received):
            frame, size = parsed
            received = received[size:]
            if frame.opcode == 8:
                writer.write(framing.encode_frame(8, frame.payload, mask=False))
                return


async def until_hello(url, **options):
    """Connect until a server says hello; return what was told on the way."""
    events = []
    options.setdefault("reconnect_delays", at_once)
    async with contextlib.aclosing(reconnect(url, on_state=events.append, **options)) as attempts:
        async for ws in attempts:
            assert isinstance(ws, ClientWebSocketResponse)
            async for msg in ws:
                if msg.data == "hello":
                    await ws.close()
                    return events
    raise AssertionError("the loop has ended")


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


# --- delays


def counting():
    """Delays that never come twice, and are not waited for: each makes the loop end."""
    made = []

    def delays():
        made.append([])
        for number in itertools.count():
            made[-1].append(number)
            yield 0

    return delays, made


@pytest.mark.parametrize(("healthy_after", "sequences"), [(0, [[0], [0], [0]]), (inf, [[0, 1, 2]])])
async def test_delays_begin_anew_after_a_healthy_connection(start, healthy_after, sequences):
    _, url = await start(opening(CLOSE), opening(CLOSE), opening(CLOSE), serve_well)
    delays, made = counting()
    events = await until_hello(url, reconnect_delays=delays, healthy_after=healthy_after, timeout=1)
    assert [sequence for sequence in made if sequence] == sequences
    attempts = [event.attempt for event in events if event.state == "connecting"]
    assert attempts == ([1, 1, 1, 1] if healthy_after == 0 else [1, 2, 3, 4])


async def test_failures_go_on_with_the_delays(start):
    _, url = await start(refusing(500), opening(CLOSE), refusing(500), serve_well)
    delays, made = counting()
    await until_hello(url, reconnect_delays=delays, timeout=1)
    assert made == [[0, 1, 2]]


async def test_delays_that_come_to_an_end(start):
    server, url = await start(refusing(503), refusing(502))
    with pytest.raises(WSServerHandshakeError) as caught:
        await until_hello(url, reconnect_delays=lambda: [0])
    assert caught.value.status == 502
    assert server.played == 2


async def test_delays_that_come_to_an_end_after_a_connection(start):
    server, url = await start(opening(CLOSE))
    attempts = reconnect(url, reconnect_delays=lambda: [0], timeout=1, healthy_after=inf)
    assert [(await ws.receive()).data async for ws in attempts] == [1001, 1001]
    assert server.played == 2


# --- the life of the loop


async def test_each_websocket_is_closed_when_the_body_has_ended(start):
    _, url = await start(serve_well)
    websockets = []
    attempts = reconnect(url, reconnect_delays=at_once, timeout=5)
    async with contextlib.aclosing(attempts):
        async for ws in attempts:
            assert all(earlier.close_code == 1000 for earlier in websockets)
            websockets.append(ws)
            if len(websockets) == 3:
                break
            continue
        assert not websockets[-1].closed
    assert [ws.close_code for ws in websockets] == [1000] * 3


async def test_the_loop_closes_what_break_has_left(start, no_leak):
    _, url = await start(serve_well)
    websockets = []
    async with no_leak():
        async for ws in reconnect(url, timeout=5):
            websockets.append(ws)
            break
        lost = websockets[0]._connection.wait_lost()
        if lost is not None:
            await lost
        assert websockets[0].close_code == 1000
        for _ in range(10):  # the loop's task ends, which closes the iterator
            await asyncio.sleep(0)


async def test_an_exception_in_the_body(start):
    _, url = await start(serve_well)
    websockets = []
    with pytest.raises(ZeroDivisionError):
        async with contextlib.aclosing(reconnect(url, timeout=5)) as attempts:
            async for ws in attempts:
                websockets.append(ws)
                1 // 0  # noqa: B018
    assert websockets[0].close_code == 1000


async def never(reader, writer):
    await reader.read()


@pytest.mark.parametrize("where", ["connecting", "waiting", "receiving", "closing"])
async def test_cancellation(start, no_leak, where):
    scripts = {
        "connecting": never,
        "waiting": refusing(503, "Content-Length: 0"),
        "receiving": opening(read=True),
        "closing": opening(read=True),
    }
    _, url = await start(scripts[where])
    states = asyncio.Queue()

    async def run():
        attempts = reconnect(
            url, on_state=states.put_nowait, reconnect_delays=lambda: [3600], timeout=0.1
        )
        async with contextlib.aclosing(attempts):
            async for ws in attempts:
                if where == "receiving":
                    await ws.receive()

    async with no_leak():
        task = asyncio.create_task(run())
        awaited = "open" if where in {"receiving", "closing"} else where
        while (await states.get()).state != awaited:
            pass
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert states.empty()


async def test_from_a_session(start):
    server, url = await start(opening(CLOSE), serve_well)

    class Own(ClientWebSocketResponse):
        pass

    async with ClientSession(url, ws_response_class=Own, timeout=5) as session:
        async for ws in session.reconnect("feed", reconnect_delays=at_once):
            assert type(ws) is Own
            async for msg in ws:
                if msg.tp is MsgType.text:
                    break
            else:
                continue
            break
        assert not session.closed
    assert server.played == 2
    assert ws.close_code in {1000, 1001}


async def test_a_session_that_is_closed_ends_the_loop(start):
    _, url = await start(serve_well)
    session = ClientSession(timeout=5)
    with pytest.raises(RuntimeError, match="session is closed"):
        async for ws in session.reconnect(url, reconnect_delays=at_once):
            assert await ws.receive_str() == "hello"
            await session.close()


async def test_cookies_outlive_connections(start):
    requests = []

    async def script(reader, writer):
        request = await reader.readuntil(b"\r\n\r\n")
        requests.append(b"Cookie: sid=1\r\n" in request)
        writer.write(accept(request, "Set-Cookie: sid=1") + CLOSE)

    _, url = await start(script, script, serve_well)
    await until_hello(url, timeout=5)
    assert requests == [False, True]


async def test_what_went_wrong_with_an_open_connection_is_told(start):
    _, url = await start(opening(HELLO[:3]), serve_well)
    events = await until_hello(url, timeout=5)
    closed = next(event for event in events if event.state == "closed")
    assert isinstance(closed.exception, ServerDisconnectedError)
    assert closed.ws.close_code == 1006
    assert next(event for event in events if event.state == "open").ws is closed.ws
