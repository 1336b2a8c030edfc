"""Messages as they are shown."""

import json

import pytest

from wsclient import Message, MsgType
from wsclient.cli.messages import LONGEST, TALLEST, line_of, record_of, shown


def text(data):
    return Message(MsgType.text, data, "")


def binary(data):
    return Message(MsgType.binary, data, "")


def test_text_for_people():
    assert shown(text("one\ntwo\tthree\x1b[0m"), 80, colours=False) == (
        "< one\n  two\tthree\\x1b[0m"
    )


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", ["< 0 bytes"]),
        (b"\x00Az\xff", ["< 4 bytes:", f"  000000  {'00 41 7a ff':48} .Az."]),
        (
            bytes(17),
            ["< 17 bytes:", f"  000000  {'00 ' * 16} {'.' * 16}", f"  000010  {'00':48} ."],
        ),
    ],
)
def test_binary_for_people(data, lines):
    assert shown(binary(data), 80, colours=False).split("\n") == lines


def test_what_is_too_long_for_people():
    assert shown(text("x" * (LONGEST + 5)), 80, colours=False).endswith("x ... 5 more characters")
    many = shown(text("\n" * 10_000), 80, colours=False).split("\n")
    assert many[TALLEST:] == [f"  ... {10_001 - TALLEST:,} more lines"]
    many = shown(text(json.dumps(["x" * 70] * 1000)), 80, colours=False).split("\n")
    assert many[TALLEST:] == [f"  ... {1002 - TALLEST:,} more lines"]
    many = shown(binary(bytes(100_000)), 80, colours=False).split("\n")
    assert many[-1] == "  ... 98,400 more bytes"


def test_in_a_pipe_nothing_is_cut():
    assert line_of(text("x" * 100_000), terminal=False) == "x" * 100_000
    assert line_of(binary(bytes(100_000)), terminal=False) == "00" * 100_000
    assert line_of(text("x" * 100_000), terminal=True).endswith("98,000 more characters")


@pytest.mark.parametrize("terminal", [False, True])
def test_records(terminal):
    line = record_of(text('{"é": "\x1b\x9b"}'), 1.5, None, terminal=terminal)
    assert line.isascii() or not terminal
    assert "\n" not in line
    expected = {"time": 1.5, "latency": None, "type": "text", "data": '{"é": "\x1b\x9b"}'}
    assert json.loads(line) == expected
