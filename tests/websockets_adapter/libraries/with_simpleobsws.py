"""simpleobsws, unmodified: OBS by obs-websocket, which speaks msgpack."""

import asyncio
import base64
import hashlib
import os

import msgpack
import simpleobsws
from servers import ping, serving, whose
from simpleobsws import Request

PASSWORD, SALT, CHALLENGE = "secret", "salt", "challenge"
# More than a message may have by default.
SCREENSHOT = base64.b64encode(os.urandom(1_500_000)).decode()
STARTED = ["STARTING", "STARTED", "RECONNECTING"]


def digest(*parts):
    return base64.b64encode(hashlib.sha256("".join(parts).encode()).digest()).decode()


def answer(order):
    name, data = order["requestType"], order.get("requestData")
    known = {"GetVersion": {"rpcVersion": 1}, "GetSourceScreenshot": {"imageData": SCREENSHOT}}
    status = {"result": name in known, "code": 100 if name in known else 204}
    if name not in known:
        status["comment"] = f"no {name} of {data}"
    return {
        "requestType": name, "requestId": order.get("requestId"), "requestStatus": status,
        "responseData": known.get(name),
    }  # fmt: skip


async def obs(ws):
    async def send(op, **data):
        await ws.send(msgpack.packb({"op": op, "d": data}))

    authentication = {"challenge": CHALLENGE, "salt": SALT}
    await send(0, rpcVersion=1, authentication=authentication)
    identify = msgpack.unpackb(await ws.recv())
    if identify["d"]["authentication"] != digest(digest(PASSWORD, SALT), CHALLENGE):
        await ws.close(4009, "Authentication failed.")
        return
    await send(2, negotiatedRpcVersion=1)
    async for message in ws:
        order = msgpack.unpackb(message)
        data = order["d"]
        if order["op"] == 8:
            results = [answer(each) for each in data["requests"]]
            await send(9, requestId=data["requestId"], results=results)
        elif data["requestType"] == "StartStream":
            await ping(ws)
            for state in STARTED:
                await send(5, eventType="StreamStateChanged", eventData={"outputState": state})
        elif data["requestType"] == "Quit":
            await ws.close(4010, "Session invalidated.")
        else:
            await send(7, **answer(data))


async def session(client):
    states = asyncio.Queue()
    client.register_event_callback(states.put, "StreamStateChanged")
    print(await client.connect(), await client.wait_until_identified())
    print(whose(client.ws), client.ws.subprotocol)
    print((await client.call(Request("GetVersion"))).responseData)
    screenshot = await client.call(Request("GetSourceScreenshot"))
    print(screenshot.responseData == {"imageData": SCREENSHOT})
    unknown = await client.call(Request("GetNothing", {"of": "it"}))
    print(unknown.ok(), unknown.requestStatus.comment)
    both = await client.call_batch([Request("GetVersion"), Request("GetNothing")])
    print([each.ok() for each in both])
    await client.emit(Request("StartStream"))
    print([(await states.get())["outputState"] for _ in STARTED])


async def main():
    async with serving(obs, subprotocols=["obswebsocket.msgpack"]) as server:
        client = simpleobsws.WebSocketClient(server.url, PASSWORD)
        await session(client)
        await client.emit(Request("Quit"))
        await client.recv_task
        print(client.ws.close_code, client.ws.close_reason, client.is_identified())
        try:
            await client.call(Request("GetVersion"))
        except simpleobsws.NotIdentifiedError as error:
            print(error)
        print(await server.ending())

        print(await client.connect(), await client.wait_until_identified())
        print((await client.call(Request("GetVersion"))).ok())
        print(await client.disconnect(), await server.ending())

        refused = simpleobsws.WebSocketClient(server.url, "wrong")
        await refused.connect()
        await refused.recv_task
        print(refused.ws.close_code, refused.ws.close_reason, refused.is_identified())
        await refused.disconnect()
        print(await server.ending())
