"""How the bytes of a recording are compressed, by the ending of its file's name."""

from __future__ import annotations

import sys
import zlib
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from wsclient.distribution import NAME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import PurePath
    from typing import Any, BinaryIO

__all__ = ["Packer", "packer_for", "unpacked"]

_CHUNK = 1 << 16
_GZIP = 31
"""The window bits by which zlib knows gzip's format."""


class Packer(Protocol):
    """Compresses one frame after the other, each of which stands for itself."""

    def pack(self, data: bytes) -> bytes:
        """Compress; what comes out may be nothing yet."""
        ...

    def flush(self) -> bytes:
        """Return the rest that can be read without what follows."""
        ...

    def finish(self) -> bytes:
        """End the frame, and return its rest."""
        ...


class _Unpacker(Protocol):
    """What `zlib` and `zstd` have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


class _Gzip:
    def __init__(self) -> None:
        self._frame = self._new()

    @staticmethod
    def _new() -> Any:
        return zlib.compressobj(wbits=_GZIP)

    def pack(self, data: bytes) -> bytes:
        packed: bytes = self._frame.compress(data)
        return packed

    def flush(self) -> bytes:
        packed: bytes = self._frame.flush(zlib.Z_SYNC_FLUSH)
        return packed

    def finish(self) -> bytes:
        packed: bytes = self._frame.flush()
        self._frame = self._new()
        return packed


class _Zstd:
    def __init__(self) -> None:
        self._frames = _zstd().ZstdCompressor()

    def pack(self, data: bytes) -> bytes:
        packed: bytes = self._frames.compress(data)
        return packed

    def flush(self) -> bytes:
        packed: bytes = self._frames.flush(self._frames.FLUSH_BLOCK)
        return packed

    def finish(self) -> bytes:
        packed: bytes = self._frames.flush(self._frames.FLUSH_FRAME)
        return packed


def _zstd() -> Any:
    # By name: other packages in `backports` have no types, which would be an error here.
    name = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    try:
        return import_module(name)
    except ImportError:
        raise ImportError(
            f"a recording in .zst needs zstd, which is not installed: pip install {NAME}[zstd]"
            " (one in .gz needs nothing)",
            name="backports.zstd",
        ) from None


def _suffix(path: PurePath) -> str:
    return path.suffix.lower()


def packer_for(path: PurePath) -> Packer | None:
    """Make what compresses a file of this name; None if it is not compressed.

    Args:
        path: Compressed if it ends in ``.zst`` or ``.gz``.

    Raises:
        ImportError: There is nothing that does that.
    """
    match _suffix(path):
        case ".zst":
            return _Zstd()
        case ".gz":
            return _Gzip()
        case _:
            return None


def unpacked(path: PurePath, file: BinaryIO) -> Iterator[tuple[int, bool, bytes]]:
    """Read a file and undo its compression, as far as it has come.

    Args:
        path: Its name.
        file: Where it is read from.

    Yields:
        Where the frame begins in the file, whether it is whole with this, and bytes of it. What is
        not compressed is one frame that is never whole.

    Raises:
        ValueError: It is damaged.
    """
    make: Any
    match _suffix(path):
        case ".zst":
            make, damage = _zstd().ZstdDecompressor, _zstd().ZstdError
        case ".gz":
            make, damage = lambda: zlib.decompressobj(_GZIP), zlib.error
        case _:
            while data := file.read(_CHUNK):
                yield 0, False, data
            return
    position = start = 0
    unpacker: _Unpacker = make()
    while data := file.read(_CHUNK):
        position += len(data)
        while data:
            if unpacker.eof:
                unpacker, start = make(), position - len(data)
            try:
                plain = unpacker.decompress(data)
            except damage as error:
                text = f"it is damaged, or not compressed, behind byte {start}"
                raise ValueError(text) from error
            yield start, unpacker.eof, plain
            data = unpacker.unused_data if unpacker.eof else b""
