"""What the clients are made to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from peers import Payload

Wanted: TypeAlias = tuple[str, str, tuple[str, ...]]
"""A scenario, an event loop, and the peers to take part."""

WEBSOCKETS = ("wsclient", "picows", "picows.websockets", "aiohttp", "websockets")
PYTHON = (*WEBSOCKETS, "bare")
EVERYONE = (*PYTHON, "native")


@dataclass(frozen=True)
class Scenario:
    """One thing to do, again and again.

    Attributes:
        title: What it is, for people.
        unit: What there is one of each time.
        action: The method of a peer's connection that does it (see `peers`); ``hold`` opens
            connections and keeps them.
        path: The service of the server.
        payload: What is sent, or pushed.
        peers: Who takes part.
        measures: What is measured, and how often it is done each time for that.
        tls: Whether the connection is encrypted.
    """

    title: str
    unit: str
    action: str
    path: str
    payload: Payload
    peers: tuple[str, ...]
    measures: dict[str, int]
    tls: bool = False


def filled(text: str) -> str:
    """Repeat text, then spaces, up to the size of a small message in UTF-8."""
    repeated = text * (SMALL // len(text.encode()))
    return repeated + " " * (SMALL - len(repeated.encode()))


SMALL = 256
BINARY = bytes(range(SMALL))
ASCII = filled('{"price":101.25,"size":3} ')
MIXED = filled("Привет, κόσμε! ")
BOOK = bytes(100_000)
MEBIBYTE = bytes(1 << 20)

SCENARIOS = {
    "echo": Scenario(
        "echo of 256 bytes",
        "round trip",
        "echo",
        "echo",
        BINARY,
        EVERYONE,
        {"cpu": 500, "instructions": 1000},
    ),
    "echo-tls": Scenario(
        "echo of 256 bytes over TLS",
        "round trip",
        "echo",
        "echo",
        BINARY,
        PYTHON,
        {"cpu": 300, "instructions": 500},
        tls=True,
    ),
    "echo-ascii": Scenario(
        "echo of 256 bytes of ASCII text",
        "round trip",
        "echo",
        "echo",
        ASCII,
        WEBSOCKETS,
        {"instructions": 1000},
    ),
    "echo-mixed": Scenario(
        "echo of 256 bytes of non-ASCII text",
        "round trip",
        "echo",
        "echo",
        MIXED,
        WEBSOCKETS,
        {"instructions": 1000},
    ),
    "echo-100k": Scenario(
        "echo of 100,000 bytes",
        "round trip",
        "echo",
        "echo",
        BOOK,
        EVERYONE,
        {"cpu": 100},
    ),
    "push": Scenario(
        "256 bytes pushed without pause",
        "message",
        "receive",
        "push",
        BINARY,
        PYTHON,
        {"cpu": 10_000, "instructions": 10_000},
    ),
    "push-batches": Scenario(
        "256 bytes pushed without pause, taken in batches",
        "message",
        "receive_batches",
        "push",
        BINARY,
        ("wsclient",),
        {"cpu": 10_000, "instructions": 10_000},
    ),
    "push-ascii": Scenario(
        "256 bytes of ASCII text pushed without pause",
        "message",
        "receive",
        "push",
        ASCII,
        WEBSOCKETS,
        {"instructions": 10_000},
    ),
    "push-mixed": Scenario(
        "256 bytes of non-ASCII text pushed without pause",
        "message",
        "receive",
        "push",
        MIXED,
        WEBSOCKETS,
        {"instructions": 10_000},
    ),
    "receive-1m": Scenario(
        "1 MiB received",
        "message",
        "receive",
        "push",
        MEBIBYTE,
        PYTHON,
        {"cpu": 30},
    ),
    "send-1m": Scenario("1 MiB sent", "message", "send", "sink", MEBIBYTE, PYTHON, {"cpu": 30}),
    "tail": Scenario(
        "time of an echo of 256 bytes",
        "round trip",
        "timed_echo",
        "echo",
        BINARY,
        EVERYONE,
        {"latency": 1000},
    ),
    "open": Scenario(
        "opening a connection",
        "connection",
        "hold",
        "echo",
        BINARY,
        PYTHON,
        {"cpu": 20, "instructions": 50},
    ),
    "idle": Scenario(
        "an idle connection",
        "connection",
        "hold",
        "echo",
        BINARY,
        PYTHON,
        {"memory": 2000},
    ),
}
