"""A connection with TLS serves aiofastnet's transports by functions of C, or by methods."""

import asyncio
import gc
import ssl
import sysconfig
from pathlib import Path

import aiofastnet
import pytest
import trustme
from tests.conftest import CLOSE, TEXT, accept, frame
from websockets.asyncio.server import serve as websockets_serve

from wsclient import ClientConnectionResetError, MsgType, _core, ws_connect
from wsclient.network import fast_calls

AUTHORITY = trustme.CA()
SERVER = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
AUTHORITY.issue_cert("localhost").configure_cert(SERVER)
CLIENT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
AUTHORITY.configure_trust(CLIENT)
DECLARED = Path(aiofastnet.__file__).with_name("transport.pxd")
FAST = "functions of C"

knows_aiofastnet = pytest.mark.skipif(
    not aiofastnet.__version__.startswith("1.2.")
    or sysconfig.get_config_var("Py_GIL_DISABLED") == 1,
    reason="this aiofastnet is called by methods",
)


@pytest.fixture(params=[FAST, "methods"])
def way(request, monkeypatch):
    if request.param == "methods":
        monkeypatch.setattr(fast_calls, "_tables", lambda: None)
    return request.param


@pytest.fixture
async def serving():
    """A function that serves `handler` with TLS and connects to it."""
    servers = []

    async def start(handler, **options):
        # Under valgrind pings would not be answered in time.
        server = await websockets_serve(
            handler, "localhost", 0, ssl=SERVER, max_size=None, ping_interval=None
        )
        servers.append(server)
        port = server.sockets[0].getsockname()[1]
        return await ws_connect(f"wss://localhost:{port}/", ssl=CLIENT, max_msg_size=0, **options)

    yield start
    for server in servers:
        server.close()
        await server.wait_closed()


async def echo(peer):
    async for message in peer:
        await peer.send(message)


def links():
    """All that are there, each of one connection."""
    gc.collect()
    return [thing for thing in gc.get_objects() if type(thing) is fast_calls._Link]


@knows_aiofastnet
async def test_the_way_that_is_taken(way, serving):
    async with await serving(echo):
        assert len(links()) == (way == FAST)


async def test_messages_of_all_sizes(way, serving):
    async with await serving(echo) as ws:
        for size in (0, 1, 125, 126, 65_535, 65_536, 300_000, 5_000_000):
            await ws.send_bytes(payload := bytes(range(256)) * (size // 256) + b"x" * (size % 256))
            assert await ws.receive_bytes() == payload


async def test_more_than_either_side_takes_at_once(way, serving):
    count, payload = 150, bytes(50_000)

    async def push(peer):
        for _ in range(count):
            await peer.send(payload)
        await echo(peer)

    async with await serving(push) as ws:
        sends = [ws.send_bytes(payload) for _ in range(count)]
        for _ in range(2 * count):
            assert await ws.receive_bytes() == payload
        for send in sends:
            await send


async def test_the_close_handshake(way, serving):
    async def leave(peer):
        await peer.close(4000, "bye")

    async with await serving(leave) as ws:
        assert (await ws.receive())[:] == (MsgType.closed, 4000, "bye")


@pytest.fixture
async def reset():
    """Connect to a server that resets the connection when it has got something."""
    gone = asyncio.Event()

    async def play(reader, writer):
        writer.write(accept(await reader.readuntil(b"\r\n\r\n")))
        await reader.read(1)
        writer.write(frame(TEXT, b"last"))
        writer.transport.abort()
        gone.set()

    async with await asyncio.start_server(play, "localhost", 0, ssl=SERVER) as server:
        port = server.sockets[0].getsockname()[1]
        async with ws_connect(f"wss://localhost:{port}/", ssl=CLIENT) as ws:
            yield ws, gone


async def test_a_reset(way, reset):
    ws, _ = reset
    ws.send_str("go")
    assert (await ws.receive_str()) == "last"
    assert (await ws.receive())[:2] == (MsgType.closed, 1006)


async def test_who_never_waits_is_told_that_nothing_can_be_sent(way, reset):
    ws, gone = reset
    ws.pause_reading()
    ws.send_str("go")
    await gone.wait()
    with pytest.raises(ClientConnectionResetError):
        for _ in range(100):
            ws.send_bytes(bytes(1000))
    ws.resume_reading()


async def test_breaches_of_the_protocol(way):
    async def play(reader, writer):
        writer.write(accept(await reader.readuntil(b"\r\n\r\n")) + frame(TEXT, b"\xff"))
        await reader.read()
        writer.close()

    async with await asyncio.start_server(play, "localhost", 0, ssl=SERVER) as server:
        port = server.sockets[0].getsockname()[1]
        async with ws_connect(f"wss://localhost:{port}/", ssl=CLIENT) as ws:
            assert (await ws.receive()).tp == MsgType.error
            assert (await ws.receive()).data == 1007


async def test_a_server_that_says_no_more(way):
    async def play(reader, writer):
        writer.write(accept(await reader.readuntil(b"\r\n\r\n")) + frame(CLOSE, b"\x03\xe8"))
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(play, "localhost", 0, ssl=SERVER) as server:
        port = server.sockets[0].getsockname()[1]
        async with ws_connect(f"wss://localhost:{port}/", ssl=CLIENT) as ws:
            assert (await ws.receive())[:2] == (MsgType.closed, 1000)


@knows_aiofastnet
async def test_nothing_stays_behind(serving):
    async with await serving(echo):
        assert len(links()) == 1
    await asyncio.sleep(0)
    assert links() == []


def tables(declared):
    return _core.Protocol.tables(aiofastnet.Transport, aiofastnet.Protocol, declared)


def test_another_declaration_is_not_known():
    assert tables(DECLARED.read_bytes() + b"\n") is None
    assert tables(b"") is None


@knows_aiofastnet
async def test_what_is_no_link_is_left_alone(serving):
    class Two(aiofastnet.Protocol):
        __slots__ = ("first", "second")

    class Roomy(aiofastnet.Protocol):
        pass

    class Slot:
        __slots__ = ("connection",)

    known = tables(DECLARED.read_bytes())
    async with await serving(echo) as ws, await serving(echo) as another:
        link = fast_calls._Link(another._connection)
        for thing in (object(), None, Two(), Roomy(), Slot(), aiofastnet.Protocol(), link):
            assert not ws._connection.read_by_table(thing, known)
        del link.connection
        assert not ws._connection.read_by_table(link, known)


@knows_aiofastnet
async def test_a_link_that_has_let_go_of_its_connection(serving):
    """As the garbage collector makes it."""
    async with await serving(echo) as ws:
        (link,) = links()
        heard = None
        while heard != "heard":
            # Again, if the echo came so late that it was heard after all.
            assert heard is None or await ws.receive_str() == "heard"
            del link.connection
            ws.send_str("unheard")
            with pytest.raises(TimeoutError):
                await ws.receive(timeout=0.1)
            link.connection = ws._connection
            ws.send_str("heard")
            heard = await ws.receive_str(timeout=10)


async def test_an_aiofastnet_that_declares_nothing(monkeypatch, tmp_path, serving):
    monkeypatch.setattr(aiofastnet, "__file__", str(tmp_path / "__init__.py"))
    monkeypatch.setattr(fast_calls, "_tables", fast_calls._tables.__wrapped__)
    async with await serving(echo) as ws:
        await ws.send_str("a")
        assert await ws.receive_str() == "a"
