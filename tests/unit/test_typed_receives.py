"""`receive_str` and its like: what `receive` promises holds for them."""

import asyncio
import gc
import json
import weakref
from collections.abc import Coroutine

import pytest
from tests.conftest import BINARY, TEXT, frame

from wsclient import ClientWebSocketResponse, MsgType, WSMessageTypeError, ws_connect

from .linked import TASKS, deliver, linked, tasks_of

KINDS = {
    "receive_str": (frame(TEXT, b"1"), "1"),
    "receive_bytes": (frame(BINARY, b"1"), b"1"),
    "receive_json": (frame(TEXT, b"1"), 1),
    "receive_many_str": (frame(TEXT, b"1"), ["1"]),
    "receive_many_bytes": (frame(BINARY, b"1"), [b"1"]),
}
"""A message that each takes, and what it returns."""


@pytest.fixture(params=TASKS, autouse=True)
async def _tasks(request):
    with tasks_of(request.param):
        yield


@pytest.fixture(params=KINDS)
def name(request):
    return request.param


async def test_it_waits_or_takes_what_is_there(scripted, name):
    message, result = KINDS[name]
    async with linked(scripted) as (ws, wire):
        receive = getattr(ws, name)
        await deliver(wire, message)
        assert await receive() == result
        waiting = asyncio.create_task(receive())
        await asyncio.sleep(0)
        await wire.send(message)
        assert await waiting == result


async def test_it_behaves_as_a_coroutine(scripted, name):
    message, result = KINDS[name]
    async with linked(scripted) as (ws, wire):
        receive = getattr(ws, name)()
        assert isinstance(receive, Coroutine)
        assert receive.__name__ == name
        assert receive.__qualname__ == f"ClientWebSocketResponse.{name}"
        await deliver(wire, message)
        with pytest.raises(StopIteration) as returned:
            receive.send(None)
        assert returned.value.value == result
        with pytest.raises(RuntimeError, match=rf"^cannot reuse already awaited {name}\(\)$"):
            receive.send(None)


async def test_a_cancellation_loses_nothing(scripted, name):
    message, result = KINDS[name]
    async with linked(scripted) as (ws, wire):
        receive = getattr(ws, name)
        waiting = asyncio.create_task(receive())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await deliver(wire, message)
        # Cancelled when it has been told to go on.
        waiting = asyncio.create_task(receive())
        await asyncio.sleep(0)
        assert await waiting == result
        waiting = asyncio.create_task(receive())
        await asyncio.sleep(0)
        ws._connection.feed(message)
        waiting.cancel()
        await asyncio.wait([waiting])
        if waiting.cancelled():
            assert await receive() == result
        else:
            assert waiting.result() == result
        with pytest.raises(TimeoutError):
            await receive(timeout=0.001)
        await wire.send(message)
        assert await receive(timeout=30) == result


async def test_what_is_of_another_kind_is_taken(scripted, name):
    message, result = KINDS[name]
    other = frame(TEXT, b"2") if name.endswith("bytes") else frame(BINARY, b"2")
    async with linked(scripted) as (ws, wire):
        await deliver(wire, other, message)
        with pytest.raises(WSMessageTypeError):
            await getattr(ws, name)()
        assert await getattr(ws, name)() == result


async def test_the_error_for_another_kind_knows_what_is_handled(scripted):
    async with linked(scripted) as (ws, wire):
        await deliver(wire, frame(BINARY, b"2"))
        with pytest.raises(WSMessageTypeError) as caught:
            try:
                {}["key"]
            except KeyError:
                await ws.receive_str()
        assert isinstance(caught.value.__context__, KeyError)
        assert caught.value.__cause__ is None


async def test_what_the_class_says_of_another_kind(scripted):
    class Own(ClientWebSocketResponse):
        def _mistaken(self, msg, expected):
            return LookupError(msg.data, expected)

    async with linked(scripted, ws_response_class=Own) as (ws, wire):
        await deliver(wire, frame(BINARY, b"2"))
        with pytest.raises(LookupError) as caught:
            await ws.receive_str()
        assert caught.value.args == (b"2", "a text message")


class NotedError(Exception):
    pass


@pytest.mark.parametrize(
    "value", [None, (), (1, 2), NotedError("x"), StopIteration(3), KeyError, [], {"a": 1}, "text"]
)
async def test_whatever_loads_returns_arrives(scripted, value):
    async with linked(scripted) as (ws, wire):
        await deliver(wire, *3 * [frame(TEXT, b"1")])
        assert await ws.receive_json(loads=lambda _: value) is value
        with pytest.raises(StopIteration) as returned:
            next(ws.receive_json(loads=lambda _: value))
        assert returned.value.value is value
        assert returned.value.args == (() if value is None else (value,))
        with pytest.raises(StopIteration) as returned:
            ws.receive_json(loads=lambda _: value).send(None)
        assert returned.value.value is value


async def test_loads_runs_in_the_task_that_awaits(scripted):
    async with linked(scripted) as (ws, wire):
        tasks = []

        def loads(text):
            tasks.append(asyncio.current_task())
            return json.loads(text)

        waiting = asyncio.create_task(ws.receive_json(loads=loads))
        await asyncio.sleep(0)
        assert tasks == []
        await wire.send(frame(TEXT, b"[1]"))
        assert await waiting == [1]
        assert tasks == [waiting]


