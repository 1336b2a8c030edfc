"""`replay`: a server that sends what was recorded, when it was recorded."""

import asyncio

import pytest
import websockets.asyncio.client

from wsclient import MsgType, Recorder, reconnect, ws_connect
from wsclient.testing import (
    Entry,
    ExpectationError,
    FaultProxy,
    Recording,
    Script,
    ServerConnection,
    replay,
    serve,
)

SECOND = 1_000_000_000


def opened(connection=1, path="/", **more):
    return Entry(type="open", connection=connection, url=f"wss://example.org{path}", **more)


def message(data, ns=0, direction="in", connection=1):
    kind = "text" if isinstance(data, str) else "binary"
    return Entry(type=kind, ns=ns, connection=connection, direction=direction, data=data)


def closed(code=1001, reason="", direction="in", connection=1, ns=0):
    return Entry(
        type="close", ns=ns, connection=connection, direction=direction, code=code, reason=reason
    )


async def play(url, **options):
    """Connect, and return all that comes, and how it ends."""
    async with ws_connect(url, **options) as ws:
        return [msg.data async for msg in ws], ws.close_code, ws.close_reason


async def test_what_was_recorded_comes_again(path):
    messages = ["first", b"\x00\xff", "x" * 100_000, ""]
    script = Script()
    for each in messages:
        script.send(each)
    async with serve(script.close(4001, "maintenance"), compression=True) as server:
        with Recorder(path) as recorder:
            seen = await play(server.url, record=recorder, compress=15)
    for speed in (1, 0.5, "max"):
        async with replay(path, speed=speed, compression=True) as server:
            assert await play(server.url, compress=15) == seen
            assert await play(server.url) == (messages, 4001, "maintenance")


async def test_over_tls_and_in_a_thread(path):
    Recording([opened(), message("a"), closed(1001)]).write(path)
    async with replay(str(path), ssl=True) as server:
        assert await play(server.url, ssl=server.ssl_context) == (["a"], 1001, "")
    with replay(path) as server:
        assert await play(server.url) == (["a"], 1001, "")


async def test_its_own_pace_scaled():
    """Each message comes no earlier than it should; what is not due for an hour does not come."""
    loop = asyncio.get_running_loop()
    recording = Recording(
        [opened(), message("a", SECOND), message("b", 2 * SECOND), message("c", 3600 * SECOND)]
    )
    async with replay(recording, speed=20) as server, ws_connect(server.url) as ws:
        begun = loop.time()
        assert await ws.receive_str() == "a"
        assert await ws.receive_str() == "b"
        assert loop.time() - begun > 2 / 20 - 0.05
        assert ws.receive_nowait() is None
    async with replay(recording, speed="max") as server:
        assert await play(server.url) == ([*"abc"], 1000, "")


async def test_endings():
    entries = {
        "the server's": ([closed(4000, "bye"), closed(4000, direction="out")], (4000, "bye")),
        "without a code": ([closed(None)], (1005, "")),
        "the client's": ([closed(1000, direction="out"), closed(1000)], (1000, "")),
        "none": ([Entry(type="end", connection=1, code=1006)], (1006, "")),
        "broken off": ([], (1000, "")),
    }
    for ending, expected in entries.values():
        async with replay(Recording([opened(), message("a"), *ending])) as server:
            assert await play(server.url) == (["a"], *expected)


async def test_pings_are_sent_and_nothing_of_the_clients():
    entries = [
        opened(),
        Entry(type="ping", connection=1, direction="out", data=b"ours"),
        Entry(type="pong", connection=1, direction="in", data=b"ours"),
        Entry(type="ping", connection=1, direction="in", data=b"theirs"),
        message("request", direction="out"),
        message("answer"),
        Entry(type="lost", messages=1, bytes=1),
        closed(),
    ]
    async with replay(Recording(entries)) as server:
        async with ws_connect(server.url, autoping=False) as ws:
            received = [(msg.tp, msg.data) async for msg in ws]
    assert received == [(MsgType.ping, b"theirs"), (MsgType.text, "answer")]


async def test_in_turn_each_answer_waits_for_its_request():
    entries = [opened(), message("hello")]
    for number in range(3):
        entries += [message(f"request {number}", direction="out"), message(f"answer {number}")]
    recording = Recording([*entries, closed()])
    async with replay(recording, speed="max", in_turn=True) as server:
        async with ws_connect(server.url) as ws:
            assert await ws.receive_str() == "hello"
            for number in range(3):
                assert ws.receive_nowait() is None
                await ws.send_str(f"another request {number}")
                assert await ws.receive_str() == f"answer {number}"
    assert server.received == [f"another request {number}" for number in range(3)]
    assert recording.sent == [f"request {number}" for number in range(3)]


