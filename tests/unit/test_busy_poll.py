"""`busy_poll`: what `receive` does before it suspends, beside a server in another thread."""

import asyncio
import contextlib
import socket
import ssl
import threading

import pytest
import trustme
from tests.conftest import BINARY, CLOSE, PING, PONG, TEXT, accept, frame

from wsclient import MsgType, framing, ws_connect
from wsclient.network import fast_tls

LONGEST = 1
AUTHORITY = trustme.CA()
SERVER = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
AUTHORITY.issue_cert("localhost").configure_cert(SERVER)
CLIENT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
AUTHORITY.configure_trust(CLIENT)


@pytest.fixture(params=["plain", "TLS", "TLS of the loop's own"])
def transport(request, monkeypatch):
    """What the socket is read by."""
    if request.param == "TLS of the loop's own":
        monkeypatch.setattr(fast_tls, "_is_there", False)
    return request.param


@pytest.fixture
def threaded(transport):
    """A function that has `script(connection)` played in a thread, and connects to it."""
    threads, failures = [], []

    def start(script, **options):
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(20)

        def serve():
            try:
                with contextlib.ExitStack() as stack:
                    stack.enter_context(listener)
                    connection = stack.enter_context(listener.accept()[0])
                    connection.settimeout(20)
                    if transport != "plain":
                        connection = SERVER.wrap_socket(connection, server_side=True)
                        stack.enter_context(connection)
                    connection.sendall(accept(connection.recv(65536)))
                    script(connection)
            except Exception as error:  # noqa: BLE001 - raised by the fixture below
                failures.append(error)

        thread = threading.Thread(target=serve)
        thread.start()
        threads.append(thread)
        port = listener.getsockname()[1]
        url = f"ws://localhost:{port}/" if transport == "plain" else f"wss://localhost:{port}/"
        return ws_connect(url, ssl=CLIENT, **options)

    yield start
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def read_frame(connection, received=b""):
    while (parsed := framing.parse_frame(received)) is None:
        data = connection.recv(65536)
        if not data:
            return None
        received += data
    return parsed[0]


def echo(connection):
    while (received := read_frame(connection)) is not None:
        connection.sendall(frame(received.opcode, received.payload))
        if received.opcode == CLOSE:
            return


def without_suspending(awaitable):
    """What an awaitable returns, or None if it would suspend."""
    try:
        awaitable.send(None)
    except StopIteration as returned:
        return returned.value
    awaitable.close()
    return None


async def test_a_message_that_comes_is_returned_without_suspending(threaded, transport):
    if transport == "TLS of the loop's own":
        pytest.skip("only the loop can let that read")
    async with threaded(echo, busy_poll=LONGEST) as ws:
        stayed = 0
        for number in range(100):
            ws.send_str(str(number))
            msg = without_suspending(ws.receive())
            stayed += msg is not None
            # None if the server's thread was kept waiting all the time.
            assert (msg or await ws.receive()).data == str(number)
        assert stayed > 0


async def test_batches_and_iteration(threaded):
    async with threaded(echo, busy_poll=LONGEST) as ws:
        ws.send_str("a")
        assert [msg.data for msg in await ws.receive_many()] == ["a"]
        ws.send_str("b")
        async for msg in ws:
            assert msg.data == "b"
            break


async def test_a_large_message(threaded):
    payload = bytes(range(256)) * 12_000

    def script(connection):
        connection.sendall(frame(BINARY, payload))
        echo(connection)

    async with threaded(script, busy_poll=LONGEST) as ws:
        assert (await ws.receive()).data == payload


async def test_other_tasks_get_their_turn(threaded):
    async def take_turns():
        for _ in range(10):
            await asyncio.sleep(0)

    def script(connection):
        connection.sendall(frame(TEXT, b"x") * 3)
        read_frame(connection)  # until the other task has had turns enough
        connection.sendall(frame(TEXT, b"y"))
        echo(connection)

    async with threaded(script, busy_poll=0.0001) as ws:
        for _ in range(3):
            assert await ws.receive_str() == "x"
        receiving = asyncio.create_task(ws.receive_str())
        await asyncio.create_task(take_turns())
        ws.send_str("go on")
        assert await receiving == "y"


async def test_messages_without_pause_do_not_keep_the_loop(threaded):
    """The time is for all polling in a row: a quick peer cannot have more of it."""
    async with threaded(echo, busy_poll=0.002) as ws:
        turns = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(turns.set_result, None)
        while not turns.done():
            ws.send_str("again")
            assert await ws.receive_str() == "again"


async def test_a_timeout_bounds_it(threaded):
    def script(connection):
        assert read_frame(connection).opcode == TEXT
        connection.sendall(frame(TEXT, b"late"))
        echo(connection)

    async with threaded(script, busy_poll=LONGEST) as ws:
        with pytest.raises(TimeoutError):
            await ws.receive(timeout=0.01)
        ws.send_str("go on")
        assert await ws.receive_str() == "late"


@pytest.mark.parametrize("orderly", [True, False])
async def test_the_end_is_seen(threaded, orderly):
    def script(connection):
        connection.sendall(frame(TEXT, b"last"))
        if orderly:
            connection.sendall(frame(CLOSE, b"\x03\xe8"))
            assert read_frame(connection).opcode == CLOSE

    async with threaded(script, busy_poll=0.01) as ws:
        assert await ws.receive_str() == "last"
        msg = await ws.receive()
        assert (msg.tp, msg.data) == (MsgType.closed, 1000 if orderly else 1006)


