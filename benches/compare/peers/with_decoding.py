"""This package and what makes values of market data: only the latter differs."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import feed
import msgspec
import orjson

import wsclient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from . import Connect, Payload


class Wanted(msgspec.Struct):
    """What a bot may want of a message."""

    symbol: str = ""
    bid: float = 0.0
    ask: float = 0.0


class Ticker(Wanted, kw_only=True):
    """All that is in a small message."""

    channel: str
    sequence: int
    time: str
    bid_size: float
    ask_size: float
    last: float
    volume: float
    vwap: float
    low: float
    high: float


class Book(Ticker, kw_only=True):
    """All that is in a large message."""

    bids: list[tuple[float, float]]
    asks: list[tuple[float, float]]


def decoder(way: str, action: str) -> Callable[[Any], Any]:
    """Return what makes a value of a message's data."""
    everything = Book if action == "decode_books" else Ticker
    return {
        "json": json.loads,
        "orjson": orjson.loads,
        "msgspec": msgspec.json.Decoder().decode,
        "msgspec, all fields": msgspec.json.Decoder(everything).decode,
        "msgspec, three fields": msgspec.json.Decoder(Wanted).decode,
    }[way]


class Connection:
    """A connection that decodes what it receives."""

    def __init__(self, ws: wsclient.ClientWebSocketResponse, way: str, action: str) -> None:
        self._ws = ws
        self._decode = None if way == "not decoded" else decoder(way, action)
        self.close = ws.close

    async def decode(self, count: int) -> None:
        """Ask for messages, and decode each."""
        receive, decode = self._ws.receive, self._decode
        await self._ws.ping(feed.order(count))
        if decode is None:
            for _ in range(count):
                (await receive()).data  # noqa: B018  # what is received is looked at
            return
        value: Any = None
        for _ in range(count):
            value = decode((await receive()).data)
        symbol = value["symbol"] if isinstance(value, dict) else value.symbol
        if symbol not in feed.PRICES:
            raise RuntimeError(f"decoded {symbol!r}, expected one of {', '.join(feed.PRICES)}")

    decode_tickers = decode_books = decode


@asynccontextmanager
async def connecting(way: str) -> AsyncIterator[Connect]:
    """Share a session, whose text is `str` only for the module that would make it of bytes."""
    async with wsclient.ClientSession(decode_text=way == "json") as session:

        async def connect(url: str, _payload: Payload, action: str) -> Connection:
            return Connection(await session.ws_connect(url), way, action)

        yield connect
