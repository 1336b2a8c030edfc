"""`python -m wsclient.demo`, which is what `make demo` runs, ends with a picture."""

import re
import subprocess
import sys

import pytest


@pytest.mark.parametrize("options", [[], ["--uvloop"]])
def test_the_demo(options):
    command = [sys.executable, "-m", "wsclient.demo", "--seconds", "0.3", *options]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert ran.stderr == ""
    assert re.search(
        r"^Answering a server at ws://127\.0\.0\.1:\d+/ for 0\.3 seconds\.$",
        ran.stdout,
        re.MULTILINE,
    )
    assert re.search(r"^ +[\d.]+ - [\d.]+ us  █+.* [\d,]+$", ran.stdout, re.MULTILINE)
    assert re.search(r"^  round trip    p50 [\d.]+ us, ", ran.stdout, re.MULTILINE)
    last = ran.stdout.splitlines()[-1]
    assert re.fullmatch(
        r"Try next: .*wsclient echo, and beside it: .*wsclient connect ws://127\.0\.0\.1:8765/",
        last,
    )
