"""Calls from another thread than the event loop's, and on a WebSocket whose loop is closed."""

import asyncio
import concurrent.futures
import gc
import sys
import threading
import warnings

import aiohttp
import pytest
from tests.conftest import BINARY, CLOSE, PING, PONG, TEXT, frame

import wsclient.aiohttp
from wsclient import ClientConnectionResetError, MsgType, ws_connect
from wsclient._core import Sent

from .linked import deliver, linked

INSTEAD = "use asyncio.run_coroutine_threadsafe"

SENDS = {
    "send_str": (lambda ws: ws.send_str("é"), TEXT, "é".encode()),
    "send_bytes": (lambda ws: ws.send_bytes(b"\xff"), BINARY, b"\xff"),
    "send_json": (lambda ws: ws.send_json({"a": 1}), TEXT, b'{"a": 1}'),
    "send_str, compress": (lambda ws: ws.send_str("x", compress=0), TEXT, b"x"),
    "ping": (lambda ws: ws.ping("p"), PING, b"p"),
    "ping, bare": (lambda ws: ws.ping(), PING, b""),
    "pong": (lambda ws: ws.pong(b"q"), PONG, b"q"),
}
NAMES = {"send_json": "send_str", "send_str, compress": "send_str", "ping, bare": "ping"}

RECEIVES = {
    "receive": lambda ws: ws.receive(),
    "receive(timeout)": lambda ws: ws.receive(timeout=10),
    "receive_many": lambda ws: ws.receive_many(),
    "receive_str": lambda ws: ws.receive_str(),
    "receive_json": lambda ws: ws.receive_json(loads=str),
    "receive_many_str": lambda ws: ws.receive_many_str(),
    "anext": anext,
}


def text_of(received):
    """The text of whatever a receiving method returned."""
    if isinstance(received, list):
        (received,) = received
    return received if isinstance(received, str) else received.data


@pytest.fixture
async def threadsafe():
    """A function that calls `make(ws)` in another thread and has the loop run what it returns."""
    loop = asyncio.get_running_loop()

    async def call(make, *arguments):
        def elsewhere():
            return asyncio.run_coroutine_threadsafe(make(*arguments), loop).result(20)

        return await asyncio.to_thread(elsewhere)

    return call


@pytest.mark.parametrize("name", SENDS)
async def test_sends_through_the_loop(scripted, threadsafe, name):
    send, opcode, payload = SENDS[name]
    async with linked(scripted) as (ws, wire):
        assert await threadsafe(send, ws) is None
        received = await wire.receive()
        assert (received.opcode, received.payload) == (opcode, payload)
        assert ws.stats.messages_sent == (opcode in {TEXT, BINARY})


@pytest.mark.parametrize("name", RECEIVES)
@pytest.mark.parametrize("first", ["message", "reader"])
async def test_receives_through_the_loop(scripted, threadsafe, name, first):
    async with linked(scripted) as (ws, wire):
        if first == "message":
            await deliver(wire, frame(TEXT, b"a"))
            assert text_of(await threadsafe(RECEIVES[name], ws)) == "a"
        else:
            reading = asyncio.create_task(threadsafe(RECEIVES[name], ws))
            await wire.send(frame(TEXT, b"a"))
            assert text_of(await reading) == "a"


async def test_closes_through_the_loop(echo, threadsafe):
    async with ws_connect(echo) as ws:
        assert await threadsafe(lambda: ws.close(code=4001))
        assert ws.close_code == 4001


async def test_the_end_of_an_iteration(scripted, threadsafe):
    async with linked(scripted) as (ws, wire):
        await wire.send(frame(CLOSE, b"\x03\xe8"))
        with pytest.raises(StopAsyncIteration):
            await threadsafe(anext, ws)


