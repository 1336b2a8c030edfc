"""pysignalr, unmodified: a SignalR hub, which it calls and which calls it."""

import asyncio
import contextlib
import json

from aiohttp import WSCloseCode, web
from pysignalr.client import SignalRClient
from servers import whose

END = "\x1e"
PING = {"type": 6}


def answers(order):
    name = order.get("invocationId")
    match order:
        case {"type": 1, "target": "Add", "arguments": [one, other]}:
            return [{"type": 3, "invocationId": name, "result": one + other}]
        case {"type": 1, "target": "AskMe"}:
            question = {"target": "Question", "arguments": ["why"]}
            return [{"type": 1, "invocationId": "q", **question}]
        case {"type": 3, "invocationId": "q", "result": result}:
            return [{"type": 1, "target": "Told", "arguments": [result]}]
        case {"type": 4, "target": "Count"}:
            items = [{"type": 2, "invocationId": name, "item": n} for n in range(3)]
            return [*items, {"type": 3, "invocationId": name}]
    assert order == PING
    return [PING]


class Hub:
    def __init__(self):
        self.endings = asyncio.Queue()

    async def negotiate(self, request):
        return web.json_response({"connectionId": "c", "availableTransports": []})

    async def serve(self, request):
        assert (request.query["id"], request.headers["X-Name"]) == ("c", "n")
        ws = web.WebSocketResponse()
        await ws.prepare(request)

        async def send(*messages):
            await ws.send_str("".join(json.dumps(message) + END for message in messages))

        hello = json.loads((await ws.receive_str()).rstrip(END))
        assert hello == {"protocol": "json", "version": 1}
        await send({}, PING)
        awaiting = []
        async for message in ws:
            for order in map(json.loads, message.data.split(END)[:-1]):
                target = order.get("target")
                if target == "Restart":
                    await ws.close(code=WSCloseCode.SERVICE_RESTART, message=b"restart")
                elif target == "AwaitPing":
                    awaiting.append(order["invocationId"])
                elif order == PING and awaiting:
                    await send({"type": 3, "invocationId": awaiting.pop(), "result": "pinged"})
                else:
                    await send(*answers(order))
        self.endings.put_nowait(ws.close_code)
        return ws


async def main():
    hub = Hub()
    app = web.Application()
    app.router.add_post("/hub/negotiate", hub.negotiate)
    app.router.add_get("/hub", hub.serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()

    states, said = asyncio.Queue(), asyncio.Queue()
    client = SignalRClient(
        f"http://127.0.0.1:{runner.addresses[0][1]}/hub",
        headers={"X-Name": "n"},
        signalr_ping_interval=0.05,
    )

    async def opened():
        await states.put("open")

    async def closed():
        await states.put("closed")

    async def answer(arguments):
        return f"{arguments[0]}? because"

    client.on_open(opened)
    client.on_close(closed)
    client.on("Question", answer)
    client.on("Told", said.put)
    running = asyncio.create_task(client.run())

    async def work():
        print(await states.get())
        print(whose(client._transport._ws))
        await client.send("Add", [1, 2], said.put)
        print((await said.get()).result)
        await client.send("AwaitPing", [], said.put)
        print((await said.get()).result)
        await client.send("AskMe", [])
        print(await said.get())
        await client.stream("Count", [], on_next=said.put, on_complete=said.put)
        print([await said.get() for _ in range(3)], (await said.get()).error)

    await work()
    await client.send("Restart", [])
    print(await states.get(), await hub.endings.get())
    await work()
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    print(await hub.endings.get())
    await runner.cleanup()
