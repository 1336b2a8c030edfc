"""Code as users write it; never run, only read by mypy and pyright, in strict mode.

`assert_type` makes a stub that loses a type an error, and both checkers complain of a comment
that ignores nothing, so what users do must stay accepted and what they must not stay refused.
"""

import asyncio
import contextlib
import functools
import http.cookiejar
import json
import socket
import ssl
import types
from collections.abc import AsyncIterator, Generator
from pathlib import Path
from typing import Any, assert_type

import aiohttp.abc
from yarl import URL

import wsclient
from wsclient import (
    ClientSession,
    ClientWebSocketResponse,
    ClientWSTimeout,
    Conflate,
    DropOldest,
    HandshakeResponse,
    Heartbeat,
    Message,
    MsgType,
    PerMessageDeflate,
    TCPConnector,
    WSMessage,
    framing,
    ws_connect,
)
from wsclient.recording import Entry, Recording


class Logged(ClientWebSocketResponse):
    """A response class of the user's own, which overrides coroutines with ``async def``."""

    received = 0

    async def receive(self, timeout: float | None = None) -> Message:
        self.received += 1
        return await super().receive(timeout)

    async def close(self, *, code: int = 1000, message: str | bytes = b"") -> bool:
        return await super().close(code=code, message=message)


async def connecting() -> None:
    ws = await ws_connect("ws://localhost/")
    assert_type(ws, ClientWebSocketResponse)
    async with ws_connect(URL("ws://localhost/")) as ws:
        assert_type(ws, ClientWebSocketResponse)
    async with ws as same:
        assert_type(same, ClientWebSocketResponse)
    task = asyncio.create_task(ws_connect("ws://localhost/"))
    assert_type(await task, ClientWebSocketResponse)
    assert_type(await asyncio.wait_for(ws_connect("ws://localhost/"), 1), ClientWebSocketResponse)

    connector = TCPConnector(ssl=ssl.create_default_context())
    async with ClientSession(
        "wss://localhost/", connector=connector, headers=[("Authorization", "x")], heartbeat=20
    ) as session:
        assert_type(await session.ws_connect("ws://localhost/"), ClientWebSocketResponse)
        async with session.ws_connect("ws://localhost/") as ws:
            assert_type(ws, ClientWebSocketResponse)


async def every_parameter(loop: asyncio.AbstractEventLoop) -> None:
    await ws_connect(
        "wss://localhost/",
        protocols=("chat", "superchat"),
        timeout=ClientWSTimeout(ws_receive=30, ws_close=5),
        connector=TCPConnector(),
        ws_response_class=ClientWebSocketResponse,
        autoclose=False,
        autoping=False,
        loop=loop,
        receive_timeout=1.5,
        heartbeat=20,
        origin="https://example.org",
        headers={"X-Key": "value"},
        ssl=False,
        server_hostname="example.org",
        compress=PerMessageDeflate(client_max_window_bits=True, min_size=1024),
        max_msg_size=0,
        decode_text=False,
        connect_timeout=None,
    )
    await ws_connect("ws://localhost/", protocols=["chat"], timeout=None)
    await ws_connect("ws://localhost/", compress=15, queue=DropOldest(10))
    await ws_connect("ws://localhost/", heartbeat=Heartbeat(20, periodic=True, payload=b"?"))
    await ws_connect("ws://localhost/", queue=Conflate(lambda msg: msg.data[:3], max_size=10))
    await ws_connect("ws://localhost/", queue=10)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    await ws_connect("ws://localhost/", compress="15")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    await ws_connect(b"ws://localhost/")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    ClientSession(haedres={})  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await ws_connect("ws://localhost/", heartbeat="20")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]


async def reconnecting(session: ClientSession) -> None:
    async for ws in wsclient.reconnect("ws://localhost/", heartbeat=20, proxy="http://proxy"):
        assert_type(ws, ClientWebSocketResponse)
    attempts = session.reconnect(
        "ws://localhost/",
        ws_response_class=Logged,
        process_exception=lambda exc: None if isinstance(exc, OSError) else exc,
        reconnect_delays=functools.partial(wsclient.backoff, max_delay=10),
        on_state=note_state,
    )
    async with contextlib.aclosing(attempts):
        async for logged in attempts:
            assert_type(logged, Logged)
    wsclient.reconnect("ws://localhost/", process_exception="fatal")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]


def note_state(event: wsclient.ReconnectEvent[Logged]) -> None:
    if event.state == "open":
        assert_type(event.ws, Logged | None)
    assert_type(event.delay, float | None)