@pytest.mark.parametrize("compress", [0, 15])
async def test_many_threads_send(echo, threadsafe, compress):
    async with ws_connect(echo, compress=compress) as ws:

        def talk(name):
            for number in range(50):
                asyncio.run_coroutine_threadsafe(ws.send_str(f"{name} {number}"), loop).result(20)

        loop = asyncio.get_running_loop()
        talking = asyncio.gather(*(asyncio.to_thread(talk, name) for name in range(4)))
        received = [await ws.receive_str() for _ in range(200)]
        await talking
        for name in range(4):
            mine = [text for text in received if text.startswith(f"{name} ")]
            assert mine == [f"{name} {number}" for number in range(50)]


async def test_nothing_happens_before_the_loop_runs_it(scripted):
    async with linked(scripted) as (ws, wire):
        sent = await asyncio.to_thread(ws.send_str, "late")
        assert isinstance(sent, Sent)
        assert asyncio.iscoroutine(sent)
        assert sent.__qualname__ == "ClientWebSocketResponse.send_str"
        received = await asyncio.to_thread(ws.receive)
        await deliver(wire, frame(TEXT, b"a"))
        assert ws.stats.messages_sent == 0
        assert repr(sent) == "<Sent: to be written when it is awaited>"
        assert ws.receive_nowait().data == "a"
        await sent
        assert repr(sent).startswith("<Sent: written")
        await sent
        assert (await wire.receive()).payload == b"late"
        await wire.send(frame(TEXT, b"b"))
        assert (await received).data == "b"
        assert ws.stats.messages_sent == 1


@pytest.mark.parametrize("kind", [bytearray, lambda data: memoryview(bytearray(data))])
async def test_what_may_change_is_copied_when_it_is_given(scripted, kind):
    async with linked(scripted) as (ws, wire):
        data, ping = kind(b"then"), kind(b"ping")
        sents = [await asyncio.to_thread(ws.send_bytes, data)]
        sents.append(await asyncio.to_thread(ws.ping, ping))
        data[:] = ping[:] = b"now!"
        for sent, payload in zip(sents, [b"then", b"ping"], strict=True):
            await sent
            assert (await wire.receive()).payload == payload


async def test_arguments_are_checked_when_they_are_given(scripted):
    async with linked(scripted) as (ws, _):

        def check():
            with pytest.raises(TypeError, match="data must be str"):
                ws.send_str(b"bytes")
            with pytest.raises(TypeError, match="data must be bytes"):
                ws.send_bytes("text")
            with pytest.raises(ValueError, match="compress is 8"):
                ws.send_str("text", compress=8)
            with pytest.raises(UnicodeEncodeError):
                ws.send_str("\ud800")
            with pytest.raises(ValueError, match="ping message is 126 bytes"):
                ws.ping(bytes(126))
            with pytest.raises(TypeError, match="message must be str"):
                ws.pong(1)
            with pytest.raises(ValueError, match="timeout is nan"):
                ws.receive(timeout=float("nan"))

        await asyncio.to_thread(check)


@pytest.mark.parametrize("name", [*SENDS, "receive", "receive_many", "receive_many_str"])
async def test_not_awaited_it_warns(scripted, name):
    call = SENDS[name][0] if name in SENDS else RECEIVES[name]
    method = NAMES.get(name, name)
    text = rf"^coroutine 'ClientWebSocketResponse\.{method}' was never awaited: .*{INSTEAD}"
    async with linked(scripted) as (ws, wire):

        def forget():
            call(ws)

        with pytest.warns(RuntimeWarning, match=text) as caught:
            await asyncio.to_thread(forget)
        assert [warning.filename for warning in caught] == [__file__]
        await deliver(wire)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            (await asyncio.to_thread(call, ws)).close()
            with pytest.raises(LookupError):
                (await asyncio.to_thread(call, ws)).throw(LookupError)
            gc.collect()
        assert ws.stats.frames_sent == 1  # the pong of `deliver`


