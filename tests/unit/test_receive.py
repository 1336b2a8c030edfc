"""The awaitable of `receive()`: whatever ends a wait, no message is lost."""

import asyncio
import sys
import sysconfig
import types
from collections.abc import Coroutine
from typing import NamedTuple

import anyio
import pytest
from tests.conftest import PING, TEXT, frame

from wsclient import MsgType, WSMsgType
from wsclient._core import Dialect, Protocol, WebSocketBase

from .linked import TASKS, deliver, linked, tasks_of

A, B, C = frame(TEXT, b"a"), frame(TEXT, b"b"), frame(TEXT, b"c")


class WSMessage(NamedTuple):
    type: WSMsgType
    data: object
    extra: object


@pytest.fixture(params=TASKS, autouse=True)
async def _tasks(request):
    with tasks_of(request.param):
        yield


async def waiting(ws):
    """Start a task that waits in `receive()`, and return it when it does."""
    task = asyncio.create_task(ws.receive())
    await asyncio.sleep(0)
    return task


async def cancelled(task):
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_a_message_that_is_there_is_returned_without_suspending(scripted):
    async with linked(scripted) as (ws, wire):
        await deliver(wire, A)
        with pytest.raises(StopIteration) as returned:
            ws.receive().send(None)
        assert returned.value.value == (MsgType.text, "a", "")


async def test_an_iterator_of_ones_own_goes_through_it(scripted):
    async with linked(scripted) as (ws, wire):
        receive = ws.receive()
        future = next(receive)
        assert asyncio.isfuture(future)
        await deliver(wire, A)
        assert future.done()
        with pytest.raises(StopIteration) as returned:
            next(receive)
        assert returned.value.value == (MsgType.text, "a", "")
        with pytest.raises(RuntimeError, match="already awaited"):
            next(receive)


async def test_a_message_that_is_a_tuple_is_returned_whole():
    dialect = Dialect(
        message=WSMessage,
        text_message=WSMessage,
        msg_type=WSMsgType,
        reset=OSError,
        disconnected=OSError,
        violation=OSError,
    )
    loop = asyncio.get_running_loop()
    ws = WebSocketBase(Protocol(loop, resume_reading=print, dialect=dialect))
    ws._connection.feed(A)
    with pytest.raises(StopIteration) as returned:
        next(ws.receive())
    assert returned.value.value == (MsgType.text, "a", "")
    assert type(returned.value.value) is WSMessage


async def test_a_message_that_comes_later_is_waited_for(scripted):
    async with linked(scripted) as (ws, wire):
        task = await waiting(ws)
        await wire.send(A)
        assert await task == (MsgType.text, "a", "")


async def test_an_unused_receive_blocks_nobody(scripted):
    async with linked(scripted) as (ws, wire):
        kept = ws.receive()
        task = await waiting(ws)
        await wire.send(A, B)
        assert (await task).data == "a"
        assert (await kept).data == "b"


async def test_a_receive_cannot_be_awaited_again(scripted):
    async with linked(scripted) as (ws, wire):
        await deliver(wire, A, B)
        receive = ws.receive()
        assert (await receive).data == "a"
        with pytest.raises(RuntimeError, match="already awaited"):
            await receive
        assert (await ws.receive()).data == "b"


async def test_a_receive_cannot_be_awaited_by_two_tasks(scripted):
    async with linked(scripted) as (ws, wire):
        receive = ws.receive()
        task = asyncio.create_task(receive)
        await asyncio.sleep(0)
        # By hand, because asyncio never ends a task whose add_done_callback() fails.
        with pytest.raises(RuntimeError):
            receive.send(None)
        await wire.send(A)
        assert (await task).data == "a"


async def test_cancelled_before_it_starts(scripted):
    async with linked(scripted) as (ws, wire):
        await deliver(wire, A)
        task = asyncio.create_task(ws.receive())
        task.cancel()
        await cancelled(task)
        assert (await ws.receive()).data == "a"


async def test_cancelled_while_it_waits(scripted):
    async with linked(scripted) as (ws, wire):
        task = await waiting(ws)
        task.cancel("enough")
        with pytest.raises(asyncio.CancelledError, match="enough"):
            await task
        await wire.send(A)
        assert (await ws.receive()).data == "a"


async def test_cancelled_after_it_was_woken(scripted):
    async with linked(scripted) as (ws, _):
        task = await waiting(ws)
        ws._connection.feed(A)
        assert task.cancel()
        await cancelled(task)
        assert ws.receive_nowait().data == "a"


async def test_woken_after_it_was_cancelled(scripted):
    async with linked(scripted) as (ws, _):
        task = await waiting(ws)
        task.cancel()
        ws._connection.feed(A)
        await cancelled(task)
        assert ws.receive_nowait().data == "a"


