"""gql's aiohttp transport, unmodified: a subscription over graphql-transport-ws."""

import asyncio
import json

import wsclient.aiohttp

wsclient.aiohttp.install()

from aiohttp import web  # noqa: E402 - as a program would that installs first
from gql import Client, gql  # noqa: E402
from gql.transport.aiohttp_websockets import AIOHTTPWebsocketsTransport  # noqa: E402


async def serve(request):
    ws = web.WebSocketResponse(protocols=["graphql-transport-ws"])
    await ws.prepare(request)
    async for msg in ws:
        order = json.loads(msg.data)
        if order["type"] == "connection_init":
            await ws.send_json({"type": "connection_ack"})
        elif order["type"] == "subscribe":
            for number in range(3):
                data = {"data": {"count": number}}
                await ws.send_json({"id": order["id"], "type": "next", "payload": data})
            await ws.send_json({"id": order["id"], "type": "complete"})
    return ws


async def main():
    app = web.Application()
    app.router.add_get("/graphql", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"ws://127.0.0.1:{runner.addresses[0][1]}/graphql"
    transport = AIOHTTPWebsocketsTransport(url=url, subprotocols=["graphql-transport-ws"])
    async with Client(transport=transport) as session:
        connection = transport.adapter.websocket
        print(isinstance(connection, wsclient.ClientWebSocketResponse), connection.protocol)
        async for result in session.subscribe(gql("subscription { count }")):
            print(result)
    await runner.cleanup()


asyncio.run(asyncio.wait_for(main(), 30))
