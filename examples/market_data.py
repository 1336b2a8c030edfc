"""Follow prices through every outage: `python examples/market_data.py wss://HOST/feed`.

Of each symbol only the newest price counts; while this falls behind, older ones are replaced.
"""

import asyncio
import json
import sys

import wsclient


def symbol(msg: wsclient.Message) -> str:
    """Tell which messages replace each other."""
    return str(json.loads(msg.data)["symbol"])


def note(event: wsclient.ReconnectEvent) -> None:
    """Say what becomes of the connection."""
    why = f" ({event.exception})" if event.exception else ""
    print(event.state if event.delay is None else f"waiting {event.delay:.1f} s{why}", flush=True)


async def main(url: str) -> None:
    """Print each price, and subscribe anew whenever the connection is."""
    async for ws in wsclient.reconnect(
        url, heartbeat=20, queue=wsclient.Conflate(symbol), on_state=note
    ):
        await ws.send_json({"subscribe": ["BTC", "ETH"]})
        async for msg in ws:
            if msg.type is wsclient.WSMsgType.TEXT:
                price = msg.json()
                print(f"{price['symbol']} {price['price']} ({ws.dropped} passed over)", flush=True)


asyncio.run(main(sys.argv[1]))
