"""End in good order on SIGTERM or Ctrl-C: `python examples/shutdown.py ws://HOST/`.

The session tells every server with close code 1001, and waits for their answers in bounded time.
"""

import asyncio
import signal
import sys

import wsclient


async def follow(session: wsclient.ClientSession, url: str) -> None:
    async with session.ws_connect(url) as ws:
        async for msg in ws:
            if msg.type is wsclient.WSMsgType.TEXT:
                print(f"got {msg.data}", flush=True)
    print(f"closed, code {ws.close_code}", flush=True)


async def main(url: str) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with wsclient.ClientSession(timeout=3) as session:
        tasks = [asyncio.create_task(follow(session, url)) for _ in range(3)]
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
        print("stopping", flush=True)
        stopping.cancel()
        # What has arrived is still received: closing ends each `async for`.
        await session.close()
        await asyncio.gather(*tasks)


asyncio.run(main(sys.argv[1]))
