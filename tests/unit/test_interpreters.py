"""Subinterpreters: the core serves one interpreter."""

import subprocess
import sys

import pytest

PROGRAM = """
import datetime  # CPython 3.12 crashes where a subinterpreter is the first to import it
import sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters

order, kind = sys.argv[1:]
code = '''
import sys
sys.path[:] = {}
try:
    import wsclient
except ImportError as error:
    print(error, flush=True)
'''.format(sys.path)
if order == "after":
    import wsclient
if hasattr(interpreters, "exec"):
    other = interpreters.create("legacy" if kind == "shared" else "isolated")
    interpreters.exec(other, code)
else:
    other = interpreters.create(isolated=kind == "own")
    interpreters.run_string(other, code)
interpreters.destroy(other)
import wsclient
print(wsclient.Message(1, 2, 3).data)
"""


@pytest.mark.parametrize("gil", ["shared", "own"])
@pytest.mark.parametrize("order", ["before", "after"])
def test_a_subinterpreter_is_refused(order, gil):
    """And harms nobody: the main interpreter can import the package before and after."""
    command = [sys.executable, "-c", PROGRAM, order, gil]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    refusal, data = done.stdout.splitlines()
    assert "subinterpreter" in refusal
    assert data == "2"
