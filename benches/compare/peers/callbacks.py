"""What the clients have in common that call back for each message."""

from __future__ import annotations

import asyncio
from time import perf_counter_ns


class Counting:
    """Counts down what is to come and says when all has come."""

    left = 0
    finished: asyncio.Future[None]

    def expect(self, count: int) -> asyncio.Future[None]:
        """Count down from `count`; return what is done at 0."""
        self.left = count
        self.finished = asyncio.get_running_loop().create_future()
        return self.finished


class Timing:
    """Keeps when each round trip ended."""

    def start(self) -> None:
        """Begin anew."""
        self.times = [perf_counter_ns()]

    def stamp(self) -> None:
        """End a round trip."""
        self.times.append(perf_counter_ns())

    def durations(self) -> list[int]:
        """Return the nanoseconds of each round trip."""
        return [after - before for before, after in zip(self.times, self.times[1:], strict=False)]


class Draining:
    """Heeds backpressure."""

    paused: asyncio.Future[None] | None = None

    def pause_writing(self) -> None:
        """Wait from here on. Called by the transport."""
        self.paused = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        """Go on. Called by the transport."""
        if self.paused is not None:
            self.paused.set_result(None)
            self.paused = None
