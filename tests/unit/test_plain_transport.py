"""`PlainTransport`: what asyncio asks of a transport, with a socket at the other end."""

import asyncio
import contextlib
import errno
import re
import socket

import pytest
from tests.conftest import TEXT, frame
from yarl import URL

from wsclient import ws_connect
from wsclient.network.plain_transport import PlainTransport
from wsclient.network.sockets import connect
from wsclient.network.tcp import TCPConnector
from wsclient.network.transport import ConnectorProtocol, Reached, plain_socket

HIGH = 64 * 1024


class Recorder(asyncio.Protocol):
    """Writes down what it is told."""

    def __init__(self):
        self.calls = []
        self.data = bytearray()
        self.changed = asyncio.Event()
        self.keep_open = False

    def _note(self, *call):
        self.calls.append(call)
        self.changed.set()

    def connection_made(self, transport):
        self._note("made")

    def data_received(self, data):
        self.data += data
        self.changed.set()

    def eof_received(self):
        self._note("eof")
        return self.keep_open

    def pause_writing(self):
        self._note("pause")

    def resume_writing(self):
        self._note("resume")

    def connection_lost(self, exc):
        self._note("lost", exc)

    async def until(self, condition):
        async with asyncio.timeout(20):
            while not condition(self):
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture
async def pair():
    """A transport, its protocol and the socket at the other end."""
    ours, theirs = socket.socketpair()
    for sock in (ours, theirs):
        sock.setblocking(False)
    protocol = Recorder()
    transport = PlainTransport(asyncio.get_running_loop(), ours, protocol)
    with theirs:
        yield transport, protocol, theirs
        transport.abort()
        await protocol.until(lambda p: p.calls[-1][0] == "lost")


async def read(sock, size):
    data = bytearray()
    async with asyncio.timeout(20):
        while len(data) < size:
            data += await asyncio.get_running_loop().sock_recv(sock, 1 << 16)
    return data


async def test_bytes_come_and_go(pair):
    transport, protocol, theirs = pair
    assert protocol.calls == [("made",)]
    transport.write(b"there")
    transport.write(memoryview(b""))
    assert await read(theirs, 5) == b"there"
    theirs.send(b"back")
    await protocol.until(lambda p: p.data == b"back")


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
async def test_what_the_socket_does_not_take_is_queued_in_order(pair, kind):
    transport, protocol, theirs = pair
    expected = b"".join(bytes([number]) * 300_000 for number in range(5))
    for number in range(5):
        data = bytearray(bytes([number]) * 300_000)
        transport.write(bytes(data) if kind is bytes else kind(data))
        data[:] = bytes(300_000)  # a caller may use its own again
    assert protocol.calls[-1] == ("pause",)
    assert transport.get_write_buffer_size() > HIGH
    assert await read(theirs, len(expected)) == expected
    await protocol.until(lambda p: p.calls[-1] == ("resume",))
    assert transport.get_write_buffer_size() == 0


async def test_close_sends_what_is_queued_and_abort_does_not(pair):
    transport, protocol, theirs = pair
    transport.write(bytes(1_000_000))
    transport.close()
    transport.close()
    assert transport.is_closing()
    assert not transport.is_reading()
    transport.write(b"too late")
    assert await read(theirs, 1_000_000) == bytes(1_000_000)
    await protocol.until(lambda p: p.calls[-1] == ("lost", None))
    assert await asyncio.get_running_loop().sock_recv(theirs, 10) == b""

    transport.abort()
    transport.close()
    assert protocol.calls.count(("lost", None)) == 1


async def test_abort_while_closing(pair):
    transport, protocol, _ = pair
    transport.write(bytes(1_000_000))
    transport.close()
    transport.abort()
    await protocol.until(lambda p: p.calls[-1] == ("lost", None))
    assert transport.get_write_buffer_size() == 0


@pytest.mark.parametrize("keep_open", [False, True])
async def test_the_end_of_what_comes(pair, keep_open):
    transport, protocol, theirs = pair
    protocol.keep_open = keep_open
    theirs.shutdown(socket.SHUT_WR)
    await protocol.until(lambda p: ("eof",) in p.calls)
    if keep_open:
        transport.write(b"answer")
        assert await read(theirs, 6) == b"answer"
    else:
        await protocol.until(lambda p: p.calls[-1] == ("lost", None))


async def test_a_failure_is_told(pair):
    transport, protocol, theirs = pair
    theirs.close()
    async with asyncio.timeout(20):
        while not transport.is_closing():
            transport.write(b"x")
            await asyncio.sleep(0)
    await protocol.until(lambda p: p.calls[-1][0] == "lost")
    assert protocol.calls[-1][1] is None or protocol.calls[-1][1].errno == errno.EPIPE


