"""Decode no more of a feed than is wanted: `python examples/quotes.py wss://HOST/feed`.

Needs msgspec, which makes a `Quote` of a message's bytes and passes over all other fields.
"""

import asyncio
import sys

import msgspec

import wsclient


class Quote(msgspec.Struct):
    """What is wanted of a message; messages of other kinds have none of it."""

    symbol: str = ""
    bid: float = 0.0
    ask: float = 0.0


decoder = msgspec.json.Decoder(Quote)


async def main(url: str) -> None:
    """Print the spread of each quote."""
    async with wsclient.ws_connect(url, decode_text=False) as ws:
        await ws.send_json({"subscribe": ["BTC", "ETH"]})
        async for msg in ws:
            if msg.type is wsclient.WSMsgType.TEXT:
                quote = decoder.decode(msg.data)
                if quote.symbol:
                    print(f"{quote.symbol} {quote.ask - quote.bid:.2f}", flush=True)


asyncio.run(main(sys.argv[1]))
