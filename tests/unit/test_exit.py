"""Python ends while there are WebSockets: in daemon threads that run Python code, or kept."""

import asyncio
import sys

import pytest
from tests.conftest import TEXT, frame

pytestmark = pytest.mark.slow

PROGRAM = """
import asyncio, sys, threading, time
import uvloop
from wsclient import Conflate, Heartbeat, ws_connect

url, loop, where = sys.argv[1:]
inside = threading.Event()

def work(*_):
    inside.set()
    while True:  # each turn gives the GIL up, and Python may be ending when it is wanted back
        time.sleep(0.001)

def fail(_):
    raise ValueError

async def main():
    options = {
        "key": {"queue": Conflate(work)},
        "exception handler": {"queue": Conflate(fail)},
        "heartbeat": {"heartbeat": Heartbeat(0.01, payload=work)},
        "trace": {"trace": work},
        "busy_poll": {"busy_poll": 1.0},
    }.get(where, {})
    if where == "exception handler":
        asyncio.get_running_loop().set_exception_handler(work)
    ws = await ws_connect(url, **options)
    await ws.send_str("go")
    message = await ws.receive()
    if where == "json":
        message.json(loads=work)
    elif where == "task":
        work()
    inside.set()
    while True:
        await ws.receive()

new_loop = uvloop.new_event_loop if loop == "uvloop" else None
def run():
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())

threading.Thread(target=run, daemon=True).start()
if not inside.wait(30):
    sys.exit("nothing called it")
print("the main thread is done")
"""


async def python(program, *arguments):
    """Run a program; returns its code, and what it wrote to both of its outputs."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program, *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        said, errors = await process.communicate()
    except BaseException:
        process.kill()
        raise
    return process.returncode, said, errors


FORGOTTEN = """
import asyncio, sys
from wsclient import ws_connect

async def main():
    # A module that outlives this one, and the import system.
    asyncio.kept = ws = await ws_connect(sys.argv[1])
    await ws.receive()

asyncio.run(main())
"""


async def test_a_lost_connection_that_is_kept_to_the_end(scripted):
    async def script(wire):
        wire.reset()

    async with asyncio.timeout(60):
        outcome = await python(FORGOTTEN, await scripted(script))
    assert outcome == (0, b"", b"")


@pytest.mark.parametrize(
    "where", ["task", "key", "exception handler", "heartbeat", "trace", "json", "busy_poll"]
)
async def test_a_daemon_thread_does_not_keep_python_from_ending(scripted, where):
    async def script(wire):
        if await wire.receive() is not None:
            await wire.send(frame(TEXT, b"{}"))
        await wire.end()

    url = await scripted(script)
    loop = type(asyncio.get_running_loop()).__module__.partition(".")[0]

    async with asyncio.timeout(60):
        outcomes = await asyncio.gather(*(python(PROGRAM, url, loop, where) for _ in range(4)))
    assert outcomes == [(0, b"the main thread is done\n", b"")] * 4