async def test_pausing(pair):
    transport, protocol, theirs = pair
    transport.pause_reading()
    transport.pause_reading()
    assert not transport.is_reading()
    theirs.send(b"a")
    for _ in range(5):
        await asyncio.sleep(0)
    assert not protocol.data
    transport.resume_reading()
    transport.resume_reading()
    await protocol.until(lambda p: p.data == b"a")


async def test_another_protocol_takes_over(pair):
    transport, protocol, theirs = pair
    successor = Recorder()
    transport.set_protocol(successor)
    assert transport.get_protocol() is successor
    theirs.send(b"a")
    await successor.until(lambda p: p.data == b"a")
    assert not protocol.data
    transport.set_protocol(protocol)


async def test_limits(pair):
    transport, _, _ = pair
    assert transport.get_write_buffer_limits() == (HIGH // 4, HIGH)
    transport.set_write_buffer_limits(low=10)
    assert transport.get_write_buffer_limits() == (10, 40)
    transport.set_write_buffer_limits(high=8)
    assert transport.get_write_buffer_limits() == (2, 8)
    with pytest.raises(ValueError, match="high is 1 and low is 2, expected high >= low >= 0"):
        transport.set_write_buffer_limits(1, 2)
    assert not transport.can_write_eof()


async def test_extra_info(echo):
    async with ws_connect(echo) as ws:
        port = int(echo.rstrip("/").rpartition(":")[2])
        assert ws.get_extra_info("peername") == ("127.0.0.1", port)
        assert ws.get_extra_info("sockname")[0] == "127.0.0.1"
        assert ws.get_extra_info("sslcontext") is None
        assert ws.get_extra_info("other", 1) == 1
        descriptor = ws.get_extra_info("socket").fileno()
        assert descriptor >= 0
    assert ws.get_extra_info("peername", "gone") == "gone"
    assert ws.get_extra_info("socket") is None


async def test_one_that_is_dropped_open_warns_and_closes():
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    transport = PlainTransport(asyncio.get_running_loop(), ours, Recorder())
    transport._stop_watching()
    with pytest.warns(ResourceWarning, match="unclosed <PlainTransport open"):
        del transport
    assert ours.fileno() == -1
    theirs.close()


async def test_connect():
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sock = await connect(loop, socket.socket(), listener.getsockname())
        peer, address = listener.accept()
        assert sock.getsockname() == address
        assert not sock.getblocking()
        # Nobody watches it any more.
        assert not loop.remove_writer(sock.fileno())
        peer.close()
        sock.close()


async def test_connect_is_refused():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    sock = socket.socket()
    with pytest.raises(ConnectionRefusedError, match=re.escape(str(address))):
        await connect(asyncio.get_running_loop(), sock, address)
    assert sock.fileno() == -1


async def test_connect_is_cancelled():
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        # Those that nobody accepts keep the others waiting.
        waiting = [socket.socket() for _ in range(3)]
        for sock in waiting:
            sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                sock.connect(listener.getsockname())
        sock = socket.socket()
        descriptor = sock.fileno()
        connecting = asyncio.create_task(connect(loop, sock, listener.getsockname()))
        await asyncio.sleep(0.01)
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting
        assert sock.fileno() == -1
        assert not loop.remove_writer(descriptor)
        for sock in waiting:
            sock.close()


class NoReaders(asyncio.SelectorEventLoop):
    """As Windows' default loop is."""

    add_reader = asyncio.AbstractEventLoop.add_reader


def test_a_loop_without_readers_has_its_own():
    async def main():
        gone = asyncio.Event()

        async def greet(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(frame(TEXT, b"hello"))
            await reader.read()
            writer.close()
            await writer.wait_closed()
            gone.set()

        async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
            sock = socket.create_connection(server.sockets[0].getsockname())
            sock.setblocking(False)
            protocol = Recorder()
            made = await Reached(sock).establish(_Early(protocol), None, "")
            assert plain_socket(made) is None
            made.write(b"\r\n\r\n")
            await protocol.until(lambda p: b"hello" in p.data)
            made.abort()
            await protocol.until(lambda p: p.calls)
            assert protocol.calls == [("lost", None)]
            await gone.wait()

    with asyncio.Runner(loop_factory=NoReaders) as runner:
        runner.run(main())


class _Early(ConnectorProtocol):
    """Passes on to a recorder."""

    def __init__(self, recorder):
        self._recorder = recorder

    def data_received(self, data):
        self._recorder.data_received(data)

    def connection_lost(self, exc):
        self._recorder.connection_lost(exc)


async def test_a_protocol_that_fails_leaves_nothing_open(echo):
    class Failing(ConnectorProtocol):
        def connection_made(self, transport):
            super().connection_made(transport)
            raise ArithmeticError("no")

    protocol = Failing()
    with pytest.raises(ArithmeticError):
        await TCPConnector().connect(URL(echo), protocol)
    assert protocol.transport.is_closing()
    await asyncio.sleep(0)
    assert protocol.transport.get_extra_info("socket").fileno() == -1
