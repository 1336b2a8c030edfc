"""Run the binding's `unsafe` code under valgrind: the tests that go through all of it.

Fails if a test does, or if valgrind reports an access that this package has a part in. What the C
library's vector code reads past an end, or Python's own, is theirs.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
SIDE_BY_SIDE = HERE / "adapter/test_side_by_side.py::test_both_do_the_same"
# Messages and strings made by hand, buffers that are not initialised, sockets used past their
# transports, the wake-up below Python's calls.
TESTS = (
    *("messages", "text", "large_messages", "sending", "busy_poll", "wakeup", "receive", "leaks"),
    *("queue_keys", "unawaited", "completion", "typed_receives", "cork"),
)
# The same of what the adapter makes.
ADAPTED = (
    "echo_of_all_kinds",
    "shape_of_a_message",
    "fragments_with_a_ping_between",
    "cancelled_receive_loses_nothing",
    "text_that_is_not_decoded",
)
# Resident memory and processes of their own mean something else there.
EXCEPT = "not announced and not at_exit and not debug and not interpreters_end and not room_inside"
VALGRIND = ("valgrind", "--quiet", "--undef-value-errors=no")


def tests() -> list[str]:
    """Return the arguments by which pytest runs them."""
    files = [str(HERE / f"unit/test_{name}.py") for name in TESTS]
    files += [f"{SIDE_BY_SIDE}[asyncio-{name}]" for name in ADAPTED]
    return ["-k", EXCEPT, *files]


def ours(log: str) -> list[str]:
    """Return the reports that have this package's code in their stacks."""
    reports = re.split(r"(?m)^==\d+== *$", log)
    return [report for report in reports if re.search(r"wsclient::|_core\.", report)]


def main() -> None:
    """Run, and say what was found."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests()]
        command = [*VALGRIND, f"--log-file={log}", *pytest]
        # Each object in a block of its own, so that its end is seen.
        environment = {**os.environ, "PYTHONMALLOC": "malloc"}
        status = subprocess.run(command, env=environment, check=False).returncode
        found = ours(log.read_text())
    if found:
        sys.exit("valgrind reports:\n" + "\n".join(found))
    sys.exit(status)


if __name__ == "__main__":
    main()
