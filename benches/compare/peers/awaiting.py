"""What the clients have in common whose messages are awaited."""

from __future__ import annotations

from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

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
    """

    def __init__(
        self,
        send: Callable[[Any], Awaitable[None]],
        command: Callable[[str], Awaitable[None]],
        receive: Callable[[], Awaitable[Any]],
        close: Callable[[], Awaitable[Any]],
        payload: Payload,
    ) -> None:
        self._send = send
        self._command = command
        self._receive = receive
        self.close = close
        self._payload = payload

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
    prepare_receive_typed_batches = prepare_receive

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

    async def send(self, count: int) -> None:
        """Send, and wait until all has arrived."""
        send, payload = self._send, self._payload
        for _ in range(count):
            await send(payload)
        await self._command("arrived?")
        await self._receive()

    def _check(self, message: Any) -> None:
        received = getattr(message, "data", message)
        if received != self._payload:
            raise RuntimeError(f"received {received!r:.80}, expected the payload")
