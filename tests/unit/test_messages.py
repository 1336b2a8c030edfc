"""`Message`: the tuple that it is like, and what it adds."""

import copy
import gc
import json
import operator as op
import pickle
import subprocess
import sys
import tracemalloc
import weakref

import pytest

import wsclient
from wsclient import Message, MsgType

TEXT = Message(MsgType.text, "hello", "")
CLOSED = Message(MsgType.closed, 1000, "bye")


def test_attributes():
    assert TEXT.tp is MsgType.text
    assert TEXT.type is TEXT.tp
    assert (CLOSED.data, CLOSED.extra) == (1000, "bye")


def test_message_is_known_by_todays_name_and_found_by_pickle():
    assert wsclient.WSMessage is Message
    assert getattr(wsclient, Message.__qualname__) is Message
    assert Message.__module__ == "wsclient"


def test_made_by_position_and_by_name():
    assert Message(tp=MsgType.text, data="hello", extra="") == TEXT
    with pytest.raises(TypeError):
        Message(MsgType.text, "hello")


@pytest.mark.parametrize("name", ["tp", "type", "data", "extra"])
def test_attributes_are_read_only(name):
    with pytest.raises(AttributeError):
        setattr(TEXT, name, "other")


def test_unpacks_like_the_tuple():
    tp, data, extra = CLOSED
    assert (tp, data, extra) == (MsgType.closed, 1000, "bye")
    first, *rest = CLOSED
    assert (first, rest) == (MsgType.closed, [1000, "bye"])
    assert list(reversed(CLOSED)) == ["bye", 1000, MsgType.closed]
    assert 1000 in CLOSED
    assert 1001 not in CLOSED


def test_indexes_like_the_tuple():
    assert len(CLOSED) == 3
    for index in range(-3, 3):
        assert CLOSED[index] == tuple(CLOSED)[index]
    assert CLOSED[1:] == (1000, "bye")
    assert CLOSED[::-1] == ("bye", 1000, MsgType.closed)
    for index in (3, -4):
        with pytest.raises(IndexError):
            CLOSED[index]
    with pytest.raises(TypeError):
        CLOSED["data"]
    with pytest.raises(TypeError):
        del CLOSED[0]


@pytest.mark.parametrize("operation", [op.eq, op.ne, op.lt, op.le, op.gt, op.ge])
@pytest.mark.parametrize("kind", [tuple, lambda items: Message(*items)])
@pytest.mark.parametrize("data", [999, 1000, 1001])
def test_compares_like_the_tuple(operation, kind, data):
    items = (MsgType.closed, data, "bye")
    assert operation(CLOSED, kind(items)) is operation(tuple(CLOSED), items)
    assert operation(kind(items), CLOSED) is operation(items, tuple(CLOSED))


def test_compares_by_value():
    assert CLOSED == (0x101, 1000, "bye")
    assert CLOSED == (0x101, 1000.0, "bye")


@pytest.mark.parametrize(
    "other", [TEXT, (), (MsgType.closed, 1000), [MsgType.closed, 1000, "bye"], "bye", None]
)
def test_unequal_to_anything_else(other):
    for mine, theirs in ((CLOSED, other), (other, CLOSED)):
        assert op.eq(mine, theirs) is False
        assert op.ne(mine, theirs) is True


def test_has_no_order_with_anything_else():
    with pytest.raises(TypeError):
        op.lt(CLOSED, [*CLOSED])


def test_hashable_when_its_data_is():
    assert {TEXT: 1}[MsgType.text, "hello", ""] == 1
    assert hash(CLOSED) == hash(tuple(CLOSED))
    with pytest.raises(TypeError, match="unhashable"):
        hash(Message(MsgType.binary, bytearray(b"a"), ""))


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (TEXT, "text: hello"),
        (CLOSED, "closed: 1000"),
        (Message(MsgType.error, ValueError("bad"), ""), "error: bad"),
        (Message(MsgType.binary, b"", ""), "other"),
    ],
)
def test_pattern_matching(message, said):
    match message:
        case Message(MsgType.text, str(data), ""):
            result = f"text: {data}"
        case Message(wsclient.WSMsgType.CLOSED, data, _):
            result = f"closed: {data}"
        case Message(type=MsgType.error, data=error):
            result = f"error: {error}"
        case _:
            result = "other"
    assert result == said


@pytest.mark.parametrize("message", [TEXT, CLOSED, Message(MsgType.binary, b"\x00\xff", "")])
@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda message: pickle.loads(pickle.dumps(message))]
)
def test_survives_copy_and_pickle(message, again):
    twin = again(message)
    assert type(twin) is Message
    assert twin == message
    assert twin.tp is message.tp


def test_repr_names_the_fields():
    shown = repr(CLOSED)
    assert shown == "Message(tp=<MsgType.closed: 257>, data=1000, extra='bye')"


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        ("a" * 80, repr("a" * 80)),
        ("a" * 81, f"'{'a' * 80}…' (81 characters)"),
        ("é\n" * 2**19, "'" + r"é\n" * 20 + "…' (1048576 characters)"),
        (b"a" * 2**20, f"b'{'a' * 80}…' (1048576 bytes)"),
        (bytes(2**20), "b'" + r"\x00" * 20 + "…' (1048576 bytes)"),
        ("\U000e0001" * 99, "'" + r"\U000e0001" * 10 + "…' (99 characters)"),
        (bytes(20), repr(bytes(20))),
        ("'" * 99, '"' + "'" * 80 + '…" (99 characters)'),
        ("\udc80" * 2, repr("\udc80" * 2)),
        (ValueError("x" * 1000), "ValueError('" + "x" * 148 + "…"),
    ],
    ids=range(10),
)
def test_repr_is_one_line(data, shown):
    assert repr(Message(MsgType.text, data, "")) == (
        f"Message(tp=<MsgType.text: 1>, data={shown}, extra='')"
    )
    assert repr(Message(MsgType.text, None, data)).endswith(f"data=None, extra={shown})")


def test_repr_makes_none_of_the_whole_payload():
    """Which would take five times its size."""
    message = Message(MsgType.text, "a" * 50_000_000, "")
    tracemalloc.start()
    try:
        repr(message)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("data", ['{"price": 1.5}', b'{"price": 1.5}'])
def test_json(data):
    message = Message(MsgType.text, data, "")
    assert message.json() == {"price": 1.5}
    assert message.json(loads=len) == len(data)


def test_json_lets_errors_pass():
    with pytest.raises(json.JSONDecodeError):
        TEXT.json()
    with pytest.raises(ZeroDivisionError):
        TEXT.json(loads=lambda _: 1 // 0)
    with pytest.raises(TypeError):
        TEXT.json(len)


def test_a_message_in_a_cycle_is_collected():
    class Data:
        pass

    data = Data()
    data.message = Message(MsgType.text, data, "")
    collected = weakref.ref(data)
    del data
    gc.collect()
    assert collected() is None


def test_what_a_message_holds_dies_with_it():
    class Payload:
        pass

    payload = Payload()
    gone = weakref.ref(payload)
    # More than are kept for their next use.
    messages = [Message(MsgType.error, payload, "") for _ in range(200)]
    del payload
    assert gone() is messages[-1].data
    del messages
    assert gone() is None


def test_messages_may_outlive_the_modules_at_exit():
    code = "import wsclient; held = [wsclient.Message(1, 2, 3)]"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stderr == ""
