"""`ws_connect` as the documented page has it: each parameter, what it returns and raises."""

import asyncio
import contextlib
import inspect

import pytest
from tests.conftest import CLOSE, PING, PONG, TEXT, frame

import wsclient
from wsclient import ClientSession, ClientWebSocketResponse, MsgType, TCPConnector, ws_connect
from wsclient.framing import encode_close, parse_close

from .conftest import echo_messages

DEFAULTS = {
    "protocols": (),
    "timeout": 10.0,
    "connector": None,
    "autoclose": True,
    "autoping": True,
    "loop": None,
}


def connect_by_function(url, **options):
    return ws_connect(url, **options)


@contextlib.asynccontextmanager
async def connect_by_session(url, **options):
    async with ClientSession() as session, session.ws_connect(url, **options) as ws:
        yield ws


both_ways = pytest.mark.parametrize("connect", [connect_by_function, connect_by_session])


def test_the_documented_signature():
    parameters = inspect.signature(ws_connect).parameters
    assert next(iter(parameters)) == "url"
    for name, default in DEFAULTS.items():
        assert parameters[name].default == default
        assert parameters[name].kind is inspect.Parameter.KEYWORD_ONLY
    assert parameters["ws_response_class"].kind is inspect.Parameter.KEYWORD_ONLY
    of_session = inspect.signature(ClientSession.ws_connect).parameters
    for name in ("protocols", "timeout", "ws_response_class", "autoclose", "autoping"):
        assert of_session[name].default == parameters[name].default


@both_ways
@pytest.mark.parametrize("scheme", ["http", "ws"])
async def test_plain_urls(serve, connect, scheme):
    port = await serve(echo_messages)
    async with connect(f"{scheme}://localhost:{port}/path?query=1") as ws:
        assert type(ws) is ClientWebSocketResponse
        assert ws.get_extra_info("ssl_object") is None
        await ws.send_str("hello")
        assert (await ws.receive()).data == "hello"


@both_ways
@pytest.mark.parametrize("scheme", ["https", "wss"])
async def test_secure_urls(serve, server_tls, client_tls, connect, scheme):
    port = await serve(echo_messages, ssl=server_tls)
    async with connect(f"{scheme}://localhost:{port}/", ssl=client_tls) as ws:
        assert ws.get_extra_info("ssl_object").version().startswith("TLS")
        await ws.send_bytes(b"hello" * 10_000)
        assert (await ws.receive()).data == b"hello" * 10_000


@both_ways
async def test_a_refused_handshake(serve, connect):
    def refuse(connection, request):
        return connection.respond(403, "not today\n")

    port = await serve(echo_messages, process_request=refuse)
    with pytest.raises(wsclient.WSServerHandshakeError) as caught:
        async with connect(f"http://localhost:{port}/"):
            pass
    assert caught.value.status == caught.value.code == 403
    assert caught.value.headers["Content-Type"].startswith("text/plain")
    assert caught.value.body == b"not today\n"
    assert isinstance(caught.value, wsclient.ClientError)


async def test_the_request_is_a_handshake_of_rfc_6455(scripted):
    requests = []

    async def script(wire):
        requests.append(wire.request)
        await wire.answer_close()

    async with ws_connect(await scripted(script)):
        pass
    head = requests[0].lower()
    assert head.startswith(b"get / http/1.1\r\nhost: 127.0.0.1:")
    for line in (b"upgrade: websocket", b"connection: upgrade", b"sec-websocket-version: 13"):
        assert b"\r\n" + line + b"\r\n" in head


@both_ways
@pytest.mark.parametrize(
    ("offered", "known", "chosen"),
    [
        (("a", "b"), ["b"], "b"),
        (["a", "b"], ["b", "a"], "b"),
        (("a",), None, None),
        ((), None, None),
    ],
)
async def test_protocols(serve, connect, offered, known, chosen):
    def select(_, subprotocols):
        requested.extend(subprotocols)
        return chosen

    requested = []
    port = await serve(echo_messages, subprotocols=known, select_subprotocol=select)
    async with connect(f"ws://localhost:{port}/", protocols=offered) as ws:
        assert ws.protocol == chosen
    assert requested == [*offered]


async def test_a_protocol_that_was_not_offered_is_refused(serve):
    def add_protocol(connection, request, response):
        response.headers["Sec-WebSocket-Protocol"] = "c"

    port = await serve(echo_messages, process_response=add_protocol)
    with pytest.raises(wsclient.WSServerHandshakeError):
        await ws_connect(f"ws://localhost:{port}/", protocols=("a", "b"))


