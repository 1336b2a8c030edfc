"""openai's realtime client, unmodified: a conversation, through redirects and a reconnection."""

import base64
import http
import json
import os
import urllib.parse

from openai import AsyncOpenAI
from servers import ping, serving, whose
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosedError, SecurityError
from websockets.http11 import Response

AUDIO = base64.b64encode(os.urandom(1_500_000)).decode()


def redirect(connection, request):
    """Send `/moved` to `/v1`, and `/elsewhere` to another host."""
    url = urllib.parse.urlsplit(request.path)
    place = {"/moved/realtime": "/v1/realtime", "/elsewhere/realtime": "ws://localhost:1/v1"}
    if url.path in place:
        target = f"{place[url.path]}?{url.query}"
        return Response(http.HTTPStatus.TEMPORARY_REDIRECT, "", Headers(Location=target))
    return None


async def realtime(ws):
    async def send(kind, **fields):
        await ws.send(json.dumps({"type": kind, "event_id": "e", **fields}))

    assert ws.request.headers["Authorization"] == "Bearer key"
    await send("session.created", session={"type": "realtime", "model": ws.request.path})
    async for message in ws:
        event = json.loads(message)
        match event["type"]:
            case "session.update":
                await ping(ws)
                await send("session.updated", session=event["session"])
            case "conversation.item.create":
                await send("response.output_audio.delta", delta=AUDIO)
                for word in ("Hello", ", ", "you"):
                    await send("response.output_text.delta", delta=word)
                await send("response.done", response={"status": "completed"})
            case "response.cancel":
                await ws.close(1012, "restart")
                return
            case "input_audio_buffer.clear":
                await ws.close(4000, "session expired")
                return


async def converse(connection):
    await connection.session.update(session={"type": "realtime", "instructions": "Be short."})
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
    await connection.conversation.item.create(item=item)
    words = []
    async for event in connection:
        if event.type == "response.output_text.delta":
            words.append(event.delta)
        elif event.type == "response.output_audio.delta":
            print(event.type, event.delta == AUDIO)
        else:
            print(event.type)
        if event.type == "response.done":
            break
    print(words)


async def main():
    async with serving(realtime, process_request=redirect) as server:

        def client(place):
            return AsyncOpenAI(api_key="key", websocket_base_url=server.url + place)

        def again(event):
            print("reconnecting", event.attempt, event.close_code)
            return {"extra_query": {"again": "1"}}

        options = {"model": "m", "on_reconnecting": again, "initial_delay": 0.001}
        async with client("moved").realtime.connect(**options) as connection:
            print(whose(connection._connection))
            print((await connection.recv()).session.model)
            await converse(connection)
            await connection.response.cancel()
            async for event in connection:
                print(event.session.model)
                break
            await converse(connection)
        print(await server.ending())
        print(await server.ending())

        async with client("v1").realtime.connect(**options) as connection:
            await connection.input_audio_buffer.clear()
            try:
                async for event in connection:
                    print(event.type)
            except ConnectionClosedError as error:
                print(error)
        print(await server.ending())

        try:
            await client("elsewhere").realtime.connect(model="m").enter()
        except SecurityError as error:
            print(error)
