"""What an awaitable returns, to whoever resumes it and looks at the `StopIteration`."""

import asyncio
import copy
import gc
import pickle
import sys
import sysconfig
import threading
import traceback
import weakref

import pytest
from tests.conftest import TEXT, frame

from wsclient import Message, MsgType
from wsclient._core import Protocol, WebSocketBase

from .linked import deliver, linked


def returned_by(awaitable):
    """Resume an awaitable that need not wait, and return the exception that it completes with."""
    try:
        next(awaitable)
    except StopIteration as completion:
        return completion
    raise AssertionError("it waits")


async def texts(wire, *contents):
    """Deliver text messages."""
    await deliver(wire, *(frame(TEXT, content.encode()) for content in contents))


async def test_what_a_message_is_returned_in(scripted):
    async with linked(scripted) as (ws, wire):
        await texts(wire, "a")
        completion = returned_by(ws.receive())
        message = completion.value
        assert message.data == "a"
        assert completion.args == (message,)
        assert completion.args[0] is message
        assert str(completion) == str(message)
        assert repr(completion) == f"StopIteration({message!r})"
        assert isinstance(completion, StopIteration)
        assert completion.__context__ is completion.__cause__ is None
        assert not completion.__suppress_context__
        assert not hasattr(completion, "__notes__")
        assert vars(completion) == {}


@pytest.mark.skipif(
    bool(sysconfig.get_config_var("Py_GIL_DISABLED")), reason="Python makes each there"
)
async def test_what_there_is_no_memory_for_is_not_lost():
    memory = pytest.importorskip("_testcapi")
    ws = WebSocketBase(Protocol(asyncio.get_running_loop(), resume_reading=print))
    kept, failures = [], 0
    for place in range(20):
        ws._connection.feed(frame(TEXT, b"a") + frame(TEXT, b"b"))
        # Who keeps one leaves no memory for the next.
        kept.append(returned_by(ws.receive()))
        receive, message = ws.receive(), None
        memory.set_nomemory(place)
        try:  # noqa: SIM105 - nothing that takes memory
            message = await receive
        except MemoryError:
            pass
        memory.remove_mem_hooks()
        failures += message is None
        assert (message or ws.receive_nowait()).data == "b"
    # Before, the value is returned as it is.
    assert failures > 0 or sys.version_info < (3, 12)


async def test_none_is_returned_in_a_bare_one(scripted):
    async with linked(scripted) as (ws, wire):
        completion = returned_by(ws.send_str("a"))
        assert completion.value is None
        assert completion.args == ()
        with pytest.raises(StopIteration) as stopped:
            ws.send_str("b").__next__()
        assert stopped.value.value is None
        assert next(ws.send_str("c"), "default") == "default"
        assert list(ws.send_str("d")) == []
        assert await ws.send_str("e") is None
        assert [(await wire.receive()).payload for _ in range(5)] == [b"a", b"b", b"c", b"d", b"e"]


async def test_what_a_batch_is_returned_in(scripted):
    class Kept:
        pass

    async with linked(scripted) as (ws, wire):
        for receive in (ws.receive_many, ws.receive_many_str):
            await texts(wire, "a", "b")
            completion = returned_by(receive())
            assert len(completion.value) == 2
            assert completion.args == (completion.value,)
            kept = Kept()
            kept.completion = completion
            completion.value.append(kept)
            gone = weakref.ref(kept)
            del completion, kept
            gc.collect()
            assert gone() is None


async def test_kept_ones_keep_their_values(scripted):
    async with linked(scripted) as (ws, wire):
        await texts(wire, *"0123456789")
        kept = []
        for number in range(5):
            kept.append(returned_by(ws.receive()))
            assert (await ws.receive()).data == str(2 * number + 1)
        assert [completion.value.data for completion in kept] == ["0", "2", "4", "6", "8"]
        assert len({id(completion) for completion in kept}) == 5


async def test_the_value_is_not_kept(scripted):
    own = Message(MsgType.text, "own", "")
    async with linked(scripted) as (ws, wire):
        await texts(wire, "a", "b")
        message = await ws.receive()
        assert sys.getrefcount(message) == sys.getrefcount(own)
        message = returned_by(ws.receive()).value
        assert message.data == "b"
        assert sys.getrefcount(message) == sys.getrefcount(own)


async def test_arguments_that_are_kept_outlive_it(scripted):
    async with linked(scripted) as (ws, wire):
        await texts(wire, "a", "b", "c")
        completion = returned_by(ws.receive())
        args = completion.args
        del completion
        assert [message.data for message in args] == ["a"]
        other = returned_by(ws.receive())
        assert (await ws.receive()).data == "c"
        assert [message.data for message in args] == ["a"]
        assert [message.data for message in other.args] == ["b"]


def used_up(completion):
    """Fill everything that an exception has."""
    completion.args = (1, 2, 3)
    completion.value = "other"
    completion.note = completion.__notes__ = ["note"]
    completion.__suppress_context__ = True
    try:
        try:
            {}["key"]
        except KeyError as cause:
            raise completion from cause
    except StopIteration as raised:
        raised.__context__ = ValueError()


