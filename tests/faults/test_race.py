"""`race`: the same feed on several connections, of which each message is delivered once."""

import asyncio
import contextlib
import itertools
import logging
import random

import pytest
from yarl import URL

import wsclient
from wsclient import ClientSession, WSServerHandshakeError, race, reconnect, ws_connect
from wsclient.testing import FaultProxy, refuse, serve


async def listen(ws):
    """What the servers do by themselves; the tests send for them."""
    async for _ in ws:
        pass


def at_once():
    return itertools.repeat(0)


def number(msg):
    return msg.json()["seq"]


async def until(true):
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110 - counts have no event
            await asyncio.sleep(0)


class Sides:
    """Two servers with a proxy before each, and a race of both."""

    def __init__(self, servers, proxies):
        self.servers = servers
        self.proxies = proxies
        self.opened = asyncio.Queue()
        self.feeds = None

    def start(self, **options):
        self.feeds = race(
            [proxy.url for proxy in self.proxies],
            **{"key": number, "on_connect": self.opened.put, "reconnect_delays": at_once}
            | {"ssl": self.servers[0].ssl_context, "timeout": 0.1}
            | options,
        )
        return self.feeds

    async def both(self, **options):
        """The first stretch of a race, of which both sides are open."""
        feed = await anext(self.start(**options))
        await self.open(2)
        return feed

    async def open(self, count=1):
        async with asyncio.timeout(60):
            for _ in range(count):
                await self.opened.get()

    async def send(self, side, *numbers):
        for seq in numbers:
            await self.servers[side].connections[-1].send({"seq": seq})


@pytest.fixture(params=["ws", "wss"])
def tls(request):
    """Whether a test is with TLS: it is without, too."""
    return request.param == "wss"


@pytest.fixture
async def sides(request):
    """`Sides`, over TLS where a test asks for `tls`."""
    tls = "tls" in request.fixturenames and request.getfixturevalue("tls")
    async with contextlib.AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(serve(listen, ssl=tls)) for _ in range(2)]
        proxies = [await stack.enter_async_context(FaultProxy(one.url)) for one in servers]
        sides = Sides(servers, proxies)
        yield sides
        if sides.feeds is not None:
            await sides.feeds.aclose()


async def take(feed, count):
    async with asyncio.timeout(60):
        return [number(await anext(feed)) for _ in range(count)]


async def rest(feed):
    async with asyncio.timeout(60):
        return [number(msg) async for msg in feed]


async def test_the_first_copy_is_delivered(sides, tls):
    feed = await sides.both()
    one, other = feed.sides
    await sides.send(0, 1, 2)
    assert await take(feed, 2) == [1, 2]
    await sides.send(1, 1, 2, 3)
    assert await take(feed, 1) == [3]
    await sides.send(0, 3, 4)
    assert await take(feed, 1) == [4]
    assert (one.firsts, one.duplicates, one.missed) == (3, 1, 0)
    assert (other.firsts, other.duplicates, other.missed) == (1, 2, 1)
    assert (one.connections, other.connections) == (1, 1)
    assert one.lateness_max > 0
    assert other.lateness_total >= other.lateness_max >= other.lateness_mean > 0


@pytest.mark.parametrize("fault", ["reset", "cut"])
async def test_the_outage_of_one_side_is_not_noticed(sides, tls, fault):
    feed = await sides.both()
    await sides.send(0, 1)
    await sides.send(1, 1)
    await until(lambda: feed.sides[1].duplicates)
    sides.proxies[0].strike(fault)
    await sides.send(1, 2)
    assert await take(feed, 2) == [1, 2]
    await sides.open()
    await sides.send(1, 3)
    await sides.send(0, 3)
    await until(lambda: feed.sides[0].duplicates or feed.sides[1].duplicates == 2)
    # Now the other one may fail.
    sides.proxies[1].strike(fault)
    await sides.send(0, 4)
    assert await take(feed, 2) == [3, 4]
    assert feed.sides[0].connections == 2


async def test_the_outage_of_both_ends_the_stretch(sides):
    feed = await sides.both()
    await sides.send(0, 1, 2)
    await sides.send(1, 1, 2)
    await until(lambda: sum(side.duplicates for side in feed.sides) == 2)
    for proxy in sides.proxies:
        proxy.strike("reset")
    assert await rest(feed) == [1, 2]
    assert await rest(feed) == []
    async with asyncio.timeout(60):
        feed = await anext(sides.feeds)
    await sides.open(2)
    # A snapshot that begins with what had been seen is whole.
    await sides.send(0, 2, 3)
    assert await take(feed, 2) == [2, 3]


