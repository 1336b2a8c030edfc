"""samsungtvws, unmodified: a television's remote control."""

import asyncio
import base64
import json
import urllib.parse

from samsungtvws.async_remote import SamsungTVWSAsyncRemote
from samsungtvws.exceptions import UnauthorizedError
from samsungtvws.remote import SendRemoteKey
from servers import ping, serving, whose
from websockets.exceptions import ConnectionClosedError

APPS = [{"appId": "1", "name": "News"}]


async def television(ws):
    async def send(event, **data):
        await ws.send(json.dumps({"event": event, "data": data}))

    if base64.b64encode(b"stranger").decode() in urllib.parse.unquote(ws.request.path):
        await send("ms.channel.unauthorized")
        await ws.close(4401, "not paired")
        return
    await send("ed.edenTV.update", update_type="x")
    await send("ms.channel.connect", token="t")
    async for message in ws:
        params = json.loads(message)["params"]
        if params.get("event") == "ed.installedApp.get":
            await ping(ws)
            await send("ed.installedApp.get", data=APPS)
        elif params["DataOfCmd"] == "KEY_POWER":
            await ws.close(1011, "off")
            return
        else:
            await send("pressed", key=params["DataOfCmd"])


async def main():
    events = asyncio.Queue()

    def listen(event, response):
        events.put_nowait((event, response["data"]))

    async with serving(television) as server:
        remote = SamsungTVWSAsyncRemote(
            "127.0.0.1", port=server.port, timeout=10, key_press_delay=0
        )
        await remote.start_listening(listen)
        print(whose(remote.connection), remote.is_alive(), remote.token)
        print(await remote.app_list())
        await remote.send_commands([SendRemoteKey.click("KEY_UP"), SendRemoteKey.click("KEY_DOWN")])
        print(*[await events.get() for _ in range(3)], sep="\n")

        await remote.send_command(SendRemoteKey.click("KEY_POWER"))
        await remote._recv_loop
        print(remote.is_alive(), await server.ending())
        try:
            await remote.send_command(SendRemoteKey.click("KEY_UP"))
        except ConnectionClosedError as error:
            print(error)
        await remote.close()

        await remote.start_listening(listen)
        await remote.send_command(SendRemoteKey.click("KEY_MUTE"))
        print(remote.is_alive(), await events.get())
        await remote.close()
        print(remote.is_alive(), await server.ending())

        stranger = SamsungTVWSAsyncRemote("127.0.0.1", port=server.port, name="stranger")
        try:
            await stranger.start_listening(listen)
        except UnauthorizedError as error:
            print(error)
        print(stranger.is_alive(), await server.ending())
