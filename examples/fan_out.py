"""Give each message to all who want it: `python examples/fan_out.py ws://HOST/`.

One task receives; each other has a queue of its own, so that a slow one delays nobody.
"""

import asyncio
import sys
from collections.abc import AsyncIterator

import wsclient


class Topic:
    """Copies what it is given to all queues; a full one loses its oldest message.

    None ends them.
    """

    def __init__(self) -> None:
        self.queues: set[asyncio.Queue[str | None]] = set()

    def subscribe(self, size: int = 1000) -> AsyncIterator[str]:
        """Give every message from now on; leaving the iterator ends the subscription."""
        queue: asyncio.Queue[str | None] = asyncio.Queue(size)
        self.queues.add(queue)
        return self.messages(queue)

    async def messages(self, queue: asyncio.Queue[str | None]) -> AsyncIterator[str]:
        try:
            while (message := await queue.get()) is not None:
                yield message
        finally:
            self.queues.discard(queue)

    def publish(self, message: str | None) -> None:
        for queue in self.queues:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(message)


async def worker(name: str, messages: AsyncIterator[str]) -> None:
    async for message in messages:
        print(f"{name} got {message}")


async def main(url: str) -> None:
    topic = Topic()
    async with asyncio.TaskGroup() as group, wsclient.ws_connect(url) as ws:
        for name in ("one", "two", "three"):
            group.create_task(worker(name, topic.subscribe()))
        async for msg in ws:
            if msg.type is wsclient.WSMsgType.TEXT:
                topic.publish(msg.data)
        topic.publish(None)


asyncio.run(main(sys.argv[1]))
