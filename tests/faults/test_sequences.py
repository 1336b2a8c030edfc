"""Episodes of the fuzzer of sequences, `fuzz/sequences`: some that find nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

FUZZER = Path(__file__).parents[2] / "fuzz" / "sequences"


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_some_episodes_find_nothing(loop):
    command = [sys.executable, str(FUZZER), "--loop", loop, "--seed", "212", "--count", "8"]
    played = subprocess.run(command, capture_output=True, check=False, text=True, timeout=300)
    assert played.returncode == 0, played.stdout + played.stderr
    assert played.stdout == f"8 episodes on {loop}, from seed 212 on\n"
