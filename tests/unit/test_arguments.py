"""Wrong arguments and names from elsewhere: refused at the call, in words that help."""

import asyncio
import copy
import functools
import math
import re
import warnings
from dataclasses import fields
from fractions import Fraction
from pathlib import Path

import pytest
from tests.conftest import TEXT, frame
from yarl import URL

import wsclient
from wsclient import (
    BasicAuth,
    ClientSession,
    ClientWebSocketResponse,
    ClientWSTimeout,
    Conflate,
    DropOldest,
    Fingerprint,
    Heartbeat,
    PerMessageDeflate,
    TCPConnector,
    UnixConnector,
    backoff,
    reconnect,
    ws_connect,
)
from wsclient.options import Options
from wsclient.suggestions import FUNCTIONS, METHODS

from .linked import linked

URL_ = "ws://127.0.0.1:1/"

SECONDS = ["1", True, b"1", 1j, Fraction(1), [1], -1, -math.inf, math.nan]
COUNTS = ["1", 1.0, True, None, -1, math.inf, math.nan]
FLAGS = [0, 1, None, "yes", "False"]
HEADERS = [["A: x"], ["ab"], "A: x", b"A: x", 5, [("A",)], [("A", "x", "y")], {1: "x"}, [5], True]
SSL = [0, 1, "on", b"x", object()]
AUTH = [("me", "secret"), "me:secret", 5, True]

WRONG = {
    "protocols": ["chat", 5, None, [5], ["a b"], ["a", "a"], True],
    "timeout": [
        *SECONDS,
        ClientWSTimeout(ws_close="1"),
        ClientWSTimeout(ws_close=math.nan),
        ClientWSTimeout(ws_receive=math.nan),
        ClientWSTimeout(ws_connect=-1),
        ClientWSTimeout(ws_connect=True),
    ],
    "receive_timeout": [*SECONDS, ClientWSTimeout()],
    "connect_timeout": [*SECONDS, ClientWSTimeout()],
    "ws_response_class": [None, str, "x", functools.partial(ClientWebSocketResponse), True],
    "autoclose": FLAGS,
    "autoping": FLAGS,
    "heartbeat": [*SECONDS, False],
    "busy_poll": [*SECONDS, None, 1.5, math.inf],
    "origin": [5, b"https://a", True, ["https://a"], "a\nb"],
    "headers": [*HEADERS, {"Upgrade": "x"}, {"A": "x\r\ny"}, {"A": 5}, {"A": b"x"}],
    "params": [5, b"a=b", [1], [("a",)], {"a": None}, {"a": object()}, True],
    "auth": AUTH,
    "max_redirects": COUNTS,
    "ssl": SSL,
    "server_hostname": [5, b"a", True, ["a"]],
    "proxy": [
        *["127.0.0.1:3128", "me:secret@127.0.0.1:3128", "proxy", "", "://proxy", "ftp://proxy"],
        *["127.0.0.1:3128:me:secret", "me:secret"],
        *[5, b"http://proxy:1", True, ("proxy", 3128), {"http": "http://proxy:1"}],
        *["http://proxy:0", "http://proxy/path", URL("proxy:3128"), "http://me:secret@:3128"],
    ],
    "proxy_auth": AUTH,
    "proxy_headers": [*HEADERS, {"A": "x\r\ny"}, {"A": 5}],
    "proxy_ssl": [*SSL, None],
    "trust_env": FLAGS,
    "compress": ["15", 15.0, True, False, None, 8, 16, -1, math.nan, "deflate"],
    "max_msg_size": COUNTS,
    "max_frame_size": COUNTS,
    "decode_text": FLAGS,
    "queue": [5, "x", True, 100, DropOldest, asyncio.Queue],
    "max_queue": [
        *["16", 16.0, True, 0, -1, math.nan, [], (16,), (16, 4, 1), (16, 16), (4, 16), (16, -1)],
        *[(16, None), (None, 4), (16, 4.0), (0, 0), (True, False), {16, 4}, DropOldest(5)],
    ],
    "receive_time": FLAGS,
    "trace": [5, True, "x", [print]],
    "record": [5, True, "feed.jsonl", print],
}

# What a text says instead of the option's name.
ALSO_CALLED = {
    "headers": "header",
    "proxy_headers": "header",
    "origin": "Origin",
    "protocols": "subprotocol",
}


def test_every_option_is_given_something_wrong():
    assert WRONG.keys() == {field.name for field in fields(Options)}


