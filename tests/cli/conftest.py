"""Runs the command: within the test, in pipes, and before a terminal that is emulated."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from wsclient.cli.main import main


class Ran:
    """What a command has printed, and the status it left with."""

    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def __repr__(self):
        return f"<status {self.status}, out {self.out!r}, err {self.err!r}>"

    def __eq__(self, other):
        return (self.status, self.out, self.err) == other

    __hash__ = None


@pytest.fixture(autouse=True)
def _alone(monkeypatch, tmp_path):
    """The machine's own settings stay out."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name in {"NO_COLOR", "PYTHONUNBUFFERED"}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("NETRC", os.devnull)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONWARNINGS", "error")


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """Runs a command within this process, and returns what it has done."""

    def run_command(*arguments, stdin=None):
        if stdin is not None:
            path = tmp_path / "stdin"
            path.write_bytes(stdin)
        with (path if stdin is not None else Path(os.devnull)).open() as file:
            monkeypatch.setattr(sys, "stdin", file)
            try:
                status = main(arguments)
            except SystemExit as end:
                status = end.code
        printed = capsys.readouterr()
        return Ran(status, printed.out, printed.err)

    return run_command


@pytest.fixture
def start():
    """Starts a command in a process of its own, in pipes."""
    started = []

    def start_process(*arguments, redirect="", **options):
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE) | options
        command = [sys.executable, "-m", "wsclient", *arguments]
        if redirect:
            command = ["sh", "-c", f'exec "$@" {redirect}', "sh", *command]
        process = subprocess.Popen(command, **pipes)
        started.append(process)
        return process

    yield start_process
    for process in started:
        process.kill()
        process.communicate()


def end_of(process, number=None):
    """How a process ends, by a signal if there is one."""
    if number is not None:
        process.send_signal(number)
    out, err = process.communicate(timeout=60)
    return Ran(process.returncode, out.decode(), err.decode())


SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143}
