"""A program: while uvloop lets go of a socket, the garbage collector runs code that uses it.

python -m tests.faults.reset_inside SCHEME WHAT  # ws or wss; what the code does
"""

import asyncio
import gc
import socket
import sys

import uvloop
from tests.conftest import TEXT, frame
from tests.faults.resetting import Greeting, contexts

import wsclient

SCHEME, WHAT = sys.argv[1:]


def inside():
    """Whether uvloop is in the middle of letting go."""
    frame = sys._getframe()
    while frame is not None and frame.f_code.co_name != "_dropped":
        frame = frame.f_back
    return frame is not None


async def main():
    asyncio.get_running_loop().set_debug(True)
    tls, trusted = contexts(SCHEME)
    acted = []
    with Greeting(tls, frame(TEXT, b"last"), resets=True) as server:
        ws = await wsclient.ws_connect(server.url, ssl=trusted)
        await ws.receive()

        def act(*_):
            if not acted and inside():
                acted.append(1)
                if WHAT == "pause":
                    ws.pause_reading()
                elif WHAT == "pause and resume":
                    ws.pause_reading()
                    ws.resume_reading()
                else:
                    ws._connection.abort()

        gc.callbacks.append(act)
        gc.set_threshold(1, 1, 1)
        server.together()
        if WHAT == "pause":
            async with asyncio.timeout(30):
                while not acted:  # noqa: ASYNC110 - the collector tells nobody
                    await asyncio.sleep(0)
            ws.resume_reading()
        types = []
        async with asyncio.timeout(30):
            while not types or types[-1] is not wsclient.MsgType.closed:
                types.append((await ws.receive()).tp)
        gc.callbacks.remove(act)
        gc.set_threshold(700, 10, 10)
        # The number of the socket is another's now.
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.send(b"x")
        assert await asyncio.get_running_loop().sock_recv(ours, 1) == b"x"
        ours.close()
        theirs.close()
    sys.stdout.write("acted\n" if acted else "nothing was let go\n")


with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
    runner.run(main())
