"""gql's websockets transport, unmodified, over TLS: queries and subscriptions."""

import collections
import json

from gql import Client, gql
from gql.transport.exceptions import TransportConnectionFailed
from gql.transport.websockets import WebsocketsTransport
from servers import client_tls, ping, serving, whose
from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame, Opcode

PROTOCOL = "graphql-transport-ws"


class Connection(ServerConnection):
    """Counts what keeps it alive: the peer's pings, and GraphQL's own pings and pongs."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.alive = collections.Counter()

    def process_event(self, event):
        if isinstance(event, Frame) and event.opcode is Opcode.PING:
            self.alive["frame"] += 1
        super().process_event(event)


async def send(ws, kind, **fields):
    await ws.send(json.dumps({"type": kind, **fields}))


async def answer(ws, name, *results):
    for result in results:
        await send(ws, "next", id=name, payload={"data": {"answer": result}})
    await ping(ws)
    await send(ws, "complete", id=name)


async def graphql(ws):
    assert ws.request.headers["Authorization"] == "Bearer token"
    assert json.loads(await ws.recv()) == {"type": "connection_init", "payload": {"user": "u"}}
    await send(ws, "connection_ack")
    await send(ws, "ping")
    waiting = []
    async for message in ws:
        order = json.loads(message)
        if order["type"] == "subscribe":
            name, query = order["id"], order["payload"]["query"].split()
            if "forbidden" in query:
                await send(ws, "next", id=name, payload={"data": {"answer": 0}})
                await ws.close(4403, "Forbidden")
                return
            if "alive" in query:
                waiting.append(name)
            else:
                await answer(ws, name, *([0, 1, 2] if "count" in query else ["hello"]))
        else:
            ws.alive[order["type"]] += 1
            if order["type"] == "ping":
                await send(ws, "pong")
            if waiting and all(ws.alive[kind] for kind in ("frame", "ping", "pong")):
                await answer(ws, waiting.pop(), "alive")


def served_by(connection, request, response):
    response.headers["X-Served-By"] = "this"


async def main():
    options = {"process_response": served_by, "create_connection": Connection}
    async with serving(graphql, tls=True, subprotocols=[PROTOCOL], **options) as server:
        transport = WebsocketsTransport(
            url=server.url,
            ssl=client_tls(),
            headers={"Authorization": "Bearer token"},
            init_payload={"user": "u"},
            subprotocols=[PROTOCOL],
            ping_interval=0.05,
            pong_timeout=10,
            connect_args={"max_size": 1000, "ping_interval": 0.01},
        )
        client = Client(transport=transport)
        session = await client.connect_async(reconnecting=True)
        print(whose(transport.adapter.websocket), transport.subprotocol)
        print(transport.response_headers["X-Served-By"])
        print((await session.execute(gql("query { answer }")))["answer"])
        async for result in session.subscribe(gql("subscription { count }")):
            print(result["answer"])
        print((await session.execute(gql("query { alive }")))["answer"])

        try:
            async for result in session.subscribe(gql("subscription { forbidden }")):
                print(result)
        except TransportConnectionFailed as error:
            print(error, "|", error.__cause__)
        await session._connected_event.wait()
        print(await server.ending())
        print((await session.execute(gql("query { answer }")))["answer"])
        await client.close_async()
        print(await server.ending())
