"""`Recording`: what was recorded, to be looked at, changed, and replayed."""

from __future__ import annotations

import itertools
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from .entries import entries_of, header, line_of, start_of
from .files import lines_of, named
from .packing import packer_for

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator
    from typing import Self

    from .entries import Entry, Type

__all__ = ["Recording"]


class Recording:
    """What connections have received and sent: iterate over it for its entries.

    One that is read from a file reads that again for each iteration, and keeps none of it: it may
    be larger than memory.

    Args:
        entries: In their order.
        start: What their times are counted from; now, if it is not given.

    Example:
        >>> for entry in Recording.read("market.jsonl.zst"):
        ...     print(entry.time, entry.direction, entry.data)
    """

    def __init__(self, entries: Iterable[Entry] = (), *, start: datetime | None = None) -> None:
        self._entries: tuple[Entry, ...] | None = tuple(entries)
        self._path: Path | None = None
        self._start = datetime.now(UTC) if start is None else start

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """Read a file that a `Recorder` has written, or is writing.

        What is behind its last whole line, where a recorder was killed, is left out.

        Args:
            path: The file; its name says how it is compressed.

        Raises:
            OSError: It cannot be read.
            ValueError: It is no recording. What is wrong further on is raised when that is reached.
            ImportError: The package for ``.zst`` is missing.
        """
        self = cls()
        self._path, self._entries = Path(path), None
        with named(self._path), closing(lines_of(self._path)) as lines:
            self._start = start_of(next(lines, b""))
        return self

    @property
    def start(self) -> datetime:
        """When it began, by the recorder's clock; what the times of entries are counted from."""
        return self._start

    @property
    def received(self) -> list[str | bytes]:
        """What servers have sent, text and binary messages."""
        return self._messages("in")

    @property
    def sent(self) -> list[str | bytes]:
        """What the client has sent, text and binary messages."""
        return self._messages("out")

    @property
    def lost(self) -> int:
        """How many messages are missing, as they could not be written in time."""
        return sum(entry.messages for entry in self.only("lost"))

    def __iter__(self) -> Iterator[Entry]:
        return self._read(None)

    def only(self, type: Type) -> Iterator[Entry]:  # noqa: A002 - the attribute's name
        """Iterate over the entries of one type, which is quicker than looking at all.

        Args:
            type: As in `Entry.type`.
        """
        return self._read(type)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write it to a file, in place of what is there.

        Args:
            path: The file; compressed if its name ends in ``.gz`` or ``.zst``.

        Raises:
            OSError: It cannot be written.
            ImportError: The package for ``.zst`` is missing.
        """
        packer = packer_for(Path(path))
        lines = itertools.chain([header(self._start)], map(line_of, self))
        with Path(path).open("wb") as file:
            if packer is None:
                file.writelines(lines)
                return
            file.writelines(map(packer.pack, lines))
            file.write(packer.finish())

    def _messages(self, direction: str) -> list[str | bytes]:
        return [
            entry.data
            for entry in self
            if entry.is_message and entry.direction == direction and entry.data is not None
        ]

    def _read(self, only: Type | None) -> Iterator[Entry]:
        if self._path is None:
            yield from (entry for entry in self._entries or () if only in {None, entry.type})
            return
        with named(self._path), closing(lines_of(self._path)) as lines:
            yield from entries_of(lines, only)

    def __repr__(self) -> str:
        of = f"{len(self._entries or ())} entries" if self._path is None else repr(str(self._path))
        return f"<{type(self).__name__} {of}, from {self._start:%Y-%m-%d %H:%M:%S %Z}>"
