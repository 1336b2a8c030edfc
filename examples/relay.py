"""Put a feed into NATS, from two connections: `python examples/relay.py BROKER SUBJECT URL URL`.

The feed numbers its messages (`seq`). What has been stored, under which number and by whom, is for
JetStream to say: each message is stored once and in order, whatever becomes of the broker.
"""

import asyncio
import sys

import nats.errors
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import PubAck, StreamConfig
from nats.js.errors import NotFoundError

import wsclient

TIMEOUT = 1.0
"""Seconds for the broker to confirm what it has been sent."""
AT_ONCE = 1000
"""Messages that wait to be confirmed."""


def seq(msg: wsclient.Message) -> int:
    return int(msg.json()["seq"])


async def subscribe(ws: wsclient.ClientWebSocketResponse[bytes]) -> None:
    await ws.send_json({"subscribe": "BTC"})


class Publisher:
    """Appends to a stream; each message has its place, which no other can take."""

    def __init__(self, js: JetStreamContext, subject: str) -> None:
        self.js = js
        self.subject = subject
        self.stream = subject.replace(".", "-")
        self.stored = 0

    async def begin(self) -> None:
        config = StreamConfig(name=self.stream, subjects=[self.subject], max_msgs=1_000_000)
        # Its further arguments have no types.
        info = await self.js.add_stream(config)  # pyright: ignore[reportUnknownMemberType]
        self.stored = info.state.last_seq

    async def publish(self, messages: list[bytes]) -> None:
        """Return when all are stored, however long the broker is away."""
        while messages:
            count = len(messages[:AT_ONCE])
            if not await self.send(messages[:AT_ONCE]):
                print("not stored, or not all", flush=True)
                count = await self.count_stored(messages)
            self.stored += count
            messages = messages[count:]

    async def send(self, messages: list[bytes]) -> bool:
        """Tell whether the broker has confirmed that all are stored."""
        acks: list[asyncio.Future[PubAck]] = []
        append = self.js.publish_async  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        try:
            async with asyncio.timeout(TIMEOUT):
                for behind, data in enumerate(messages, self.stored):
                    headers = {"Nats-Expected-Last-Sequence": str(behind)}
                    acks.append(await append(self.subject, data, headers=headers))
                await asyncio.gather(*acks)
        except (nats.errors.Error, TimeoutError):
            return False
        finally:
            for ack in acks:
                ack.cancel()
        return True

    async def count_stored(self, messages: list[bytes]) -> int:
        """Ask how many of the messages have been stored nevertheless."""
        while True:
            try:
                last = await self.js.get_last_msg(self.stream, self.subject)
                break
            except NotFoundError:  # the stream is empty
                return 0
            except (nats.errors.Error, TimeoutError):
                await asyncio.sleep(TIMEOUT / 10)
        count = (last.seq or 0) - self.stored
        if count < 0 or count > len(messages) or (count and last.data != messages[count - 1]):
            raise RuntimeError(f"somebody else publishes to {self.subject}")
        return count


async def main(broker: str, subject: str, *urls: str) -> None:
    client = Client()
    await client.connect(broker, max_reconnect_attempts=-1, reconnect_time_wait=1)
    publisher = Publisher(JetStreamContext(client), subject)
    await publisher.begin()
    feeds = wsclient.race(urls, key=seq, on_connect=subscribe, decode_text=False, heartbeat=20)
    async for feed in feeds:
        print("open", flush=True)
        while messages := await feed.receive_many():
            await publisher.publish([msg.data for msg in messages])
        print("a gap, perhaps", flush=True)


asyncio.run(main(*sys.argv[1:]))
