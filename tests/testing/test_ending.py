"""How a test of `testing.serve` ends: what it is told, and that everything has ended with it."""

import asyncio
import contextlib
import socket

import pytest

from wsclient import MsgType, testing, ws_connect

from .conftest import HANDSHAKE, connect


async def test_what_was_sent_before_the_end_is_received_without_waiting(tls):
    async with testing.serve(ssl=tls) as server, connect(server) as ws:
        ws.send_str("first")
        ws.send_bytes(b"x" * 500_000)
    assert server.received == ["first", b"x" * 500_000]


async def test_what_a_handler_raises_fails_the_test(tls):
    async def handler(ws):
        await ws.recv()
        raise LookupError("no such symbol")

    with pytest.raises(LookupError, match="no such symbol"):
        async with testing.serve(handler, ssl=tls) as server, connect(server) as ws:
            await ws.send_str("subscribe")
            assert await ws.receive() == (MsgType.closed, 1011, "")


async def test_all_that_handlers_raise_is_told():
    async def handler(ws):
        raise LookupError(f"connection {ws.number}")

    with pytest.raises(ExceptionGroup, match="handlers of the server have failed") as caught:
        async with testing.serve(handler) as server:
            for _ in range(2):
                async with connect(server) as ws:
                    await ws.receive()
    assert [str(error) for error in caught.value.exceptions] == ["connection 1", "connection 2"]


async def test_what_a_handler_raises_is_the_cause_of_a_failure_that_follows():
    script = testing.Script().expect("hello")
    with pytest.raises(testing.ExpectationError, match="got text 'bye'") as caught:
        async with testing.serve(script) as server, connect(server) as ws:
            await ws.send_str("bye")
            await ws.receive_str()
    assert "1011" in str(caught.value.__cause__)


async def test_a_failure_of_the_test_itself_stays_what_it_is():
    script = testing.Script().expect("hello")
    with pytest.raises(ZeroDivisionError) as caught:
        async with testing.serve(script) as server, connect(server):
            _ = 1 / 0
    (note,) = caught.value.__notes__
    assert "expected text 'hello', got the client's close frame with 1000" in note


async def test_a_failure_while_the_server_waits_stays_what_it_is():
    with pytest.raises(ZeroDivisionError) as caught:
        async with testing.serve(testing.Script().expect("hello")) as server:
            ws = await connect(server)
            _ = 1 / 0
    await ws.close()
    (note,) = caught.value.__notes__
    assert "expected text 'hello', got nothing before the test ended" in note


async def test_the_clients_leaving_fails_no_test():
    left = asyncio.Event()

    async def handler(ws):
        try:
            while True:
                await ws.send("tick")
                await asyncio.sleep(0)
        except testing.ClientGone:
            left.set()
            raise

    async def in_a_group(ws):
        async with asyncio.TaskGroup() as group:
            group.create_task(handler(ws))

    async with testing.serve(handler, in_a_group) as server:
        for _ in range(2):
            async with connect(server) as ws:
                await ws.receive_str()
            await left.wait()
            left.clear()


async def test_a_test_that_ends_says_goodbye(tls):
    async with testing.serve(ssl=tls) as server:
        ws = await connect(server)
        reading = asyncio.ensure_future(ws.receive())
        await asyncio.sleep(0)
    async with asyncio.timeout(10):
        assert await reading == (MsgType.closed, 1001, "")
    await ws.close()


async def test_a_test_ends_though_its_client_neither_reads_nor_leaves(tls):
    async def handler(ws):
        while True:
            await ws.send(b"x" * 100_000)

    async with asyncio.timeout(20):
        async with testing.serve(handler, ssl=tls) as server:
            ws = await connect(server)
            ws.pause_reading()
        await ws.close()


async def test_a_client_that_is_cancelled_while_it_opens(tls):
    waiting = asyncio.Event()

    def process_request(_):
        waiting.set()
        opening.cancel()

    async with testing.serve(ssl=tls, process_request=process_request) as server:
        opening = asyncio.ensure_future(connect(server))
        await waiting.wait()
        with pytest.raises(asyncio.CancelledError):
            await opening
        async with connect(server):
            pass


async def test_a_client_that_is_in_its_tls_handshake():
    sock = socket.socket()
    sock.setblocking(False)
    async with testing.serve(ssl=True) as server:
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", server.port))
    reader, writer = await asyncio.open_connection(
        sock=sock, ssl=server.ssl_context, server_hostname="127.0.0.1"
    )
    writer.write(HANDSHAKE)
    answer = b""
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(10):
            answer = await reader.readline()
    writer.transport.abort()
    assert answer == b""


async def test_all_failures_are_raised_once():
    async def handler(ws):
        raise LookupError

    with pytest.raises(ExceptionGroup) as caught:
        async with testing.serve(handler, handler) as server:
            for _ in range(2):
                async with connect(server) as ws:
                    await ws.receive()
            await server.wait_finished()
    assert len(caught.value.exceptions) == 2
    assert caught.value.__cause__ is None


async def test_a_client_that_connects_and_says_nothing(tls):
    async with testing.serve(ssl=tls) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.transport.abort()


async def test_waiting_until_the_scripts_are_played():
    async def bot(url):
        async with ws_connect(url) as ws:
            await ws.send_str("hello")
            async for _ in ws:
                pass

    async with testing.serve(testing.Script().expect("hello").send("a").stall()) as server:
        running = asyncio.create_task(bot(server.url))
        with pytest.raises(testing.ExpectationError, match=r"1 handlers .* got 0 within 0\.2 sec"):
            await server.wait_finished(0.2)
        running.cancel()
    async with testing.serve(testing.Script().expect("hello").send("a")) as server:
        running = asyncio.create_task(bot(server.url))
        await server.wait_finished()
        await running
    with pytest.raises(testing.ExpectationError, match="expected text 'bye'") as caught:
        async with testing.serve(testing.Script().expect("bye").send("a")) as server:
            running = asyncio.create_task(bot(server.url))
            await server.wait_finished()
    assert not hasattr(caught.value, "__notes__")
    running.cancel()


async def test_a_handler_that_does_not_let_itself_be_cancelled(monkeypatch):
    monkeypatch.setattr("wsclient.testing.server.TIMEOUT", 0.1)
    go_on = asyncio.Event()

    async def handler(ws):
        while not go_on.is_set():
            try:
                await go_on.wait()
            except asyncio.CancelledError:
                continue

    with pytest.raises(RuntimeError, match="a handler has not ended"):
        async with testing.serve(handler) as server, connect(server):
            pass
    go_on.set()
