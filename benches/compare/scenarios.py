"""What the clients are made to do."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from peers import Payload

Wanted: TypeAlias = tuple[str, str, tuple[str, ...]]
"""A scenario, an event loop, and the peers to take part."""

ACTIONS = {
    "echo": ("echo", "round trip"),
    "timed_echo": ("echo", "round trip"),
    "receive": ("push", "message"),
    "receive_batches": ("push", "message"),
    "receive_typed": ("push", "message"),
    "burst": ("burst", "message"),
    "feed": ("feed", "message, or seconds per million messages"),
    "feed_deflated": ("feed-deflated", "message, or seconds per million messages"),
    "decode_tickers": ("tickers", "message"),
    "decode_books": ("books", "message"),
    "send": ("sink", "message"),
    "hold": ("echo", "connection"),
}
"""What a client can do (see `peers`; ``hold`` opens connections and keeps them): the service of the
server that it needs, and what there is one of each time."""

WEBSOCKETS = ("wsclient", "picows", "picows.websockets", "aiohttp", "websockets")
PYTHON = (*WEBSOCKETS, "bare")
EVERYONE = (*PYTHON, "native")
# It has no releases for older Pythons.
RIVALS = ("websocket-rs",) if find_spec("websocket_rs") else ()
POLLING = "wsclient, polling"
ADAPTERS = ("wsclient.aiohttp", "wsclient.websockets")

WAYS = ("not decoded", "json", "orjson", "msgspec", "msgspec, all fields", "msgspec, three fields")


@dataclass(frozen=True)
class Scenario:
    """One thing to do, again and again.

    Attributes:
        title: What it is, for people.
        action: A key of `ACTIONS`.
        payload: What is sent, or pushed; the feeds have their own.
        peers: Who takes part.
        measures: What is measured, and how often it is done each time for that.
        tls: Whether the connection is encrypted.
    """

    title: str
    action: str
    payload: Payload
    peers: tuple[str, ...]
    measures: dict[str, int]
    tls: bool = False

    @property
    def path(self) -> str:
        """The service of the server."""
        return ACTIONS[self.action][0]

    @property
    def unit(self) -> str:
        """What there is one of each time."""
        return ACTIONS[self.action][1]


def filled(text: str) -> str:
    """Repeat text, then spaces, up to the size of a small message in UTF-8."""
    repeated = text * (SMALL // len(text.encode()))
    return repeated + " " * (SMALL - len(repeated.encode()))


def placed(data: bytes) -> bytes:
    """Copy to where, in a cache line, picows takes fewest instructions to mask it.

    It takes up to 4 % more elsewhere, which would be left to chance. The others do not care.
    """
    copies = []
    while (id(data) + bytes.__basicsize__ - 1) % 64 != 48:  # noqa: PLR2004
        data = bytes(bytearray(data))
        copies.append(data)
    return data


SMALL = 256
BINARY = placed(bytes(range(SMALL)))
ASCII = filled('{"price":101.25,"size":3} ')
MIXED = filled("Привет, κόσμε! ")
BOOK = bytes(100_000)
MEBIBYTE = bytes(1 << 20)

SCENARIOS = {
    "echo": Scenario(
        "Echo of 256 bytes",
        "echo",
        BINARY,
        (*EVERYONE, *ADAPTERS),
        {"instructions": 1000, "where": 1000, "allocations": 1000, "cpu": 500},
    ),
    "echo-tls": Scenario(
        "Echo of 256 bytes over TLS",
        "echo",
        BINARY,
        (*PYTHON, *ADAPTERS),
        {"instructions": 500, "cpu": 300},
        tls=True,
    ),
    "echo-ascii": Scenario(
        "Echo of 256 bytes of ASCII text", "echo", ASCII, WEBSOCKETS, {"instructions": 1000}
    ),
    "echo-mixed": Scenario(
        "Echo of 256 bytes of non-ASCII text", "echo", MIXED, WEBSOCKETS, {"instructions": 1000}
    ),
    "echo-100k": Scenario("Echo of 100,000 bytes", "echo", BOOK, EVERYONE, {"cpu": 100}),
    "push": Scenario(
        "256 bytes pushed without pause",
        "receive",
        BINARY,
        (*PYTHON, *ADAPTERS),
        {"instructions": 10_000, "where": 10_000, "allocations": 10_000, "cpu": 30_000},
    ),
    "push-tls": Scenario(
        "256 bytes pushed without pause over TLS",
        "receive",
        BINARY,
        ("wsclient", *ADAPTERS),
        {"instructions": 10_000},
        tls=True,
    ),
    "push-batches": Scenario(
        "256 bytes pushed without pause, taken in batches",
        "receive_batches",
        BINARY,
        ("wsclient", ADAPTERS[0]),
        {"instructions": 10_000, "where": 10_000, "allocations": 10_000, "cpu": 30_000},
    ),
    "push-typed": Scenario(
        "256 bytes pushed without pause, taken as bytes",
        "receive_typed",
        BINARY,
        ("wsclient",),
        {"instructions": 10_000, "cpu": 30_000},
    ),
    "push-ascii": Scenario(
        "256 bytes of ASCII text pushed without pause",
        "receive",
        ASCII,
        WEBSOCKETS,
        {"instructions": 10_000},
    ),
    "push-mixed": Scenario(
        "256 bytes of non-ASCII text pushed without pause",
        "receive",
        MIXED,
        WEBSOCKETS,
        {"instructions": 10_000},
    ),
    "burst": Scenario(
        "100 messages of 256 bytes sent, then as many received",
        "burst",
        BINARY,
        (*PYTHON, *RIVALS, ADAPTERS[0]),
        {"instructions": 5000, "where": 5000, "cpu": 5000},
    ),
    "burst-tls": Scenario(
        "100 messages of 256 bytes sent, then as many received, over TLS",
        "burst",
        BINARY,
        (*PYTHON, *RIVALS, ADAPTERS[0]),
        {"instructions": 5000, "cpu": 5000},
        tls=True,
    ),
    "feed": Scenario(
        "A feed of market data over TLS",
        "feed",
        "",
        (*WEBSOCKETS, *RIVALS, *ADAPTERS),
        {"cpu": 200},
        tls=True,
    ),
    # picows' callbacks get what is compressed as it is, and websocket-rs can have it only without
    # context takeover, which servers of feeds do not give up.
    "feed-deflated": Scenario(
        "A compressed feed of market data over TLS",
        "feed_deflated",
        "",
        (*(peer for peer in WEBSOCKETS if peer != "picows"), *ADAPTERS),
        {"cpu": 200},
        tls=True,
    ),
    "decode-tickers": Scenario(
        "Receiving and decoding 256 bytes of JSON", "decode_tickers", "", WAYS, {"cpu": 5000}
    ),
    "decode-books": Scenario(
        "Receiving and decoding 2 KiB of JSON", "decode_books", "", WAYS, {"cpu": 2000}
    ),
    "receive-1m": Scenario("1 MiB received", "receive", MEBIBYTE, PYTHON, {"cpu": 40}),
    "send-1m": Scenario("1 MiB sent", "send", MEBIBYTE, PYTHON, {"cpu": 40}),
    "tail": Scenario(
        "Time that an echo of 256 bytes takes",
        "timed_echo",
        BINARY,
        (*EVERYONE, POLLING),
        {"latency": 1000},
    ),
    "open": Scenario(
        "Opening a connection",
        "hold",
        BINARY,
        (*PYTHON, *ADAPTERS),
        {"instructions": 50, "cpu": 20},
    ),
    "idle": Scenario("An idle connection", "hold", BINARY, PYTHON, {"memory": 2000}),
}


def shorten() -> None:
    """Do everything much less often."""
    for scenario in SCENARIOS.values():
        for measure, count in scenario.measures.items():
            scenario.measures[measure] = max(10, count // 20)