async def test_cancelled_too_late(scripted):
    async with linked(scripted) as (ws, wire):
        task = await waiting(ws)
        await deliver(wire, A)
        assert not task.cancel()
        assert (await task).data == "a"
        assert ws.receive_nowait() is None


async def test_a_cancellation_can_be_survived(scripted):
    async with linked(scripted) as (ws, wire):

        async def stubborn():
            try:
                return await ws.receive()
            except asyncio.CancelledError:
                return await ws.receive()

        task = asyncio.create_task(stubborn())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        await wire.send(A)
        assert (await task).data == "a"


@pytest.mark.parametrize("first", ["cancel", "message"])
async def test_the_next_reader_may_wait_before_the_cancelled_one_is_gone(scripted, first):
    async with linked(scripted) as (ws, _):
        old = await waiting(ws)
        if first == "cancel":
            old.cancel()
            new = asyncio.create_task(ws.receive())
            ws._connection.feed(A)
        else:
            ws._connection.feed(A)
            old.cancel()
            await asyncio.sleep(0)
            new = asyncio.create_task(ws.receive())
        await cancelled(old)
        assert (await new).data == "a"


async def test_wait_for(scripted):
    async with linked(scripted) as (ws, wire):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ws.receive(), 0.001)
        await deliver(wire, A, B)
        assert (await asyncio.wait_for(ws.receive(), 10)).data == "a"
        try:
            msg = await asyncio.wait_for(ws.receive(), 0)
        except TimeoutError:
            msg = ws.receive_nowait()
        assert msg.data == "b"


async def test_timeout_block(scripted):
    async with linked(scripted) as (ws, wire):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await ws.receive()
        await wire.send(A)
        async with asyncio.timeout(10):
            assert (await ws.receive()).data == "a"


@pytest.mark.parametrize("first", ["timeout", "message"])
async def test_a_timeout_races_a_message(scripted, first):
    async with linked(scripted) as (ws, _):
        bound = asyncio.timeout(None)

        async def bounded():
            async with bound:
                return await ws.receive()

        task = asyncio.create_task(bounded())
        await asyncio.sleep(0)
        now = asyncio.get_running_loop().time()
        if first == "timeout":
            bound.reschedule(now)
            ws._connection.feed(A)
            with pytest.raises(TimeoutError):
                await task
            assert ws.receive_nowait().data == "a"
        else:
            ws._connection.feed(A)
            bound.reschedule(now)
            assert (await task).data == "a"
            assert ws.receive_nowait() is None


async def test_a_shielded_receive_outlives_its_waiter(scripted):
    async with linked(scripted) as (ws, wire):
        inner = await waiting(ws)
        outer = asyncio.ensure_future(asyncio.shield(inner))
        outer.cancel()
        await cancelled(outer)
        await wire.send(A)
        assert (await inner).data == "a"


async def test_a_second_reader_is_refused_and_disturbs_nobody(scripted):
    async with linked(scripted) as (ws, wire):
        both = asyncio.gather(ws.receive(), ws.receive(), return_exceptions=True)
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="already waiting"):
            await ws.receive_many()
        with pytest.raises(RuntimeError, match="already waiting"):
            await anext(ws)
        with pytest.raises(RuntimeError, match="already waiting"):
            ws.receive_nowait()
        await wire.send(A)
        first, second = await both
        assert first.data == "a"
        assert isinstance(second, RuntimeError)


async def test_a_task_group_cancels_its_reader_cleanly(scripted):
    async with linked(scripted) as (ws, wire):

        async def fail():
            raise LookupError

        with pytest.raises(ExceptionGroup) as group:
            async with asyncio.TaskGroup() as tasks:
                reader = tasks.create_task(ws.receive())
                tasks.create_task(fail())
        assert group.group_contains(LookupError)
        assert reader.cancelled()
        await wire.send(A)
        assert (await ws.receive()).data == "a"


async def test_receive_with_a_timeout(scripted):
    async with linked(scripted) as (ws, wire):
        with pytest.raises(TimeoutError, match=r"no message within 0\.001 s"):
            await ws.receive(0.001)
        with pytest.raises(TimeoutError):
            await ws.receive_many(timeout=0)
        await deliver(wire, A, B)
        assert (await ws.receive(timeout=0)).data == "a"
        assert (await ws.receive(timeout=10)).data == "b"


async def test_the_connections_own_receive_timeout(scripted):
    async with linked(scripted, receive_timeout=0.001) as (ws, wire):
        with pytest.raises(TimeoutError):
            await ws.receive()
        with pytest.raises(TimeoutError):
            await anext(ws)
        with pytest.raises(TimeoutError):
            await ws.receive_str()
        task = asyncio.create_task(ws.receive(10))
        await wire.send(A)
        assert (await task).data == "a"


async def test_receive_nowait(scripted):
    async with linked(scripted) as (ws, wire):
        assert ws.receive_nowait() is None
        await deliver(wire, A, B)
        assert ws.receive_nowait().data == "a"
        assert (await ws.receive()).data == "b"
        assert ws.receive_nowait() is None


