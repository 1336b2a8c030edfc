"""From a host name to addresses: the resolver's interface, and a cache before it."""

from __future__ import annotations

import asyncio
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypedDict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["AbstractResolver", "AddrInfo", "DNSCache", "ResolveResult", "numeric_address"]

AddrInfo: TypeAlias = tuple[int, int, int, str, tuple[Any, ...]]
"""An element of what `socket.getaddrinfo` returns."""


_TCP = socket.SOCK_STREAM, socket.IPPROTO_TCP


class ResolveResult(TypedDict):
    """One address of a host. Mirrors ``aiohttp.abc.ResolveResult``.

    Attributes:
        hostname: The name that was looked up.
        host: An IP address of it.
        port: The port that was asked for.
        family: `socket.AF_INET` or `socket.AF_INET6`.
        proto: Not used.
        flags: Not used.
    """

    hostname: str
    host: str
    port: int
    family: int
    proto: int
    flags: int


class AbstractResolver(Protocol):
    """What looks host names up. Mirrors ``aiohttp.abc.AbstractResolver``, whose subclasses fit."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> Sequence[ResolveResult]:
        """Look a name up.

        Args:
            host: The name.
            port: To be repeated in the results.
            family: `socket.AF_INET`, `socket.AF_INET6`, or `socket.AF_UNSPEC` for both.

        Returns:
            The addresses, preferred ones first.

        Raises:
            OSError: There is none.
        """
        ...


def numeric_address(host: str, port: int, family: int) -> Sequence[AddrInfo]:
    """Take a host for the address that it is, without asking anyone.

    Args:
        host: An IP address, for IPv6 with its zone if it needs one.
        port: TCP port.
        family: `socket.AF_INET` or `socket.AF_INET6` to insist on one; 0 for both.

    Raises:
        OSError, UnicodeError: It is a name, or an address of another family.
    """
    for kind, rest in ((socket.AF_INET, ()), (socket.AF_INET6, (0, 0))):
        try:
            socket.inet_pton(kind, host)
        except OSError:
            continue
        if family in {kind, 0}:
            return [(kind, *_TCP, "", (host, port, *rest))]
    # Zones, the old ways to write an IPv4 address, and the errors.
    return socket.getaddrinfo(host, port, family, *_TCP, socket.AI_NUMERICHOST)


@dataclass(slots=True)
class _Lookup:
    task: asyncio.Task[Sequence[AddrInfo]]
    waiting: int = 0


class DNSCache:
    """Looks names up, once for all who ask at the same time, and remembers what it found.

    Failures are not remembered.

    Args:
        resolver: Does the work; None for the event loop's ``getaddrinfo``.
        family: `socket.AF_INET` or `socket.AF_INET6` to insist on one; 0 for both.
        ttl: Seconds for which an answer is good; None for ever, 0 not at all.
        max_size: Names that are remembered; the oldest make room.
        clock: Seconds that only ever grow.
    """

    def __init__(
        self,
        resolver: AbstractResolver | None,
        *,
        family: int,
        ttl: float | None,
        max_size: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resolver = resolver
        self._family = family
        self._ttl = ttl
        self._max_size = max_size
        self._clock = clock
        self._known: dict[tuple[str, int], tuple[float, Sequence[AddrInfo]]] = {}
        self._lookups: dict[tuple[str, int], _Lookup] = {}

    async def resolve(self, host: str, port: int) -> Sequence[AddrInfo]:
        """Look a name up. Cancelling it ends the lookup when nobody else waits for it.

        Args:
            host: The name.
            port: TCP port.

        Raises:
            OSError, UnicodeError: There is no such name.
        """
        key = host, port
        if key in self._known:
            found, addresses = self._known[key]
            if self._ttl is None or self._clock() - found < self._ttl:
                return addresses
            self.forget(host, port)
        lookup = self._lookups.get(key)
        if lookup is None:
            lookup = _Lookup(asyncio.create_task(self._look_up(host, port)))
            # Whoever waited may have been cancelled just before a failure.
            lookup.task.add_done_callback(lambda task: task.cancelled() or task.exception())
            self._lookups[key] = lookup
        lookup.waiting += 1
        try:
            await asyncio.wait([lookup.task])
            return lookup.task.result()
        finally:
            lookup.waiting -= 1
            if not lookup.waiting:
                if self._lookups.get(key) is lookup:
                    del self._lookups[key]
                lookup.task.cancel()

    def forget(self, host: str, port: int) -> None:
        """Look the name up again next time, as its addresses lead nowhere.

        Args:
            host: The name.
            port: TCP port.
        """
        self._known.pop((host, port), None)

    async def _look_up(self, host: str, port: int) -> Sequence[AddrInfo]:
        addresses = await self._ask(host, port)
        if not addresses:
            raise OSError(f"resolver returned no address for {host}")
        if self._ttl != 0:
            self._known[host, port] = self._clock(), addresses
            if len(self._known) > self._max_size:
                del self._known[next(iter(self._known))]
        return addresses

    async def _ask(self, host: str, port: int) -> Sequence[AddrInfo]:
        if self._resolver is None:
            loop = asyncio.get_running_loop()
            kind, protocol = _TCP
            return await loop.getaddrinfo(
                host, port, family=self._family, type=kind, proto=protocol
            )
        results = await self._resolver.resolve(host, port, socket.AddressFamily(self._family))
        return [
            address
            for result in results
            for address in numeric_address(result["host"], port, result["family"])
        ]
