"""Act on the newest message when several have come: `python examples/latest.py ws://HOST/`."""

import asyncio
import sys

import wsclient


async def main(url: str) -> None:
    """Print the newest text, its arrival behind others, and what came of the connection."""
    async with wsclient.ws_connect(url, heartbeat=20) as ws:
        while not ws.closed:
            *older, newest = await ws.receive_many()
            if newest.type is wsclient.WSMsgType.TEXT:
                print(f"{newest.data} ({len(older)} older ones passed over)")
        print(f"closed with code {ws.close_code}: {ws.close_reason or ws.exception()}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
