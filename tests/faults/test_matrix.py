"""Each fault in each phase, on both loops, with TLS and without: the state that is documented.

`testing.FaultProxy` stands between this client and the `websockets` server. What is expected stands
in `EXPECTED`, cell by cell; besides, every message that was whole before the fault arrives, nothing
is left open, and nothing is complained of.
"""

import asyncio
import contextlib
import gc
from typing import NamedTuple

import pytest
from websockets.asyncio.server import serve

from wsclient import ClientConnectionError, ClientConnectorError, MsgType, ws_connect
from wsclient.testing import FAULTS, HARMLESS, FaultProxy

pytestmark = pytest.mark.slow

PHASES = ("connect", "handshake", "idle", "mid-frame", "mid-message", "closing")

FINE = "all arrives, closed 1000"
OPENED_NOT = {
    "disconnected": "ServerDisconnectedError",
    "tls": "ClientConnectorError tls",
    "slow": "ConnectionTimeoutError handshake",
    "slow tls": "ConnectionTimeoutError tls",
}
CUT = "closed 1006, and exception() tells ServerDisconnectedError"
RESET = "closed 1006, and exception() tells ClientConnectionResetError"
DEAD = "error ServerTimeoutError, closed 1006"
UNANSWERED = "closed 1006, and exception() tells ServerTimeoutError"

# Rows are faults, columns are phases, as above. A second text is for TLS.
EXPECTED = {
    "delay": [FINE] * 6,
    "split": [FINE] * 6,
    "coalesce": [FINE] * 6,
    "cut": [("disconnected", "tls"), "disconnected", CUT, CUT, CUT, CUT],
    "reset": [("disconnected", "tls"), "disconnected", RESET, RESET, RESET, RESET],
    "half-open": [("slow", "slow tls"), "slow", DEAD, DEAD, DEAD, UNANSWERED],
    "stall": [("slow", "slow tls"), "slow", DEAD, DEAD, DEAD, UNANSWERED],
}


def expected(fault, phase, tls):
    cell = EXPECTED[fault][PHASES.index(phase)]
    if isinstance(cell, tuple):
        cell = cell[tls]
    return OPENED_NOT.get(cell, cell)


LARGE = b"x" * 300_000


class Cell(NamedTuple):
    """A fault, and when it strikes."""

    fault: str
    phase: str


class Served:
    """The server's side: sends two messages, then what the test asks for."""

    def __init__(self):
        self.orders = asyncio.Queue()
        self.at_request = lambda: None
        self.half_sent = asyncio.Event()
        self.go_on = asyncio.Event()

    async def handle(self, ws):
        await ws.send("one")
        await ws.send(b"two")
        with contextlib.suppress(Exception):
            while (order := await self.orders.get()) is not None:
                await ws.send(LARGE if order == "large" else self.fragments())
            await ws.close()
        self.go_on.set()

    async def fragments(self):
        yield "frag"
        self.half_sent.set()
        await self.go_on.wait()
        yield "ments"

    def request(self, _connection, _request):
        self.at_request()


async def outcome(ws, messages):
    """Receive to the end, and say in words how that was."""
    error = ""
    while True:
        msg = await ws.receive()
        if msg.tp in {MsgType.text, MsgType.binary}:
            messages.append(msg.data)
        elif msg.tp == MsgType.error:
            error = f"error {type(msg.data).__name__}, "
        elif msg.tp == MsgType.closed:
            break
    told = ""
    if not error and ws.exception() is not None:
        told = f", and exception() tells {type(ws.exception()).__name__}"
    return f"{error}closed {msg.data}{told}"


async def connect(cell, url, tls):
    """Connect as a user would; return the WebSocket, or in words why there is none."""
    silent = cell.fault in {"half-open", "stall"}
    options = {"connect_timeout": 0.4, "timeout": 0.2, "heartbeat": 0.2} if silent else {}
    try:
        return await ws_connect(url, ssl=tls, max_msg_size=0, **options), ""
    except ClientConnectorError as error:
        return None, f"ClientConnectorError {error.step}"
    except ClientConnectionError as error:
        return None, f"{type(error).__name__} {getattr(error, 'step', '')}".rstrip()


async def strike(cell, served, proxy, ws):
    """Bring an open connection to the phase in which the fault strikes."""
    if cell.phase == "idle":
        proxy.strike(cell.fault)
    elif cell.phase == "mid-frame":
        proxy.strike(cell.fault, after=1000)
        served.orders.put_nowait("large")
    elif cell.phase == "mid-message":
        served.orders.put_nowait("fragments")
        await served.half_sent.wait()
        proxy.strike(cell.fault)
    elif cell.phase == "closing":
        proxy.strike(cell.fault)
        assert await ws.close() is True


async def play(cell, served, proxy, url, tls):
    """Do what a user would, while the fault strikes; return what was seen."""
    harmless = cell.fault in HARMLESS
    if cell.phase == "connect":
        proxy.on_connect = lambda connection: connection.strike(cell.fault)
    elif cell.phase == "handshake":
        served.at_request = lambda: proxy.strike(cell.fault, after=20)
    ws, refusal = await connect(cell, url, tls)
    if ws is None:
        return refusal
    messages = [(await ws.receive()).data for _ in range(2)]
    await strike(cell, served, proxy, ws)
    whole = ["one", b"two"]
    if harmless and cell.phase != "closing":
        served.orders.put_nowait("large")
        served.orders.put_nowait(None)
        served.go_on.set()
        between = {"mid-frame": [LARGE], "mid-message": ["fragments"]}.get(cell.phase, [])
        whole += [*between, LARGE]
    seen = await outcome(ws, messages)
    await ws.close()
    assert messages == whole
    return FINE if seen == "closed 1000" else seen


@pytest.mark.parametrize("tls", [False, True], ids=["ws", "wss"])
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("fault", FAULTS)
async def test_matrix(no_leak, server_tls, client_tls, fault, phase, tls):  # noqa: PLR0917
    complaints = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    served = Served()
    before = asyncio.all_tasks()
    # uvloop opens descriptors of its own with the first server.
    (await asyncio.start_server(lambda *_: None, "localhost", 0)).close()
    async with asyncio.timeout(15), no_leak():
        async with (
            serve(
                served.handle, "127.0.0.1", 0, compression=None, ping_interval=None,
                close_timeout=0.1, open_timeout=1, process_request=served.request,
                ssl=server_tls if tls else None,
            ) as server,
            FaultProxy(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}") as proxy,
        ):  # fmt: skip
            url = f"{'wss' if tls else 'ws'}://localhost:{proxy.port}/"
            seen = await play(Cell(fault, phase), served, proxy, url, client_tls if tls else None)
            served.orders.put_nowait(None)
            served.go_on.set()
        assert seen == expected(fault, phase, tls)
    while left := asyncio.all_tasks() - before:
        await asyncio.wait(left, timeout=10)
    gc.collect()
    assert [context for context in complaints if "wsclient" in str(context)] == []
