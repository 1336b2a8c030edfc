"""Run the Autobahn testsuite's fuzzing server against this client.

    python -m tests.conformance.autobahn --sections 1-10 --loop uvloop

`--summary docs/conformance.md` writes the verdicts of a run there.

The server runs on Python 2.7 only. One is looked for in the variable `PYTHON27`, then
below `pyenv root`; the server is installed into `.autobahn/`, which git ignores, and the
reports are left there. Where it cannot be installed, the words `not run` say so.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import uvloop
from tests.ports import free_port

from wsclient import ClientError, MsgType, __version__, ws_connect

if TYPE_CHECKING:
    from collections.abc import Iterator

Verdicts: TypeAlias = dict[str, tuple[str, str]]

HOME = Path(__file__).parents[2] / ".autobahn"
AGENT = "wsclient"
SUITE = "autobahntestsuite==25.10.1"
GOOD = {"OK", "INFORMATIONAL"}
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}

SECTIONS = {
    1: "framing",
    2: "pings and pongs",
    3: "reserved bits",
    4: "opcodes",
    5: "fragmentation",
    6: "UTF-8",
    7: "closing",
    9: "limits and speed",
    10: "automatic fragmentation",
    12: "compression of different payloads",
    13: "compression with different parameters",
}
SETS = {"all": "1-7,9-10,12-13", "quick": "1-5,7,10"}
# Sections 12 and 13 have the same 18 sizes and fragmentations again and again.
COMPRESSION = [f"12.{case}" for case in range(1, 6)] + [f"13.{case}" for case in range(1, 8)]

INSTALL_TIMEOUT = 300
START_TIMEOUT = 30
CASE_TIMEOUT = 120


class NotAvailableError(Exception):
    """The fuzzing server cannot be had on this machine."""


def sections(text: str) -> list[int]:
    """Read `1-7,9`, or the name of a set."""
    found: list[int] = []
    for part in SETS.get(text, text).split(","):
        first, _, last = part.partition("-")
        found.extend(range(int(first), int(last or first) + 1))
    return found


def cases_of(chosen: list[int]) -> list[str]:
    """Name all cases of some sections, as the server's specification does."""
    return [f"{section}.*" for section in chosen]


def install() -> Path:
    """Install the fuzzing server, unless it is.

    Returns:
        The `wstest` program.

    Raises:
        NotAvailableError: There is no Python 2.7, or PyPI cannot be reached.
    """
    HOME.mkdir(exist_ok=True)
    # One of the processes that pytest runs in does it for all.
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        program = HOME / "v27" / "bin" / "wstest"
        installed = HOME / "installed"
        if not installed.exists():
            python = _python27()
            boot = HOME / "boot"
            for earlier in (boot, HOME / "v27"):
                shutil.rmtree(earlier, ignore_errors=True)
            _run(python, "-m", "pip", "install", "--target", boot, "virtualenv==20.15.1")
            _run(python, "-m", "virtualenv", HOME / "v27", PYTHONPATH=str(boot))
            _run(HOME / "v27" / "bin" / "pip", "install", SUITE)
            installed.touch()
        return program


def _python27() -> Path:
    if named := os.environ.get("PYTHON27"):
        return Path(named)
    if pyenv := shutil.which("pyenv"):
        root = subprocess.run([pyenv, "root"], capture_output=True, text=True, check=True)
        for python in Path(root.stdout.strip()).glob("versions/2.7*/bin/python2.7"):
            return python
    raise NotAvailableError("no Python 2.7: neither PYTHON27 nor pyenv has one")


