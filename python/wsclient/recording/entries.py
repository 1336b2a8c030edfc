"""The lines of a recording, and what they say."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "Entry",
    "begins_header",
    "entries_of",
    "header",
    "is_header",
    "line_of",
    "members_of",
    "start_of",
]

FORMAT = "wsclient recording"
VERSION = 1

Type: TypeAlias = Literal["open", "text", "binary", "ping", "pong", "close", "end", "lost"]

_BEGINNING = f'{{"format":"{FORMAT}"'.encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A line of a recording.

    Attributes:
        type: ``"text"``, ``"binary"``, ``"ping"``, ``"pong"`` or ``"close"`` for what was sent by
            one side; ``"open"`` and ``"end"`` for the beginning and the end of a connection;
            ``"lost"`` where messages are missing that could not be written in time.
        ns: Nanoseconds since the recording's `start`.
        connection: Which connection it belongs to, from 1; 0 for ``"lost"``.
        direction: ``"in"`` for what the server has sent, ``"out"`` for what the client has.
        data: `str` of a text message; `bytes` of a binary one, of a ping or a pong; else None.
        code: The close code of ``"close"``, None if it had none; and that of ``"end"``, 1006 if
            there was no close frame.
        reason: The close reason.
        url: What ``"open"`` is connected to, without credentials and values of the query.
        subprotocol: The one that its two sides have agreed on.
        messages: How many messages are ``"lost"``.
        bytes: How many bytes of payload those had.
    """

    type: Type
    ns: int = 0
    connection: int = 0
    direction: Literal["in", "out"] | None = None
    data: str | bytes | None = None
    code: int | None = None
    reason: str = ""
    url: str = ""
    subprotocol: str | None = None
    messages: int = 0
    bytes: int = 0

    @property
    def time(self) -> float:
        """Seconds since the recording's `start`."""
        return self.ns / 1e9

    @property
    def is_message(self) -> bool:
        """Whether it is a text or binary message."""
        return self.type in {"text", "binary"}


def header(start: datetime) -> bytes:
    """Make the first line.

    Args:
        start: What times are counted from.
    """
    moment = start.astimezone(UTC).isoformat(timespec="microseconds")
    said = {"format": FORMAT, "version": VERSION, "start": moment.replace("+00:00", "Z")}
    return _line(said)


def is_header(line: bytes) -> bool:
    """Whether a line is the first of a recording, or of what was added to it later."""
    return line.startswith(_BEGINNING)


def begins_header(data: bytes) -> bool:
    """Whether something is the beginning of such a line, and perhaps no more."""
    return data[: len(_BEGINNING)] == _BEGINNING[: len(data)]


def members_of(url: str, subprotocol: str | None) -> bytes:
    """Say what a connection is, as members of an object in JSON.

    Args:
        url: What it is to, fit to be seen.
        subprotocol: What was agreed on.
    """
    return _line({"url": url, "subprotocol": subprotocol})[1:-2]


def line_of(entry: Entry) -> bytes:
    """Make a line of an entry.

    Args:
        entry: What it is to say.
    """
    said: dict[str, Any] = {"ns": entry.ns}
    if entry.type != "lost":
        said["conn"] = entry.connection
    if entry.direction is not None:
        said["dir"] = entry.direction
    said["type"] = entry.type
    if entry.type == "open":
        said |= {"url": entry.url, "subprotocol": entry.subprotocol}
    elif entry.type in {"close", "end"}:
        said |= {"code": entry.code, "reason": entry.reason}
    elif entry.type == "lost":
        said |= {"messages": entry.messages, "bytes": entry.bytes}
    elif isinstance(entry.data, str):
        said["text"] = entry.data
    else:
        said["base64"] = base64.b64encode(entry.data or b"").decode()
    return _line(said)


def _line(said: dict[str, Any]) -> bytes:
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def start_of(line: bytes) -> datetime:
    """Read the time in a header.

    Raises:
        ValueError: It is none, or of another version.
    """
    if not is_header(line):
        raise ValueError("this is no recording")
    said = json.loads(line)
    if said.get("version") != VERSION:
        raise ValueError(
            f"this is version {said.get('version')!r} of the format, expected {VERSION}"
        )
    return datetime.fromisoformat(said["start"])


def entries_of(lines: Iterable[bytes], only: Type | None = None) -> Iterator[Entry]:
    """Read the lines of a recording.

    Args:
        lines: Whole ones, the first of them a header.
        only: The type of the entries that are wanted, if it is one.

    Yields:
        Each entry.

    Raises:
        ValueError: They are none, from the named line on.
    """
    start: datetime | None = None
    offset = latest = connections = highest = 0
    wanted = None if only is None else f'"type":"{only}"'.encode()
    for number, line in enumerate(lines, 1):
        try:
            if is_header(line):
                # What was added later has times and connections of its own.
                section = start_of(line)
                start = start or section
                offset = max(latest, (section - start) // timedelta(microseconds=1) * 1000)
                connections = highest
                continue
            if start is None:
                raise ValueError("this is no recording")  # noqa: TRY301
            if wanted is not None and wanted not in line:
                continue
            entry = _entry(json.loads(line), offset, connections)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            what = error if type(error) is ValueError else "it cannot be read"
            raise ValueError(f"line {number}: {what}") from error
        latest, highest = max(latest, entry.ns), max(highest, entry.connection)
        if only in {None, entry.type}:
            yield entry


def _entry(said: dict[str, Any], offset: int, connections: int) -> Entry:
    data: str | bytes | None = said.get("text")
    if "base64" in said:
        data = base64.b64decode(said["base64"], validate=True)
    connection = said.get("conn", 0)
    return Entry(
        type=said["type"],
        ns=said["ns"] + offset,
        connection=connection and connection + connections,
        direction=said.get("dir"),
        data=data,
        code=said.get("code"),
        reason=said.get("reason", ""),
        url=said.get("url", ""),
        subprotocol=said.get("subprotocol"),
        messages=said.get("messages", 0),
        bytes=said.get("bytes", 0),
    )
