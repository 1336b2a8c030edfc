"""The zero-hop wake-up: a waiting task goes on inside the read event that has its message."""

import asyncio
import contextvars
import gc
import selectors
import threading

import pytest
import uvloop
from tests.conftest import BINARY, CLOSE, TEXT, frame

from wsclient import ClientConnectionResetError, MsgType, framing, ws_connect

from .linked import TASKS, deliver, gone, linked, tasks_of, threaded

LOOPS = pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])

state = contextvars.ContextVar("state", default="unset")


@pytest.fixture(params=TASKS)
async def _tasks(request):
    with tasks_of(request.param):
        yield


class CountingSelector(selectors.DefaultSelector):
    """Counts how often the event loop asks the system for events."""

    calls = 0

    def select(self, timeout=None):
        self.calls += 1
        return super().select(timeout)


def read_frame(sock, received=b""):
    """Read one frame of the client; nothing may come after it."""
    while (parsed := framing.parse_frame(received)) is None:
        received += sock.recv(65536)
    read, size = parsed
    assert size == len(received)
    return read


def selects_for(url, receive):
    """Count the `select()` calls of `receive(ws)`, on asyncio's own loop and selector."""
    selector = CountingSelector()

    async def main():
        async with asyncio.timeout(10), ws_connect(url) as ws:
            await ws.receive()
            before = selector.calls
            await receive(ws)
            return selector.calls - before

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
        return runner.run(main())


def echo_close(sock):
    sock.sendall(frame(CLOSE, read_frame(sock).payload))


def test_one_message_costs_one_select():
    def script(sock):
        sock.sendall(frame(BINARY, b"0"))
        for number in range(200):
            assert read_frame(sock).payload == b"next"
            sock.sendall(frame(BINARY, b"%d" % number))
        echo_close(sock)

    async def receive(ws):
        for number in range(200):
            await ws.send_bytes(b"next")
            assert (await ws.receive()).data == b"%d" % number

    with threaded(script) as url:
        assert selects_for(url, receive) == 200


def test_messages_of_one_segment_cost_one_select():
    def script(sock):
        sock.sendall(frame(BINARY, b"0"))
        assert read_frame(sock).payload == b"next"
        sock.sendall(b"".join(frame(BINARY, b"%d" % number) for number in range(50)))
        echo_close(sock)

    async def receive(ws):
        ws.send_bytes(b"next")
        for number in range(50):
            assert (await ws.receive()).data == b"%d" % number

    with threaded(script) as url:
        assert selects_for(url, receive) == 1


@pytest.mark.usefixtures("_tasks")
async def test_the_woken_task_is_the_current_one_and_only_while_it_runs(scripted):
    async with linked(scripted) as (ws, wire):
        current = []

        async def read():
            for _ in range(2):
                await ws.receive()
                current.append(asyncio.current_task())

        task = asyncio.create_task(read())
        for _ in range(2):
            await deliver(wire, frame(TEXT, b"a"))
            assert asyncio.current_task() is not task
        await task
        assert current == [task, task]


@pytest.mark.usefixtures("_tasks")
async def test_the_woken_task_has_its_own_context(scripted):
    async with linked(scripted) as (ws, wire):
        seen = []

        async def read():
            state.set("reader")
            for number in range(2):
                await ws.receive()
                seen.append(state.get())
                state.set(f"reader {number}")

        state.set("test")
        task = asyncio.create_task(read())
        await deliver(wire, frame(TEXT, b"a"))
        await deliver(wire, frame(TEXT, b"b"))
        await task
        assert seen == ["reader", "reader 0"]
        assert state.get() == "test"


@pytest.mark.usefixtures("_tasks")
async def test_woken_soon_by_data_that_comes_inside_another_task(scripted):
    async with linked(scripted) as (ws, _):
        task = asyncio.create_task(ws.receive())
        await asyncio.sleep(0)
        this = asyncio.current_task()
        ws._connection.feed(frame(TEXT, b"a"))
        assert asyncio.current_task() is this
        assert not task.done()
        assert (await task).data == "a"