@pytest.mark.parametrize(
    ("option", "value"),
    [
        pytest.param(option, value, id=f"{option}-{number}")
        for option, values in WRONG.items()
        for number, value in enumerate(values)
    ],
)
def test_a_wrong_value_is_refused_at_the_call(option, value):
    """Without a loop, so that nothing can have been opened; a coroutine left behind would warn."""
    session = ClientSession()
    texts = set()
    for function in (
        ClientSession,
        functools.partial(ws_connect, URL_),
        functools.partial(session.ws_connect, URL_),
        functools.partial(reconnect, URL_),
        functools.partial(session.reconnect, URL_),
    ):
        with pytest.raises((TypeError, ValueError)) as caught:
            function(**{option: value})
        assert caught.value.__cause__ is None
        texts.add(str(caught.value))
    session._closed = True
    assert len(texts) == 1
    said = texts.pop()
    assert option in said or ALSO_CALLED.get(option, option) in said
    assert re.search(r"must|expected|cannot|contains|not a token|needs|has no|belongs", said), said
    assert "secret" not in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"proxy": "127.0.0.1:3128"},
            (
                "invalid URL '127.0.0.1:3128': no scheme of a proxy, expected http, https, socks4,"
                " socks4a, socks5, socks5h, as 'http://127.0.0.1:3128'"
            ),
        ),
        (
            {"headers": ["A: x"]},
            (
                "headers must be a mapping or pairs of name and value, as {'A': 'x'},"
                " got list with str"
            ),
        ),
        (
            {"headers": [(b"A", b"x")]},
            (
                "headers must be a mapping or pairs of name and value, as {'A': 'x'},"
                " got list with tuple of bytes, bytes"
            ),
        ),
        ({"heartbeat": True}, "heartbeat must be a number or a Heartbeat, got bool"),
        ({"trace": 5}, "trace must be a function that takes a ConnectStep, got int"),
        (
            {"timeout": Fraction(1)},
            (
                "timeout must be a number of seconds, None or a ClientWSTimeout,"
                " got fractions.Fraction"
            ),
        ),
        ({"max_msg_size": None}, "max_msg_size must be int, of which 0 is no limit, got NoneType"),
        (
            {"timeout": ClientWSTimeout(ws_connect=-1)},
            "connect_timeout (as ws_connect of timeout) is -1, expected at least 0",
        ),
    ],
)
def test_what_is_said_of_a_wrong_value(options, said):
    with pytest.raises((TypeError, ValueError)) as caught:
        ws_connect(URL_, **options)
    assert str(caught.value) == said


@pytest.mark.parametrize("url", [5, None, b"ws://localhost/", Path("/"), True])
def test_a_url_of_a_wrong_type(url):
    with ClientSessionOfOneTest() as session:
        for function in (ws_connect, reconnect, session.ws_connect, session.reconnect):
            with pytest.raises(TypeError, match=r"^url must be str or yarl.URL, got "):
                function(url)