async def test_what_loads_raises_passes_through(scripted):
    error = NotedError()

    def fail(_):
        raise error

    async with linked(scripted) as (ws, wire):
        await deliver(wire, *3 * [frame(TEXT, b"1")])
        with pytest.raises(NotedError) as caught:
            await ws.receive_json(loads=fail)
        assert caught.value is error
        with pytest.raises(TypeError, match="not callable"):
            await ws.receive_json(loads=3)
        assert await ws.receive_json() == 1


async def test_loads_may_use_the_connection(scripted):
    async with linked(scripted) as (ws, wire):
        await deliver(wire, frame(TEXT, b"1"), frame(TEXT, b"2"), frame(TEXT, b"3"))

        def loads(text):
            with pytest.raises(StopIteration) as returned:
                ws.receive_json().send(None)
            ws.send_str("inside")
            return int(text), returned.value.value

        assert await ws.receive_json(loads=loads) == (1, 2)
        assert (await wire.receive()).payload == b"inside"
        assert await ws.receive_json() == 3


async def test_none_is_pythons_own_parser(scripted, monkeypatch):
    async with linked(scripted) as (ws, wire):
        await deliver(wire, frame(TEXT, b"[1]"), frame(TEXT, b"[1]"))
        assert await ws.receive_json(loads=None) == [1]
        monkeypatch.setattr(json, "loads", str.upper)
        assert await ws.receive_json() == "[1]"


async def test_what_is_returned_is_not_kept(scripted):
    class Parsed:
        pass

    async with linked(scripted) as (ws, wire):
        await deliver(wire, *2 * [frame(TEXT, b"1")])
        parsed = await ws.receive_json(loads=lambda _: Parsed())
        gone = weakref.ref(parsed)
        del parsed
        assert gone() is None
        # One that refers to what it was returned in.
        try:
            next(ws.receive_json(loads=lambda _: Parsed()))
        except StopIteration as completion:
            completion.value.completion = completion
            gone = weakref.ref(completion.value)
        gc.collect()
        assert gone() is None


async def test_loads_is_not_kept(scripted):
    class Loads:
        def __call__(self, text):
            return text

    async with linked(scripted) as (ws, wire):
        await deliver(wire, frame(TEXT, b"1"))
        for then in ("awaited", "closed", "cancelled"):
            loads = Loads()
            gone = weakref.ref(loads)
            receive = ws.receive_json(loads=loads)
            del loads
            match then:
                case "awaited":
                    assert await receive == "1"
                case "closed":
                    receive.close()
                case _:
                    waiting = asyncio.create_task(receive)
                    await asyncio.sleep(0)
                    waiting.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await waiting
                    del waiting
            assert gone() is None, then


async def test_loads_that_refers_to_the_receive(scripted):
    class Loads:
        def __call__(self, text):
            return text

    async with linked(scripted) as (ws, _):
        loads = Loads()
        gone = weakref.ref(loads)
        loads.receive = ws.receive_json(loads=loads)
        loads.receive.close()
        loads.receive = ws.receive_json(loads=loads)
        del loads
        with pytest.warns(RuntimeWarning, match="receive_json' was never awaited"):
            gc.collect()
        assert gone() is None


class Through(ClientWebSocketResponse):
    """Overrides `receive` as users do."""

    async def receive(self, timeout=None):
        msg = await super().receive(timeout)
        if msg.tp is MsgType.text:
            return type(msg)(msg.tp, msg.data + "0", "")
        return type(msg)(msg.tp, msg.data + b"0", "")


class Grandchild(Through):
    pass


@pytest.mark.parametrize("kind", [Through, Grandchild])
async def test_it_goes_through_an_overridden_receive(scripted, kind):
    async with linked(scripted, ws_response_class=kind) as (ws, wire):
        text, binary = frame(TEXT, b"1"), frame(BINARY, b"1")
        await deliver(wire, text, text, binary, text, binary, *3 * [text])
        # What that makes of one may be of another kind.
        assert await ws.receive_many_str() == ["10"]
        assert await ws.receive_many_str(timeout=30) == ["10"]
        assert await ws.receive_many_bytes() == [b"10"]
        assert await ws.receive_str() == "10"
        assert await ws.receive_bytes() == b"10"
        assert await ws.receive_json() == 10
        assert await ws.receive_json(loads=len, timeout=30) == 2
        with pytest.raises(WSMessageTypeError, match=r"^received a text message, expected"):
            await ws.receive_bytes(timeout=30)
        with pytest.raises(TimeoutError):
            await ws.receive_str(timeout=0.001)


async def test_a_subclass_may_override_it_beside_receive(scripted):
    class Own(Through):
        async def receive_str(self, *, timeout=None):
            return "own " + await super().receive_str(timeout=timeout)

    class Alone(ClientWebSocketResponse):
        async def receive_str(self, *, timeout=None):
            return "own " + await super().receive_str(timeout=timeout)

    for kind, result in ((Own, "own 10"), (Alone, "own 1")):
        async with linked(scripted, ws_response_class=kind) as (ws, wire):
            await deliver(wire, frame(TEXT, b"1"))
            assert await ws.receive_str() == result


async def test_positional_arguments_are_refused(echo):
    async with ws_connect(echo) as ws:
        for name in KINDS:
            with pytest.raises(TypeError):
                getattr(ws, name)(1)