async def test_one_that_began_too_late_does_not_stand_for_another(sides):
    feed = await anext(sides.start())
    await sides.open(2)
    await sides.send(0, 1, 2)
    await sides.send(1, 5)
    assert await take(feed, 2) == [1, 2]
    # Nobody had 3 and 4.
    sides.proxies[0].strike("reset")
    assert await rest(feed) == []
    feed = await anext(sides.feeds)
    await sides.send(1, 6)
    assert await take(feed, 2) == [5, 6]


async def test_one_that_is_ahead_joins_when_the_other_catches_up(sides):
    feed = await sides.both()
    await sides.send(0, 1)
    assert await take(feed, 1) == [1]
    await sides.send(1, 4, 5)
    await sides.send(0, 2, 3, 4)
    assert await take(feed, 4) == [2, 3, 4, 5]
    sides.proxies[0].strike("reset")
    await sides.send(1, 6)
    assert await take(feed, 1) == [6]
    assert [side.firsts for side in feed.sides] == [4, 2]


async def test_a_silent_side_does_not_hold_up_one_that_is_ahead(sides):
    feed = await sides.both(window=3)
    await sides.send(0, 1)
    assert await take(feed, 1) == [1]
    await sides.send(1, 11, 12, 13, 14)
    assert await rest(feed) == []
    feed = await anext(sides.feeds)
    await sides.send(1, 15)
    assert await take(feed, 5) == [11, 12, 13, 14, 15]
    assert feed.sides[0].ws is not None


async def test_a_side_that_hangs(sides):
    feed = await sides.both(heartbeat=wsclient.Heartbeat(0.05, timeout=0.05))
    await sides.send(0, 1)
    await sides.send(1, 1, 2)
    sides.proxies[0].strike("half-open")
    assert await take(feed, 2) == [1, 2]
    await sides.open()
    await sides.send(0, 3)
    await sides.send(1, 3)
    assert await take(feed, 1) == [3]
    assert feed.sides[0].connections == 2


async def test_a_side_that_is_silent(sides):
    feed = await sides.both(receive_timeout=0.05)
    await sides.open(2)
    assert all(side.exception is None for side in feed.sides)


async def test_gaps_of_one_side_are_filled_by_the_other(sides):
    feed = await sides.both()
    await sides.send(0, 1, 3, 5)
    assert await take(feed, 3) == [1, 3, 5]
    await sides.send(1, 1, 2, 3, 4)
    assert await take(feed, 2) == [2, 4]
    assert [side.missed for side in feed.sides] == [2, 1]


async def test_a_side_that_repeats(sides):
    feed = await sides.both()
    await sides.send(0, 1, 1, 2)
    assert await take(feed, 2) == [1, 2]
    await sides.send(1, 1, 1, 1, 3)
    assert await take(feed, 1) == [3]
    assert [(side.duplicates, side.repeats) for side in feed.sides] == [(0, 1), (1, 2)]


async def test_messages_without_a_key_come_from_each_side(sides):
    feed = await sides.both(key=lambda msg: msg.json()["seq"] or None)
    await sides.send(0, 0, 1)
    await sides.send(1, 1, 0)
    assert sorted(await take(feed, 3)) == [0, 0, 1]
    assert [side.unkeyed for side in feed.sides] == [1, 1]


async def test_a_side_that_falls_back_too_far_connects_anew(sides):
    feed = await sides.both(window=10)
    await sides.send(0, 0)
    await sides.send(1, 0)
    await until(lambda: sum(side.duplicates for side in feed.sides) == 1)
    await sides.send(0, *range(1, 12))
    assert await take(feed, 12) == list(range(12))
    # Of the last ten, 2 is the oldest.
    await sides.send(1, 1)
    await sides.open()
    await sides.send(1, 11)
    await until(lambda: feed.sides[1].duplicates + feed.sides[0].duplicates == 2)
    assert feed.sides[1].too_late == 1
    await sides.send(0, 12)
    assert await take(feed, 1) == [12]


