"""`Recording`: files that are read, and recordings that are made by hand."""

import dataclasses
import json
from datetime import UTC, datetime

import pytest

from wsclient.testing import Entry, Recording

START = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
ENTRIES = [
    Entry(type="open", ns=1, connection=1, url="wss://example.org/feed?key=***", subprotocol="v1"),
    Entry(type="text", ns=2, connection=1, direction="out", data='{"op": "\N{SNOWMAN}"}'),
    Entry(type="text", ns=3, connection=1, direction="in", data=""),
    Entry(type="binary", ns=4, connection=1, direction="in", data=b"\x00\xff"),
    Entry(type="ping", ns=5, connection=1, direction="in", data=b"a"),
    Entry(type="pong", ns=6, connection=1, direction="out", data=b"a"),
    Entry(type="lost", ns=7, messages=3, bytes=40),
    Entry(type="close", ns=8, connection=1, direction="in", code=1001, reason="bye"),
    Entry(type="close", ns=9, connection=1, direction="out", code=None),
    Entry(type="end", ns=1_500_000_000, connection=1, code=1001),
]


def test_what_is_written_is_what_is_read(path):
    made = Recording(ENTRIES, start=START)
    made.write(path)
    recording = Recording.read(path)
    assert [*recording] == [*made] == ENTRIES
    assert [*recording] == ENTRIES, "a second time"
    assert recording.start == START
    assert recording.received == made.received == ["", b"\x00\xff"]
    assert recording.sent == ['{"op": "\N{SNOWMAN}"}']
    assert recording.lost == 3
    assert [entry.ns for entry in recording.only("close")] == [8, 9]
    assert ENTRIES[-1].time == 1.5
    assert repr(recording) == f"<Recording {str(path)!r}, from 2026-03-01 12:00:00 UTC>"
    assert repr(made) == "<Recording 10 entries, from 2026-03-01 12:00:00 UTC>"


def test_entries_do_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ENTRIES[0].ns = 2


def test_the_format(file):
    """The lines that docs/recording.md shows: what programs in other languages read."""
    Recording(ENTRIES, start=START).write(file)
    lines = [json.loads(line) for line in file.read_bytes().splitlines()]
    assert lines == [
        {"format": "wsclient recording", "version": 1, "start": "2026-03-01T12:00:00.250000Z"},
        {
            "ns": 1,
            "conn": 1,
            "type": "open",
            "url": "wss://example.org/feed?key=***",
            "subprotocol": "v1",
        },
        {"ns": 2, "conn": 1, "dir": "out", "type": "text", "text": '{"op": "\N{SNOWMAN}"}'},
        {"ns": 3, "conn": 1, "dir": "in", "type": "text", "text": ""},
        {"ns": 4, "conn": 1, "dir": "in", "type": "binary", "base64": "AP8="},
        {"ns": 5, "conn": 1, "dir": "in", "type": "ping", "base64": "YQ=="},
        {"ns": 6, "conn": 1, "dir": "out", "type": "pong", "base64": "YQ=="},
        {"ns": 7, "type": "lost", "messages": 3, "bytes": 40},
        {"ns": 8, "conn": 1, "dir": "in", "type": "close", "code": 1001, "reason": "bye"},
        {"ns": 9, "conn": 1, "dir": "out", "type": "close", "code": None, "reason": ""},
        {"ns": 1_500_000_000, "conn": 1, "type": "end", "code": 1001, "reason": ""},
    ]


def test_files_can_be_put_behind_each_other(path):
    """As by `cat`: what was recorded later has later times, and connections of its own."""
    Recording(ENTRIES, start=START).write(path)
    first = path.read_bytes()
    Recording(ENTRIES, start=datetime(2026, 3, 1, 12, 0, 10, 250_000, tzinfo=UTC)).write(path)
    path.write_bytes(first + path.read_bytes())
    entries = [*Recording.read(path)]
    later = [
        dataclasses.replace(entry, ns=entry.ns + 10_000_000_000, connection=entry.connection and 2)
        for entry in ENTRIES
    ]
    assert entries == ENTRIES + later


def test_a_clock_that_was_set_back_lets_no_time_go_back(file):
    Recording(ENTRIES, start=START).write(file)
    first = file.read_bytes()
    Recording(ENTRIES[:2], start=START.replace(hour=3)).write(file)
    file.write_bytes(first + file.read_bytes())
    times = [entry.ns for entry in Recording.read(file)]
    assert times == sorted(times)


def test_members_that_later_versions_may_add_are_ignored(file):
    Recording(ENTRIES[:1], start=START).write(file)
    header, line = file.read_bytes().splitlines()
    file.write_bytes(header + b"\n" + line[:-1] + b',"new":[1]}\n')
    assert [*Recording.read(file)] == ENTRIES[:1]


@pytest.mark.parametrize("content", [b"", b"x", b"{}\n", b'{"type":"text"}\n', b"\n", b"\x1f\x8b"])
def test_what_is_no_recording(file, content):
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"feed.jsonl': this is no recording"):
        Recording.read(file)


def test_another_version(file):
    file.write_bytes(b'{"format":"wsclient recording","version":2,"start":"2026-03-01"}\n')
    with pytest.raises(ValueError, match=r"this is version 2 of the format, expected 1"):
        Recording.read(file)


@pytest.mark.parametrize(
    "line", [b"{", b"[]", b"{}", b'{"ns":"1","type":"text"}', b'{"ns":1,"type":"x","base64":"?"}']
)
def test_a_line_that_cannot_be_read(file, line):
    Recording(ENTRIES, start=START).write(file)
    file.write_bytes(file.read_bytes() + line + b"\n")
    recording, read = Recording.read(file), []
    with pytest.raises(ValueError, match=r"feed.jsonl': line 12: it cannot be read"):
        read.extend(recording)
    assert read == ENTRIES, "what came before is there"


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_damage(tmp_path, suffix):
    path = tmp_path / f"feed{suffix}"
    Recording(ENTRIES, start=START).write(path)
    data = path.read_bytes()
    path.write_bytes(data + b"something else")
    with pytest.raises(ValueError, match=rf"behind byte {len(data)}"):
        [*Recording.read(path)]


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        Recording.read(tmp_path / "x")