async def test_in_turn_a_request_that_does_not_come_is_told(monkeypatch):
    monkeypatch.setitem(ServerConnection.expect.__kwdefaults__, "timeout", 0.01)
    entries = [opened(), message("request", direction="out"), message("answer"), closed()]
    with pytest.raises(ExpectationError, match=r"expected a message, got nothing within"):
        async with replay(Recording(entries), in_turn=True) as server:
            await play(server.url)


async def test_connections_in_their_order_and_then_the_last_again():
    entries = []
    for number, text in enumerate("abc", 1):
        entries += [opened(number), message(text, connection=number)]
        entries += [closed(connection=number)]
    seen = []
    async with replay(Recording(entries)) as server:
        async for ws in reconnect(server.url, reconnect_delays=lambda: [0] * 9):
            seen += [msg.data async for msg in ws]
            if len(seen) == 5:
                break
    assert seen == [*"abccc"]


async def test_clients_at_the_same_time_by_path():
    entries = [opened(1, "/btc"), opened(2, "/eth?key=***"), opened(3, "/btc")]
    for connection, text in ((2, "eth"), (1, "btc 1"), (3, "btc 2")):
        entries += [message(text, connection=connection), closed(connection=connection)]
    async with replay(Recording(entries)) as server:
        paths = ["eth?key=1", "btc", "btc", "eth", "btc?x"]
        seen = await asyncio.gather(*(play(server.url + path) for path in paths))
    assert [texts for texts, _, _ in seen] == [["eth"], ["btc 1"], ["btc 2"], ["eth"], ["btc 2"]]


async def test_a_client_that_leaves_and_one_that_is_slow():
    large = ["x" * 100_000 + str(number) for number in range(100)]
    recording = Recording([opened(), *map(message, large), closed()])
    async with replay(recording, speed="max") as server:
        async with ws_connect(server.url, max_queue=1) as slow:
            async with ws_connect(server.url) as leaving:
                assert (await leaving.receive_str()) == large[0]
            async with ws_connect(server.url) as reset:
                reset._connection.abort()
            assert (await play(server.url))[0] == large
            assert [msg.data async for msg in slow] == large


async def test_a_bad_connection():
    async with (
        replay(Recording([opened(), *[message("tick")] * 1000, closed()])) as server,
        FaultProxy(server.url) as proxy,
    ):
        proxy.on_connect = lambda connection: connection.strike("reset", after=2000)
        received, code, _ = await play(proxy.url)
    assert code == 1006
    assert set(received) == {"tick"}


async def test_subprotocols():
    recording = Recording([opened(subprotocol="v2"), closed()])
    async with replay(recording) as server:
        for offered, chosen in ((["v1", "v2"], "v2"), (["v1"], None), ([], None)):
            async with ws_connect(server.url, protocols=offered) as ws:
                assert ws.protocol == chosen


async def test_another_client():
    recording = Recording([opened(), message("a"), message(b"b"), closed(1001)])
    async with replay(recording) as server, websockets.asyncio.client.connect(server.url) as ws:
        assert [each async for each in ws] == ["a", b"b"]


async def test_the_end_of_the_test_does_not_wait_for_the_recording():
    recording = Recording([opened(), message("a"), message("b", 3600 * SECOND), closed()])
    async with replay(recording) as server, ws_connect(server.url) as ws:
        assert await ws.receive_str() == "a"


async def test_a_file_that_is_damaged_further_on(file, caplog):
    Recording([opened(), message("a")]).write(file)
    file.write_bytes(file.read_bytes() + b"{}\n")
    with pytest.raises(ValueError, match=r"line 4: it cannot be read"):
        async with replay(file) as server:
            assert await play(server.url) == (["a"], 1011, "")
    assert "line 4" in caplog.text


def test_wrong_arguments(file):
    with pytest.raises(ValueError, match=r"speed is 0, expected a number above 0 or 'max'"):
        replay(Recording([opened()]), speed=0)
    with pytest.raises(ValueError, match=r"speed is nan"):
        replay(Recording([opened()]), speed=float("nan"))
    with pytest.raises(ValueError, match=r"has no connection to replay"):
        replay(Recording())
    with pytest.raises(FileNotFoundError):
        replay(file)