async def test_a_side_may_fall_back_as_far_as_is_remembered(sides):
    feed = await sides.both(window=10)
    await sides.send(0, 0)
    await sides.send(1, 0)
    await until(lambda: sum(side.duplicates for side in feed.sides) == 1)
    await sides.send(0, *range(1, 11))
    assert await take(feed, 11) == list(range(11))
    await sides.send(1, *range(1, 11))
    await until(lambda: feed.sides[1].duplicates + feed.sides[0].duplicates == 11)
    assert feed.sides[1].too_late == 0


async def test_a_side_that_keeps_up_is_never_too_late(sides):
    feed = await sides.both(window=10)
    for start in range(0, 40, 10):
        await sides.send(0, *range(start, start + 10))
        assert await take(feed, 10) == list(range(start, start + 10))
        await sides.send(1, *range(start, start + 10))
        await until(lambda: feed.sides[1].duplicates == start + 10)  # noqa: B023
    await sides.send(1, 40)
    assert await take(feed, 1) == [40]


async def test_what_only_one_has_that_is_ahead(sides):
    feed = await sides.both(window=10)
    await sides.send(0, 1)
    assert await take(feed, 1) == [1]
    await sides.send(1, 100, 20)
    await until(lambda: feed.sides[1].ws.stats.messages_received == 2)
    await sides.send(0, *range(2, 21))
    assert sorted(await take(feed, 20)) == [*range(2, 21), 100]
    assert [(side.connections, side.too_late) for side in feed.sides] == [(1, 0)] * 2


async def test_a_slow_reader_stops_both_sides(sides):
    feed = await sides.both(key=lambda msg: msg.data[: msg.data.index(",")])
    # Systems have been seen to keep 40 MB for a connection.
    sent, size, total = [0, 0], 200_000, 500

    async def flood(side):
        for seq in range(total):
            await sides.servers[side].connections[-1].send({"seq": seq, "pad": "x" * size})
            sent[side] += 1

    async with asyncio.TaskGroup() as tasks:
        for side in range(2):
            tasks.create_task(flood(side))
        before = None
        while before != sent:
            before = [*sent]
            for _ in range(500):
                await asyncio.sleep(0)
        assert max(sent) < total
        assert await take(feed, total) == list(range(total))


async def test_cancelling_loses_nothing(sides):
    feed = await sides.both()
    for seq in range(20):
        waiting = asyncio.create_task(anext(feed))
        await asyncio.sleep(0)
        await sides.send(0, seq)
        # Before the message is there, or when it is there and the reader does not know yet.
        if seq % 2:
            await until(lambda: feed.sides[0].firsts == seq + 1)  # noqa: B023
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await take(feed, 1) == [seq]


async def test_batches(sides):
    feed = await sides.both()
    await sides.send(0, 1, 2, 3)
    await until(lambda: feed.sides[0].firsts == 3)
    assert [number(msg) for msg in await feed.receive_many()] == [1, 2, 3]
    waiting = asyncio.create_task(feed.receive_many())
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="another task is waiting"):
        await anext(feed)
    for proxy in sides.proxies:
        proxy.strike("cut")
    assert await waiting == []


@pytest.mark.parametrize(
    ("key", "error"),
    [(lambda msg: msg.json()["number"], KeyError), (lambda msg: msg.json(), TypeError)],
)
async def test_a_key_that_fails(sides, key, error):
    def picky(msg):
        return number(msg) if number(msg) < 3 else key(msg)

    feed = await sides.both(key=picky)
    await sides.send(1, 1, 2, 3)
    assert await take(feed, 2) == [1, 2]
    with pytest.raises(error) as caught:
        await anext(feed)
    assert caught.value.__notes__ == ["(raised by key, for a message of side 1 of a race)"]
    assert await rest(feed) == []
    with pytest.raises(StopAsyncIteration):
        await anext(sides.feeds)


async def test_leaving_a_stretch_connects_anew(sides):
    feed = await sides.both()
    await sides.send(0, 1)
    assert await take(feed, 1) == [1]
    await sides.send(0, 2)
    await until(lambda: feed.sides[0].firsts == 2)
    async with asyncio.timeout(60):
        later = await anext(sides.feeds)
    await sides.open(2)
    assert [side.connections for side in later.sides] == [2, 2]
    await sides.send(0, 1)
    assert await take(later, 1) == [1]
    assert await rest(feed) == [2]


