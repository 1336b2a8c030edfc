"""The collector sees through every class of the core; of 100,000 connections nothing is left."""

import asyncio
import enum
import gc
import resource
import socket
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest
from tests.conftest import CLOSE, PING, TEXT, frame

import wsclient.framing
from wsclient import Message, MsgType, framing
from wsclient._core import (
    Alert,
    Buffer,
    ConnectionBase,
    Cork,
    Dialect,
    Journal,
    Messages,
    Protocol,
    Receive,
    Sending,
    Sent,
    Tables,
    Totals,
    WebSocketBase,
)
from wsclient.protocol import WebSocketProtocol

pytestmark = pytest.mark.slow


class Node:
    """Something that a cycle goes through."""

    def resume(self, transport):
        """Be what a protocol holds."""


class Memory:
    """A transport to nowhere."""

    def __init__(self):
        self.written = []
        self.write = self.written.append

    def pause_reading(self):
        pass

    def resume_reading(self):
        pass

    def get_write_buffer_size(self):
        return 0

    def is_closing(self):
        return False

    def close(self):
        pass

    abort = close


@pytest.fixture
def loop():
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def through_a_message(node, loop):
    node.message = Message(MsgType.error, node, "")


def through_a_dialect(node, loop):
    class Kinds(enum.Enum):
        TEXT = BINARY = CLOSE = PING = PONG = CLOSING = CLOSED = ERROR = CONTINUATION = node

    class Found(NamedTuple):
        type: object
        data: object
        extra: object

    node.dialect = Dialect(
        message=Found,
        text_message=Found,
        msg_type=Kinds,
        reset=OSError,
        disconnected=OSError,
        violation=OSError,
    )


def protocol_of(node, loop):
    return Protocol(loop, resume_reading=node.resume)


def through_a_protocol(node, loop):
    node.protocol = protocol_of(node, loop)


def through_what_lets_a_transport_read(node, loop):
    node.protocol = protocol_of(node, loop)
    with socket.socket() as sock:
        node.protocol.ask_socket(sock, node.resume, node.resume)


def through_a_transport(node, loop):
    node.protocol = Protocol(loop, resume_reading=print)
    transport = Memory()
    transport.node = node
    node.protocol.connection_made(transport)


def through_a_key(node, loop):
    node.protocol = Protocol(loop, resume_reading=print)
    node.protocol.keep_newest(3, key=node.resume)


def through_a_failure(node, loop):
    node.protocol = Protocol(loop, resume_reading=print)
    node.protocol.connection_made(Memory())
    error = OSError()
    error.node = node
    node.protocol.fail_with(error)
    node.protocol.connection_lost(None)


def through_those_who_wait_for_the_end(node, loop):
    node.protocol = Protocol(loop, resume_reading=print)
    node.protocol.connection_made(Memory())
    node.protocol.wait_lost().add_done_callback(node.resume)


def through_a_websocket(node, loop):
    node.ws = WebSocketBase(protocol_of(node, loop))


def through_a_connection(node, loop):
    node.connection = ConnectionBase(protocol_of(node, loop))


def through_an_iteration(node, loop):
    node.messages = aiter(ConnectionBase(protocol_of(node, loop)))


def through_a_buffer(node, loop):
    node.buffer = Buffer(protocol_of(node, loop))


def through_a_receive(node, loop):
    node.receive = WebSocketBase(protocol_of(node, loop)).receive()
    assert isinstance(node.receive, Receive)


def through_a_waiting_receive(node, loop):
    node.receive = WebSocketBase(protocol_of(node, loop)).receive(timeout=3600)
    node.receive.send(None)


def sent_of(node, loop):
    protocol = protocol_of(node, loop)
    protocol.connection_made(Memory())
    protocol.pause_writing()
    sent = WebSocketBase(protocol).send_str("a")
    assert isinstance(sent, Sent)
    return sent


def through_a_send(node, loop):
    node.sent = sent_of(node, loop)


def through_a_waiting_send(node, loop):
    node.sent = sent_of(node, loop)
    future = node.sent.send(None)
    future.add_done_callback(node.resume)


def through_a_send_that_is_a_coroutine(node, loop):
    node.sending = WebSocketBase(protocol_of(node, loop), defers=True).send_str("a")
    assert isinstance(node.sending, Sending)


def through_a_send_that_is_a_coroutine_and_waits(node, loop):
    protocol = protocol_of(node, loop)
    protocol.connection_made(Memory())
    protocol.pause_writing()
    node.sending = WebSocketBase(protocol, defers=True).send_str("a")
    node.sending.send(None).add_done_callback(node.resume)


class Text(str):
    """A message that a cycle goes through."""

    __slots__ = ("__dict__",)


class Bytes(bytes):
    """The same."""


def through_a_cork(node, loop):
    node.cork = WebSocketBase(protocol_of(node, loop)).cork()
    assert isinstance(node.cork, Cork)


