"""discord.py's gateway, unmodified: hello, identify, heartbeat, dispatch, and resuming."""

import asyncio
import json

import wsclient.aiohttp

wsclient.aiohttp.install()

import discord  # noqa: E402 - as a program would that installs first
from aiohttp import web  # noqa: E402

USER = {"id": "1", "username": "bot", "discriminator": "0", "avatar": None, "bot": True}
MESSAGE = {
    "id": "7", "channel_id": "5", "content": "hello", "author": {**USER, "id": "2", "bot": False},
    "timestamp": "2026-01-01T00:00:00+00:00", "edited_timestamp": None, "tts": False,
    "mention_everyone": False, "mentions": [], "mention_roles": [], "attachments": [], "embeds": [],
    "pinned": False, "type": 0,
}  # fmt: skip

APPLICATION = {
    "id": "1", "name": "a", "description": "", "icon": None, "rpc_origins": [], "bot_public": True,
    "bot_require_code_grant": False, "owner": USER, "verify_key": "", "summary": "", "flags": 0,
}  # fmt: skip


class Gateway:
    """As much of Discord as a bot meets that only listens."""

    def __init__(self):
        self.seen = []
        self.visits = 0
        self.done = asyncio.Event()

    async def serve(self, request):
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        self.visits += 1
        await ws.send_json({"op": 10, "d": {"heartbeat_interval": 300}})
        beats = 0
        async for msg in ws:
            order = json.loads(msg.data)
            name = {1: "heartbeat", 2: "identify", 6: "resume"}.get(order["op"], str(order["op"]))
            if name != "heartbeat":
                self.seen.append(name)
            if name == "identify":
                ready = {
                    "v": 10, "user": USER, "guilds": [], "session_id": "s",
                    "resume_gateway_url": self.url, "application": {"id": "1", "flags": 0},
                }  # fmt: skip
                await ws.send_json({"op": 0, "t": "READY", "s": 1, "d": ready})
                await ws.send_json({"op": 0, "t": "MESSAGE_CREATE", "s": 2, "d": MESSAGE})
            elif name == "resume":
                assert order["d"]["seq"] == 2
                await ws.send_json({"op": 0, "t": "RESUMED", "s": 3, "d": {}})
            elif name == "heartbeat":
                beats += 1
                await ws.send_json({"op": 11})
                if beats == 2 and self.visits == 1:
                    # A gateway that restarts.
                    await ws.close(code=1001)
                elif beats == 2:
                    self.done.set()
        self.seen.append(f"closed {ws.close_code}")
        return ws


class Bot(discord.Client):
    async def on_ready(self):
        print("ready as", self.user)

    async def on_message(self, message):
        print("message", message.content)

    async def on_resumed(self):
        print("resumed")


async def main():
    gateway = Gateway()
    app = web.Application()

    def answers(value):
        async def handler(_):
            body = json.dumps(value).encode()
            return web.Response(body=body, headers={"Content-Type": "application/json"})

        return handler

    app.router.add_get("/api/users/@me", answers(USER))
    app.router.add_get("/api/oauth2/applications/@me", answers(APPLICATION))
    app.router.add_get("/", gateway.serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    gateway.url = f"ws://127.0.0.1:{port}/"
    discord.http.Route.BASE = f"http://127.0.0.1:{port}/api"
    discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = discord.gateway.yarl.URL(gateway.url)

    bot = Bot(intents=discord.Intents.none())
    running = asyncio.create_task(bot.start("token"))
    await asyncio.wait(
        [running, asyncio.create_task(gateway.done.wait())], return_when=asyncio.FIRST_COMPLETED
    )
    socket = bot.ws.socket
    print(isinstance(socket, wsclient.ClientWebSocketResponse), type(socket).__name__)
    await bot.close()
    await running
    await runner.cleanup()
    print(*gateway.seen)


asyncio.run(asyncio.wait_for(main(), 60))