async def test_what_is_queued_is_sent_first(threaded):
    """A peer that answers only when it has all does not wait for one that polls."""
    payload = bytes(12_000_000)

    def script(connection):
        received = bytearray()
        while (parsed := framing.parse_frame(received)) is None:
            received += connection.recv(1 << 20)
        assert parsed[0].payload == payload
        connection.sendall(frame(TEXT, b"all"))
        echo(connection)

    async with threaded(script, busy_poll=LONGEST, max_msg_size=0) as ws:
        ws.send_bytes(payload)
        assert await ws.receive_str() == "all"


async def test_paused_reading_is_respected(threaded):
    async with threaded(echo, busy_poll=LONGEST) as ws:
        ws.pause_reading()
        ws.send_str("a")
        receiving = asyncio.create_task(ws.receive_str())
        await asyncio.sleep(0)
        assert not receiving.done()
        ws.resume_reading()
        assert await receiving == "a"


@pytest.mark.parametrize("seconds", [-1, 1.001, float("inf"), float("nan")])
async def test_numbers_that_are_no_time_are_refused(seconds):
    with pytest.raises(ValueError, match="busy_poll"):
        await ws_connect("ws://localhost:1/", busy_poll=seconds)


async def test_what_the_transport_holds_back_is_not_waited_for(threaded):
    """It needs nothing more from the socket: each wait would be in vain."""
    count = 200

    def script(connection):
        connection.sendall(b"".join(frame(TEXT, b"%d" % number) for number in range(count)))
        echo(connection)

    async with asyncio.timeout(20), threaded(script, busy_poll=LONGEST, max_queue=1) as ws:
        for number in range(count):
            if number % 3 == 0:
                ws.pause_reading()
                ws.resume_reading()
            assert await ws.receive_str() == str(number)


async def test_more_than_the_read_buffer_at_once(threaded):
    count = 20
    payload = bytes(60_000)

    def script(connection):
        for _ in range(3):
            connection.sendall(frame(BINARY, payload) * count)
            assert read_frame(connection).payload == b"more"
        echo(connection)

    async with asyncio.timeout(20), threaded(script, busy_poll=LONGEST, max_msg_size=0) as ws:
        for _ in range(3):
            for _ in range(count):
                assert await ws.receive_bytes() == payload
            ws.send_str("more")


async def test_pings_are_answered(threaded):
    def script(connection):
        for _ in range(3):
            connection.sendall(frame(PING, b"there?"))
            pong = read_frame(connection)
            assert (pong.opcode, pong.payload) == (PONG, b"there?")
        connection.sendall(frame(TEXT, b"after"))
        echo(connection)

    async with threaded(script, busy_poll=LONGEST) as ws:
        assert await ws.receive_str() == "after"


async def test_a_cancelled_receive_loses_nothing(threaded):
    def script(connection):
        assert read_frame(connection).payload == b"cancelled"
        connection.sendall(frame(TEXT, b"late"))
        echo(connection)

    async with threaded(script, busy_poll=0.001) as ws:
        receiving = asyncio.create_task(ws.receive())
        await asyncio.sleep(0)
        receiving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await receiving
        ws.send_str("cancelled")
        assert await ws.receive_str() == "late"


async def test_close_while_a_task_polls(threaded):
    async with threaded(echo, busy_poll=0.001) as ws:
        receiving = asyncio.create_task(ws.receive())
        await asyncio.sleep(0)
        assert await ws.close()
        assert (await receiving).tp in (MsgType.closing, MsgType.closed)
        assert (await ws.receive()).tp == MsgType.closed


async def test_a_reset_is_seen(threaded):
    def script(connection):
        assert read_frame(connection).opcode == TEXT
        linger = (1).to_bytes(4, "little") + (0).to_bytes(4, "little")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    async with threaded(script, busy_poll=LONGEST) as ws:
        ws.send_str("go on")
        msg = await ws.receive()
        assert (msg.tp, msg.data) == (MsgType.closed, 1006)


async def test_a_task_that_polls_inside_of_a_read(threaded):
    """It was woken by what the transport was reading, and has it read more."""
    rounds = 50

    def script(connection):
        for number in range(rounds):
            connection.sendall(frame(TEXT, b"%d" % number))
            assert read_frame(connection).payload == b"%d" % number
            connection.sendall(frame(TEXT, b"and") + frame(TEXT, b"more"))
        echo(connection)

    async with threaded(script, busy_poll=0.0001) as ws:
        for number in range(rounds):
            await asyncio.sleep(0)
            assert await ws.receive_str() == str(number)
            ws.send_str(str(number))
            assert [await ws.receive_str(), await ws.receive_str()] == ["and", "more"]


async def test_a_loop_that_watches_no_sockets_is_refused(monkeypatch):
    monkeypatch.setattr("wsclient.session.has_readers", lambda _: False)
    with pytest.raises(ValueError, match="add_reader"):
        await ws_connect("wss://localhost:1/", busy_poll=0.001)
