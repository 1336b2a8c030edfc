"""A fork's child has copies of its parent's connections, and leaves them alone."""

import asyncio
import os
import ssl
import sys

import pytest
import trustme
from websockets.asyncio.server import serve

pytestmark = pytest.mark.slow

PROGRAM = """
import asyncio, gc, multiprocessing, os, sys, traceback, warnings
import aiohttp, uvloop
import wsclient.aiohttp

url, loop, api, action = sys.argv[1:]
warnings.simplefilter("error")

def fails(function, *args):
    try:
        function(*args)
    except RuntimeError as error:
        assert "parent" in str(error), error
        return
    raise AssertionError(f"{function} works")

def leave(held, task, cork):
    ws = held[0]
    if action == "drop":
        del ws
        held.clear()
        gc.collect()
    elif action == "close":
        assert asyncio.new_event_loop().run_until_complete(ws.close()) is False
    elif action == "leave the block":
        task.get_coro().close()
    elif action == "leave a cork":
        cork.__exit__(None, None, None)
    elif action == "use":
        assert ws.closed
        assert "parent" in repr(ws)
        for send in ws.send_str, ws.send_bytes, ws.ping, ws.pong:
            # The adapter's say so when they are awaited.
            fails(lambda: send("x" if send == ws.send_str else b"x").send(None))
        fails(lambda: ws.send_many(["x"]).send(None))
        fails(ws.cork().__enter__)
        for use in ws.receive, ws.receive_nowait, ws.pause_reading, ws.resume_reading:
            fails(use)

async def block(opening, ready):
    async with opening as ws:
        ready.set()
        await ws.receive()

async def echo(ws, text):
    async with asyncio.timeout(20):
        await ws.send_str(text)
        message = await ws.receive()
        assert message.data == text, message

async def main():
    options = {"ssl": False} if url.startswith("wss") else {}
    if api == "native":
        session = wsclient.ClientSession()
    else:
        session = wsclient.aiohttp.ClientSession()
    async with session:
        held = [await session.ws_connect(url, **options)]
        ready = asyncio.Event()
        task = asyncio.create_task(block(session.ws_connect(url, **options), ready))
        await ready.wait()
        await echo(held[0], "before")
        cork = held[0].cork()
        # A task that the echo has woken, and that sleeps when it exits.
        if action in ("leave a cork", "exit"):
            cork.__enter__()
            await held[0].send_str("corked")
        if action == "multiprocessing":
            context = multiprocessing.get_context("fork")
            child = context.Process(target=gc.collect)
            child.start()
            child.join()
            assert child.exitcode == 0
        else:
            sys.stdout.flush()
            pid = os.fork()
            if not pid and action == "exit":
                warnings.simplefilter("ignore")
                sys.exit()
            if not pid:
                try:
                    leave(held, task, cork)
                except BaseException:
                    traceback.print_exc()
                    os._exit(1)
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
        ws = held[0]
        assert not ws.closed
        if action in ("leave a cork", "exit"):
            cork.__exit__(None, None, None)
            async with asyncio.timeout(20):
                message = await ws.receive()
            assert message.data == "corked", message
        await echo(ws, "after")
        assert not task.done()
        assert await ws.close() is True
        task.cancel()
        await asyncio.wait([task])
    print("done")

with asyncio.Runner(loop_factory=uvloop.new_event_loop if loop == "uvloop" else None) as runner:
    runner.run(main())
"""


@pytest.fixture(params=["ws", "wss"])
async def echo(request):
    async def handler(ws):
        async for message in ws:
            await ws.send(message)

    tls = None
    if request.param == "wss":
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA().issue_cert("localhost").configure_cert(tls)
    # An address: looking up a name takes a thread, for which a child's loop would wait in vain.
    async with serve(handler, "127.0.0.1", 0, ssl=tls) as server:
        yield f"{request.param}://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.parametrize("api", ["native", "adapter"])
@pytest.mark.parametrize(
    "action",
    ["drop", "close", "leave the block", "leave a cork", "use", "exit", "multiprocessing"],
)
async def test_the_parent_keeps_its_connection(echo, api, action):
    """Whatever the child does with its copy."""
    loop = type(asyncio.get_running_loop()).__module__.partition(".")[0]
    if (loop, action) == ("uvloop", "exit"):
        pytest.skip("uvloop closes the parent's handles where a child closes its loop")
    if action == "exit" and sys.version_info >= (3, 14):
        pytest.skip("asyncio's loop does not know in a child that it runs, and never ends")
    if (api, action) == ("adapter", "exit") and echo.startswith("wss"):
        pytest.skip("aiohttp closes its transports where a child closes its session")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, echo, loop, api, action),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(60):
            said, errors = await process.communicate()
    except BaseException:
        process.kill()
        raise
    assert (process.returncode, said.decode(), errors.decode()) == (0, "done\n", "")
