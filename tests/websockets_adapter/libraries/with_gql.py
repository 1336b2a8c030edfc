"""gql's websockets transport, unmodified, over TLS: queries and subscriptions."""

import json

from gql import Client, gql
from gql.transport.exceptions import TransportConnectionFailed
from gql.transport.websockets import WebsocketsTransport
from servers import client_tls, ping, serving, whose

PROTOCOL = "graphql-transport-ws"


async def graphql(ws):
    async def send(kind, **fields):
        await ws.send(json.dumps({"type": kind, **fields}))

    pings = 0
    async for message in ws:
        order = json.loads(message)
        if order["type"] == "connection_init":
            assert ws.request.headers["Authorization"] == "Bearer token"
            assert order["payload"] == {"user": "u"}
            await send("connection_ack")
            await send("ping")
            assert json.loads(await ws.recv()) == {"type": "pong"}
        elif order["type"] == "ping":
            pings += 1
            await send("pong")
        elif order["type"] == "subscribe":
            query, name = order["payload"]["query"], order["id"]
            if "forbidden" in query:
                await send("next", id=name, payload={"data": {"forbidden": 0}})
                await ws.close(4403, "Forbidden")
                return
            if "pings" in query:
                while pings < 2:
                    assert json.loads(await ws.recv()) == {"type": "ping"}
                    pings += 1
                    await send("pong")
            for number in range(3 if "count" in query else 1):
                await send("next", id=name, payload={"data": {"answer": number, "pings": pings}})
            await ping(ws)
            await send("complete", id=name)


def served_by(connection, request, response):
    response.headers["X-Served-By"] = "this"


async def main():
    options = {"subprotocols": [PROTOCOL], "process_response": served_by, "tls": True}
    async with serving(graphql, **options) as server:
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
        print((await session.execute(gql("query { pings }")))["pings"] >= 2)

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
