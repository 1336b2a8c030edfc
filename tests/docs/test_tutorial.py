"""The tutorial's programs run as they stand there, in its order, and print what it says."""

import asyncio
import contextlib
import re
import shlex
import signal
import sys

import pytest
from tests.docs.pages import blocks
from tests.ports import free_port

pytestmark = pytest.mark.slow

PAGE = "tutorial.md"
PORT = "8765"


class Terminal:
    """A folder where commands run, as a reader types them."""

    def __init__(self, folder, port, stack):
        self.folder, self.port, self.stack = folder, port, stack

    def read(self, block):
        """The command of a block, and what it is to print."""
        command, *printed = block.text.replace(PORT, self.port).splitlines()
        assert command.startswith("$ python ")
        return command.removeprefix("$ python "), printed

    async def start(self, command):
        process = await asyncio.create_subprocess_exec(
            sys.executable, *shlex.split(command), cwd=self.folder,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip

        async def end():
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()

        self.stack.push_async_callback(end)
        return process


async def see(process, expected):
    """Read lines until those of a page have come; its "..." is any number of others."""
    passing = False
    for wanted in expected:
        if wanted == "...":
            passing = True
            continue
        while True:
            line = (await process.stdout.readline()).decode()
            if alike(line.rstrip("\n")) == alike(wanted):
                break
            if not (passing and line):
                errors = b"" if line else await process.stderr.read()
                pytest.fail(f"{wanted!r} was to come, not {line!r}\n{errors.decode()}")
        passing = False


def alike(line):
    """A line without the seconds, which differ."""
    return re.sub(r"\d+\.\d+ ?s", "(seconds)", line)


async def stop(process):
    """Press Ctrl-C; it ends in good order."""
    process.send_signal(signal.SIGINT)
    _, errors = await process.communicate()
    assert (process.returncode, errors.decode()) == (0, "")


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process")
async def test_the_tutorial(tmp_path):
    port = str(free_port())
    server = None
    async with asyncio.timeout(120), contextlib.AsyncExitStack() as stack:
        terminal = Terminal(tmp_path, port, stack)
        ran = []
        for block in blocks(PAGE):
            if block.title:
                (tmp_path / block.title).write_text(block.text.replace(PORT, port))
                continue
            command, printed = terminal.read(block)
            process = await terminal.start(command)
            if ".server" in block.info:
                serving, server = (command, printed), process
                await see(server, printed)
            elif ".outage" in block.info:
                before = printed.index("...")
                await see(process, printed[:before])
                await stop(server)
                server = await terminal.start(serving[0])
                await see(server, serving[1])
                await see(process, printed[before:])
                if printed[-1] == "...":
                    await stop(process)
            else:
                await see(process, printed)
            ran.append(command.split()[0])
        await stop(server)
    assert ran == ["server.py", "first.py", "second.py", "bot.py", "-m"]
