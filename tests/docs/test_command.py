"""The page of the command: what it shows is what is printed, and it has everything."""

import contextlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.docs.pages import DOCS, blocks
from tests.ports import free_port

from wsclient.cli.exits import Exit
from wsclient.cli.main import COMMANDS, main

PAGE = "command.md"
PORT = "8765"
SHOWN = (DOCS / PAGE).read_text(encoding="utf-8")


def alike(text):
    """Lines without the figures, which differ."""
    text = re.sub(r"[\d,.]+ [um]?s\b", "(time)", text)
    text = re.sub(r"[\d,.]+ (MB/s|a second|messages|in )", r"(number) \1", text)
    return re.sub(r'(?<="time":)[\d.]+|(?<="latency":)(null|[\d.]+)', "(seconds)", text)


@contextlib.contextmanager
def echo(port):
    """The page's server, elsewhere; gives what it has printed."""
    command = [sys.executable, "-m", "wsclient", "echo", "--port", port]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline()
        finally:
            process.kill()


def read(block, port):
    """A block's command, and the lines that follow it."""
    command, *printed = block.text.replace(PORT, port).splitlines()
    return command.removeprefix("$ "), printed


def run(command):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    ran = subprocess.run(
        command, shell=True, capture_output=True, env={**os.environ, "PATH": path}, timeout=60,
        check=True,
    )  # fmt: skip
    assert ran.stderr == b""
    return ran.stdout.decode().splitlines()


def converse(command, printed):
    """Type what the page has behind its prompts, and see what it shows."""
    from tests.cli.terminal import Terminal

    with Terminal(*command.split()[1:], columns=80, lines=40) as terminal:
        for number, line in enumerate(printed):
            if line.startswith("> "):
                terminal.see_prompt()
                terminal.enter(line.removeprefix("> "))
                # To where a figure differs.
                terminal.see(re.split(r"\d\.\d", printed[number + 1])[0])
        terminal.end(0)
        seen = [line for line in terminal.lines if line]
        assert [*map(alike, seen[: len(printed)])] == [*map(alike, printed)]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell, and a pseudo-terminal")
def test_what_is_shown(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "*")
    port = str(free_port())
    serving, *others = [block for block in blocks(PAGE) if "console" in block.info]
    ran = []
    with echo(port) as printed:
        assert read(serving, port) == ("wsclient echo", [printed.rstrip("\n")])
        for block in others:
            command, expected = read(block, port)
            ran.append(command.partition(" ws:")[0])
            if ".terminal" in block.info:
                converse(command, expected)
            elif "bench" in command:
                measured = run(command)
                assert alike("\n".join(measured[-4:])) == alike("\n".join(expected[-4:]))
                row = r" *[\d.]+( [num]?s)? (- [\d.]+ [num]?s|and more)  [▏▎▍▌▋▊▉█]* *  +[\d,]+"
                for line in (*measured[1:-5], *expected[1:-5]):
                    assert re.fullmatch(row, line)
            else:
                assert alike("\n".join(run(command))) == alike("\n".join(expected))
    assert len(ran) == 5


def test_every_status_is_listed():
    table = SHOWN.partition("| Status |")[2]
    assert [int(number) for number in re.findall(r"(?m)^\| (\d+) \|", table)] == list(Exit)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_option_is_named(command, capsys):
    name = command.__name__.rpartition(".")[2]
    with pytest.raises(SystemExit):
        main([name, "--help"])
    assert f"`wsclient {name}" in SHOWN
    for option in re.findall(r"(?m)^  (?:-\w.*, )?(--[\w-]+)", capsys.readouterr().out):
        assert option == "--help" or option in SHOWN, option
