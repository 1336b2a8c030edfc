"""A client in a process of its own whose allocator fails, at one place after another.

    python starved.py asyncio waiting 1

Opens a connection for each place, and lets what the loop calls there run without memory: all of it
from that place on, or one allocation. Writes as JSON what came of each.
"""

import _testcapi
import asyncio
import contextlib
import functools
import json
import os
import select
import signal
import socket
import sys
import traceback

import uvloop
from tests.conftest import BINARY, CLOSE, PING, TEXT, frame
from tests.unit.linked import gone, shake_hands

from wsclient import Conflate, DropOldest, MsgType, framing, ws_connect

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
QUEUES = {"oldest": DropOldest(1000), "conflate": Conflate(lambda message: message.data[:4], 1000)}
ALPHABETS = ("numbers", "mäßig", "числа", "数字", "😀")
LARGE = 200_000
# CPython forgets what it raises where there is no memory for a frame of Python code.
SHORT = (MemoryError, SystemError)


def messages():
    """Numbered, of every kind."""
    for number in range(40):
        text = f"{number:4} {ALPHABETS[number % 5] * (1 + number * 20)}"
        yield text if number % 3 else text.encode()
    yield b"  40 " + bytes(LARGE)
    yield from ("  41 after it", b"  42 the last")


MESSAGES = list(messages())


def stream():
    """The messages as frames, some of them in fragments, with pings between."""
    for number, message in enumerate(MESSAGES):
        opcode, data = (TEXT, message.encode()) if isinstance(message, str) else (BINARY, message)
        if number % 4:
            yield frame(opcode, data)
        else:
            yield frame(opcode, data[:7], fin=False)
            yield frame(PING, b"%d" % number)
            yield frame(0, data[7:])
    yield frame(CLOSE, b"\x03\xe8all is said")


STREAM = b"".join(stream())


def starve(start, once, call):
    """What `call` raises, if the allocations from `start` on fail."""
    _testcapi.set_nomemory(start, start + 1 if once else 0)
    try:
        call()
    except BaseException as error:  # noqa: BLE001 - told to the test
        return error
    finally:
        _testcapi.remove_mem_hooks()
    return None


def tell(sock, _pipe):
    """Send all at the first word, and answer no more."""
    sock.recv(100)
    sock.sendall(STREAM)
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(65536):
            pass


def listen(sock, pipe):
    """Read all, but only when told to by the other side's pipe, and say what it was."""
    pipe.recv(1)
    received = []
    with contextlib.suppress(OSError):
        while data := sock.recv(1 << 20):
            received.append(data)
    data, numbers = b"".join(received), []
    while (parsed := framing.parse_frame(data)) is not None:
        whole, data = parsed[0], data[parsed[1] :]
        # Whatever else there is would be taken for a number.
        numbers.append((whole.payload[:4] + whole.payload[4:].strip(b"\0")).decode("latin-1"))
    pipe.sendall(json.dumps([numbers, len(data)]).encode() + b"\n")


@contextlib.contextmanager
def served(script, extensions=None):
    """A server in a process that has memory; yields its URL and the end of a pipe to it."""
    ours, theirs = socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as listener, ours, theirs:
        child = os.fork()
        if child == 0:
            ours.close()
            try:
                while True:
                    sock, _ = listener.accept()
                    with sock:
                        sock.settimeout(30)
                        shake_hands(sock, extensions)
                        script(sock, theirs)
            except BaseException:  # noqa: BLE001 - nothing of the parent's may run here
                traceback.print_exc()
            finally:
                os._exit(1)
        try:
            yield f"ws://127.0.0.1:{listener.getsockname()[1]}/", ours
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


class Client:
    """Receives, with no need of memory that its connection has not."""

    def __init__(self, ws):
        self.ws = ws
        self.arrived = [None] * 1000
        self.count = 0

    def keep(self, message):
        self.arrived[self.count] = message
        self.count += 1

    async def receive(self):
        """Receive to the end."""
        message = None
        while message is None or message.tp is not MsgType.closed:
            with contextlib.suppress(MemoryError):
                message = await self.ws.receive()
                self.keep(message)

    def take(self):
        """Receive what is there."""
        while (message := self.ws.receive_nowait()) is not None:
            self.keep(message)

    def read(self):
        """Do what the loop does when there is something to read."""
        self.ws._connection._read_ready()


async def reading(url, start, once, kind):
    """Receive; the first reads of the socket run without memory."""
    queue = QUEUES.get(kind)
    ws = await ws_connect(url, max_msg_size=0, queue=queue, autoping=kind != "pings")
    client = Client(ws)
    task = asyncio.create_task(client.receive()) if kind == "waiting" else None
    await asyncio.sleep(0)
    ws.send_str("go")
    ws.pause_reading()
    raised = []
    for _ in range(3):
        select.select([ws.get_extra_info("socket").fileno()], [], [], 10)
        raised.append(starve(start, once, client.read))
        if kind == "taking":
            raised.append(starve(start, once, client.take))
    ws.resume_reading()
    if task is not None:
        await asyncio.wait([task])
        raised.append(task.exception())
    # Without memory, asyncio may have given up the task.
    if task is None or task.exception():
        await client.receive()
    return judge(ws, client.arrived[: client.count], raised)


