"""`busy_poll`: what `receive` does before it suspends, beside a server in another thread."""

import asyncio
import socket
import threading

import pytest
from tests.conftest import BINARY, CLOSE, TEXT, accept, frame

from wsclient import MsgType, framing, ws_connect

LONGEST = 1


@pytest.fixture
def threaded():
    """A function that has `script(connection)` played in a thread, and returns the URL."""
    threads, failures = [], []

    def start(script):
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(20)

        def serve():
            try:
                with listener, listener.accept()[0] as connection:
                    connection.settimeout(20)
                    connection.sendall(accept(connection.recv(65536)))
                    script(connection)
            except Exception as error:  # noqa: BLE001 - raised by the fixture below
                failures.append(error)

        thread = threading.Thread(target=serve)
        thread.start()
        threads.append(thread)
        return f"ws://127.0.0.1:{listener.getsockname()[1]}/"

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


async def test_a_message_that_comes_is_returned_without_suspending(threaded):
    async with ws_connect(threaded(echo), busy_poll=LONGEST) as ws:
        stayed = 0
        for number in range(100):
            ws.send_str(str(number))
            msg = without_suspending(ws.receive())
            stayed += msg is not None
            # None if the server's thread was kept waiting all the time.
            assert (msg or await ws.receive()).data == str(number)
        assert stayed > 0


async def test_batches_and_iteration(threaded):
    async with ws_connect(threaded(echo), busy_poll=LONGEST) as ws:
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

    async with ws_connect(threaded(script), busy_poll=LONGEST) as ws:
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

    async with ws_connect(threaded(script), busy_poll=0.0001) as ws:
        for _ in range(3):
            assert await ws.receive_str() == "x"
        receiving = asyncio.create_task(ws.receive_str())
        await asyncio.create_task(take_turns())
        ws.send_str("go on")
        assert await receiving == "y"


async def test_messages_without_pause_do_not_keep_the_loop(threaded):
    """The time is for all polling in a row: a quick peer cannot have more of it."""
    async with ws_connect(threaded(echo), busy_poll=0.002) as ws:
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

    async with ws_connect(threaded(script), busy_poll=LONGEST) as ws:
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

    async with ws_connect(threaded(script), busy_poll=0.01) as ws:
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

    async with ws_connect(threaded(script), busy_poll=LONGEST, max_msg_size=0) as ws:
        ws.send_bytes(payload)
        assert await ws.receive_str() == "all"


async def test_paused_reading_is_respected(threaded):
    async with ws_connect(threaded(echo), busy_poll=LONGEST) as ws:
        ws.pause_reading()
        ws.send_str("a")
        receiving = asyncio.create_task(ws.receive_str())
        await asyncio.sleep(0)
        assert not receiving.done()
        ws.resume_reading()
        assert await receiving == "a"


async def test_tls_is_refused():
    with pytest.raises(ValueError, match="busy_poll works on plain connections only"):
        await ws_connect("wss://localhost:1/", busy_poll=0.001)


@pytest.mark.parametrize("seconds", [-1, 1.001, float("inf"), float("nan")])
async def test_numbers_that_are_no_time_are_refused(threaded, seconds):
    with pytest.raises(ValueError, match="busy_poll"):
        await ws_connect("ws://localhost:1/", busy_poll=seconds)