async def test_timeout_bounds_the_wait_for_the_server(scripted):
    async def script(wire):
        await wire.end()

    url = await scripted(script)
    ws = await ws_connect(url, timeout=0.01)
    assert await ws.close() is True
    assert isinstance(ws.exception(), TimeoutError)
    assert ws.close_code == 1006


async def test_connector(serve, server_tls, client_tls):
    port = await serve(echo_messages, ssl=server_tls)
    connector = TCPConnector(ssl=client_tls)
    async with ws_connect(f"https://localhost:{port}/", connector=connector) as ws:
        await ws.send_str("hello")
        assert (await ws.receive()).data == "hello"
    assert not connector.closed
    connector.close()
    with pytest.raises(RuntimeError, match="connector is closed"):
        await ws_connect(f"https://localhost:{port}/", connector=connector)


@both_ways
async def test_ws_response_class(serve, connect):
    class Own(ClientWebSocketResponse):
        def shout(self, text):
            return self.send_str(text.upper())

    port = await serve(echo_messages)
    async with connect(f"ws://localhost:{port}/", ws_response_class=Own) as ws:
        assert type(ws) is Own
        await ws.shout("hello")
        assert (await ws.receive()).data == "HELLO"


async def test_autoclose_answers_the_servers_close(scripted):
    async def script(wire):
        await wire.send(frame(CLOSE, encode_close(4000, "bye")))
        answer = await wire.receive()
        assert answer.opcode == CLOSE
        assert parse_close(answer.payload) == (4000, "")

    ws = await ws_connect(await scripted(script))
    assert await ws.receive() == (MsgType.closed, 4000, "bye")
    assert await ws.close() is False


async def test_without_autoclose_closing_is_the_callers(scripted):
    async def script(wire):
        await wire.send(frame(CLOSE, encode_close(4000, "bye")))
        answer = await wire.receive()
        assert answer.opcode == CLOSE
        assert parse_close(answer.payload) == (1001, "by hand")

    ws = await ws_connect(await scripted(script), autoclose=False)
    assert await ws.receive() == (MsgType.close, 4000, "bye")
    assert await ws.close(code=1001, message="by hand") is True
    assert await ws.receive() == (MsgType.closed, 4000, "bye")


async def test_autoping_answers_pings_whether_or_not_anyone_receives(scripted):
    answered = asyncio.Event()

    async def script(wire):
        await wire.send(frame(PING, b"1"), frame(PING), frame(PING, b"a" * 125))
        for payload in (b"1", b"", b"a" * 125):
            answer = await wire.receive()
            assert (answer.opcode, answer.payload) == (PONG, payload)
        answered.set()
        await wire.answer_close()

    async with ws_connect(await scripted(script)):
        await asyncio.wait_for(answered.wait(), 10)


async def test_without_autoping_pings_are_messages(scripted):
    async def script(wire):
        await wire.send(frame(PING, b"?"), frame(TEXT, b"end"))
        answer = await wire.receive()
        assert (answer.opcode, answer.payload) == (TEXT, b"seen")
        await wire.answer_close()

    async with ws_connect(await scripted(script), autoping=False) as ws:
        assert await ws.receive() == (MsgType.ping, b"?", "")
        assert (await ws.receive()).tp is MsgType.text
        await ws.send_str("seen")


async def test_loop(serve):
    loop = asyncio.get_running_loop()
    port = await serve(echo_messages)
    url = f"ws://localhost:{port}/"
    async with ws_connect(url, loop=loop) as ws:
        assert not ws.closed
    async with ClientSession(loop=loop) as session, session.ws_connect(url) as ws:
        assert not ws.closed
    async with ws_connect(url, loop=loop, connector=TCPConnector(loop=loop)) as ws:
        assert not ws.closed


async def test_another_loop_than_the_running_one_is_refused():
    other = asyncio.new_event_loop()
    try:
        with pytest.raises(RuntimeError, match="another event loop"):
            await ws_connect("ws://localhost:1/", loop=other)
    finally:
        other.close()


async def test_without_loop_the_running_one_serves(serve):
    port = await serve(echo_messages)
    async with ws_connect(f"ws://localhost:{port}/", loop=None) as ws:
        await ws.send_str("hello")
        assert (await ws.receive()).data == "hello"
