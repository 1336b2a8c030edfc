import asyncio
import sys

import wsclient


async def main(url: str) -> None:
    async with wsclient.ws_connect(url) as ws:
        await ws.send_str("hello")
        async for msg in ws:
            if msg.type is wsclient.WSMsgType.TEXT:
                print(msg.data)


asyncio.run(main(sys.argv[1]))
