"""What connections have done, in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Stats"]


class Stats(NamedTuple):
    """What a connection has done so far, or all connections of a session.

    Bytes are those of payloads, before compression and after decompression unless said otherwise.

    Attributes:
        messages_received: Text and binary messages that have arrived whole.
        bytes_received: Their bytes.
        frames_received: Frames that have arrived, control frames among them.
        control_frames_received: Close frames, pings and pongs among them.
        inflated_bytes: Bytes of received messages that were compressed.
        deflated_bytes_received: The same, as they came.
        messages_sent: Text and binary messages.
        bytes_sent: Their bytes.
        frames_sent: Frames, control frames among them.
        control_frames_sent: Close frames, pings and pongs among them.
        compressed_bytes: Bytes of sent messages that were compressed.
        deflated_bytes_sent: The same, as they went out.
        pauses: How often this side has paused reading.
        queue_high_water: The most bytes that messages have taken while nobody had received them,
            some overhead included.
    """

    messages_received: int
    bytes_received: int
    frames_received: int
    control_frames_received: int
    inflated_bytes: int
    deflated_bytes_received: int
    messages_sent: int
    bytes_sent: int
    frames_sent: int
    control_frames_sent: int
    compressed_bytes: int
    deflated_bytes_sent: int
    pauses: int
    queue_high_water: int

    @property
    def received_ratio(self) -> float | None:
        """How many bytes one received byte of compressed messages stood for; None before any."""
        if not self.deflated_bytes_received:
            return None
        return self.inflated_bytes / self.deflated_bytes_received

    @property
    def sent_ratio(self) -> float | None:
        """How many bytes one sent byte of compressed messages stands for; None before any."""
        if not self.deflated_bytes_sent:
            return None
        return self.compressed_bytes / self.deflated_bytes_sent

    @classmethod
    def total(cls, rows: Iterable[Sequence[int]]) -> Stats:
        """Add up several; of `queue_high_water`, take the highest."""
        *sums, high_waters = zip(*rows, strict=True)
        return cls._make([*map(sum, sums), max(high_waters)])
