"""A connection uses its future and its awaitable again: nobody may notice."""

import asyncio

import pytest
from tests.conftest import TEXT, frame

from .linked import TASKS, deliver, linked, tasks_of

A, B, C = frame(TEXT, b"a"), frame(TEXT, b"b"), frame(TEXT, b"c")


@pytest.fixture(params=TASKS, autouse=True)
async def _tasks(request):
    with tasks_of(request.param):
        yield


async def test_a_receive_that_is_still_held_is_not_used_again(scripted):
    async with linked(scripted) as (ws, wire):
        await deliver(wire, A, B, C)
        await ws.receive()
        held = ws.receive()
        await held
        other = ws.receive()
        assert other is not held
        with pytest.raises(RuntimeError, match="already awaited"):
            await held
        assert (await other).data == "c"


async def test_receives_made_in_advance_are_separate(scripted):
    async with linked(scripted) as (ws, wire):
        await deliver(wire, A)
        await ws.receive()
        first, second, many = ws.receive(), ws.receive(timeout=0), ws.receive_many()
        await deliver(wire, A, B, C)
        assert [msg.data for msg in await many] == ["a", "b", "c"]
        with pytest.raises(TimeoutError):
            await second
        task = asyncio.create_task(first)
        await wire.send(A)
        assert (await task).data == "a"


async def test_no_setting_of_an_earlier_receive_is_left(scripted):
    async with linked(scripted) as (ws, wire):
        for _ in range(3):
            await deliver(wire, A)
            assert [msg.data for msg in await ws.receive_many(timeout=0.001)] == ["a"]
            await deliver(wire, A)
            assert await ws.receive_many_str(timeout=0.001) == ["a"]
            task = asyncio.create_task(ws.receive())
            await asyncio.sleep(0.005)
            await wire.send(B)
            assert (await task).data == "b"


async def test_cancelled_and_woken_in_turns(scripted):
    async with linked(scripted) as (ws, wire):
        received = []

        async def read():
            received.append((await ws.receive()).data)

        for number in range(50):
            tasks = []
            for _ in range(number % 3):
                tasks.append(asyncio.create_task(read()))
                await asyncio.sleep(0)
                tasks[-1].cancel()
                if number % 2:
                    await asyncio.wait(tasks)
            tasks.append(asyncio.create_task(read()))
            await asyncio.sleep(0)
            if number % 5:
                await wire.send(frame(TEXT, b"%d" % number))
            else:
                ws._connection.feed(frame(TEXT, b"%d" % number))
            await tasks[-1]
            assert all(task.cancelled() for task in tasks[:-1])
        assert received == [str(number) for number in range(50)]


async def test_several_callbacks_are_all_called(scripted):
    async with linked(scripted) as (ws, wire):
        called = []
        receive = ws.receive()
        future = receive.send(None)
        for number in range(3):
            future.add_done_callback(lambda _, number=number: called.append(number))
        await deliver(wire, A)
        assert called == [0, 1, 2]
        with pytest.raises(StopIteration) as returned:
            receive.send(None)
        assert returned.value.value.data == "a"
        task = asyncio.create_task(ws.receive())
        await wire.send(B)
        assert (await task).data == "b"


async def test_a_future_without_a_callback_is_finished(scripted):
    async with linked(scripted) as (ws, wire):
        receive = ws.receive()
        future = receive.send(None)
        await deliver(wire, A)
        await future
        with pytest.raises(StopIteration) as returned:
            receive.send(None)
        assert returned.value.value.data == "a"
