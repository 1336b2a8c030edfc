"""Runs the command as a user does: in a process of its own."""

import asyncio
import os
import sys

import pytest

ALONE = {"NO_PROXY": "*", "NETRC": os.devnull}
"""What keeps the machine's own settings out."""


class Ran:
    """What a command has printed, and the status it left with."""

    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def __repr__(self):
        return f"<status {self.status}, out {self.out!r}, err {self.err!r}>"


async def start(*arguments, stdin=asyncio.subprocess.DEVNULL, **env):
    """Start the command in pipes."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "wsclient",
        *arguments,
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **ALONE, **env},
    )


@pytest.fixture
def wsclient():
    """Runs the command to its end."""

    async def run(*arguments, stdin=None, **env):
        where = asyncio.subprocess.DEVNULL if stdin is None else asyncio.subprocess.PIPE
        process = await start(*arguments, stdin=where, **env)
        out, err = await asyncio.wait_for(
            process.communicate(None if stdin is None else stdin.encode()), 60
        )
        return Ran(process.returncode, out.decode(), err.decode())

    return run
