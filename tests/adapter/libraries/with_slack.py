"""slack_sdk's Socket Mode client, unmodified: connects, acknowledges an event, connects again."""

import asyncio
import json

import wsclient.aiohttp

wsclient.aiohttp.install()

from aiohttp import web  # noqa: E402 - as a program would that installs first
from slack_sdk.socket_mode.aiohttp import SocketModeClient  # noqa: E402
from slack_sdk.socket_mode.response import SocketModeResponse  # noqa: E402
from slack_sdk.web.async_client import AsyncWebClient  # noqa: E402


async def main():
    opened, acknowledged, done = 0, [], asyncio.Event()

    async def open_connection(request):
        nonlocal opened
        opened += 1
        return web.json_response({"ok": True, "url": f"ws://{request.host}/link?number={opened}"})

    async def link(request):
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        await ws.send_json({"type": "hello"})
        envelope = {"type": "events_api", "envelope_id": str(opened), "payload": {"a": opened}}
        await ws.send_json({**envelope, "accepts_response_payload": False})
        async for msg in ws:
            acknowledged.append(json.loads(msg.data)["envelope_id"])
            if opened == 1:
                await ws.send_json({"type": "disconnect", "reason": "refresh_requested"})
                break
            done.set()
        await ws.close()
        return ws

    app = web.Application()
    app.router.add_post("/api/apps.connections.open", open_connection)
    app.router.add_get("/link", link)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}/api/"

    async def listener(client, request):
        await client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))

    client = SocketModeClient(
        "xapp-x", web_client=AsyncWebClient("xoxb-x", base_url=base), ping_interval=0.2
    )
    client.socket_mode_request_listeners.append(listener)
    await client.connect()
    kind = type(client.current_session)
    print(kind.__module__, isinstance(client.current_session, wsclient.ClientWebSocketResponse))
    await done.wait()
    print("opened", opened, "acknowledged", acknowledged)
    await client.close()
    await runner.cleanup()


asyncio.run(asyncio.wait_for(main(), 30))
