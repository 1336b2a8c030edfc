"""A program: while a message is sent, code that nobody called there sends another.

python -m tests.faults.send_inside LOOP SCHEME WHO  # ws or wss; who interrupts
"""

import asyncio
import gc
import sys
import threading

import uvloop
from tests.faults.resetting import contexts
from websockets.sync.server import serve

import wsclient

LOOP, SCHEME, WHO = sys.argv[1:]
ROUNDS = 16
"""Each begins to interrupt one step later."""
SIZE = 8 << 20
"""More than a socket takes at once, so that the transport gets the rest."""


class Interrupting:
    """Sends while somebody else does: as the collector's finalizer, or a signal's handler.

    Signals are handled between any two of a program's steps, as profilers are called.
    """

    def __init__(self, ws):
        self.ws = ws
        self.sent = []
        self.steps = self.round = 0
        self.busy = False

    def __enter__(self):
        self.steps = -(self.round // 2)
        self.round += 1
        if WHO == "collector":
            gc.callbacks.append(self.interrupt)
            gc.set_threshold(1, 1, 1)
        else:
            sys.setprofile(self.interrupt)

    def __exit__(self, *_):
        sys.setprofile(None)
        if WHO == "collector":
            gc.set_threshold(700, 10, 10)
            gc.callbacks.remove(self.interrupt)

    def interrupt(self, *_):
        if self.busy or threading.current_thread() is not threading.main_thread():
            return
        self.busy = True
        if 0 <= self.steps < 3:
            text = f"inside {len(self.sent)} " + "x" * 100_000
            self.ws.send_str(text)
            self.sent.append(text)
        self.steps += 1
        self.busy = False


def take(connection, got):
    for message in connection:
        got.append(message)
        if message == "over":
            connection.send("ok")


async def main():
    tls, trusted = contexts(SCHEME)
    got = []
    options = {"ssl": tls, "max_size": None}
    with serve(lambda connection: take(connection, got), "127.0.0.1", 0, **options) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"{SCHEME}://localhost:{server.socket.getsockname()[1]}/"
        connecting = wsclient.ws_connect(url, ssl=trusted, compress=15)
        async with asyncio.timeout(60), connecting as ws:
            interrupting = Interrupting(ws)
            messages = []
            for round_ in range(ROUNDS):
                large, small = bytes([round_]) * SIZE, b"small" * 100
                messages += [large, small]
                with interrupting:
                    ws.send_bytes(large, compress=False)
                with interrupting:
                    # What is compressed refers to what was sent before.
                    sent = ws.send_bytes(small)
                await sent
                many = [bytes([round_]) * 20_000 for _ in range(100)]
                few = [b"few %d" % number for number in range(10)]
                messages += [*many, *few]
                with interrupting:
                    sent = ws.send_many(many)
                with interrupting, ws.cork():
                    for message in few:
                        ws.send_bytes(message)
                await sent
                await ws.send_str("over")
                assert await ws.receive_str() == "ok"
        server.shutdown()
        thread.join(30)
    assert [message for message in got if isinstance(message, bytes)] == messages
    inside = [message for message in got if message[:1] == "i"]
    assert inside == interrupting.sent
    sys.stdout.write("whole\n" if inside else "nothing came between\n")


factory = {"asyncio": asyncio.SelectorEventLoop, "uvloop": uvloop.new_event_loop}[LOOP]
with asyncio.Runner(loop_factory=factory) as runner:
    runner.run(main())
