"""hass-client, unmodified: signs in at Home Assistant's WebSocket API and sends a command."""

import asyncio

import wsclient.aiohttp

wsclient.aiohttp.install()

from aiohttp import ClientSession, web  # noqa: E402 - as a program would that installs first
from hass_client import HomeAssistantClient  # noqa: E402


async def serve(request):
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    await ws.send_json({"type": "auth_required", "ha_version": "2026.11.0"})
    assert (await ws.receive_json())["access_token"] == "token"
    await ws.send_json({"type": "auth_ok", "ha_version": "2026.11.0"})
    async for msg in ws:
        order = msg.json()
        result = {"type": "result", "success": True, "result": f"did {order['type']}"}
        await ws.send_json({"id": order["id"], **result})
    return ws


async def main():
    app = web.Application()
    app.router.add_get("/api/websocket", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"ws://127.0.0.1:{runner.addresses[0][1]}/api/websocket"
    async with ClientSession() as session:
        client = HomeAssistantClient(url, "token", session)
        await client.connect()
        print(isinstance(client._client, wsclient.ClientWebSocketResponse), client.version)
        listening = asyncio.create_task(client.start_listening())
        print(await client.send_command("get_config"))
        await client.disconnect()
        await listening
    await runner.cleanup()


asyncio.run(asyncio.wait_for(main(), 30))
