"""The clients that are compared, each brought to one form.

A module of this package is one client. Its `connecting(ssl)` is an async context manager for what
its connections share; what it gives opens a connection for one action (`Connect`). The result has a
method of the action's name, which takes a count and returns when all of it is done:

- ``echo``: round trips, one at a time: send the payload, wait for the message that comes back.
- ``timed_echo``: the same; returns how long each took, in nanoseconds.
- ``receive``: the server pushes copies of the payload; take them one at a time.
- ``receive_batches``: the same, all that is there at a time. Only where a client has that.
- ``receive_typed``: the same one at a time, but the data alone. Only where a client has that.
- ``receive_typed_batches``: the data of all that is there at a time. Only where a client has that.
- ``burst``: send the payload a hundred times, as the client does that best; then take as many
  messages. The count is a multiple of that, or less.
- ``feed``: ask for market data with a ping (`feed.order`); take it one message at a time, as `str`.
- ``feed_deflated``: the same compressed. Only where a client has that.
- ``decode_tickers``, ``decode_books``: ask for messages that come without pause, and decode each.
  What differs between these peers is how (`with_decoding`).
- ``send``: send the payload, heeding backpressure; then wait until the server has all of it.

Where the server must be told something beforehand, there is a method ``prepare_`` with that name.
``close`` closes the connection.

A client that is a process of its own returns the nanoseconds of CPU time it took.

All are set up alike: no size limit, no queue limit where that may be chosen, and what their
documentation names as fastest; no compression and no heartbeat but for the feeds, which have both
where a client has it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

from scenarios import WAYS

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from ssl import SSLContext

Payload: TypeAlias = bytes | str
Connect: TypeAlias = Callable[[str, Payload, str], Awaitable[Any]]

BURST = 100
"""Messages that are sent in a burst."""
FEED, DEFLATED = "feed", "feed_deflated"
HEARTBEAT = 20.0
"""Seconds between the pings of who follows a feed; what many have as their default."""

OPENING = 120
"""Seconds that opening may take: under valgrind, beside much else, TLS takes long."""

MODULES = {
    "wsclient": "with_wsclient",
    "wsclient, polling": "with_wsclient_polling",
    "wsclient.aiohttp": "with_wsclient_aiohttp",
    "wsclient.websockets": "with_wsclient_websockets",
    "picows": "with_picows",
    "picows.websockets": "with_picows_websockets",
    "aiohttp": "with_aiohttp",
    "websockets": "with_websockets",
    "websocket-rs": "with_websocket_rs",
    **dict.fromkeys(WAYS, "with_decoding"),
    "bare": "with_nothing",
    "native": "with_native",
}
"""Where each peer is; none is imported before it is used, so that none weighs on another."""


def aiohttp_options(action: str) -> dict[str, Any]:
    """Return what is asked for where the API is aiohttp's."""
    return {
        "max_msg_size": 0,
        "heartbeat": HEARTBEAT if action in {FEED, DEFLATED} else None,
        "compress": 15 if action == DEFLATED else 0,
    }


def connecting(peer: str, ssl: SSLContext | None) -> AbstractAsyncContextManager[Connect]:
    """Import a peer; give what opens its connections."""
    module = import_module(f"{__name__}.{MODULES[peer]}")
    return module.connecting(peer) if peer in WAYS else module.connecting(ssl)
