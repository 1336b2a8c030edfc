"""The demo's server: asks one question after the other, and after some seconds says ``close``.

It runs in a process of its own, so that it takes no turns of the client's event loop.
"""

from __future__ import annotations

import asyncio
import sys
import time

from wsclient.cli.server import ServerProtocol
from wsclient.types import MsgType, WSCloseCode


class Questions(ServerProtocol):
    """The server's end of one connection.

    The questions are numbers. The next one is sent when the last is answered, so each message
    that the client receives ends one round trip.

    Args:
        seconds: How long to ask.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds
        self._until = 0.0
        self._question = 0

    def opened(self) -> None:
        """Ask the first question."""
        self._until = time.monotonic() + self._seconds
        self._ask()

    def received(self, opcode: int, payload: bytes) -> None:  # noqa: ARG002 - there is one answer
        """Ask the next question, if this answers the last."""
        if payload == b"%d/answer" % self._question:
            self._ask()
        else:
            self.close(WSCloseCode.POLICY_VIOLATION, "that is no answer to my question")

    def _ask(self) -> None:
        self._question += 1
        over = time.monotonic() >= self._until
        self.send(MsgType.text, b"close" if over else b"%d" % self._question)


async def _main(seconds: float) -> None:
    """Print the port, and serve until standard input ends, as it does with the parent process."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Questions(seconds), "127.0.0.1", 0)
    async with server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_main(float(sys.argv[1])))