async def test_closed_before_it_is_sent_it_is_never_sent(scripted):
    async with linked(scripted) as (ws, wire):
        sent = await asyncio.to_thread(ws.send_str, "x")
        sent.close()
        assert repr(sent) == "<Sent: not written>"
        with pytest.raises(RuntimeError, match="cannot reuse"):
            await sent
        task = asyncio.create_task(await asyncio.to_thread(ws.send_str, "x"))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await ws.send_str("y")
        assert (await wire.receive()).payload == b"y"


@pytest.mark.parametrize("name", [*SENDS, *RECEIVES])
async def test_awaited_in_another_thread_it_says_what_to_do(scripted, name):
    call = SENDS[name][0] if name in SENDS else RECEIVES[name]
    doing = "send" if name in SENDS else "receive"
    async with linked(scripted) as (ws, wire):

        def elsewhere():
            async def main():
                await call(ws)

            with pytest.raises(RuntimeError, match=rf"cannot {doing} from another .*{INSTEAD}"):
                asyncio.run(main())

        with warnings.catch_warnings():
            warnings.simplefilter("error")
            await asyncio.to_thread(elsewhere)
        await ws.send_str("y")
        assert (await wire.receive()).payload == b"y"


async def test_a_second_reader_is_refused(scripted, threadsafe):
    async with linked(scripted) as (ws, wire):
        task = asyncio.create_task(ws.receive())
        await asyncio.sleep(0)
        for name in ("receive", "receive_many", "receive_many_str"):
            with pytest.raises(RuntimeError, match="already waiting"):
                await threadsafe(RECEIVES[name], ws)
        await wire.send(frame(TEXT, b"a"))
        assert (await task).data == "a"


async def test_cancelling_the_concurrent_future_ends_the_wait(scripted):
    loop = asyncio.get_running_loop()
    async with linked(scripted) as (ws, wire):

        def cancel():
            waiting = asyncio.run_coroutine_threadsafe(ws.receive(), loop)
            # By then the loop has run it.
            asyncio.run_coroutine_threadsafe(ws.ping(), loop).result(20)
            assert waiting.cancel()
            with pytest.raises(concurrent.futures.CancelledError):
                waiting.result()

        await asyncio.to_thread(cancel)
        assert (await wire.receive()).opcode == PING
        await wire.send(frame(TEXT, b"a"))
        assert (await ws.receive()).data == "a"


async def test_it_waits_for_room(scripted, threadsafe):
    async with linked(scripted) as (ws, wire):
        ws._connection.pause_writing()
        sending = asyncio.create_task(threadsafe(ws.send_str, "x"))
        assert (await wire.receive()).payload == b"x"
        assert not sending.done()
        ws._connection.resume_writing()
        await sending


async def test_on_a_closed_connection(echo, threadsafe):
    async with ws_connect(echo) as ws:
        pass
    with pytest.raises(ClientConnectionResetError, match="closed with code 1000"):
        await threadsafe(ws.send_str, "x")
    assert await threadsafe(ws.receive) == (MsgType.closed, 1000, "")


async def test_an_overridden_method_runs_where_it_is_called(scripted, threadsafe):
    calls = []

    class Logging(wsclient.ClientWebSocketResponse):
        def send_str(self, data, compress=None):
            calls.append(threading.get_ident())
            return super().send_str(data.upper(), compress)

    async with linked(scripted, ws_response_class=Logging) as (ws, wire):
        await threadsafe(lambda: ws.send_json("x"))
        assert (await wire.receive()).payload == b'"X"'
        assert len(calls) == 1
        assert calls != [threading.get_ident()]


async def test_the_adapter(echo, threadsafe):
    with wsclient.aiohttp.install():
        async with aiohttp.ClientSession() as session, session.ws_connect(echo) as ws:
            await threadsafe(ws.send_str, "a")
            await threadsafe(ws.send_frame, b"b", aiohttp.WSMsgType.BINARY)
            assert (await threadsafe(ws.receive)).data == "a"
            assert await threadsafe(ws.receive_bytes) == b"b"
            await threadsafe(ws.close)
            assert ws.closed
            with pytest.raises(aiohttp.ClientConnectionResetError):
                await threadsafe(ws.send_str, "c")


