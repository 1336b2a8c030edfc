"""A server that sends what was recorded, when it was recorded."""

from __future__ import annotations

import asyncio
import functools
import logging
import math
from typing import TYPE_CHECKING, Literal

from websockets.server import ServerProtocol
from yarl import URL

from wsclient.recording import Recording

from .server import Server, compressing

if TYPE_CHECKING:
    import os
    import ssl as tls
    from collections.abc import Sequence

    from websockets.typing import Subprotocol

    from wsclient.recording import Entry

    from .connection import ServerConnection

__all__ = ["replay"]

_logger = logging.getLogger(__name__)


def replay(
    recording: Recording | str | os.PathLike[str],
    *,
    speed: float | Literal["max"] = 1.0,
    in_turn: bool = False,
    ssl: bool | tls.SSLContext | None = None,
    compression: bool = False,
    port: int = 0,
) -> Server:
    """Make a server that replays a recording, for ``async with`` or ``with`` in a test.

    The first client gets what the server has sent on the first connection of the recording, the
    second that of the second, and those who come when all have been played the last one again. Of
    connections to several paths a client gets one to the path that it asks for, if there is one.

    Messages and pings are sent as long after the opening of the connection as they came, and it
    ends as it did: by the server's close frame, or without one. Where the client had closed, the
    server does so with the client's code; where the recording breaks off, with 1000. A bot's own
    messages are in `Server.received`, to be compared with `Recording.sent`.

    Args:
        recording: A `Recording`, or the name of its file.
        speed: 1 for its own pace, 2 for double the speed, ``"max"`` for all at once.
        in_turn: Let each message wait until the client has sent as many as the recorded one had by
            then, 5 seconds at most, so that no answer comes before its request.
        ssl: As for `serve`, and so are the others.
        compression: Compress messages if the client offers it.
        port: TCP port.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is no recording, has no connection, or `speed` is not above 0.

    Example:
        >>> async with testing.replay("market.jsonl.zst", speed="max") as server:
        ...     await bot(server.url)
    """
    if not isinstance(recording, Recording):
        recording = Recording.read(recording)
    pace = math.inf if speed == "max" else speed
    if not pace > 0:
        raise ValueError(f"speed is {speed}, expected a number above 0 or 'max'")
    opened = [*recording.only("open")]
    if not opened:
        raise ValueError(f"{recording!r} has no connection to replay")
    known = {entry.subprotocol for entry in opened}

    def select(_: ServerProtocol, offered: Sequence[Subprotocol]) -> Subprotocol | None:
        return next((one for one in offered if one in known), None)

    return Server(
        [_Replay(recording, opened, pace, in_turn=in_turn)],
        protocol=functools.partial(
            ServerProtocol,
            select_subprotocol=select,
            extensions=compressing() if compression else None,
            max_size=None,
        ),
        ssl=ssl,
        process_request=None,
        port=port,
    )


class _Replay:
    """Plays a server's end of the recording's connections, to one client after the other.

    Args:
        recording: What is played.
        opened: The beginnings of its connections.
        pace: How many times as fast.
        in_turn: Whether the client's messages are waited for.
    """

    def __init__(
        self, recording: Recording, opened: Sequence[Entry], pace: float, *, in_turn: bool
    ) -> None:
        self._recording = recording
        self._opened = opened
        self._left = [*opened]
        self._pace = pace
        self._in_turn = in_turn

    async def __call__(self, ws: ServerConnection) -> None:
        """Play the next connection. Called by the server."""
        try:
            await self._play(ws)
        except ValueError as error:
            _logger.error("a replay has ended early: %s", error)  # noqa: TRY400 - it says all
            raise

    async def _play(self, ws: ServerConnection) -> None:
        loop = asyncio.get_running_loop()
        begun, opening = loop.time(), self._next(ws.request.path)
        for entry in self._recording:
            if entry.connection != opening.connection or entry.type == "open":
                continue
            due = begun + (entry.ns - opening.ns) / 1e9 / self._pace
            # Also if it is due: others want to run.
            await asyncio.sleep(max(due - loop.time(), 0))
            if entry.type in {"close", "end"}:
                await (ws.close(entry.code, entry.reason) if entry.type == "close" else ws.drop())
                return
            if entry.direction == "out":
                if self._in_turn and entry.is_message:
                    await ws.expect()
            elif entry.is_message and entry.data is not None:
                await ws.send(entry.data)
            elif entry.type == "ping" and isinstance(entry.data, bytes):
                await ws.ping(entry.data)

    def _next(self, path: str) -> Entry:
        """Choose what a client gets."""
        wanted = path.partition("?")[0]
        for candidates in (self._left, self._opened[::-1]):
            same = (entry for entry in candidates if URL(entry.url).raw_path == wanted)
            entry = next(same, None)
            if entry is not None:
                break
        else:
            entry = self._left[0] if self._left else self._opened[-1]
        if entry in self._left:
            self._left.remove(entry)
        return entry

    def __repr__(self) -> str:
        return f"<replay of {self._recording!r}>"
