"""The native client, in a process of its own that measures itself."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from native import PROGRAM

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from ssl import SSLContext

    from . import Connect, Payload


class Connection:
    """A connection, that is, a process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def ask(self, action: str, count: int) -> list[int]:
        """Have something done; return the nanoseconds it took."""
        self.process.stdin.write(f"{action} {count}\n".encode())
        return [int(word) for word in (await self.process.stdout.readline()).split()]

    async def echo(self, count: int) -> int:
        """Make round trips; return the nanoseconds of CPU time."""
        return (await self.ask("echo", count))[0]

    async def timed_echo(self, count: int) -> list[int]:
        """Make round trips; return the nanoseconds of each."""
        return await self.ask("timed_echo", count)

    async def close(self) -> None:
        """Close the connection and end the process."""
        self.process.stdin.close()
        await self.process.wait()


@asynccontextmanager
async def connecting(_ssl: SSLContext | None) -> AsyncIterator[Connect]:
    """Share nothing."""
    pipe = asyncio.subprocess.PIPE

    async def connect(url: str, payload: Payload, _action: str) -> Connection:
        command = [str(PROGRAM), "echo", url, str(len(payload))]
        return Connection(
            await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, limit=1 << 20)
        )

    yield connect
