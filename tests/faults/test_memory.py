"""When memory runs out: a connection ends with a MemoryError, or all that it yields is right."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NO_MEMORY = "MemoryError('no memory for what the server has sent')"

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("loop", ["asyncio", "uvloop"])]
linux = pytest.mark.skipif(sys.platform != "linux", reason="address space is limited by Linux")


def run(name, *arguments):
    """What a program beside this one says."""
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name(name), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize("once", [0, 1], ids=["from there on", "once"])
@pytest.mark.parametrize("kind", ["taking", "pings", "conflate"])
def test_every_allocation_of_a_read(loop, kind, once):
    """What arrives is judged in the program: no hole, nothing forged, no other exception."""
    pytest.importorskip("_testcapi")
    said = run("starved.py", loop, kind, once)
    assert said["failed"] > 20
    assert said["whole"] >= 20


def test_every_allocation_of_a_frame_that_waits(loop):
    """The socket takes a part; the program judges what the server has read."""
    pytest.importorskip("_testcapi")
    said = run("starved.py", loop, "send6000000", 1)
    assert said["cut"] > 5
    assert said["whole"] >= 20


@pytest.mark.parametrize("kind", ["burst", "cork"])
def test_every_allocation_of_a_burst(loop, kind):
    """The same of frames that are written together."""
    pytest.importorskip("_testcapi")
    said = run("starved.py", loop, kind, 1)
    # Messages that there is no room for wait as they are, which takes hardly any memory.
    assert said["cut"] > 5 if kind == "cork" else said["refused"]
    assert said["whole"] >= 20


@linux
@pytest.mark.parametrize(
    ("kind", "size"),
    [("text", 150), ("wide", 400), ("binary", 150), ("fragments", 400), ("deflate", 400)],
)
def test_messages_larger_than_memory(loop, kind, size):
    said = run("confined.py", loop, kind, size)
    assert said == {"sizes": [6], "code": 1006, "error": NO_MEMORY, "last": "error"}


@linux
@pytest.mark.parametrize(
    ("kind", "size"), [("bytes", 400), ("bytearray", 250), ("memoryview", 250), ("text", 250)]
)
def test_frames_larger_than_memory(loop, kind, size):
    """What cannot be copied is not sent; what has left in part is the last that leaves."""
    said = run("confined.py", loop, f"send-{kind}", size)
    if said["error"] == "None":
        assert said["rest"] == 0
        middle = [] if said["failures"] else said["arrived"][1:2]
        assert said["arrived"] == ["   1", *middle, "   2"]
    else:
        assert (said["failures"], said["error"]) == (1, "MemoryError()")
        assert said["arrived"] == ["   1"]
        assert said["rest"] > 0
