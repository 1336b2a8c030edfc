"""A client in a process of its own, which says how much memory it came to need.

    python hoard.py asyncio ws://127.0.0.1:9001/ '{"compress": 15}'

Connects, takes one message, sends "go", and receives to the end. A `patient` client does not begin
before the connection has paused reading, and an `impatient` one then closes it first. Writes what
it received, and by how much the peak of its resident memory has grown since the first message.
"""

import asyncio
import json
import re
import sys
from pathlib import Path

import uvloop

from wsclient import MsgType, ws_connect

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


def peak():
    """The highest resident memory so far, in bytes."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])


async def main(url, options):
    """Be the client."""
    impatient = options.pop("impatient", False)
    patient = options.pop("patient", impatient)
    messages = size = 0
    async with asyncio.timeout(120), ws_connect(url, **options) as ws:
        await ws.receive()
        before = peak()
        await ws.send_str("go", compress=0)
        while patient and not ws._connection.reading_paused:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0)
        if impatient:
            await ws.close()
        while (message := await ws.receive()).tp in {MsgType.text, MsgType.binary}:
            messages += 1
            size += len(message.data)
        grown = peak() - before
        code = ws.close_code
    said = {"messages": messages, "size": size, "code": code, "grown": grown}
    sys.stdout.write(json.dumps(said))


if __name__ == "__main__":
    _, loop, url, options = sys.argv
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(main(url, json.loads(options)))