def through_messages_that_wait(node, loop):
    node.protocol = Protocol(loop, resume_reading=print)
    node.protocol.connection_made(Memory())
    node.protocol.pause_writing()
    text, data = Text("a"), Bytes(b"b")
    text.node = data.node = node
    WebSocketBase(node.protocol).send_many([text, data])


def through_a_send_of_many(node, loop):
    text = Text("a")
    text.node = node
    node.sent = WebSocketBase(protocol_of(node, loop), defers=True).send_many([text])


def elsewhere(function):
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(function).result()


def through_a_receive_of_another_thread(node, loop):
    node.receive = elsewhere(WebSocketBase(protocol_of(node, loop)).receive)


def through_a_send_of_another_thread(node, loop):
    ws = WebSocketBase(protocol_of(node, loop))
    node.sent = elsewhere(lambda: ws.send_str("a", compress=0))


def through_what_a_receive_completes_with(node, loop):
    ws = WebSocketBase(protocol_of(node, loop))
    ws._connection.feed(frame(TEXT, b"a"))
    try:
        next(ws.receive())
    except StopIteration as completion:
        completion.value = node
        node.completion = completion


def through_a_send_of_many_of_another_thread(node, loop):
    text = Text("a")
    text.node = node
    ws = WebSocketBase(protocol_of(node, loop))
    node.sent = elsewhere(lambda: ws.send_many([text]))


WAYS = [value for name, value in globals().items() if name.startswith("through_")]


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.parametrize("way", WAYS)
def test_a_cycle_is_collected(way, loop):
    node = Node()
    way(node, loop)
    dead = weakref.ref(node)
    del node
    gc.collect()
    if held := getattr(loop, "_wsclient_open", None):  # until the connection is lost
        assert dead() is not None
        held.clear()
        gc.collect()
    if way is through_a_waiting_receive:  # the loop's timer holds it
        assert dead() is not None
        loop.close()
        loop._scheduled.clear()
        gc.collect()
    assert dead() is None


def test_every_class_is_tried():
    tried = {Buffer, ConnectionBase, Cork, Dialect, Message, Messages, Protocol, Receive}
    tried |= {Sending, Sent, WebSocketBase}
    # What awaits return by raising, from CPython 3.12 on with the GIL.
    tried |= {kind for kind in [getattr(wsclient._core, "StopIteration", None)] if kind}
    without_objects = {Totals, framing.Frame, framing.MessageParser, framing.Utf8Validator, Alert}
    # One has a lock's method, the other a class: neither leads back.
    without_objects |= {Journal, Tables}
    core = {value for value in vars(wsclient._core).values() if isinstance(value, type)}
    assert core == tried | without_objects


def live(loop, ending):
    """All that a connection does between opening and end."""
    transport = Memory()
    protocol = WebSocketProtocol(loop, resume_reading=id)
    protocol.connection_made(transport)
    protocol.count_in(TOTALS)
    ws = WebSocketBase(protocol)
    protocol.feed(frame(TEXT, b"hello") + frame(PING, b"x") + frame(2, b"y" * 70_000))
    ws.send_str("ä" * 30)
    ws.send_bytes(b"a" * 300)
    for _ in range(2):
        with pytest.raises(StopIteration):
            ws.receive().send(None)
    waiting = ws.receive()
    waiting.send(None)
    waiting.close()
    if ending == "close":
        protocol.start_close(1000, b"bye")
        protocol.feed(frame(CLOSE, b"\x03\xe8"))
    elif ending == "violation":
        protocol.feed(b"\x83\x00")
    protocol.connection_lost(OSError() if ending == "reset" else None)
    assert ws.receive_nowait() is not None


TOTALS = Totals()
ENDINGS = ("close", "violation", "reset", "eof")
# Objects that a connection takes references to and that outlive it.
SHARED = [*MsgType, "", None, TOTALS, WebSocketProtocol, WebSocketBase, Receive, Message, id]


def test_nothing_is_left_of_100_000_connections(loop):
    def lives(times):
        for number in range(times):
            live(loop, ENDINGS[number % len(ENDINGS)])
            if number % 1000 == 0:
                # Timers that were cancelled when a connection had ended.
                loop._scheduled.clear()
                loop.call_soon(loop.stop)
                loop.run_forever()
        loop._scheduled.clear()
        gc.collect()

    def state():
        counts = [sys.getrefcount(shared) for shared in [*SHARED, loop]]
        return counts, sys.getallocatedblocks(), len(gc.get_objects())

    lives(2_001)
    counts, blocks, objects = state()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    lives(100_001)
    counts_after, blocks_after, objects_after = state()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    assert max(abs(a - b) for a, b in zip(counts, counts_after, strict=True)) < 100
    assert abs(objects_after - objects) < 100
    assert blocks_after - blocks < 1000
    assert grown < 8 * 1024, f"{grown} KiB"
