"""Looking names up: resolvers of the callers, the cache before them, and happy eyeballs."""

import asyncio
import contextlib
import gc
import socket
import threading

import aiohttp
import pytest
from tests.conftest import resolved
from websockets.asyncio.server import serve

from wsclient import (
    ClientConnectorDNSError,
    ClientConnectorError,
    ConnectionTimeoutError,
    TCPConnector,
    ws_connect,
)
from wsclient.network.resolver import DNSCache, numeric_address


@pytest.fixture
async def server(echo):
    return echo


def port_of(url):
    return int(url.rpartition(":")[2].strip("/"))


async def turns(count=20):
    for _ in range(count):
        await asyncio.sleep(0)


class Resolver(aiohttp.abc.AbstractResolver):
    """One of aiohttp's kind that knows one host, and counts who asks."""

    def __init__(self, *addresses):
        self.addresses = addresses
        self.asked = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def resolve(self, host, port=0, family=socket.AF_INET):
        self.asked.append((host, port, family))
        await self.may_answer.wait()
        if not self.addresses:
            raise OSError(None, "no such host")
        return [resolved(host, port, address) for address in self.addresses]

    async def close(self):
        raise AssertionError("it is not the connector's to close")


async def test_a_resolver_of_the_callers(server):
    resolver = Resolver("127.0.0.1")
    connector = TCPConnector(resolver=resolver)
    port = port_of(server)
    async with ws_connect(f"ws://example.invalid:{port}/", connector=connector) as ws:
        assert ws.get_extra_info("peername") == ("127.0.0.1", port)
    assert resolver.asked == [("example.invalid", port, socket.AF_UNSPEC)]
    async with ws_connect(server, connector=connector):
        pass
    assert len(resolver.asked) == 1, "an address needs no resolver"


async def test_a_resolver_is_told_the_family(server):
    resolver = Resolver("127.0.0.1")
    connector = TCPConnector(resolver=resolver, family=socket.AF_INET)
    async with ws_connect(f"ws://example.invalid:{port_of(server)}/", connector=connector):
        pass
    assert resolver.asked[0][2] is socket.AF_INET


async def test_aiohttps_own_resolver(server):
    connector = TCPConnector(resolver=aiohttp.ThreadedResolver())
    async with ws_connect(f"ws://localhost:{port_of(server)}/", connector=connector):
        pass


@pytest.mark.parametrize("addresses", [[], ["not an address"]])
async def test_a_resolver_that_finds_nothing(server, addresses):
    connector = TCPConnector(resolver=Resolver(*addresses))
    with pytest.raises(ClientConnectorDNSError) as caught:
        await ws_connect("ws://example.invalid/", connector=connector)
    assert (caught.value.host, caught.value.step) == ("example.invalid", "dns")


@pytest.mark.parametrize(
    ("options", "lookups"),
    [
        ({}, 1),
        ({"ttl_dns_cache": None}, 1),
        ({"ttl_dns_cache": 0}, 2),
        ({"use_dns_cache": False}, 2),
    ],
)
async def test_addresses_are_remembered(server, options, lookups):
    resolver = Resolver("127.0.0.1")
    connector = TCPConnector(resolver=resolver, **options)
    for _ in range(2):
        async with ws_connect(f"ws://example.invalid:{port_of(server)}/", connector=connector):
            pass
    assert len(resolver.asked) == lookups


async def test_addresses_that_lead_nowhere_are_not_remembered(server):
    resolver = Resolver("127.0.0.2")
    connector = TCPConnector(resolver=resolver)
    url = f"ws://example.invalid:{port_of(server)}/"
    with pytest.raises(ClientConnectorError):
        await ws_connect(url, connector=connector)
    resolver.addresses = ["127.0.0.1"]
    async with ws_connect(url, connector=connector):
        pass


async def test_many_who_ask_at_once_are_one_lookup(server):
    resolver = Resolver("127.0.0.1")
    resolver.may_answer.clear()
    connector = TCPConnector(resolver=resolver)
    url = f"ws://example.invalid:{port_of(server)}/"
    tasks = [asyncio.create_task(ws_connect(url, connector=connector)) for _ in range(5)]
    await turns()
    tasks[0].cancel()
    await turns()
    resolver.may_answer.set()
    for ws in await asyncio.gather(*tasks[1:]):
        await ws.close()
    assert tasks[0].cancelled()
    assert len(resolver.asked) == 1


