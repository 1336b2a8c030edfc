"""The command line as a whole."""

import subprocess
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import wsclient
from wsclient.cli.main import COMMANDS, main

ROOT = Path(__file__).parents[2]
NAMES = [command.__name__.rpartition(".")[2] for command in COMMANDS]


def test_the_version(run):
    assert run("--version") == (0, f"wsclient {wsclient.__version__}\n", "")


def test_it_is_called_wsclient():
    (script,) = entry_points(group="console_scripts", name="wsclient")
    assert script.load() is main
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"wsclient": script.value}


def test_help_names_all_commands(run):
    said = run("--help").out
    assert all(f"    {name} " in said for name in NAMES)
    assert main.__module__ == "wsclient.cli.main"


@pytest.mark.parametrize("name", NAMES)
def test_help(run, name):
    said = run(name, "--help")
    assert (said.status, said.err) == (0, "")
    assert f"{name} [-h]" in said.out


def test_no_command(run):
    ran = run()
    assert ran.status == 2
    assert "required: COMMAND" in ran.err


def test_importing_needs_no_terminal():
    """Nothing of what only one system, or an extra, has is imported before it is used."""
    program = (
        "import sys\n"
        "for name in ('prompt_toolkit', 'uvloop', 'websockets', 'trustme', 'termios', 'fcntl',"
        " 'pty', 'readline', 'resource'):\n"
        "    sys.modules[name] = None\n"
        "import wsclient.cli.main\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_uvloop_that_is_not_there(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvloop", None)
    ran = run("bench", "--uvloop", "ws://127.0.0.1:1/")
    said = "wsclient: --uvloop needs uvloop, which is not installed: pip install uvloop\n"
    assert ran == (2, "", said)


def test_a_defect_is_not_hidden(monkeypatch):
    def broken(options):
        raise ZeroDivisionError

    monkeypatch.setattr("wsclient.cli.bench.bench", broken)
    with pytest.raises(ZeroDivisionError):
        main(["bench", "ws://a/"])
