"""polygon-api-client, unmodified: trades of a market, which it takes up again when cut off."""

import json

from polygon import WebSocketClient
from polygon.exceptions import AuthError
from servers import ping, serving, whose
from websockets.exceptions import ConnectionClosedError


class Market:
    """Sends a trade for each subscription, and goes away when it is told to be `fragile`."""

    def __init__(self):
        self.orders = []

    async def serve(self, ws):
        async def send(**event):
            await ws.send(json.dumps([event]))

        await send(ev="status", status="connected", message="Connected Successfully")
        key = json.loads(await ws.recv())["params"]
        if key == "wrong":
            await send(ev="status", status="auth_failed", message="authentication failed")
            return
        await send(ev="status", status="auth_success", message="authenticated")
        if key == "fragile":
            await ws.close(1011, "too slow")
            return
        async for message in ws:
            order = json.loads(message)
            symbols = sorted(order["params"].split(","))
            self.orders.append((order["action"], symbols))
            await ping(ws)
            for symbol in symbols:
                await send(ev="T", sym=symbol.removeprefix("T."), p=1.5, s=len(self.orders))
            if len(self.orders) == 2:
                await ws.close(1012, "restart")
                return


def client(server, key, **options):
    return WebSocketClient(key, f"127.0.0.1:{server.port}", secure=False, **options)


async def main():
    market = Market()
    async with serving(market.serve) as server:
        trading = client(server, "key", subscriptions=["T.A", "T.B"])

        async def take(trades):
            for trade in trades:
                print(trade.symbol, trade.price, trade.size)
                if (trade.symbol, trade.size) == ("A", 1):
                    print(whose(trading.websocket))
                    trading.subscribe("T.C")
                    trading.unsubscribe("T.B")
                elif trade.symbol == "C" and trade.size > 2:
                    await trading.close()

        await trading.connect(take)
        print(*market.orders, sep="\n")
        print(await server.ending())
        print(await server.ending())

        try:
            await client(server, "wrong").connect(take)
        except AuthError as error:
            print(error)
        print(await server.ending())

        try:
            await client(server, "fragile", max_reconnects=1).connect(take)
        except ConnectionClosedError as error:
            print(error.rcvd, "|", error.sent, "|", error.rcvd_then_sent)
        print(await server.ending())
        print(await server.ending())
