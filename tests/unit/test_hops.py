"""Where a waiting task takes the loop's ordinary hop instead of going on inside the read."""

import asyncio
import logging
import subprocess
import sys

import pytest
from tests.conftest import CLOSE, TEXT, frame

from wsclient import framing

from .linked import deliver, linked, threaded


@pytest.mark.parametrize("switched", ["before", "while it waits"])
async def test_debug_mode_names_the_slow_task(scripted, caplog, switched):
    loop = asyncio.get_running_loop()
    if "uvloop" in type(loop).__module__:
        pytest.skip("uvloop names no task")
    if switched == "before":
        loop.set_debug(True)
    async with linked(scripted) as (ws, wire):

        async def read():
            async for _ in ws:
                pass

        task = asyncio.create_task(read(), name="the reader")
        await deliver(wire, frame(TEXT, b"a"))
        loop.set_debug(True)
        await deliver(wire)
        caplog.clear()
        loop.slow_callback_duration = 0  # whatever runs is slow
        with caplog.at_level(logging.WARNING, "asyncio"):
            await deliver(wire, frame(TEXT, b"b"))
        loop.set_debug(False)
        assert any("Executing <Task" in text and "'the reader'" in text for text in caplog.messages)
        task.cancel()


NESTING = """
import asyncio, os, sys
import nest_asyncio
from wsclient import ws_connect

def fail(loop, context):
    print(context, flush=True)
    os._exit(1)  # there would be another one in each pass of the loop

async def main(url, inner):
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(fail)
    waiting = asyncio.Event()

    async def read():
        assert (await ws.receive()).data == "1"
        waiting.set()
        assert (await ws.receive()).data == "2"
        # The reader is inside the read event, if that may be.
        await ws.send_str("3")
        if inner == "receive":
            return loop.run_until_complete(ws.receive()).data
        seen = ws.stats.messages_received
        while ws.stats.messages_received == seen:
            loop.run_until_complete(asyncio.sleep(0))
        return (await ws.receive()).data

    async with ws_connect(url) as ws:
        task = asyncio.create_task(read())
        await ws.send_str("1")
        await waiting.wait()
        # Tasks are in Python from now on; that one stays in C.
        nest_asyncio.apply()
        await ws.send_str("2")
        print(await task)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="nest_asyncio does not know it")
@pytest.mark.parametrize("inner", ["receive", "sleep"])
def test_nest_asyncio_applied_late(inner):
    """A woken task runs the loop, which has to read the same connection meanwhile."""

    def script(sock):
        for text in (b"1", b"2", b"3"):
            received = b""
            while framing.parse_frame(received) is None:
                received += sock.recv(65536)
            assert framing.parse_frame(received)[0].payload == text
            sock.sendall(frame(TEXT, text))
        sock.sendall(frame(CLOSE))
        while sock.recv(65536):
            pass

    with threaded(script) as url:
        command = [sys.executable, "-c", NESTING, url, inner]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("3\n", "")
