"""Market data: what the server sends in the scenarios called feed."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

MESSAGES = 1000
"""So many, and then again from the first."""
SPEED = 10
"""How much faster than a real feed it is sent: 200 messages a second, of which 50 come at once."""
BOOKS = 0.05
"""The share of large messages."""
LEVELS = 44
PRICES = {"BTC-USD": 67_012.3, "ETH-USD": 3_480.25, "SOL-USD": 151.87, "XRP-USD": 0.5231}


def ticker(symbol: str, price: float, rng: random.Random) -> dict[str, Any]:
    """Make what is known after a trade: some 256 bytes."""
    spread = price * 1e-5
    return {
        "channel": "ticker",
        "symbol": symbol,
        "sequence": rng.randrange(10**9, 10**10),
        "time": str(datetime(2026, 1, 5, tzinfo=UTC) + timedelta(seconds=rng.uniform(0, 86_400))),
        "bid": round(price - spread, 4),
        "bid_size": round(rng.expovariate(0.5), 6),
        "ask": round(price + spread, 4),
        "ask_size": round(rng.expovariate(0.5), 6),
        "last": round(price + rng.choice((spread, -spread)), 4),
        "volume": round(rng.uniform(1_000, 100_000), 4),
        "vwap": round(price * rng.uniform(0.99, 1.01), 4),
        "low": round(price * rng.uniform(0.95, 1), 4),
        "high": round(price * rng.uniform(1, 1.05), 4),
    }


def book(symbol: str, price: float, rng: random.Random) -> dict[str, Any]:
    """Make the same with the best prices of an order book: some 2 KiB."""
    step = price * 2e-5
    sides = {
        side: [
            [round(price + sign * step * (level + rng.random()), 4), round(rng.expovariate(0.5), 6)]
            for level in range(LEVELS)
        ]
        for side, sign in (("bids", -1), ("asks", 1))
    }
    return {**ticker(symbol, price, rng), "channel": "book", **sides}


def moving(rng: random.Random) -> Iterator[tuple[str, float]]:
    """Give the price of one of the symbols, for ever."""
    prices = dict(PRICES)
    while True:
        symbol = rng.choice(tuple(prices))
        prices[symbol] *= rng.gauss(1, 1e-4)
        yield symbol, prices[symbol]


def encode(message: dict[str, Any]) -> str:
    """Write JSON as servers do, without spaces."""
    return json.dumps(message, separators=(",", ":"))


@cache
def messages() -> tuple[str, ...]:
    """Make the feed's messages; they are the same every time."""
    rng = random.Random(1)
    makes = rng.choices((book, ticker), (BOOKS, 1 - BOOKS), k=MESSAGES)
    return tuple(
        encode(make(*symbol_and_price, rng))
        for make, symbol_and_price in zip(makes, moving(rng), strict=False)
    )


def tickers() -> tuple[str, ...]:
    """Return the small messages."""
    return tuple(message for message in messages() if '"bids"' not in message)


def books() -> tuple[str, ...]:
    """Return the large messages."""
    return tuple(message for message in messages() if '"bids"' in message)


def order(count: int) -> bytes:
    """Encode the ping that asks for messages."""
    return b"feed %d" % count
