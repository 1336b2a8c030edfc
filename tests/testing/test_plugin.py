"""The pytest plugin, in runs of pytest of their own, beside each plugin that runs coroutines."""

import os
import subprocess
import sys
from importlib.metadata import entry_points

import pytest

pytestmark = pytest.mark.slow

IMPORTS = """
import asyncio, pytest
from wsclient import testing, ws_connect

"""
BOTS = """
async def test_server(websocket_server):
    server = await websocket_server(testing.Script().expect("hello").send("welcome"))
    async with ws_connect(server.url) as ws:
        await ws.send_str("hello")
        assert await ws.receive_str() == "welcome"

async def test_proxy(websocket_server, fault_proxy):
    server = await websocket_server(ssl=True)
    proxy = await fault_proxy(server.url)
    async with ws_connect(proxy.url, ssl=server.ssl_context) as ws:
        proxy.strike("reset")
        assert (await ws.receive()).data == 1006

async def test_what_stays_open(websocket_server):
    opened = asyncio.Event()

    async def bot(url):
        async with ws_connect(url) as ws:
            opened.set()
            await ws.receive()

    server = await websocket_server(testing.Script().stall())
    running = asyncio.create_task(bot(server.url))
    await opened.wait()

class TestInAClass:
    async def test_server(self, websocket_server):
        async with ws_connect((await websocket_server()).url) as ws:
            await ws.send_str("hello")
            assert await ws.receive_str() == "hello"
"""
ANYIO = """
pytestmark = pytest.mark.anyio

@pytest.fixture
def anyio_backend():
    return 'asyncio'
"""
MARKED = {
    "asyncio": IMPORTS + "pytestmark = pytest.mark.asyncio\n" + BOTS,
    "anyio": IMPORTS + ANYIO + BOTS,
}


@pytest.fixture
def run(tmp_path):
    """A function that runs pytest on a file; returns its exit code and what it prints."""

    def run(source, *options):
        (tmp_path / "pytest.ini").write_text("[pytest]\n")
        (tmp_path / "test_bots.py").write_text(source)
        command = [
            sys.executable,
            "-X",
            "dev",
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            "-W",
            "error",
        ]
        # pytest-asyncio's, of a setting that is none of this.
        command += ["-W", "ignore:The configuration option"]
        finished = subprocess.run(
            [*command, *options],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": "", "PYTEST_ADDOPTS": ""},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return finished.returncode, finished.stdout + finished.stderr

    return run


@pytest.mark.parametrize(
    ("source", "options"),
    [
        pytest.param(IMPORTS + BOTS, ["-o", "asyncio_mode=auto"], id="asyncio auto"),
        pytest.param(MARKED["asyncio"], ["-o", "asyncio_mode=strict"], id="asyncio strict"),
        pytest.param(MARKED["anyio"], ["-p", "no:asyncio"], id="anyio"),
        pytest.param(MARKED["anyio"], ["-o", "asyncio_mode=strict"], id="anyio beside asyncio"),
    ],
)
def test_the_fixtures(run, source, options):
    code, said = run(source, *options)
    assert code == 0, said
    assert "4 passed" in said


FAILING = """
async def test_bot(websocket_server):
    server = await websocket_server(testing.Script().expect("hello"))
    async with ws_connect(server.url) as ws:
        await ws.send_str("bye")
"""


def test_an_expectation_that_is_not_met_fails_the_test(run):
    code, said = run(IMPORTS + FAILING, "-o", "asyncio_mode=auto")
    assert code == 1
    assert "ExpectationError: connection 1, step 1: expected text 'hello', got text 'bye'" in said
    assert "1 failed" in said
    assert "error" not in said.rpartition("short test summary")[2].replace("Error", "")


FIXTURE = """
@pytest.fixture
async def feed(websocket_server):
    return await websocket_server(testing.Script().send("price").expect_close(1000))

async def test_bot(feed):
    async with ws_connect(feed.url) as ws:
        assert await ws.receive_str() == "price"
    await feed.wait_finished()
"""


def test_a_fixture_of_your_own_may_use_them(run):
    code, said = run(IMPORTS + FIXTURE, "-o", "asyncio_mode=auto")
    assert code == 0, said


SYNCHRONOUS = """
def test_bot(websocket_server):
    pass
"""


def test_they_are_for_coroutine_functions(run):
    code, said = run(SYNCHRONOUS)
    assert code == 1
    assert "are for tests that are coroutine functions" in said


UNUSED = """
import sys

def test_something():
    # pytest imports pdb, and from CPython 3.14 on pdb imports asyncio.
    others = {"asyncio"} if sys.version_info < (3, 14) else set()
    assert not {"wsclient", "websockets", "trustme", *others} & sys.modules.keys()
"""


def test_whoever_does_not_use_it_does_not_pay_for_it(run):
    code, said = run(UNUSED, "-p", "no:asyncio", "-p", "no:anyio", "-p", "no:hypothesispytest")
    assert code == 0, said
    assert "warning" not in said


def test_it_is_registered():
    (found,) = entry_points(group="pytest11", name="wsclient")
    assert found.value == "_wsclient_pytest"


def test_the_fixtures_are_listed(run):
    _, said = run("", "--fixtures")
    assert "Start a WebSocket server that ends with the test." in said
    assert "Start a proxy that ends with the test." in said
