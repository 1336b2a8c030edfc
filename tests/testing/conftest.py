"""Whatever a test of the kit does, nothing is left of it."""

import asyncio
from pathlib import Path

import pytest


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def others():
    return asyncio.all_tasks() - {asyncio.current_task()}


@pytest.fixture(autouse=True)
async def nothing_is_left():
    """Ends when all tasks and descriptors are gone; complains of what the loop complained of."""
    loop, complaints = asyncio.get_running_loop(), []
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    # uvloop opens descriptors of its own with the first server.
    (await asyncio.start_server(lambda *_: None, "localhost", 0)).close()
    await asyncio.sleep(0)
    files, tasks = descriptors(), others()
    yield
    async with asyncio.timeout(10):
        # The other ends of connections close a little later, and there is no event for it.
        while descriptors() > files or others() - tasks:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert complaints == []