async def sessions_and_connectors() -> None:
    class Resolver(aiohttp.abc.AbstractResolver):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[aiohttp.abc.ResolveResult]:
            raise OSError(host)

        async def close(self) -> None: ...

    connector = TCPConnector(
        ssl=wsclient.Fingerprint(bytes(32)),
        resolver=Resolver(),
        limit=10,
        socket_options=[(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 0)],
        socket_factory=lambda address: socket.socket(address[0], address[1], address[2]),
    )
    async with ClientSession(
        connector=connector,
        cookies={"a": "b"},
        cookie_jar=http.cookiejar.LWPCookieJar(),
        auth=wsclient.BasicAuth("me", "password"),
        timeout=ClientWSTimeout(ws_connect=5),
        trust_env=True,
    ) as session:
        assert_type(session.cookie_jar, http.cookiejar.CookieJar)
        await session.ws_connect("/", params={"a": 1}, proxy=None, max_redirects=0)
    ClientSession(connector=wsclient.UnixConnector("/run/server"))
    ClientSession(auth=("me", "password"))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def response_class() -> None:
    ws = await ws_connect("ws://localhost/", ws_response_class=Logged)
    assert_type(ws, Logged)
    async with ws_connect("ws://localhost/", ws_response_class=Logged) as ws:
        assert_type(ws, Logged)
        assert_type(ws.received, int)
    async with ClientSession(ws_response_class=Logged) as session:
        assert_type(await session.ws_connect("ws://localhost/", ws_response_class=Logged), Logged)
    await ws_connect("ws://localhost/", ws_response_class=str)  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]


def names_from_elsewhere(ws: ClientWebSocketResponse) -> None:
    wsclient.connect  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnusedExpression] # noqa: B018
    ws.recv  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnusedExpression] # noqa: B018
    TCPConnector(verify_ssl=False)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ws_connect("ws://localhost/", hearbeat=20)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]


async def ws_texts(ws: ClientWebSocketResponse) -> AsyncIterator[str]:
    async for msg in ws:
        if msg.type is MsgType.TEXT:
            yield msg.data


async def sending(ws: ClientWebSocketResponse) -> None:
    ws.send_str("hello")
    ws.send_bytes(b"hello")
    ws.send_json({"a": 1})
    ws.ping()
    ws.pong()
    assert_type(await ws.send_str("hello"), None)
    await ws.send_bytes(bytearray(b"hello"))
    await ws.send_bytes(memoryview(b"hello"))
    await ws.send_json([1], dumps=json.dumps)
    await ws.send_json([1], 0)
    await ws.send_str("hello", compress=0)
    await ws.send_bytes(b"hello", 15)
    assert_type(ws.compress, int)
    assert_type(ws.client_notakeover, bool)
    await ws.ping("text")
    await ws.pong(b"bytes")
    assert_type(await ws.round_trip(), float)
    assert_type(await ws.send_fragments(["a", "b"]), None)
    await ws.send_fragments(iter([b"a", b"b"]), text=True)
    await ws.send_fragments([b"a", bytearray(b"b"), memoryview(b"c")])
    await ws.send_fragments(ws_texts(ws))
    await ws.send_fragments([1])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    assert_type(ws.round_trip("text"), asyncio.Future[float])
    await asyncio.gather(ws.send_str("a"), ws.send_bytes(b"b"))
    await asyncio.wait_for(ws.send_str("a"), 1)
    assert_type(await asyncio.create_task(ws.send_str("a")), None)
    ws.send_str(b"bytes")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ws.send_bytes("text")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def receiving(ws: ClientWebSocketResponse) -> None:
    assert_type(await ws.receive(), WSMessage)
    assert_type(await ws.receive(1.5), WSMessage)
    assert_type(await ws.receive(timeout=1), WSMessage)
    assert_type(await asyncio.wait_for(ws.receive(), 1), WSMessage)
    assert_type(await asyncio.create_task(ws.receive()), WSMessage)
    first, second = await asyncio.gather(ws.receive(), ws.send_str("a"))
    assert_type(first, WSMessage)
    assert_type(second, None)
    assert_type(await ws.receive_many(), list[WSMessage])
    assert_type(ws.receive_nowait(), WSMessage | None)
    assert_type(await ws.receive_str(), str)
    assert_type(await ws.receive_bytes(timeout=1), bytes)
    assert_type(await ws.receive_json(loads=json.loads), Any)
    async for msg in ws:
        assert_type(msg, WSMessage)
    ws.receive()  # type: ignore[unused-coroutine]  # pyright: ignore[reportUnusedCoroutine]


def seq(msg: Message) -> int:
    return int(msg.json()["seq"])