def hashed(completion):
    """Have the hash of its arguments worked out, which tuples may keep."""
    assert {completion.args: "found"}[completion.args] == "found"


def shortened(completion):
    """Take away what it has."""
    completion.args = ()
    del completion.value


def suppressed(completion):
    """Set the one field that holds no object."""
    completion.__suppress_context__ = True


@pytest.mark.parametrize("change", [used_up, hashed, shortened, suppressed])
async def test_what_was_done_to_one_is_not_seen_in_the_next(scripted, change):
    async with linked(scripted) as (ws, wire):
        await texts(wire, "a", "b")
        change(returned_by(ws.receive()))
        completion = returned_by(ws.receive())
        assert completion.value.data == "b"
        assert completion.args == (completion.value,)
        assert hash(completion.args) == hash((completion.value,))
        assert completion.__cause__ is completion.__context__ is None
        assert not completion.__suppress_context__
        assert vars(completion) == {}
        # That of this frame alone.
        assert len(traceback.extract_tb(completion.__traceback__)) == 1


async def test_one_that_is_part_of_a_cycle_is_collected(scripted):
    class Kept:
        pass

    async with linked(scripted) as (ws, wire):
        await texts(wire, "a", "b")
        for attribute in ("value", "args", "own"):
            await texts(wire, "c")
            completion = returned_by(ws.receive())
            kept = Kept()
            kept.completion = completion
            setattr(completion, attribute, (kept,))
            gone = weakref.ref(kept)
            del completion, kept
            gc.collect()
            assert gone() is None, attribute


async def test_it_can_be_copied_and_pickled(scripted):
    async with linked(scripted) as (ws, wire):
        await texts(wire, "a")
        completion = returned_by(ws.receive())
        for other in (copy.copy(completion), pickle.loads(pickle.dumps(completion))):
            assert isinstance(other, StopIteration)
            assert other.args == completion.args
            assert other.value == completion.value
        made = type(completion)(1, 2)
        assert (made.value, made.args) == (1, (1, 2))
        del made
        await texts(wire, "b")
        assert returned_by(ws.receive()).value.data == "b"


async def test_a_finalizer_receives_while_one_is_dropped(scripted):
    """What is being dropped, and what that makes and drops, do not get into each other's way."""

    class Receives:
        def __del__(self):
            inner.append(returned_by(ws.receive()))
            received.append(returned_by(ws.receive()).value.data)

    inner, received = [], []
    async with linked(scripted) as (ws, wire):
        await texts(wire, *"abcde")
        completion = returned_by(ws.receive())
        completion.args = (Receives(),)
        del completion
        assert received == ["c"]
        assert (await ws.receive()).data == "d"
        assert inner.pop().value.data == "b"
        assert (await ws.receive()).data == "e"


async def received_while(receive, count):
    """Receive so often in a function that a tool may look at."""
    received = []
    for _ in range(count):
        received.append((await receive()).data)  # noqa: PERF401 - a frame of its own on 3.11
    return received


async def test_a_tracer_sees_and_keeps_it(scripted):
    kept = []

    def trace(scope, event, arg):
        if scope.f_code is received_while.__code__:
            if event == "exception" and issubclass(arg[0], StopIteration):
                kept.append(arg[1])
            return trace
        return None

    async with linked(scripted) as (ws, wire):
        await texts(wire, "a", "b", "c")
        earlier = sys.gettrace()
        sys.settrace(trace)
        try:
            assert await received_while(ws.receive, 3) == ["a", "b", "c"]
        finally:
            sys.settrace(earlier)
        assert [completion.value.data for completion in kept] == ["a", "b", "c"]
        assert [completion.args[0].data for completion in kept] == ["a", "b", "c"]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="came with Python 3.12")
async def test_a_monitoring_tool_sees_and_keeps_it(scripted):
    kept, tool = [], sys.monitoring.DEBUGGER_ID

    def see(code, offset, exception):
        if code is received_while.__code__:
            kept.append(exception)
            # As a tool may, which runs code of the same kind.
            assert returned_by(ws.receive()).value.data == "between"

    sys.monitoring.use_tool_id(tool, "tests")
    try:
        async with linked(scripted) as (ws, wire):
            await texts(wire, "a", "between", "b", "between")
            sys.monitoring.register_callback(tool, sys.monitoring.events.RAISE, see)
            sys.monitoring.set_events(tool, sys.monitoring.events.RAISE)
            assert await received_while(ws.receive, 2) == ["a", "b"]
            sys.monitoring.set_events(tool, 0)
            assert [completion.value.data for completion in kept] == ["a", "b"]
            kept.clear()
            await texts(wire, "c")
            assert (await ws.receive()).data == "c"
    finally:
        sys.monitoring.set_events(tool, 0)
        sys.monitoring.free_tool_id(tool)


async def test_one_is_dropped_in_another_thread(scripted):
    async with linked(scripted) as (ws, wire):
        await texts(wire, *"abc")
        kept = [returned_by(ws.receive()), returned_by(ws.receive())]
        thread = threading.Thread(target=kept.clear)
        thread.start()
        thread.join()
        assert (await ws.receive()).data == "c"