async def test_what_waits_for_the_reader_ends_with_the_stretch(sides):
    feed = await sides.both()
    await sides.send(0, *range(64))
    await until(lambda: feed.sides[0].firsts == 64)
    await sides.send(0, *range(64, 100))
    await until(lambda: feed.sides[0].ws.stats.messages_received == 100)
    async with asyncio.timeout(60):
        later = await anext(sides.feeds)
    await sides.open(2)
    await sides.send(0, 500)
    assert await take(later, 1) == [500]


@pytest.mark.parametrize("how", ["break", "raise", "cancel"])
async def test_nothing_is_left(sides, no_leak, how):
    async def follow():
        async with contextlib.aclosing(sides.start()) as feeds:
            async for feed in feeds:
                async for _ in feed:
                    if how == "raise":
                        raise KeyError
                    if how == "break":
                        return

    async with no_leak():
        tasks = asyncio.all_tasks()
        task = asyncio.create_task(follow())
        await sides.open(2)
        if how == "cancel":
            task.cancel()
        else:
            await sides.send(0, 1)
        await asyncio.wait([task])
        assert task.cancelled() == (how == "cancel")
        assert how != "raise" or isinstance(task.exception(), KeyError)
        mine = {one for one in asyncio.all_tasks() - tasks if "Arbiter" in repr(one.get_coro())}
        assert mine == set()
        del task
        await until(lambda: not any(one.connections for one in sides.proxies))


async def test_a_race_that_is_dropped_ends(sides):
    async for feed in sides.start():
        await sides.open(2)
        await sides.send(0, 1)
        await anext(feed)
        break
    sides.feeds = None
    await until(lambda: not any(one.connections for one in sides.proxies))


async def test_a_side_without_an_end(sides):
    """A login that is refused ends its side; the other one goes on."""
    refused = iter([True])

    async def log_in(ws):
        if next(refused, False):
            raise KeyError("refused")
        await sides.opened.put(ws)

    feed = await anext(sides.start(on_connect=log_in))
    await sides.open()
    await until(lambda: any(side.exception for side in feed.sides))
    (ended,) = [side for side in feed.sides if side.exception is not None]
    assert str(ended.exception) == "'refused'"
    alive = 1 - ended.number
    await sides.send(alive, 1)
    assert await take(feed, 1) == [1]


@pytest.mark.parametrize("problem", ["timeout", "closed"])
async def test_a_login_that_does_not_come_to_pass_is_tried_again(sides, problem):
    tries = itertools.count()

    async def log_in(ws):
        if next(tries) < 2:
            if problem == "timeout":
                await ws.receive_json(timeout=0.01)
            await ws.close()
            await ws.receive_json()
        await sides.opened.put(ws)

    feed = await anext(sides.start(on_connect=log_in))
    await sides.open(2)
    assert all(side.exception is None for side in feed.sides)


async def test_a_side_that_is_refused(sides, caplog):
    caplog.set_level(logging.WARNING, logger="wsclient")
    async with serve(refuse(404)) as other:
        feeds = race([sides.proxies[0].url, other.url + "?secret"], key=number)
        async with contextlib.aclosing(feeds):
            feed = await anext(feeds)
            await until(lambda: feed.sides[1].exception)
            assert feed.sides[1].exception.status == 404
            await sides.send(0, 1)
            assert await take(feed, 1) == [1]
    assert caplog.messages == ["side 1 of a race is given up: WSServerHandshakeError"]


async def test_when_all_are_refused():
    async with serve(refuse(404)) as one, serve(refuse(403)) as other:
        with pytest.raises(WSServerHandshakeError):
            async for _ in race([one.url, other.url], key=number):
                pass


async def test_when_all_have_given_up(sides):
    feed = await sides.both(reconnect_delays=list)
    for proxy in sides.proxies:
        proxy.strike("cut")
    assert await rest(feed) == []
    with pytest.raises(StopAsyncIteration):
        await anext(sides.feeds)


async def test_sides_with_options_of_their_own(sides):
    async with ClientSession(headers={"X-Side": "one"}) as session:
        feeds = race(
            [session.reconnect(sides.servers[0].url), sides.servers[1].url],
            key=number,
            headers={"X-Side": "other"},
            on_connect=sides.opened.put,
        )
        async with contextlib.aclosing(feeds):
            await anext(feeds)
            await sides.open(2)
            sent = [one.connections[0].request.headers["X-Side"] for one in sides.servers]
            assert sent == ["one", "other"]