def _run(*command: str | Path, **environment: str) -> None:
    try:
        subprocess.run(
            command,
            check=True,
            capture_output=True,
            text=True,
            timeout=INSTALL_TIMEOUT,
            env={**os.environ, **environment},
        )
    except subprocess.CalledProcessError as error:
        last = error.stderr.strip().rpartition("\n")[2]
        raise NotAvailableError(f"{Path(command[0]).name} failed: {last}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotAvailableError(str(error)) from error


@contextlib.contextmanager
def fuzzing_server(program: Path, cases: list[str], reports: Path) -> Iterator[str]:
    """Serve some cases; yields the URL."""
    shutil.rmtree(reports, ignore_errors=True)
    reports.mkdir(parents=True)
    port = free_port()
    spec = {
        "url": f"ws://127.0.0.1:{port}",
        "outdir": str(reports),
        "cases": cases,
        "exclude-cases": [],
        "exclude-agent-cases": {},
    }
    (reports / "spec.json").write_text(json.dumps(spec))
    command = [program, "-m", "fuzzingserver", "-s", reports / "spec.json", "-u", "0"]
    with (reports / "server.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=reports)
    try:
        _wait_until_it_listens(server, port)
        yield spec["url"]
    finally:
        server.kill()
        server.wait()


def _wait_until_it_listens(server: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while server.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port)).close()
            return
        # Nothing but its port tells that the server is up.
        time.sleep(0.05)
    raise NotAvailableError("wstest does not start, server.log says why")


async def run_cases(url: str) -> None:
    """Run all cases that a fuzzing server has, and have it write its reports."""
    async with ws_connect(f"{url}/getCaseCount") as ws:
        count = int(await ws.receive_str(timeout=CASE_TIMEOUT))
    for case in range(1, count + 1):
        # Whatever goes wrong in a case, the server reports it.
        with contextlib.suppress(ClientError):
            async with asyncio.timeout(CASE_TIMEOUT):
                await _echo(f"{url}/runCase?case={case}&agent={AGENT}")
    async with ws_connect(f"{url}/updateReports?agent={AGENT}") as ws:
        await ws.receive(CASE_TIMEOUT)


async def _echo(url: str) -> None:
    async with ws_connect(url, compress=15, max_msg_size=0) as ws:
        async for message in ws:
            if message.tp is MsgType.text:
                await ws.send_str(message.data)
            elif message.tp is MsgType.binary:
                await ws.send_bytes(message.data)


def read_verdicts(reports: Path) -> Verdicts:
    """Read what the server thinks of each case: of its behaviour, and of how it closed."""
    index = json.loads((reports / "index.json").read_text()).get(AGENT, {})
    verdicts = {case: (found["behavior"], found["behaviorClose"]) for case, found in index.items()}
    return dict(sorted(verdicts.items(), key=lambda item: [*map(int, item[0].split("."))]))


def failures(verdicts: Verdicts) -> Verdicts:
    """Pick the cases that are neither OK nor informational."""
    return {case: pair for case, pair in verdicts.items() if not GOOD.issuperset(pair)}


def table(verdicts: Verdicts) -> str:
    """Count the verdicts by section, and name the cases that failed."""
    lines = [f"{'section':>8} {'cases':>6} {'OK':>6} {'info':>6} {'other':>6}"]
    totals: Counter[str] = Counter()
    by_section: dict[str, Counter[str]] = {}
    failed = failures(verdicts)
    for case, (behaviour, _) in verdicts.items():
        verdict = "other" if case in failed else behaviour
        by_section.setdefault(case.partition(".")[0], Counter())[verdict] += 1
        totals[verdict] += 1
    for name, counts in [*by_section.items(), ("total", totals)]:
        shown = [counts.total(), *(counts[key] for key in ("OK", "INFORMATIONAL", "other"))]
        lines.append(f"{name:>8} " + " ".join(f"{number:>6}" for number in shown))
    for case, (behaviour, closing) in failed.items():
        lines.append(f"case {case}: behaviour {behaviour}, closing {closing}")
    return "\n".join(lines)


def summary(verdicts: Verdicts, loop: str) -> str:
    """Write down the verdicts of a run, for the documentation."""
    made_with = [f"{SUITE.replace('==', ' ')}", f"wsclient {__version__}"]
    made_with += [f"CPython {platform.python_version()}", loop]
    lines = [
        "# Conformance",
        "",
        "The verdicts of the [Autobahn test suite](https://pypi.org/project/autobahntestsuite/) on",
        "this client, strictly read: a case is OK when both its behaviour and its closing are.",
        "`make conformance` runs the suite and writes this page.",
        "",
        f"{', '.join(made_with)}.",
        "",
        "| Section | | Cases | OK | Informational | Other |",
        "|---|---|---|---|---|---|",
    ]
    failed = failures(verdicts)
    totals: Counter[str] = Counter()
    for section, about in SECTIONS.items():
        counts = Counter(
            "other" if case in failed else behaviour
            for case, (behaviour, _) in verdicts.items()
            if case.startswith(f"{section}.")
        )
        totals += counts
        lines.append(f"| {section} | {about} | {_row(counts)} |")
    lines += [f"| | all | {_row(totals)} |", ""]
    informational = [case for case, pair in verdicts.items() if "INFORMATIONAL" in pair]
    lines.append(f"Informational, as the suite has no opinion on them: {', '.join(informational)}.")
    for case, (behaviour, closing) in failed.items():
        lines += ["", f"Case {case}: behaviour {behaviour}, closing {closing}."]
    return "\n".join([*lines, ""])


def _row(counts: Counter[str]) -> str:
    numbers = [counts.total(), *(counts[key] for key in ("OK", "INFORMATIONAL", "other"))]
    return " | ".join(map(str, numbers))


def main() -> int:
    """Run from the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Run the Autobahn testsuite against wsclient.")
    parser.add_argument(
        "--sections",
        type=sections,
        default="all",
        help="such as 1-7,9; or quick; or all (ten minutes), which is the default",
    )
    parser.add_argument("--loop", choices=LOOPS, default="asyncio")
    parser.add_argument("--summary", type=Path, help="write the verdicts to this file")
    options = parser.parse_args()
    reports = HOME / "reports" / options.loop
    try:
        with (
            fuzzing_server(install(), cases_of(options.sections), reports) as url,
            asyncio.Runner(loop_factory=LOOPS[options.loop]) as runner,
        ):
            runner.run(run_cases(url))
    except NotAvailableError as error:
        sys.stdout.write(f"not run: {error}\n")
        return 0
    verdicts = read_verdicts(reports)
    sys.stdout.write(f"{table(verdicts)}\n")
    if options.summary:
        options.summary.write_text(summary(verdicts, options.loop), encoding="utf-8")
    return 1 if failures(verdicts) or not verdicts else 0


if __name__ == "__main__":
    sys.exit(main())
