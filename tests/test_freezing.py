"""A program that PyInstaller has made runs where nothing is installed."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

PROGRAM = """
import asyncio

import wsclient.aiohttp
import wsclient.websockets
from wsclient import testing

async def main():
    async with testing.serve(testing.echo, ssl=True) as server:
        tls = server.ssl_context
        async with wsclient.ws_connect(server.url, ssl=tls) as ws:
            await ws.send_str("native")
            print(await ws.receive_str())
        async with wsclient.aiohttp.ClientSession() as session:
            async with session.ws_connect(server.url, ssl=tls) as ws:
                await ws.send_str("as aiohttp")
                print(await ws.receive_str())
        async with wsclient.websockets.connect(server.url, ssl=tls) as ws:
            await ws.send("as websockets")
            print(await ws.recv())

asyncio.run(main())
"""


def test_a_frozen_program(tmp_path):
    (tmp_path / "bot.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "PyInstaller", "--log-level=ERROR", "bot.py"]
    made = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    # The core calls aiofastnet directly only with this beside it.
    assert [*tmp_path.glob("dist/bot/_internal/aiofastnet/transport.pxd")]
    program = tmp_path / "dist/bot/bot"
    ran = subprocess.run([program], env={}, check=False, capture_output=True, text=True)
    assert (ran.stdout, ran.stderr) == ("native\nas aiohttp\nas websockets\n", "")
