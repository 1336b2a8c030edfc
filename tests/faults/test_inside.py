"""Code that runs inside of others: a finalizer, a signal's handler."""

import asyncio
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


async def play(program, *arguments):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"tests.faults.{program}", *arguments),
        cwd=Path(__file__).parents[2],
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(90):
        said, _ = await process.communicate()
    return process.returncode, said


@pytest.mark.parametrize("scheme", ["ws", "wss"])
@pytest.mark.parametrize("what", ["pause", "pause and resume", "abort"])
async def test_a_finalizer_while_uvloop_lets_go(scheme, what):
    # uvloop 0.22 crashes where it is told of a descriptor that it is just letting go of.
    assert await play("reset_inside", scheme, what) == (0, b"acted\n")


@pytest.mark.parametrize("scheme", ["ws", "wss"])
@pytest.mark.parametrize("who", ["collector", "signal"])
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
async def test_a_message_sent_while_another_is(loop, who, scheme):
    assert await play("send_inside", loop, scheme, who) == (0, b"whole\n")