@pytest.mark.usefixtures("_tasks")
async def test_woken_soon_when_its_context_is_entered_already(scripted):
    async with linked(scripted) as (ws, _):
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        after = []

        async def read():
            state.set("reader")
            msg = await ws.receive()
            return msg.data, state.get()

        def feed():
            ws._connection.feed(frame(TEXT, b"a"))
            after.append(task.done())

        task = asyncio.create_task(read(), context=context)
        await asyncio.sleep(0)
        loop.call_soon(feed, context=context)
        assert await task == ("a", "reader")
        assert after == [False]


async def test_a_chain_of_connections_wakes_in_order(scripted):
    """A woken task feeds another connection, whose reader must not run inside it."""
    async with linked(scripted) as (first, wire), linked(scripted) as (second, _):
        order = []

        async def relay():
            msg = await first.receive()
            second._connection.feed(frame(TEXT, msg.data.encode()))
            order.append(asyncio.current_task().get_name())

        async def read():
            order.append((await second.receive()).data)

        tasks = [asyncio.create_task(relay(), name="relay"), asyncio.create_task(read())]
        await wire.send(frame(TEXT, b"a"))
        await asyncio.gather(*tasks)
        assert order == ["relay", "a"]


@pytest.mark.usefixtures("_tasks")
async def test_a_woken_task_receives_and_sends_at_once(scripted):
    async with linked(scripted) as (ws, wire):

        async def echo():
            async for msg in ws:
                await ws.send_str(msg.data)

        task = asyncio.create_task(echo())
        await wire.send(*(frame(TEXT, b"%d" % number) for number in range(100)))
        for number in range(100):
            assert (await wire.receive()).payload == b"%d" % number
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.usefixtures("_tasks")
async def test_a_woken_task_closes(scripted):
    async with linked(scripted) as (ws, wire):

        async def read():
            await ws.receive()
            return await ws.close(), await ws.receive()

        task = asyncio.create_task(read())
        await wire.send(frame(TEXT, b"a"))
        await wire.answer_close()
        wire.transport.close()
        assert await task == (True, (MsgType.closed, 1000, ""))


@pytest.mark.usefixtures("_tasks")
async def test_a_woken_task_aborts(scripted):
    async with linked(scripted) as (ws, wire):

        async def read():
            msg = await ws.receive()
            ws._connection.abort()
            with pytest.raises(ClientConnectionResetError):
                while True:
                    await ws.send_str("after")
                    await asyncio.sleep(0)
            return msg.data, ws.receive_nowait().data, (await ws.receive()).tp

        task = asyncio.create_task(read())
        await wire.send(frame(TEXT, b"a"), frame(TEXT, b"b"))
        assert await task == ("a", "b", MsgType.closed)


@pytest.mark.usefixtures("_tasks")
async def test_a_woken_task_raises(scripted):
    async with linked(scripted) as (ws, wire):

        async def read():
            raise LookupError((await ws.receive()).data)

        task = asyncio.create_task(read())
        await wire.send(frame(TEXT, b"a"), frame(TEXT, b"b"))
        with pytest.raises(LookupError, match="a"):
            await task
        assert (await ws.receive()).data == "b"


@pytest.mark.usefixtures("_tasks")
async def test_a_woken_task_drops_the_last_reference(scripted):
    async def script(wire):
        await wire.send(frame(TEXT, b"a"))
        await wire.end()

    url = await scripted(script)

    async def read():
        ws = await ws_connect(url)
        connection = ws._connection
        text = await ws.receive_str()
        del ws
        gc.collect()
        return text, connection

    with pytest.warns(ResourceWarning, match="unclosed <ClientWebSocketResponse"):
        text, connection = await asyncio.create_task(read())
    assert text == "a"
    lost = connection.wait_lost()
    if lost is not None:
        await lost


