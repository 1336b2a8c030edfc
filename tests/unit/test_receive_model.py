"""Random programs for both ends of a connection, against a model of a plain queue.

The model is the list of the messages that the server has sent. Whatever the programs do, the
client must receive them once, in order, and then `closed` for ever.
"""

import asyncio
import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conftest import BINARY, CLOSE, PING, PONG, TEXT, frame

from wsclient import MsgType, WebSocketError

from .linked import linked

pytestmark = pytest.mark.slow

CONTINUATION = 0
LARGE = 200_000


@st.composite
def pushes(draw):
    """Messages as the server sends them: type, sizes of the fragments, pings between them."""
    sizes = st.one_of(st.integers(0, 300), st.just(LARGE))
    messages = st.tuples(
        st.sampled_from([TEXT, BINARY]), st.lists(sizes, min_size=1, max_size=4), st.booleans()
    )
    # Bytes to hold back until the next push, so that frames are cut anywhere.
    held = st.one_of(st.just(0), st.integers(1, 40))
    return "push", draw(st.lists(messages, min_size=1, max_size=4)), draw(held)


READS = ("receive", "receive_many", "receive(0)", "receive_nowait", "wait_for")
STEPS = st.tuples(st.sampled_from([*READS, "cancel", "settle", "pass"]))
ACTIONS = st.one_of(pushes(), STEPS, STEPS, STEPS)
ENDS = st.sampled_from(["server closes", "server leaves", "server errs", "client closes"])


class Run:
    """One connection, what was sent on it, and what was received."""

    def __init__(self, ws, wire):
        self.ws = ws
        self.wire = wire
        self.sent = []
        self.received = []
        # How many of `sent` the client is known to have read.
        self.arrived = 0
        self.held = b""
        self.reader = None
        self.cancelled = []
        self.settled = 0

    def push(self, messages, held):
        stream = self.held
        for opcode, sizes, with_pings in messages:
            name = b"%d:" % len(self.sent)
            payloads = [name + b"." * sizes[0], *(b"." * size for size in sizes[1:])]
            for index, payload in enumerate(payloads):
                fin = index == len(payloads) - 1
                stream += frame(CONTINUATION if index else opcode, payload, fin=fin)
                if with_pings:
                    stream += frame(PING, name)
            data = b"".join(payloads)
            self.sent.append(data.decode() if opcode == TEXT else data)
        cut = len(stream) - min(held, len(stream))
        self.held = stream[cut:]
        self.wire.transport.write(stream[:cut])

    def flush(self):
        self.wire.transport.write(self.held)
        self.held = b""

    async def settle(self):
        """Wait until the client has read everything, or has paused reading."""
        self.flush()
        self.settled += 1
        mark = b"settled %d" % self.settled
        self.wire.transport.write(frame(PING, mark))
        pong = asyncio.create_task(self.find(PONG, mark))
        while not pong.done():
            if self.ws._connection.reading_paused:
                pong.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await pong
                return
            await asyncio.sleep(0)
        self.arrived = len(self.sent)

    async def find(self, opcode, payload):
        while (received := await self.wire.receive()) is not None:
            if (received.opcode, received.payload) == (opcode, payload):
                return

    def take(self, *messages):
        self.received += [msg.data for msg in messages]
        assert self.received == self.sent[: len(self.received)]

    def collect(self):
        """Take what the reader has, and tell whether it still waits."""
        if self.reader is None or not self.reader.done():
            return self.reader is not None
        result = self.reader.result()
        self.take(*(result if isinstance(result, list) else [result]))
        self.reader = None
        return False

    async def read(self, how):
        if self.collect():
            await self.be_refused(how)
        elif how in {"receive", "receive_many"}:
            self.reader = asyncio.create_task(getattr(self.ws, how)())
            await asyncio.sleep(0)
        else:
            await self.read_at_once(how)

    async def read_at_once(self, how):
        must = self.arrived > len(self.received)
        try:
            if how == "receive(0)":
                msg = await self.ws.receive(timeout=0)
            elif how == "wait_for":
                msg = await asyncio.wait_for(self.ws.receive(), 0.0001)
            else:
                msg = self.ws.receive_nowait()
        except TimeoutError:
            assert not must
        else:
            assert msg is not None or not must
            self.take(*([] if msg is None else [msg]))

    async def be_refused(self, how):
        try:
            if how == "receive_nowait":
                self.ws.receive_nowait()
            elif how == "receive_many":
                await self.ws.receive_many()
            else:
                await self.ws.receive()
        except RuntimeError:
            return
        raise AssertionError(f"{how} took a message from the task that waits")

    def cancel(self):
        if self.collect():
            assert self.reader.cancel()
            self.cancelled.append(self.reader)
            self.reader = None

    async def act(self, action, *arguments):
        if action == "push":
            self.push(*arguments)
        elif action == "settle":
            await self.settle()
        elif action == "cancel":
            self.cancel()
        elif action == "pass":
            await asyncio.sleep(0)
        else:
            await self.read(action)

    async def end(self, how):
        """End the connection and return what must come after the messages."""
        self.flush()
        if how == "client closes":
            return await self.close()
        if how == "server closes":
            self.wire.transport.write(frame(CLOSE, b"\x0f\xa0bye"))
            closed = (MsgType.closed, 4000, "bye")
        elif how == "server errs":
            self.wire.transport.write(frame(CONTINUATION))
            closed = None
        else:
            closed = (MsgType.closed, 1006, "")
        self.wire.transport.write_eof()
        self.arrived = len(self.sent)
        return closed

    async def close(self):
        self.collect()
        server = asyncio.create_task(self.answer_close())
        assert await self.ws.close(code=4001)
        await server
        return (MsgType.closed, 4001, "")

    async def answer_close(self):
        await self.wire.answer_close()
        self.wire.transport.close()

    async def drain(self):
        """Receive up to `closed`, and return what came that was no message of the server's."""
        extra = []
        while True:
            if self.reader is None:
                msg = await self.ws.receive()
            else:
                result = await self.reader
                self.reader = None
                *messages, msg = result if isinstance(result, list) else [result]
                self.take(*messages)
            if msg.tp in {MsgType.text, MsgType.binary}:
                self.take(msg)
                continue
            extra.append(msg)
            if msg.tp is MsgType.closed:
                return extra


@settings(
    deadline=None,
    max_examples=200,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(program=st.lists(ACTIONS, max_size=25), end=ENDS)
async def test_nothing_is_lost_doubled_or_reordered(scripted, program, end):
    async with linked(scripted, max_msg_size=0) as (ws, wire):
        run = Run(ws, wire)
        for action in program:
            await run.act(*action)
        closed = await run.end(end)
        *extra, last = await run.drain()
        assert len(run.received) >= run.arrived
        if end == "server errs":
            assert [type(msg.data) for msg in extra] == [WebSocketError]
            assert (last.tp, last.data) == (MsgType.closed, 1002)
        else:
            assert {msg.tp for msg in extra} <= {MsgType.closing}
            assert last == closed
        assert await ws.receive() == last
        assert ws.receive_nowait() == last
        assert await ws.receive_many() == [last]
        for task in run.cancelled:
            assert task.cancelled()
