"""`Recorder`: writes what connections receive and send, from a thread of its own."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import os
import threading
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from wsclient._core import Journal
from wsclient.arguments import read_count, read_flag, read_type
from wsclient.handshake.urls import shown_url

from .entries import header, members_of
from .files import Sink

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Protocol, Self

    from yarl import URL

    class _Recorded(Protocol):
        """A connection of any kind."""

        recorder: object

        def record_in(self, journal: Journal, number: int) -> None: ...


__all__ = ["Recorder", "read_recorder"]

_logger = logging.getLogger("wsclient.recording")  # as the documentation has it

_PAUSE = 0.25
"""Seconds for which the thread lets entries gather before it writes them."""
_PATIENCE = 5.0
"""Seconds that a disk which takes nothing has at the end."""


class _Writer:
    """Takes what a journal has to a file.

    Attributes:
        journal: What waits.
        recorded: Messages that are in the file.
        error: Why no more is written.
        foreign: Whether this is the copy of another process, whose thread has stayed there.
    """

    def __init__(self, path: Path, sink: Sink, limit: int, *, sent: bool) -> None:
        self._waits = threading.Lock()
        self._waits.acquire()
        self._stops = threading.Event()
        self._path = path
        self._sink = sink
        self._header = header(datetime.now(UTC))
        self.journal = Journal(limit, sent, self._waits.release)
        self.recorded = 0
        self.error: Exception | None = None
        self.foreign = False
        self._lost: int | None = None
        self._thread = threading.Thread(target=self._run, name="wsclient.Recorder", daemon=True)
        _writers.add(self)
        self._thread.start()

    @property
    def lost(self) -> int:
        """Messages that are not in the file: when it was closed, or by now."""
        return self.journal.lost[0] if self._lost is None else self._lost

    def stop(self) -> None:
        """Let the thread end when it has written what waits."""
        self._stops.set()
        with contextlib.suppress(RuntimeError):  # it is awake
            self._waits.release()

    def join(self, timeout: float) -> None:
        """Wait for that; what is not written in time is lost.

        Args:
            timeout: Seconds.
        """
        self._thread.join(timeout)
        if self._thread.is_alive():
            text = f"{str(self._path)!r} has taken nothing for {timeout:g} seconds"
            self._fail(TimeoutError(text), 0, 0)

    def forget(self) -> None:
        """Leave file and connections to the process that this one is a fork of."""
        self.foreign = True
        self._sink.abandon()

    def _run(self) -> None:
        messages = size = 0
        try:
            self._sink.resume()
            self._sink.write(self._header)
            while True:
                stops = self._stops.is_set()
                while (taken := self.journal.take()) is not None:
                    lines, more, more_bytes = taken
                    messages, size = messages + more, size + more_bytes
                    self._sink.write(lines)
                self._sink.flush()
                self.recorded += messages
                messages = size = 0
                if stops:
                    break
                self._waits.acquire()
                self._stops.wait(_PAUSE)
            self._sink.close()
            self._lost = self.journal.lost[0]
            self.journal.give_up(0, 0)
        except Exception as error:  # noqa: BLE001 - told to whoever closes the recorder
            self._sink.abandon()
            self._fail(error, messages, size)
        finally:
            _writers.discard(self)

    def _fail(self, error: Exception, messages: int, size: int) -> None:
        self.journal.give_up(messages, size)
        if self.error is None:
            self.error = error
            _logger.error(
                "recording to %r has ended: %s: %s; %d messages recorded, %d lost so far",
                str(self._path), type(error).__name__, error, self.recorded, self.lost,
            )  # fmt: skip


_writers: set[_Writer] = set()
"""Those whose threads run."""


def _end_all() -> None:
    writers = [*_writers]
    for writer in writers:
        writer.stop()
    for writer in writers:
        writer.join(_PATIENCE)


def _forget_all() -> None:
    for writer in [*_writers]:
        writer.forget()
    _writers.clear()


atexit.register(_end_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)


class Recorder:
    """Records to a file what connections receive and send; what `record` of `ws_connect` takes.

    Everything is recorded as it arrives, whichever way it is received later, and as it is sent; a
    thread writes it. One recorder may have several connections, one after the other or at the same
    time. Where the file is there already, it goes on behind its last whole line.

    Where a disk does not keep up, what has no room in `max_waiting` is left out and counted in
    `lost`. A disk that is full ends the recording, not the connections: the logger
    ``wsclient.recording`` says so at level ERROR, `error` has the reason, and `close` raises it.

    What the client sends is in the file, logins too, so a new file is for its owner alone.

    Args:
        path: The file; compressed if its name ends in ``.gz`` or, with what
            ``pip install wsclient-rs[zstd]`` brings before Python 3.14, in ``.zst``.
        sent: Record what is sent as well; if False, only what is received, and the close frame.
        max_waiting: How many bytes may wait to be written; 64 MiB by default.

    Raises:
        TypeError, ValueError: An argument is wrong, or the file has something else in it.
        OSError: It cannot be opened, or another recorder writes to it.
        ImportError: The package for ``.zst`` is missing.

    Example:
        >>> with Recorder("market.jsonl.zst") as recorder:
        ...     async for ws in reconnect("wss://example.org/feed", record=recorder):
        ...         async for msg in ws:
        ...             print(msg.data)
    """

    _writer: _Writer | None = None

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        sent: bool = True,
        max_waiting: int = 64 * 1024 * 1024,
    ) -> None:
        read_type("path", path, (str, os.PathLike), "str or os.PathLike")
        read_flag("sent", sent)
        limit = read_count("max_waiting", max_waiting, 1)
        self._path = Path(path)
        self._closed = False
        self._writer = _Writer(self._path, Sink(self._path), min(limit, 1 << 62), sent=sent)

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    @property
    def recorded(self) -> int:
        """How many messages are in the file by now, control frames among them."""
        return self._running.recorded

    @property
    def lost(self) -> int:
        """How many messages are not in the file, and will not be."""
        return self._running.lost

    @property
    def error(self) -> Exception | None:
        """What has ended the recording early, or None."""
        return self._running.error

    @property
    def closed(self) -> bool:
        """True after `close`."""
        return self._closed

    @property
    def _running(self) -> _Writer:
        assert self._writer is not None  # noqa: S101 - without one, __init__ has raised
        return self._writer

    def close(self) -> None:
        """Write what waits, and close the file; what happens after that is not recorded.

        Blocks until it is done, for 5 seconds at most; `aclose` lets the event loop run meanwhile.

        Raises:
            OSError: Not everything could be written; the second time, nothing is raised.
        """
        if self._closed or self._running.foreign:
            self._closed = True
            return
        self._closed = True
        self._running.stop()
        self._running.join(_PATIENCE)
        if self._running.error is not None:
            raise self._running.error

    async def aclose(self) -> None:
        """Do what `close` does, while the event loop runs.

        Raises:
            OSError: As from `close`.
        """
        await asyncio.to_thread(self.close)

    def begin(self, connection: _Recorded, url: URL, subprotocol: str | None) -> None:
        """Record a connection, from before its first message on. Called by `ws_connect`.

        Args:
            connection: The protocol of its transport.
            url: What it is to.
            subprotocol: What was agreed on.

        Raises:
            RuntimeError: The recorder is closed, or belongs to another process.
        """
        if self._running.foreign:
            raise RuntimeError("the recorder belongs to the parent process")
        if self._closed:
            raise RuntimeError("the recorder is closed")
        journal = self._running.journal
        connection.record_in(journal, journal.open(members_of(shown_url(url), subprotocol)))
        # It lives as long as what it records.
        connection.recorder = self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._leave(exc)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self._leave, exc)

    def _leave(self, exc: BaseException | None) -> None:
        try:
            self.close()
        except Exception as error:
            if exc is None:
                raise
            # What went wrong first is what the user is to see.
            exc.add_note(f"The recording has ended early, too: {type(error).__name__}: {error}")

    def __repr__(self) -> str:
        state = "closed" if self._closed else "failed" if self.error else "open"
        return f"<{type(self).__name__} {str(self._path)!r} {state}>"

    def __del__(self) -> None:
        if self._writer is None or self._closed or self._writer.foreign:
            return
        self._writer.stop()
        warnings.warn(f"unclosed {self!r}", ResourceWarning, stacklevel=2, source=self)


def read_recorder(value: object) -> None:
    """Check what `record` was given.

    Args:
        value: A recorder or None.

    Raises:
        TypeError: It is neither.
    """
    if value is not None:
        read_type("record", value, Recorder, "Recorder or None")
