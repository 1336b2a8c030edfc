"""What the clients have in common whose messages are awaited."""

from __future__ import annotations

from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from feed import messages, order

from . import BURST

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from . import Payload


class Awaiting:
    """A connection.

    Args:
        send: Sends a payload of the kind of `payload`.
        command: Sends text.
        receive: Receives a message: the payload, or something with it in ``data``.
        close: Closes the connection.
        payload: What is sent, and what comes back.
        ping: Sends a ping.
    """

    def __init__(
        self,
        send: Callable[[Any], Awaitable[None]],
        command: Callable[[str], Awaitable[None]],
        receive: Callable[[], Awaitable[Any]],
        close: Callable[[], Awaitable[Any]],
        payload: Payload,
        *,
        ping: Callable[[bytes], Awaitable[Any]],
    ) -> None:
        self._send = send
        self._command = command
        self._ping = ping
        self._receive = receive
        self.close = close
        self._payload = payload
        self._fed = 0

    async def echo(self, count: int) -> None:
        """Make round trips."""
        send, receive, payload = self._send, self._receive, self._payload
        reply = None
        for _ in range(count):
            await send(payload)
            reply = await receive()
        self._check(reply)

    async def timed_echo(self, count: int) -> list[int]:
        """Make round trips; return the nanoseconds of each."""
        send, receive, payload = self._send, self._receive, self._payload
        durations = []
        for _ in range(count):
            before = perf_counter_ns()
            await send(payload)
            await receive()
            durations.append(perf_counter_ns() - before)
        return durations

    async def prepare_receive(self) -> None:
        """Tell the server what to push."""
        await self._send(self._payload)

    prepare_receive_batches = prepare_receive
    prepare_receive_typed = prepare_receive

    async def receive(self, count: int) -> None:
        """Have `count` messages pushed; take them one at a time."""
        receive = self._receive
        await self._command(str(count))
        message = None
        for _ in range(count):
            message = await receive()
        self._check(message)

    async def burst(self, count: int) -> None:
        """Send some at a time, and take as many."""
        receive = self._receive
        message = None
        while count > 0:
            some = min(count, BURST)
            await self._send_some(some)
            for _ in range(some):
                message = await receive()
            count -= some
        self._check(message)

    async def _send_some(self, count: int) -> None:
        send, payload = self._send, self._payload
        for _ in range(count):
            await send(payload)

    async def feed(self, count: int) -> None:
        """Ask for messages, and take them one at a time."""
        receive = self._receive
        await self._ping(order(count))
        message = None
        for _ in range(count):
            message = await receive()
        self._check_fed(message, count)

    feed_deflated = feed

    async def send(self, count: int) -> None:
        """Send, and wait until all has arrived."""
        send, payload = self._send, self._payload
        for _ in range(count):
            await send(payload)
        await self._command("arrived?")
        await self._receive()

    def _check(self, message: Any) -> None:
        _compare(message, self._payload)

    def _check_fed(self, last: Any, count: int) -> None:
        self._fed += count
        _compare(last, messages()[(self._fed - 1) % len(messages())])


def _compare(message: Any, expected: Payload) -> None:
    received = getattr(message, "data", message)
    if received != expected:
        raise RuntimeError(f"received {received!r:.80}, expected {expected!r:.80}")
