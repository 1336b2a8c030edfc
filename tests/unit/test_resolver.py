"""The cache before the resolver, with a clock of its own."""

import socket

import pytest

from wsclient.resolver import DNSCache


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class Resolver:
    asked = 0

    async def resolve(self, host, port=0, family=socket.AF_INET):
        self.asked += 1
        if host == "nothing":
            raise OSError("no such host")
        return [
            {
                "hostname": host,
                "host": "127.0.0.1",
                "port": port,
                "family": socket.AF_INET,
                "proto": 0,
                "flags": 0,
            }
        ]


def cache(**options):
    resolver, clock = Resolver(), Clock()
    options = {"family": 0, "ttl": 10, "max_size": 1000, **options}
    return DNSCache(resolver, clock=clock, **options), resolver, clock


async def test_what_comes_out_is_made_for_a_socket():
    names, _, _ = cache()
    assert await names.resolve("a", 80) == [
        (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", 80))
    ]


@pytest.mark.parametrize(("ttl", "lookups"), [(10, [1, 1, 2]), (None, [1, 1, 1]), (0, [1, 2, 3])])
async def test_time_to_live(ttl, lookups):
    names, resolver, clock = cache(ttl=ttl)
    counts = []
    for now in (0, 9.9, 10):
        clock.now = now
        await names.resolve("a", 80)
        counts.append(resolver.asked)
    assert counts == lookups


async def test_failures_are_not_remembered():
    names, resolver, _ = cache()
    for _ in range(2):
        with pytest.raises(OSError, match="no such host"):
            await names.resolve("nothing", 80)
    assert resolver.asked == 2


async def test_the_oldest_makes_room():
    names, resolver, _ = cache(max_size=2)
    for host in ("a", "b", "c", "b", "c"):
        await names.resolve(host, 80)
    assert resolver.asked == 3
    await names.resolve("a", 80)
    assert resolver.asked == 4


async def test_forgetting():
    names, resolver, _ = cache()
    await names.resolve("a", 80)
    names.forget("a", 80)
    names.forget("never known", 80)
    await names.resolve("a", 80)
    assert resolver.asked == 2