class ClientSessionOfOneTest(ClientSession):
    """Needs no loop to be closed."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._closed = True


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"base_url": 5}, "base_url must be str or yarl.URL, got int"),
        ({"connector": "x"}, "connector must be a connector of wsclient's, got str"),
        ({"connector_owner": 1}, "connector_owner must be True or False, got int"),
        ({"cookies": 5}, "cookies must be a mapping or pairs of str, got int"),
        ({"cookies": "a=b"}, "cookies must be a mapping or pairs of str, got str"),
        ({"cookie_jar": {}}, "cookie_jar must be http.cookiejar.CookieJar, got dict"),
        ({"loop": 5}, "loop must be an asyncio event loop or None, got int"),
    ],
)
def test_wrong_arguments_of_a_session(arguments, said):
    with pytest.raises(TypeError, match=f"^{re.escape(said)}$"):
        ClientSession(**arguments)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"process_exception": 5}, "process_exception must be a function that takes an exception"),
        ({"reconnect_delays": [1]}, "reconnect_delays must be a function that returns delays, as"),
        ({"reconnect_delays": backoff()}, "reconnect_delays must be a function that returns"),
        ({"healthy_after": "1"}, "healthy_after must be a number of seconds, got str"),
        ({"healthy_after": None}, "healthy_after must be a number of seconds, got NoneType"),
        ({"healthy_after": True}, "healthy_after must be a number of seconds, got bool"),
        ({"healthy_after": math.nan}, "healthy_after is nan, expected at least 0"),
        ({"healthy_after": -1}, "healthy_after is -1, expected at least 0"),
        ({"on_state": 5}, "on_state must be a function that takes a ReconnectEvent, got int"),
    ],
)
def test_wrong_arguments_of_reconnect(arguments, said):
    with ClientSessionOfOneTest() as session:
        for function in (reconnect, session.reconnect):
            with pytest.raises((TypeError, ValueError), match=f"^{re.escape(said)}"):
                function(URL_, **arguments)


@pytest.mark.parametrize(
    ("delays", "kind", "said"),
    [
        ([math.nan], ValueError, "a delay of reconnect_delays is nan, expected at least 0"),
        ([math.inf], ValueError, "a delay of reconnect_delays is inf, expected a finite number"),
        ([-1], ValueError, "a delay of reconnect_delays is -1"),
        (["1"], TypeError, "a delay of reconnect_delays must be a number of seconds, got str"),
        (5, TypeError, "what reconnect_delays returns must be an iterable of seconds, got int"),
    ],
)
async def test_wrong_delays(delays, kind, said):
    with pytest.raises(kind, match=f"^{re.escape(said)}"):
        async for _ in reconnect(URL_, reconnect_delays=lambda: delays):
            pass


@pytest.mark.parametrize("name", ["initial_delay", "max_delay", "factor"])
@pytest.mark.parametrize("value", ["1", True, None, math.nan, -1])
def test_wrong_arguments_of_backoff(name, value):
    with pytest.raises((TypeError, ValueError), match=f"^{name} "):
        backoff(**{name: value})


def test_backoff_without_a_largest_delay():
    delays = backoff(1, math.inf, 10.0, random=lambda: 1.0)
    last = [next(delays) for _ in range(1000)][-1]
    assert last < math.inf


@pytest.mark.parametrize(
    "value", [math.inf, 1e300, 10**400], ids=["infinity", "a large float", "a large int"]
)
@pytest.mark.parametrize("option", ["timeout", "receive_timeout", "connect_timeout", "heartbeat"])
async def test_infinity_is_no_limit(scripted, option, value):
    async with linked(scripted, **{option: value}) as (ws, wire):
        waiting = asyncio.create_task(ws.receive())
        await asyncio.sleep(0)
        await wire.send(frame(TEXT, b"a"))
        assert (await waiting).data == "a"
        closing = asyncio.create_task(ws.close())
        await wire.answer_close()
        wire.transport.close()
        assert await closing is True


async def test_infinity_in_all_other_places(scripted):
    forever = ClientWSTimeout(ws_receive=math.inf, ws_close=math.inf, ws_connect=math.inf)
    connector = TCPConnector(ttl_dns_cache=math.inf, happy_eyeballs_delay=math.inf)
    async with linked(scripted, timeout=forever, connector=connector) as (ws, wire):
        await wire.send(frame(TEXT, b"a"))
        assert (await ws.receive()).data == "a"


async def test_sizes_beyond_what_a_machine_can_count(scripted):
    for queue in (DropOldest(10**30), Conflate(len, 2**64)):
        async with linked(scripted, max_msg_size=10**30, queue=queue) as (ws, wire):
            await wire.send(frame(TEXT, b"a"))
            assert (await ws.receive()).data == "a"
    for bounds in (2**64, (10**30, 2**64)):
        async with linked(scripted, max_frame_size=10**30, max_queue=bounds) as (ws, wire):
            await wire.send(frame(TEXT, b"a"))
            assert (await ws.receive()).data == "a"


async def test_options_are_read_once(scripted):
    """Iterators may be given, and what they were made from may change."""
    requests = []

    async def script(wire):
        requests.append(wire.request)

    url = await scripted(script)
    seen = 0
    async for ws in reconnect(
        url,
        headers=iter([("X-A", "1")]),
        protocols=iter(["a"]),
        reconnect_delays=lambda: iter([0, 0]),
    ):
        seen += 1
        await ws.receive()
    headers = {"X-A": "1"}
    async with ClientSession(headers=headers) as session:
        headers["X-A"] = "2"
        await (await session.ws_connect(url)).receive()
    assert seen == 3
    assert len(requests) == 4
    assert all(b"\r\nX-A: 1\r\n" in request for request in requests)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("hearbeat", "(did you mean 'heartbeat'?)"),
        ("haedres", "(did you mean 'headers'?)"),
        ("Heartbeat", "(did you mean 'heartbeat'?)"),
        ("max_message_size", "max_msg_size"),
        ("ping_interval", "(use heartbeat=Heartbeat("),
        ("ping_timeout", "(use heartbeat=Heartbeat("),
        ("extra_headers", "(use headers)"),
        ("additional_headers", "(use headers)"),
        ("additonal_headers", "(use headers)"),
        ("open_timeout", "(use connect_timeout)"),
        ("close_timeout", "(use timeout)"),
        ("max_size", "(use max_msg_size)"),
        ("subprotocols", "(use protocols)"),
        ("compression", "(use compress"),
        ("user_agent_header", "(use headers="),
        ("verify_ssl", "(use ssl"),
        ("ssl_context", "(use ssl"),
        ("fingerprint", "(use ssl=Fingerprint"),
        ("read_timeout", "(use receive_timeout)"),
        ("method", "GET"),
        ("header", "(use headers"),
        ("cookie", "headers="),
        ("sslopt", "(use ssl"),
        ("http_proxy_host", "(use proxy"),
        ("enable_auto_ping", "(use heartbeat="),
        ("auto_ping_idle_timeout", "(use heartbeat="),
        ("websocket_handshake_timeout", "(use connect_timeout)"),
        ("limit", "(use connector=TCPConnector(limit=...))"),
        ("resolver", "(use connector=TCPConnector(resolver=...))"),
        ("zzz", ""),
    ],
)
def test_a_keyword_that_there_is_not(name, said):
    with ClientSessionOfOneTest() as session:
        for called, function in {
            "ws_connect": functools.partial(ws_connect, URL_),
            "ClientSession": ClientSession,
            "ClientSession.ws_connect": functools.partial(session.ws_connect, URL_),
            "reconnect": functools.partial(reconnect, URL_),
            "ClientSession.reconnect": functools.partial(session.reconnect, URL_),
        }.items():
            with pytest.raises(TypeError) as caught:
                function(**{name: "secret"})
            text = str(caught.value)
            assert text.startswith(f"{called}() got an unexpected keyword argument {name!r}")
            assert said in text
            assert "secret" not in text


def test_several_keywords_that_there_are_not():
    with pytest.raises(TypeError) as caught:
        ws_connect(URL_, hearbeat=20, zzz=1, open_timeout=5)
    assert str(caught.value) == (
        "ws_connect() got unexpected keyword arguments 'hearbeat' (did you mean 'heartbeat'?),"
        " 'open_timeout' (use connect_timeout), 'zzz'"
    )


def test_arguments_of_another_function():
    with ClientSessionOfOneTest() as session:
        with pytest.raises(TypeError, match=r"'cookies' \(use cookies of ClientSession\)"):
            ws_connect(URL_, cookies={})
        with pytest.raises(TypeError, match=r"'connector' \(use connector of ClientSession\)"):
            session.ws_connect(URL_, connector=None)
        with pytest.raises(TypeError, match=r"'on_state' \(use reconnect\(\)\)"):
            session.ws_connect(URL_, on_state=print)


CONNECTORS = {
    "ssl": SSL,
    "family": ["1", 1.0, True, None, 99, -1],
    "local_addr": [5, "127.0.0.1", ("127.0.0.1",), (0, "127.0.0.1"), True],
    "limit": COUNTS,
    "limit_per_host": COUNTS,
    "use_dns_cache": FLAGS,
    "ttl_dns_cache": SECONDS,
    "dns_cache_max_size": COUNTS,
    "resolver": [5, "8.8.8.8", print],
    "happy_eyeballs_delay": SECONDS,
    "socket_factory": [5, "x"],
    "socket_options": [5, None, [5], [(1, 2)], [("a", 1, 1)]],
    "force_close": FLAGS,
    "loop": [5, "x"],
}


@pytest.mark.parametrize("name", CONNECTORS)
def test_wrong_arguments_of_a_connector(name):
    for value in CONNECTORS[name]:
        with pytest.raises((TypeError, ValueError), match=rf"^{name} .*(must|expected)"):
            TCPConnector(**{name: value})
        if name in {"ssl", "limit", "limit_per_host", "loop"}:
            with pytest.raises((TypeError, ValueError), match=rf"^{name} "):
                UnixConnector("/a", **{name: value})


@pytest.mark.parametrize("path", [5, None, b"/a", Path("/a")])
def test_a_path_of_a_wrong_type(path):
    with pytest.raises(TypeError, match=r"^path must be str, got "):
        UnixConnector(path)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("verify_ssl", "use ssl"),
        ("ssl_context", "use ssl"),
        ("fingerprint", "use ssl=Fingerprint"),
        ("keepalive_timeout", "no pool"),
        ("limits", "did you mean 'limit'?"),
        ("zzz", ""),
    ],
)
def test_a_keyword_that_connectors_do_not_have(name, said):
    for called, kind in (
        ("TCPConnector", TCPConnector),
        ("UnixConnector", functools.partial(UnixConnector, "/a")),
    ):
        with pytest.raises(TypeError) as caught:
            kind(**{name: 5})
        text = str(caught.value)
        assert text.startswith(f"{called}() got an unexpected keyword argument {name!r}")
        assert said in text


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: DropOldest(True), "max_size must be int, got bool"),
        (lambda: Conflate(len, 1.0), "max_size must be int, got float"),
        (lambda: Fingerprint("ab" * 32), "fingerprint must be bytes, as of bytes.fromhex"),
        (lambda: PerMessageDeflate(min_size="1"), "min_size must be int, got str"),
        (
            lambda: PerMessageDeflate(client_no_context_takeover=1),
            "client_no_context_takeover must be True or False, got int",
        ),
        (lambda: Heartbeat(True), "interval must be a number of seconds, got bool"),
    ],
)
def test_wrong_arguments_of_small_types(make, said):
    with pytest.raises(TypeError, match=f"^{said}"):
        make()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_names_that_the_package_does_not_have(name):
    assert not hasattr(wsclient, name)
    with pytest.raises(AttributeError) as caught:
        getattr(wsclient, name)
    assert str(caught.value) == (
        f"module 'wsclient' has no attribute {name!r}; use {FUNCTIONS[name]}"
    )


def test_other_names_that_the_package_does_not_have():
    with pytest.raises(AttributeError, match=r"^module 'wsclient' has no attribute 'zzz'$"):
        wsclient.zzz  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'connect' from 'wsclient'"):
        from wsclient import connect  # noqa: F401


@pytest.mark.parametrize("name", METHODS)
async def test_methods_that_a_websocket_does_not_have(scripted, name):
    async with linked(scripted) as (ws, _):
        for owner, shown in (
            (ws, "'ClientWebSocketResponse' object"),
            (ClientWebSocketResponse, "type object 'ClientWebSocketResponse'"),
        ):
            assert not hasattr(owner, name)
            with pytest.raises(AttributeError) as caught:
                getattr(owner, name)
            assert str(caught.value) == f"{shown} has no attribute {name!r}; use {METHODS[name]}"
        assert name not in dir(ws)


async def test_the_right_names_are_named(scripted):
    async with linked(scripted) as (ws, _):
        for name, right in {
            "send": "send_str",
            "recv": "receive",
            "send_text": "send_str",
            "wait_closed": "close",
        }.items():
            with pytest.raises(AttributeError, match=right):
                getattr(ws, name)
    with pytest.raises(AttributeError, match="ws_connect"):
        wsclient.connect  # noqa: B018


class Sender:
    def send(self, data):
        return f"sent {data}"


class Before(Sender, ClientWebSocketResponse):
    pass


class After(ClientWebSocketResponse, Sender):
    recv = 5


class Dynamic(ClientWebSocketResponse):
    def __getattr__(self, name):
        if name.startswith("send"):
            return name.upper()
        return super().__getattribute__(name)


async def test_subclasses_may_have_such_names(scripted):
    async with linked(scripted, ws_response_class=Before) as (ws, _):
        assert ws.send("a") == "sent a"
        assert "send" in dir(ws)
        assert "recv" not in dir(ws)
    async with linked(scripted, ws_response_class=After) as (ws, _):
        assert ws.send("a") == "sent a"
        assert ws.recv == 5
        assert "send" not in dir(ClientWebSocketResponse.__base__)
        ws.send_text = print
        assert ws.send_text is print
    async with linked(scripted, ws_response_class=Dynamic) as (ws, _):
        assert ws.send == "SEND"
        with pytest.raises(AttributeError, match="use receive"):
            ws.recv  # noqa: B018


async def test_a_websocket_cannot_be_copied(scripted):
    async with linked(scripted) as (ws, _):
        with pytest.raises(TypeError):
            copy.copy(ws)


def forget(_):
    pass


async def test_an_opening_that_is_never_awaited_warns_by_its_name():
    async with ClientSession() as session:
        for function, name in (
            (ws_connect, "ws_connect"),
            (session.ws_connect, "ClientSession.ws_connect"),
        ):
            with pytest.warns(RuntimeWarning) as caught:
                forget(function(URL_))
            assert [str(one.message) for one in caught] == [f"coroutine '{name}' was never awaited"]


async def test_a_task_shows_what_it_opens():
    task = asyncio.create_task(ws_connect(URL_))
    assert "coro=<ws_connect()" in repr(task)
    with pytest.raises(wsclient.ClientConnectorError):
        await task


async def test_what_an_opening_shows(scripted):
    async def script(wire):
        await wire.answer_close()

    url = URL(await scripted(script)).with_user("me").with_password("secret")
    url = str(url) + "feed?token=secret#secret"
    opening = ws_connect(url.partition("#")[0])
    where = f"ws://127.0.0.1:{URL(url).port}/feed?…"
    assert repr(opening) == f"<Connecting ws_connect({where}) not awaited>"
    task = asyncio.create_task(opening)
    await asyncio.sleep(0)
    assert repr(opening) == f"<Connecting ws_connect({where}) opening>"
    async with await task:
        assert repr(opening) == f"<Connecting ws_connect({where}) done>"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("ws://h/p", "ws://h/p"),
        ("ws://me:secret@h:81/p?k=secret", "ws://h:81/p?…"),
        ("wss://h?secret", "wss://h?…"),
        (URL("ws://me:secret@h/?k=secret"), "ws://h/?…"),
        ("feed?k=secret", "feed?…"),
        ("ws://me:secret/x@h/", "a URL that cannot be parsed"),
        ("ws://[secret", "a URL that cannot be parsed"),
        ("ws://h/p#secret", "ws://h/p"),
    ],
)
def test_what_is_shown_of_a_url(url, shown):
    with ClientSessionOfOneTest("ws://h/") as session:
        opening = session.ws_connect(url)
    opening.close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert repr(opening) == f"<Connecting ClientSession.ws_connect({shown}) done>"


async def test_what_connectors_show(scripted, tmp_path):
    async def script(wire):
        await wire.answer_close()

    url = await scripted(script)
    for connector, limits in (
        (TCPConnector(), "no limit"),
        (TCPConnector(limit=5, limit_per_host=2), "limit 5, limit_per_host 2"),
        (TCPConnector(limit_per_host=2), "limit_per_host 2"),
    ):
        assert repr(connector) == f"<TCPConnector 0 connections, {limits}>"
        async with ClientSession(connector=connector) as session:
            async with session.ws_connect(url), ws_connect(url, connector=connector):
                assert repr(connector) == f"<TCPConnector 2 connections, {limits}>"
            assert repr(connector) == f"<TCPConnector 0 connections, {limits}>"
            with pytest.raises(wsclient.ClientConnectorError):
                await session.ws_connect(URL_)
            assert repr(connector) == f"<TCPConnector 0 connections, {limits}>"
        connector.close()
        assert repr(connector) == f"<TCPConnector closed, 0 connections, {limits}>"
    unix = UnixConnector(str(tmp_path / "a"))
    assert repr(unix) == f"<UnixConnector 0 connections, no limit, path '{tmp_path / 'a'}'>"


async def test_what_awaitables_show(scripted):
    async with linked(scripted) as (ws, wire):
        receiving = ws.receive(5)
        assert repr(receiving) == "<Receive: not awaited, timeout 5 s>"
        task = asyncio.create_task(receiving)
        await asyncio.sleep(0)
        assert repr(receiving) == "<Receive: waiting, timeout 5 s>"
        await wire.send(frame(TEXT, b"a"))
        await task
        assert repr(receiving) == "<Receive: done, timeout 5 s>"
        assert repr(ws.send_str("a")) == "<Sent: written>"
        while ws.send_bytes(bytes(100_000)) is ws.send_str("a"):
            pass
        assert repr(ws.send_str("a")) == "<Sent: written, waits for room>"


def test_a_fingerprint_shows_its_digits():
    shown = repr(Fingerprint(bytes.fromhex("ab" * 32)))
    assert shown == f"Fingerprint(bytes.fromhex('{'ab' * 32}'))"


def test_credentials_stay_hidden():
    with pytest.raises(TypeError) as caught:
        ws_connect(URL_, auth="me:secret", proxy_auth=BasicAuth("me", "secret"))
    assert "secret" not in str(caught.value)
