"""Real brokers, and feeds that number their messages."""

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal

import pytest
from tests.test_examples import run

__all__ = ["run"]

PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])


class Broker:
    """A program of its own, which may be killed and started again with what it had stored."""

    def __init__(self, name, options, ready):
        self.program = shutil.which(name, path=PATH)
        if self.program is None:
            pytest.skip(f"{name} is not installed")
        self.options = options
        self.ready = ready
        self.port = None

    async def start(self):
        """Start it; returns when it accepts connections."""
        self.process = await asyncio.create_subprocess_exec(
            self.program, *self.options(self.port),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        async with asyncio.timeout(30):
            while self.ready not in (line := (await self.process.stdout.readline()).decode()):
                assert line, "the broker has ended"
                if found := re.search(r"client connections on \S+:(\d+)", line):
                    self.port = int(found[1])
        self.draining = asyncio.create_task(self.process.stdout.read())

    async def kill(self):
        """End it as a crash does."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()
        await self.draining


@contextlib.asynccontextmanager
async def running(*arguments):
    broker = Broker(*arguments)
    await broker.start()
    try:
        yield broker
    finally:
        await broker.kill()


@pytest.fixture
async def nats(tmp_path):
    """NATS with JetStream, at `nats.url`."""

    def options(port):
        return ["-a", "127.0.0.1", "-p", str(port or -1), "-js", "-sd", tmp_path / "jetstream"]

    async with running("nats-server", options, "Server is ready") as broker:
        broker.url = f"nats://127.0.0.1:{broker.port}"
        yield broker


@pytest.fixture
async def redis(tmp_path):
    """Redis that writes all to disk before it answers, at `redis.url`."""
    socket = tmp_path / "socket"

    def options(_):
        stored = ["--dir", tmp_path, "--appendonly", "yes", "--appendfsync", "always"]
        return ["--port", "0", "--unixsocket", socket, "--save", "", *stored]

    async with running("redis-server", options, "eady to accept connections") as broker:
        broker.url = f"unix://{socket}"
        yield broker


class Feed:
    """The handler of a server that numbers its messages, and begins where it is asked to.

    Attributes:
        resumes: Whether it does; else it begins with what is to come.
    """

    def __init__(self):
        self.count = 0
        self.resumes = True
        self.news = asyncio.Event()

    def tick(self, count=1):
        """Let so many more messages be there."""
        self.count += count
        self.news.set()
        self.news = asyncio.Event()

    async def __call__(self, ws):
        request = json.loads(await ws.recv())
        seq = request.get("after", self.count) if self.resumes else self.count
        while True:
            news = self.news
            while seq < self.count:
                seq += 1
                await ws.send({"symbol": request["subscribe"], "seq": seq})
            await news.wait()


@pytest.fixture
def feed():
    return Feed()


async def until_printed(program, text):
    """Read what a program prints up to a line; return how it ends."""
    async with asyncio.timeout(60):
        while text not in (line := await program.line()):
            assert line, (await program.process.stderr.read()).decode()
        return line.partition(text)[2]


def pause(program):
    program.process.send_signal(signal.SIGSTOP)


def go_on(program):
    program.process.send_signal(signal.SIGCONT)
