"""The examples of `docs/testing.md` are tests, and pass."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

# What the page's examples test.
BOTS = """
import asyncio, json, re, pytest, websockets.sync.client, wsclient
from wsclient import testing

async def greet(url):
    async for ws in wsclient.reconnect(url, reconnect_delays=lambda: [0, 0]):
        ws.send_str("hello")
        return [msg.data async for msg in ws]

async def order(url):
    async with wsclient.ws_connect(url, headers={"Authorization": "Bearer token"}) as ws:
        await ws.send_json({"id": (await ws.receive_json())["id"] + 1})
        return (await ws.receive_json())["result"]

async def run_for_ever(url):
    async with wsclient.ws_connect(url) as ws:
        await ws.send_str("hello")
        await asyncio.Event().wait()

"""


def pytest_run(folder, *arguments):
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout
    return int(re.search(r"(\d+) passed", finished.stdout)[1])


def test_the_pages_examples(tmp_path):
    blocks = re.findall(r"(?ms)^```python\n(.*?)^```", (ROOT / "docs" / "testing.md").read_text())
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n"
    )
    (tmp_path / "test_page.py").write_text(BOTS + "\n\n".join(blocks))
    tests = sum(block.count("def test_") for block in blocks)
    assert pytest_run(tmp_path) == tests > 5


def test_the_example():
    assert pytest_run(ROOT, "examples/test_bot.py") == 3


def test_every_step_is_in_the_table():
    from wsclient.testing import Script

    page = (ROOT / "docs" / "testing.md").read_text()
    steps = {name for name in vars(Script) if not name.startswith("_")}
    assert set(re.findall(r"`(\w+)\([^`]*\)`", page.partition("| Step")[2])) >= steps


def test_every_fault_is_in_the_table():
    from wsclient.testing import FAULTS

    page = (ROOT / "docs" / "testing.md").read_text()
    assert re.findall(r'(?m)^\| `"([\w-]+)"` \|', page) == list(FAULTS)