def leave_open(kind, opening):
    """Open a WebSocket on a loop of its own, and close the loop."""
    with asyncio.Runner(loop_factory=kind) as runner:
        return runner.run(opening())


async def as_native(url, threads):
    ws = await ws_connect(url, heartbeat=60)
    await ws.send_str("a")
    assert await ws.receive_str() == "a"
    return ws


async def as_aiohttp(url, threads):
    with wsclient.aiohttp.install():
        session = aiohttp.ClientSession()
        ws = await session.ws_connect(url)
    threads.append(session)
    return ws


@pytest.mark.parametrize("opening", [as_native, as_aiohttp])
@pytest.mark.parametrize("then", ["nothing runs", "another loop", "another thread"])
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.filterwarnings("ignore:Unclosed:ResourceWarning")
async def test_a_websocket_whose_loop_is_closed(echo, opening, then, monkeypatch):
    # aiohttp's own response does not bear that its loop is closed.
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    kind = type(asyncio.get_running_loop())
    native = opening is as_native
    reset = ClientConnectionResetError if native else aiohttp.ClientConnectionResetError
    kept = []

    def use(ws):
        assert ws.closed
        assert ws.close_code == 1006
        assert "closed" in repr(ws)
        sends = [send for send, *_ in SENDS.values()]
        for send in (*sends, lambda ws: ws.round_trip(), lambda ws: ws.send_fragments(["a"])):
            with pytest.raises(reset, match=r"cannot send a .* frame: its event loop is closed"):
                # The adapter's say so when they are awaited.
                send(ws).send(None)
        for call in (*list(RECEIVES.values())[:3], anext, lambda ws: ws.receive_nowait()):
            with pytest.raises(RuntimeError, match=r"cannot receive: .* event loop is closed"):
                call(ws)
        for call in (lambda ws: ws.pause_reading(), lambda ws: ws.resume_reading()):
            with pytest.raises(RuntimeError, match=r"reading: .* event loop is closed"):
                call(ws)
        with pytest.raises(StopIteration) as returned:
            ws.close().send(None)
        assert returned.value.value is False

    async def with_a_loop(ws):
        use(ws)

    def run():
        ws = leave_open(kind, lambda: opening(echo, kept))
        if then == "nothing runs":
            use(ws)
        elif then == "another loop":
            with asyncio.Runner(loop_factory=kind) as runner:
                runner.run(with_a_loop(ws))
        else:
            kept.append(ws)

    await asyncio.to_thread(run)
    if then == "another thread":
        ws = kept.pop()
        use(ws)
        del ws
    kept.clear()
    gc.collect()


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
async def test_what_another_thread_made_before_the_loop_closed(echo):
    kind = type(asyncio.get_running_loop())

    async def make_both():
        ws = await ws_connect(echo)
        sent = await asyncio.to_thread(ws.send_str, "x")
        return sent, await asyncio.to_thread(ws.receive)

    def run():
        sent, received = leave_open(kind, make_both)
        with pytest.raises(ClientConnectionResetError, match="its event loop is closed"):
            sent.send(None)
        with pytest.raises(RuntimeError, match="event loop is closed"):
            received.send(None)

    await asyncio.to_thread(run)
    gc.collect()


async def test_a_loop_that_only_stands_still_is_not_closed(echo):
    kind = type(asyncio.get_running_loop())

    def run():
        loop = kind()
        ws = loop.run_until_complete(ws_connect(echo))
        assert not ws.closed
        assert "open" in repr(ws)
        ws.send_str("between")
        assert loop.run_until_complete(ws.receive_str()) == "between"
        loop.run_until_complete(ws.close())
        loop.close()
        assert ws.close_code == 1000
        assert "code 1000" in repr(ws)
        with pytest.raises(ClientConnectionResetError):
            ws.send_str("x")

    await asyncio.to_thread(run)
