"""centrifuge-python, unmodified: channels, publications and calls of a Centrifugo server."""

import asyncio
import json

import centrifuge
from servers import ping, serving, whose

ENDINGS = {"shutdown": (3001, "shutdown"), "expelled": (3501, "bad request")}


def pushed(channel, *published):
    return [{"push": {"channel": channel, "pub": {"data": data}}} for data in published]


def replies(command):
    """What a command is answered with; an empty one is a pong, as an empty reply is a ping."""
    name = command.get("id")
    match command:
        case {"connect": _}:
            return [{"id": name, "connect": {"client": "c", "ping": 25, "pong": True}}]
        case {"subscribe": {"channel": channel}}:
            return [{"id": name, "subscribe": {}}, *pushed(channel, 0, 1, 2), {}]
        case {"publish": {"channel": channel, "data": data}}:
            return [{"id": name, "publish": {}}, *pushed(channel, data)]
        case {"rpc": {"data": data}}:
            return [{"id": name, "rpc": {"data": data[::-1]}}]
    assert command == {}
    return pushed("news", "pong")


async def centrifugo(ws):
    async for message in ws:
        for command in map(json.loads, message.split("\n")):
            match command:
                case {"rpc": {"method": "end", "data": how}}:
                    await ws.close(*ENDINGS[how])
                    return
                case {"subscribe": _}:
                    await ping(ws)
            # A message may carry several replies.
            await ws.send("\n".join(map(json.dumps, replies(command))))


class Events(centrifuge.ClientEventHandler):
    """Prints what becomes of the connection."""

    def __init__(self):
        self.connected = asyncio.Event()
        self.disconnected = asyncio.Event()

    async def on_connecting(self, context):
        self.connected.clear()
        print("connecting", context.code, context.reason)

    async def on_connected(self, context):
        print("connected", context.client)
        self.connected.set()

    async def on_disconnected(self, context):
        print("disconnected", context.code, context.reason)
        self.disconnected.set()


class News(centrifuge.SubscriptionEventHandler):
    """Keeps what was published."""

    def __init__(self):
        self.published = asyncio.Queue()

    async def on_publication(self, context):
        await self.published.put(context.pub.data)

    async def next(self, count):
        return [await self.published.get() for _ in range(count)]


async def main():
    events, news = Events(), News()
    async with serving(centrifugo) as server:
        client = centrifuge.Client(server.url, events=events, headers={"X-Name": "n"})
        news_channel = client.new_subscription("news", news)
        await news_channel.subscribe()
        await client.connect()
        await news_channel.ready()
        print(whose(client._conn), await news.next(4))
        print((await client.rpc("reverse", [1, 2, 3])).data)
        await news_channel.publish({"said": "hello"})
        print(await news.next(1))

        events.connected.clear()
        try:
            await client.rpc("end", "shutdown")
        except centrifuge.CentrifugeError as error:
            print(type(error).__name__)
        print(await server.ending())
        await events.connected.wait()
        await news_channel.ready()
        print(await news.next(4), (await client.rpc("reverse", "abc")).data)

        try:
            await client.rpc("end", "expelled")
        except centrifuge.CentrifugeError as error:
            print(type(error).__name__)
        await events.disconnected.wait()
        print(await server.ending())

        await client.connect()
        await client.ready()
        await client.disconnect()
        print(await server.ending())