async def test_receive_many(scripted):
    async with linked(scripted) as (ws, wire):
        task = asyncio.create_task(ws.receive_many())
        await wire.send(A)
        assert [msg.data for msg in await task] == ["a"]
        await deliver(wire, B, frame(PING), C)
        assert [msg.data for msg in await ws.receive_many()] == ["b", "c"]


@pytest.mark.skipif(
    bool(sysconfig.get_config_var("Py_GIL_DISABLED")), reason="Python makes what it completes in"
)
@pytest.mark.parametrize("name", ["receive_many", "receive_many_str"])
async def test_of_a_batch_what_there_is_no_memory_for_waits(name):
    memory = pytest.importorskip("_testcapi")
    texts = [str(number) for number in range(3000)]
    partly = 0
    for place in (*range(30), 1500):
        ws = WebSocketBase(Protocol(asyncio.get_running_loop(), resume_reading=print))
        ws._connection.feed(b"".join(frame(TEXT, text.encode()) for text in texts))
        receive, batch = getattr(ws, name)(), []
        memory.set_nomemory(place)
        try:  # noqa: SIM105 - nothing that takes memory
            batch = await receive
        except MemoryError:
            pass
        memory.remove_mem_hooks()
        partly += 0 < len(batch) < len(texts)
        received = [getattr(each, "data", each) for each in batch]
        while (msg := ws.receive_nowait()) is not None:
            received.append(msg.data)
        assert received == texts
    assert partly > 0 or name == "receive_many_str"


async def test_it_has_the_face_of_a_coroutine(scripted):
    async with linked(scripted) as (ws, wire):
        receive = ws.receive()
        assert isinstance(receive, Coroutine)
        assert asyncio.iscoroutine(receive)
        assert not asyncio.isfuture(receive)
        assert receive.__qualname__ == "ClientWebSocketResponse.receive"
        receive.close()

        @types.coroutine
        def old_style():
            msg = yield from ws.receive()
            return msg.data

        await deliver(wire, A)
        assert await old_style() == "a"


async def test_throwing_into_it_ends_the_wait(scripted):
    async with linked(scripted) as (ws, wire):
        for thrown in [(LookupError,), (LookupError("here"),), (LookupError, "here", None)]:
            receive = ws.receive()
            assert asyncio.isfuture(receive.send(None))
            with pytest.raises(LookupError) as caught:
                receive.throw(*thrown)
            assert caught.value.args in {(), ("here",)}
        await wire.send(A)
        assert (await ws.receive()).data == "a"


async def test_closing_the_coroutine_that_awaits_it_ends_the_wait(scripted):
    async with linked(scripted) as (ws, wire):

        async def read():
            await ws.receive()

        coroutine = read()
        coroutine.send(None)
        coroutine.close()
        await wire.send(A)
        assert (await ws.receive()).data == "a"


async def test_it_takes_no_value_at_the_start(scripted):
    async with linked(scripted) as (ws, _):
        receive = ws.receive()
        with pytest.raises(TypeError, match="non-None value"):
            receive.send("value")
        receive.close()


async def test_anyio_move_on_after(scripted):
    async with linked(scripted) as (ws, wire):
        with anyio.move_on_after(0.001) as scope:
            await ws.receive()
        assert scope.cancelled_caught
        await wire.send(A)
        with anyio.fail_after(10):
            assert (await ws.receive()).data == "a"


async def test_anyio_scope_cancelled_by_another_task(scripted):
    async with linked(scripted) as (ws, wire):
        scope = anyio.CancelScope()

        async def cancel():
            scope.cancel()

        async with anyio.create_task_group() as tasks:
            with scope:
                tasks.start_soon(cancel)
                await ws.receive()
        assert scope.cancelled_caught
        await wire.send(A)
        assert (await ws.receive()).data == "a"


async def test_anyio_scope_cancelled_after_the_wake_up(scripted):
    async with linked(scripted) as (ws, _):
        received = []

        async def read():
            received.append(await ws.receive())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            await asyncio.sleep(0)
            ws._connection.feed(A)
            tasks.cancel_scope.cancel()
        received.append(ws.receive_nowait())
        assert [msg.data for msg in received if msg is not None] == ["a"]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
async def test_eager_tasks(scripted):
    loop = asyncio.get_running_loop()
    async with linked(scripted) as (ws, wire):
        for kind in (asyncio.tasks._CTask, asyncio.tasks._PyTask)[: len(TASKS)]:
            await deliver(wire, A)
            task = kind(ws.receive(), loop=loop, eager_start=True)
            assert task.done()
            assert task.result().data == "a"
            task = kind(ws.receive(), loop=loop, eager_start=True)
            assert not task.done()
            await wire.send(B)
            assert (await task).data == "b"