async def test_a_lookup_that_nobody_waits_for_is_cancelled():
    cancelled = asyncio.Event()

    class Stuck(Resolver):
        async def resolve(self, host, port=0, family=socket.AF_INET):
            try:
                await super().resolve(host, port, family)
            except asyncio.CancelledError:
                cancelled.set()
                raise OSError("a failure that nobody fetches") from None

    failures = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    resolver = Stuck()
    resolver.may_answer.clear()
    connector = TCPConnector(resolver=resolver)
    tasks = [
        asyncio.create_task(ws_connect("ws://example.invalid/", connector=connector))
        for _ in range(2)
    ]
    await turns()
    before = asyncio.all_tasks()
    tasks[0].cancel()
    await turns()
    assert not cancelled.is_set()
    tasks[1].cancel()
    await turns()
    assert cancelled.is_set()
    assert asyncio.all_tasks() <= before - {*tasks}
    # A failure that nobody has fetched is told when the task is collected.
    tasks.clear()
    before.clear()
    gc.collect()
    assert failures == []


async def test_a_lookup_in_a_thread_that_nobody_waits_for(monkeypatch):
    """The thread cannot be stopped, but what it finds later disturbs nobody."""
    looked_up, release, failures = threading.Event(), threading.Event(), []
    getaddrinfo = socket.getaddrinfo

    def slow(host, *args, **kwargs):
        if host != "example.invalid" or (args and args[-1] & socket.AI_NUMERICHOST):
            return getaddrinfo(host, *args, **kwargs)
        looked_up.set()
        release.wait(10)
        raise socket.gaierror(socket.EAI_NONAME, "not known")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    loop = asyncio.get_running_loop()
    if "uvloop" in type(loop).__module__:
        pytest.skip("uvloop has a getaddrinfo of its own")
    loop.set_exception_handler(lambda _, context: failures.append(context))
    tasks = asyncio.all_tasks()
    with pytest.raises(ConnectionTimeoutError) as caught:
        await ws_connect("ws://example.invalid/", connect_timeout=0.05)
    assert caught.value.step == "dns"
    await turns()
    assert asyncio.all_tasks() == tasks
    assert looked_up.is_set()
    release.set()
    await loop.shutdown_default_executor()
    await turns()
    assert failures == []


async def test_the_next_address_is_tried_while_the_first_is_silent(server):
    """RFC 8305 §5; the silent one is a listener whose queue is full."""

    async def handler(ws):
        await ws.wait_closed()

    with contextlib.ExitStack() as stack:
        silent = stack.enter_context(socket.create_server(("127.0.0.2", 0), backlog=0))
        stack.enter_context(socket.create_connection(silent.getsockname()))
        port = silent.getsockname()[1]
        url = f"ws://example.invalid:{port}/"
        resolver = Resolver("127.0.0.2", "127.0.0.3")
        async with serve(handler, "127.0.0.3", port):
            connector = TCPConnector(resolver=resolver, happy_eyeballs_delay=0.01)
            async with ws_connect(url, connector=connector) as ws:
                assert ws.get_extra_info("peername")[0] == "127.0.0.3"
            patient = TCPConnector(resolver=resolver, happy_eyeballs_delay=None)
            with pytest.raises(ConnectionTimeoutError) as caught:
                await ws_connect(url, connector=patient, connect_timeout=0.05)
    assert caught.value.step == "tcp"


# --- the cache, with a clock of its own


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class Counting:
    asked = 0

    async def resolve(self, host, port=0, family=socket.AF_INET):
        self.asked += 1
        if host == "nothing":
            raise OSError("no such host")
        return [resolved(host, port)]


def cache(**options):
    resolver, clock = Counting(), Clock()
    options = {"family": 0, "ttl": 10, "max_size": 1000, **options}
    return DNSCache(resolver, clock=clock, **options), resolver, clock


@pytest.mark.parametrize("family", [0, socket.AF_INET, socket.AF_INET6])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "fe80::1%lo", "127.1"])
def test_an_address_is_what_the_system_takes_it_for(host, family):
    try:
        expected = socket.getaddrinfo(
            host, 80, family, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST
        )
    except OSError:
        with pytest.raises(OSError, match=r"family|Name"):
            numeric_address(host, 80, family)
    else:
        assert numeric_address(host, 80, family) == expected


def test_a_name_is_no_address():
    with pytest.raises(OSError, match="Name or service"):
        numeric_address("localhost", 80, 0)


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