async def test_lateness_is_that_of_arrival(sides):
    came = {}

    def note(msg):
        came.setdefault(number(msg), []).append(msg.extra)
        return number(msg)

    feed = await sides.both(key=note, receive_time=True, decode_text=False)
    await sides.send(0, *range(10))
    await sides.send(1, *range(10))
    assert (await anext(feed)).data == b'{"seq": 0}'
    assert await take(feed, 9) == list(range(1, 10))
    await until(lambda: sum(side.duplicates for side in feed.sides) == 10)
    late = [max(copy - first, 0) for first, copy in came.values()]
    assert sum(side.lateness_total for side in feed.sides) == pytest.approx(sum(late))
    assert max(side.lateness_max for side in feed.sides) == max(late)


async def test_what_is_shown(sides):
    feed = await sides.both()
    await sides.send(0, 1)
    await until(lambda: feed.sides[0].firsts)
    assert repr(feed) == (
        "<Race open, 1 waiting, sides [<RaceSide 0 open, 1 firsts, 0 duplicates, 0 missed>,"
        " <RaceSide 1 open, 0 firsts, 0 duplicates, 1 missed>]>"
    )
    assert feed.sides[1].lateness_mean is None
    assert feed.sides[0].ws.response.url == URL(sides.proxies[0].url)


class Ticker:
    """What a side sends: to each of its connections, the numbers from its opening on."""

    def __init__(self):
        self.queues = []

    async def __call__(self, ws):
        queue = asyncio.Queue()
        self.queues.append(queue)
        while True:
            await ws.send({"seq": await queue.get()})


async def collect(feeds, stretches):
    async for feed in feeds:
        stretches.append([])
        async for msg in feed:
            stretches[-1].append(number(msg))


@pytest.mark.parametrize("seed", range(2))
async def test_no_stretch_has_a_gap_or_a_double(seed):
    """Both sides are reset again and again, and each is late by a time that changes."""
    chance, stretches, tickers = random.Random(seed), [], [Ticker(), Ticker()]
    async with (
        serve(tickers[0]) as one,
        serve(tickers[1]) as other,
        FaultProxy(one.url) as near,
        FaultProxy(other.url) as far,
    ):
        feeds = race([near.url, far.url], key=number, reconnect_delays=at_once, timeout=0.1)
        collecting = asyncio.create_task(collect(feeds, stretches))
        late = [[], []]
        for seq in range(1000):
            for side, ticker in enumerate(tickers):
                late[side].append((seq, [*ticker.queues]))
                while late[side] and chance.random() < 0.7:
                    sent, queues = late[side].pop(0)
                    for queue in queues:
                        queue.put_nowait(sent)
            if chance.random() < 0.05:
                chance.choice([near, far]).strike("reset")
            await asyncio.sleep(0.001 if chance.random() < 0.2 else 0)
        collecting.cancel()
        await asyncio.wait([collecting])
        await feeds.aclose()
    assert len(stretches) > 1
    assert sum(map(len, stretches)) > 500
    for numbers in filter(None, stretches):
        assert sorted(numbers) == list(range(min(numbers), max(numbers) + 1))


@pytest.mark.parametrize(
    ("urls", "options", "said"),
    [
        ("ws://localhost/", {}, "urls must be an iterable of URLs, got str"),
        ([], {}, "the number of urls is 0, expected at least 1"),
        ([1], {}, "a side of a race must be a URL, or what reconnect"),
        (["ftp://localhost/"], {"window": 0}, "window is 0, expected at least 1"),
        (["ws://localhost/"], {"key": "seq"}, "key must be a function"),
        (["ws://localhost/"], {"on_connect": 1}, "on_connect must be a coroutine function"),
        (["ws://localhost/"], {"max_qeue": 1}, "did you mean 'max_queue'"),
        (["ws://localhost/"], {"healthy_after": -1}, "healthy_after is -1"),
    ],
)
async def test_wrong_arguments(urls, options, said):
    with pytest.raises((TypeError, ValueError), match=said):
        race(urls, **{"key": number} | options)


async def test_an_open_websocket_is_no_side(sides):
    async with ws_connect(sides.servers[0].url) as ws:
        with pytest.raises(TypeError, match=r"got wsclient\.websocket\.ClientWebSocketResponse"):
            race([ws], key=number)
    with pytest.raises(TypeError, match="options are for URLs"):
        race([reconnect(sides.servers[0].url)], key=number, heartbeat=20)
