"""The file of a recording: read by lines, written so that what is there stays."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING

from .entries import begins_header, is_header
from .packing import packer_for, unpacked

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from .packing import Packer

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["Sink", "lines_of", "named"]

_FRAME = 4 << 20
"""After so many bytes a compressed file begins a new frame: what is read again to add to it."""


@contextlib.contextmanager
def named(path: Path) -> Generator[None, None, None]:
    """Say in errors which file they are about.

    Args:
        path: Its name.
    """
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{str(path)!r}: {error}") from error


def lines_of(path: Path) -> Generator[bytes, None, None]:
    """Read the whole lines of a file; what is behind the last, a recorder left when it was killed.

    Args:
        path: Its name, which says how it is compressed.

    Raises:
        OSError: It cannot be read.
        ValueError: It is damaged.
    """
    rest = b""
    with path.open("rb") as file:
        for _, _, data in unpacked(path, file):
            *lines, rest = (rest + data).split(b"\n")
            yield from lines


class Sink:
    """Writes a recording, behind what is in its file.

    Args:
        path: Made with access for its owner alone, if it is not there.

    Raises:
        OSError: It cannot be written.
        ValueError: There is something in it, and that is no recording.
        ImportError: It cannot be compressed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._packer: Packer | None = packer_for(path)
        self._framed = 0
        self._descriptor = _opened(path)
        try:
            self._regular = stat.S_ISREG(os.fstat(self._descriptor).st_mode)
            self._size = os.fstat(self._descriptor).st_size if self._regular else 0
            if self._regular:
                self._lock()
                with named(path):
                    self._check()
        except BaseException:
            self.abandon()
            raise

    def _lock(self) -> None:
        if fcntl is None:
            return
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            text = "another recorder is writing to it"
            raise BlockingIOError(error.errno, text, str(self._path)) from None
        except OSError:
            # Not every network's file system can do that.
            pass

    def _check(self) -> None:
        begun = b""
        with self._path.open("rb") as file:
            for _, _, data in unpacked(self._path, file):
                begun += data
                if b"\n" in begun:
                    break
        if not (is_header(begun) if b"\n" in begun else begins_header(begun)):
            raise ValueError("it has something else in it than a recording")

    def resume(self) -> None:
        """Cut off what is behind the last whole line, if a recorder was killed before.

        Raises:
            OSError: It cannot be read or written.
            ValueError: It is damaged.
        """
        if not self._size:
            return
        keep, rest = self._size, b""
        with named(self._path), self._path.open("rb") as file:
            if self._packer is None:
                keep = _last_line(file.fileno(), self._size)
            else:
                for start, whole, data in unpacked(self._path, file):
                    rest = b"" if whole else (rest + data if start == keep else data)
                    keep = self._size if whole else start
        os.ftruncate(self._descriptor, keep)
        os.lseek(self._descriptor, keep, os.SEEK_SET)
        self._size = keep
        if rest:
            # The frame can have no more added to it, as what compressed it is gone.
            self.write(rest[: rest.rfind(b"\n") + 1])
            self.flush()

    def write(self, lines: bytes) -> None:
        """Write whole lines, or have them compressed, to be written by `flush`.

        Raises:
            OSError: The system does not take them. The file is then as `flush` last left it.
        """
        if self._packer is None:
            self._put(lines)
            return
        self._framed += len(lines)
        self._put(self._packer.pack(lines))

    def flush(self) -> None:
        """Let everything so far be readable in the file.

        Raises:
            OSError: As for `write`.
        """
        if self._packer is not None and self._framed >= _FRAME:
            self._put(self._packer.finish())
            self._framed = 0
        elif self._packer is not None:
            self._put(self._packer.flush())
        if self._regular:
            self._size = os.lseek(self._descriptor, 0, os.SEEK_CUR)

    def close(self) -> None:
        """End it.

        Raises:
            OSError: As for `write`.
        """
        if self._packer is not None:
            self._put(self._packer.finish())
        descriptor, self._descriptor = self._descriptor, -1
        os.close(descriptor)

    def abandon(self) -> None:
        """Close the file as it is; what was not flushed does not get there."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def _put(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError:
            if self._regular:
                with contextlib.suppress(OSError):
                    os.ftruncate(self._descriptor, self._size)
            raise


def _opened(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(path.stat().st_mode):
            # A FIFO that nobody reads is an error, where else this would wait.
            flags = os.O_WRONLY | getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0), 0o600)
    if flags & os.O_WRONLY:
        os.set_blocking(descriptor, True)
    return descriptor


def _last_line(descriptor: int, size: int) -> int:
    """Find where the last whole line ends."""
    step = 1 << 16
    end = size
    while end > 0:
        start = max(end - step, 0)
        os.lseek(descriptor, start, os.SEEK_SET)
        found = os.read(descriptor, end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0
