"""google-genai's live client, unmodified, over TLS: a conversation in turns."""

import base64
import json
import os

from google import genai
from google.genai.errors import APIError
from servers import client_tls, ping, serving, whose

AUDIO = os.urandom(1_500_000)


async def gemini(ws):
    async def send(**message):
        # As bytes, as Google does.
        await ws.send(json.dumps(message).encode())

    assert ws.request.headers["x-goog-api-key"] == "key"
    setup = json.loads(await ws.recv())["setup"]
    if setup["model"] == "models/unknown":
        await ws.close(1008, "no such model")
        return
    await send(setupComplete={"sessionId": "s"})
    async for message in ws:
        content = json.loads(message)["client_content"]
        text = content["turns"][0]["parts"][0]["text"]
        if text == "go away":
            await ws.close(1011, "overloaded")
            return
        await ping(ws)
        audio = {"mimeType": "audio/pcm", "data": base64.b64encode(AUDIO).decode()}
        parts = [{"text": "you said "}, {"text": text}, {"inlineData": audio}]
        for part in parts:
            await send(serverContent={"modelTurn": {"parts": [part]}})
        await send(serverContent={"turnComplete": True})


async def main():
    async with serving(gemini, tls=True) as server:
        # The library passes on those arguments that it finds in the signature of `connect`.
        arguments = {"ssl": client_tls(), "max_size": 3_000_000, "no_such_argument": 1}
        url = server.url.replace("wss", "https")
        options = {"base_url": url, "async_client_args": arguments}
        client = genai.Client(api_key="key", http_options=options)

        async def take_turn(session, text):
            content = {"role": "user", "parts": [{"text": text}]}
            await session.send_client_content(turns=content)
            async for message in session.receive():
                print(message.text, message.data == AUDIO, message.server_content.turn_complete)

        try:
            async with client.aio.live.connect(model="live") as session:
                print(whose(session._ws), session.session_id)
                await take_turn(session, "hello")
                await take_turn(session, "again")
                await take_turn(session, "go away")
        except APIError as error:
            print(error)
        print(await server.ending())

        async with client.aio.live.connect(model="live") as session:
            await take_turn(session, "hello")
            await session.close()
        print(await server.ending())

        try:
            async with client.aio.live.connect(model="unknown"):
                pass
        except APIError as error:
            print(error)
        print(await server.ending())