def judge(ws, arrived, raised):
    """Whether all is right: each message in order, or a MemoryError after those that came."""
    ends = {MsgType.closed, MsgType.error}
    data = [message.data for message in arrived if message.tp in {MsgType.text, MsgType.binary}]
    assert data == MESSAGES[: len(data)], "a hole, or something forged"
    assert all(isinstance(error, MemoryError | None) for error in raised), raised
    errors = [message.data for message in arrived if message.tp is MsgType.error]
    assert all(isinstance(error, MemoryError) for error in errors), errors
    kinds = [message.tp for message in arrived]
    assert not ends & set(kinds[: len(kinds) - len(errors) - 1]), kinds
    if ws.close_code == 1000:
        assert len(data) == len(MESSAGES)
        assert ws.exception() is None
        return "refused" if any(raised) else "whole"
    assert ws.close_code == 1006, ws.close_code
    assert isinstance(ws.exception(), MemoryError), repr(ws.exception())
    return "failed"


async def sending(url, pipe, start, once, size):
    """Send numbered messages, two of them without memory, to a server that does not read yet."""
    ws = await ws_connect(url)
    sent, raised = [], []
    for number in range(6):
        data = b"%4d" % number + bytes(size if number % 2 else 20)
        send = functools.partial(ws.send_bytes, data)
        if number in {1, 2}:
            raised.append(starve(start, once, send))
        else:
            try:
                send()
            except ConnectionError:
                continue
        if number not in {1, 2} or raised[-1] is None:
            sent.append(data[:4].decode())
    pipe.sendall(b"!")
    failed = ws.closed or not ws._connection.alive
    while ws.buffered_amount:  # noqa: ASYNC110 - it has no event
        await asyncio.sleep(0)
    ws._connection.abort()
    await gone(ws)
    failure = ws.exception() if failed else None
    arrived, rest = json.loads(pipe.makefile().readline())
    assert all(isinstance(error, (*SHORT, ConnectionError, type(None))) for error in raised), raised
    if failure is None:
        assert (arrived, rest) == (sent, 0)
        return "refused" if any(raised) else "whole"
    assert isinstance(failure.__cause__ or failure, SHORT), repr(failure)
    assert ws.close_code == 1006
    assert arrived == sent[: len(arrived)]
    return "cut"


async def bursting(url, pipe, start, once, kind):
    """Send numbered messages many at a time, twice without memory, to the same."""
    ws = await ws_connect(url)

    def send(batch):
        if kind == "burst":
            ws.send_many(batch)
        else:
            with ws.cork():
                for data in batch:
                    ws.send_bytes(data)

    batches, raised = [], []
    for number in range(4):
        # The first is more than the socket takes.
        count = 6 if number else 130
        batch = [b"%4d" % (number * 1000 + place) + bytes(30_000) for place in range(count)]
        error = None
        if number in {1, 2}:
            error = starve(start, once, functools.partial(send, batch))
            raised.append(error)
        else:
            try:
                send(batch)
            except ConnectionError as refused:
                error = refused
        batches.append(([data[:4].decode() for data in batch], error))
    pipe.sendall(b"!")
    while ws.buffered_amount:  # noqa: ASYNC110 - it has no event
        await asyncio.sleep(0)
    failed = ws.closed or not ws._connection.alive
    ws._connection.abort()
    await gone(ws)
    failure = ws.exception() if failed else None
    arrived, rest = json.loads(pipe.makefile().readline())
    assert all(isinstance(error, (*SHORT, ConnectionError, type(None))) for error in raised), raised
    # Of what has failed the first messages may have left, and nothing behind one that has not.
    left = arrived
    for names, error in batches:
        count = next((n for n, name in enumerate(names) if left[n : n + 1] != [name]), len(names))
        assert count == len(names) or error is not None or failure is not None, (names, left[:3])
        left = left[count:]
    assert not left
    if failure is None:
        assert rest == 0
        return "refused" if any(raised) else "whole"
    assert isinstance(failure.__cause__ or failure, SHORT), repr(failure)
    assert ws.close_code == 1006
    return "cut"


def main(loop, kind, once):
    """Fail at one place after another, until there is none left."""
    outcomes = []
    sends = kind.startswith(("send", "burst", "cork"))
    with served(listen if sends else tell) as (url, pipe):
        for start in range(1000):
            with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
                if kind in {"burst", "cork"}:
                    outcome = runner.run(bursting(url, pipe, start, once, kind))
                elif sends:
                    size = int(kind.removeprefix("send"))
                    outcome = runner.run(sending(url, pipe, start, once, size))
                else:
                    outcome = runner.run(reading(url, start, once, kind))
            outcomes.append(outcome)
            if outcomes[-20:] == ["whole"] * 20:
                break
    sys.stdout.write(json.dumps({name: outcomes.count(name) for name in sorted(set(outcomes))}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], once=sys.argv[3] == "1")