async def racing() -> None:
    async def subscribe(ws: ClientWebSocketResponse) -> None:
        await ws.send_str("subscribe")

    async for feed in wsclient.race(["ws://one/", URL("ws://two/")], key=seq, on_connect=subscribe):
        assert_type(feed, wsclient.Race)
        async for msg in feed:
            assert_type(msg.data, str | bytes)
            if msg.type is MsgType.TEXT:
                assert_type(msg.data, str)
        assert_type([msg.data for msg in await feed.receive_many()], list[str | bytes])
        assert_type(feed.sides[0].lateness_mean, float | None)
    async for in_bytes in wsclient.race(["ws://one/"], key=seq, decode_text=False):
        assert_type(in_bytes, wsclient.Race[bytes])
        assert_type([msg.data async for msg in in_bytes], list[bytes])
    wsclient.race([wsclient.reconnect("ws://one/"), "ws://two/"], key=lambda msg: msg.json())
    wsclient.race(["ws://one/"])  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    wsclient.race([1], key=seq)  # type: ignore[list-item]  # pyright: ignore[reportArgumentType, reportCallIssue]


def messages(msg: Message) -> str:
    assert_type(msg.tp, Any)
    assert_type(msg.data, Any)
    assert_type(msg.extra, Any)
    assert_type(msg.json(), Any)
    assert_type(msg[1:], tuple[Any, Any])
    tp, data, extra = msg
    assert_type(len(msg), int)
    assert_type(hash(msg), int)
    assert_type(msg == (tp, data, extra), bool)
    msg.data = "other"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    match msg:
        case Message(MsgType.text, str(text)):
            return text
        case Message(tp=wsclient.WSMsgType.CLOSED, data=int(code)):
            assert_type(code, int)
        case _:
            pass
    return ""


async def state(ws: ClientWebSocketResponse) -> None:
    assert_type(ws.closed, bool)
    assert_type(ws.protocol, str | None)
    assert_type(ws.close_code, int | None)
    assert_type(ws.close_reason, str | None)
    assert_type(ws.exception(), BaseException | None)
    assert_type(ws.latency, float | None)
    assert_type(ws.buffered_amount, int)
    assert_type(ws.response, HandshakeResponse)
    assert_type(ws.response.status, int)
    assert_type(ws.response.headers["Server"], str)
    assert_type(ws.response.url, URL)
    assert_type(ws.get_extra_info("peername"), Any)
    assert_type(await ws.close(code=wsclient.WSCloseCode.GOING_AWAY, message="bye"), bool)
    ws.closed = True  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    await ws.close(1000)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


async def errors() -> None:
    try:
        await ws_connect("ws://localhost/")
    except wsclient.WSServerHandshakeError as error:
        assert_type(error.status, int)
        assert_type(error.body, bytes)
    except wsclient.ClientConnectorError as error:
        assert_type(error.host, str)
    except wsclient.ClientError:
        pass


@types.coroutine
def of_its_time() -> Generator[Any, Any, None]:
    """A coroutine as they were written for aiohttp 0.17."""
    session = ClientSession()
    ws = yield from session.ws_connect("http://localhost/")
    assert_type(ws, ClientWebSocketResponse)
    ws = yield from ws_connect("http://localhost/")
    yield from ws.receive()
    yield from ws.send_str("hello")
    yield from ws.close()


def own_transport(data: bytes) -> None:
    parsed = framing.parse_frame(data, max_size=1024)
    assert_type(parsed, tuple[framing.Frame, int] | None)
    if parsed is not None:
        assert_type(parsed[0].payload, bytes)
    assert_type(framing.encode_frame(1, memoryview(data), mask=b"abcd"), bytes)
    assert_type(framing.apply_mask(data, b"abcd"), bytes)
    assert_type(framing.parse_close(data), tuple[int | None, str])
    assert_type(framing.MessageParser(max_size=0).feed(data), list[tuple[int, bytes]])
    assert_type(framing.Utf8Validator().feed(data), bool)
    framing.encode_frame(1, "text")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def recorded() -> None:
    async with wsclient.Recorder("market.jsonl.zst", sent=False) as recorder:
        assert_type(recorder.error, Exception | None)
        async for ws in wsclient.reconnect("ws://localhost/", record=recorder):
            assert_type(ws, ClientWebSocketResponse)
    with wsclient.Recorder(Path("market.jsonl")) as recorder:
        assert_type(recorder, wsclient.Recorder)
    for entry in Recording.read("market.jsonl"):
        assert_type(entry, Entry)
        assert_type(entry.data, str | bytes | None)
    wsclient.ws_connect("ws://localhost/", record="file")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
