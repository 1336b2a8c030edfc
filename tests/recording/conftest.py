"""What the tests of recordings share."""

import asyncio

import pytest

from wsclient import Recorder
from wsclient.testing import Recording


@pytest.fixture(params=["", ".gz", ".zst"], ids=["plain", "gzip", "zstd"])
def path(tmp_path, request):
    """Where a recording goes, compressed or not."""
    return tmp_path / f"feed.jsonl{request.param}"


@pytest.fixture
def file(tmp_path):
    """The same, not compressed."""
    return tmp_path / "feed.jsonl"


@pytest.fixture
def recorder(file):
    with Recorder(file) as recorder:
        yield recorder


def told(entry):
    """An entry in short: direction, type and what it has."""
    what = entry.data if entry.data is not None else entry.code
    return entry.direction or "", entry.type, what


def read(path):
    """What was recorded, in short."""
    return [told(entry) for entry in Recording.read(path)]


async def until(condition):
    """Wait for something that nobody tells of."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - the thread that writes tells nobody
            await asyncio.sleep(0.01)