@pytest.mark.usefixtures("_tasks")
async def test_a_woken_task_opens_another_connection(scripted, echo):
    async with linked(scripted) as (ws, wire):

        async def read():
            msg = await ws.receive()
            async with ws_connect(echo) as other:
                await other.send_str(msg.data)
                return await other.receive_str()

        task = asyncio.create_task(read())
        await wire.send(frame(TEXT, b"a"))
        assert await task == "a"


async def test_what_a_foreign_callback_raises_goes_to_the_exception_handler(scripted):
    reported = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    async with linked(scripted) as (ws, wire):
        receive = ws.receive()
        receive.send(None).add_done_callback(lambda _: 1 / 0)
        await deliver(wire, frame(TEXT, b"a"))
        assert [type(context["exception"]) for context in reported] == [ZeroDivisionError]
        receive.close()
        assert (await ws.receive()).data == "a"


@LOOPS
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_must_end_the_program_comes_out_of_the_loop(new_loop, error):
    go = threading.Event()

    def script(sock):
        assert go.wait(10)
        sock.sendall(frame(TEXT, b"a") + frame(TEXT, b"b"))
        echo_close(sock)

    async def open_and_wait(url):
        ws = await ws_connect(url)

        async def read():
            await ws.receive()
            raise error

        task = asyncio.create_task(read())
        await asyncio.sleep(0)
        return ws, task

    async def receive_and_close(ws):
        text = await ws.receive_str()
        return text, await ws.close()

    loop = new_loop()
    with threaded(script) as url:
        ws, task = loop.run_until_complete(open_and_wait(url))
        go.set()
        with pytest.raises(error):
            loop.run_until_complete(asyncio.sleep(10))
        assert type(task.exception()) is error
        assert loop.run_until_complete(receive_and_close(ws)) == ("b", True)
    loop.close()


@LOOPS
def test_a_waiting_task_can_be_destroyed(new_loop):
    def script(sock):
        assert sock.recv(1) == b""

    async def abandon(url):
        task = asyncio.create_task(read(await ws_connect(url)))
        await asyncio.sleep(0)
        assert not task.done()

    async def read(ws):
        try:
            await ws.receive()
        except BaseException as error:
            ended.append(type(error))
            raise

    ended, reported = [], []
    loop = new_loop()
    loop.set_exception_handler(lambda _, context: reported.append(context["message"]))
    with threaded(script) as url:
        loop.run_until_complete(abandon(url))
        loop.close()
        del loop
        with pytest.warns(ResourceWarning, match="unclosed"):
            gc.collect()
    assert ended == [GeneratorExit]
    assert reported == ["Task was destroyed but it is pending!"]


async def test_waits_for_the_end_are_woken_too(scripted):
    async with linked(scripted) as (ws, wire):
        task = asyncio.create_task(ws.receive())
        await asyncio.sleep(0)
        wire.reset()
        assert (await task).tp is MsgType.closed
        await gone(ws)


@pytest.mark.parametrize("method", ["append", "set_name"])
async def test_a_builtin_that_is_no_wake_up_is_called_by_the_loop(scripted, method):
    """Whatever its `__self__` is: a task has methods of this kind, too."""
    async with linked(scripted) as (ws, wire):
        called = []
        receiving = ws.receive()
        future = receiving.send(None)
        if method == "append":
            future.add_done_callback(called.append)
        else:
            task = asyncio.create_task(asyncio.Event().wait())
            future.add_done_callback(task.set_name)
        await deliver(wire, frame(TEXT, b"a"))
        assert future.done()
        await asyncio.sleep(0)  # the pass in which the loop calls what waits for the future
        if method == "append":
            assert called == [future]
        else:
            assert task.get_name() == str(future)
            task.cancel()
        with pytest.raises(StopIteration) as stopped:
            receiving.send(None)
        assert stopped.value.value.data == "a"
