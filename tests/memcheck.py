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
    *("queue_keys", "unawaited", "cork", "fast_calls"),
    # The exceptions that awaits return by are made by hand from then on.
    *(["completion"] if sys.version_info >= (3, 12) else []),
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


def begin(log: Path, part: list[str]) -> subprocess.Popen[bytes]:
    """Run a part of the tests under valgrind, which writes what it finds to `log`."""
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *part]
    # Each object in a block of its own, so that its end is seen.
    environment = {**os.environ, "PYTHONMALLOC": "malloc"}
    return subprocess.Popen([*VALGRIND, f"--log-file={log}", *pytest], env=environment)


def main() -> None:
    """Run, on all processors, and say what was found."""
    named, names, *files = tests()
    count = min(os.cpu_count() or 1, len(files))
    with tempfile.TemporaryDirectory() as folder:
        logs = [Path(folder) / f"log{number}" for number in range(count)]
        parts = [[named, names, *files[number::count]] for number in range(count)]
        running = [begin(log, part) for log, part in zip(logs, parts, strict=True)]
        statuses = [process.wait() for process in running]
        found = [report for log in logs for report in ours(log.read_text())]
    if found:
        sys.exit("valgrind reports:\n" + "\n".join(found))
    sys.exit(next(filter(None, statuses), 0))


if __name__ == "__main__":
    main()
