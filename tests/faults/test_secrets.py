"""What is secret stays out of every text: errors, their representations, tracebacks, logs."""

import asyncio
import base64
import copy
import gc
import json
import logging
import pickle
import traceback
import warnings

import pytest
from tests.conftest import accept
from yarl import URL

import wsclient
from wsclient import (
    BasicAuth,
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientConnectorSSLError,
    ClientHttpProxyError,
    ClientProxyConnectionError,
    ClientSession,
    ConnectionTimeoutError,
    Fingerprint,
    InvalidURL,
    ServerDisconnectedError,
    ServerFingerprintMismatch,
    TooManyRedirects,
    UnixClientConnectorError,
    UnixConnector,
    WSServerHandshakeError,
    ws_connect,
)
from wsclient.exceptions import hide_query
from wsclient.handshake.urls import shown_url

KEY = "5ecret-Of/A+Feed"  # in a query
NAME, PASSWORD = "n4me-of-me", "pa55word"
TOKEN, COOKIE, HEADER = "t0ken.of.a.bearer", "c00kie", "h3ader"
PROXY_NAME, PROXY_PASSWORD = "pr0xy-user", "pr0xy-pass"
QUERY = "key=5ecret-Of%2FA%2BFeed&plain=5ecret-Of/A%2BFeed"
ENCODED = [
    base64.b64encode(f"{NAME}:{PASSWORD}".encode()).decode(),
    base64.b64encode(f"{PROXY_NAME}:{PROXY_PASSWORD}".encode()).decode(),
]
# The name of a user is no less a part of the credentials.
SECRETS = [
    "5ecret",
    *(NAME, PASSWORD, TOKEN, COOKIE, HEADER, PROXY_NAME, PROXY_PASSWORD),
    *ENCODED,
]


def nothing_in(*texts):
    for text in texts:
        for secret in SECRETS:
            assert secret not in text, text


@pytest.fixture(autouse=True)
def silent(caplog):
    """Nothing secret is logged, not even in debug mode, by whichever library."""
    caplog.set_level(logging.DEBUG)
    yield
    nothing_in(caplog.text, *(repr(record.__dict__) for record in caplog.records))


def check(error):
    """Look at all that may be printed of an error."""
    seen = set()
    while error is not None and error not in seen:
        seen.add(error)
        nothing_in(str(error), repr(error), repr(error.args))
        if isinstance(error, wsclient.ClientError):
            for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):
                nothing_in(str(twin), repr(twin))
            for response in getattr(error, "history", ()):
                nothing_in(repr(response), str(response))
        lines = traceback.TracebackException.from_exception(error, lookup_lines=False)
        nothing_in("".join(lines.format()))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def secret_url(url):
    return f"{url.replace('://', f'://{NAME}:{PASSWORD}@')}?{QUERY}"


OPTIONS = {"headers": {"X-Key": HEADER, "Cookie": f"sid={COOKIE}"}}
PROXY_AUTH = BasicAuth(PROXY_NAME, PROXY_PASSWORD)


async def failing(kind, url, **options):
    """Fail to connect with all the secrets there are, and look at what comes of it."""
    steps = []
    with pytest.raises(kind) as caught:
        await ws_connect(url, trace=steps.append, **{**OPTIONS, **options})
    check(caught.value)
    nothing_in(repr(steps), str(steps))
    return caught.value


async def test_servers_that_echo_the_request(serve):
    """Everywhere, in every spelling."""
    echoes = [
        lambda request: b"HTTP/1.1 403 " + request.split(b"\r\n")[0] + b"\r\n\r\n",
        lambda request: b"HTTP/1.1 403 No\r\n\r\n" + request,
        lambda request: b"HTTP/1.1 403 No\r\n\r\n" + KEY.encode(),
        lambda request: b"HTTP/1.1 403 No\r\n\r\n" + json.dumps(f'"{KEY}"').encode(),
        lambda request: b"HTTP/1.1 403 No\r\n\r\n" + b"x" * 190 + KEY.encode(),
        lambda request: b"HTTP/1.1 403 No\r\n\r\n" + NAME.encode() + b" " + PASSWORD.encode(),
        lambda request: request,
        lambda request: b"x" * 75 + request,
        lambda request: accept(request, Upgrade=KEY),
        lambda request: accept(request, f"Sec-WebSocket-Protocol: {HEADER}"),
        lambda request: accept(request, f"Sec-WebSocket-Extensions: {COOKIE}"),
        lambda request: accept(request, f"Sec-WebSocket-Extensions: {KEY}"),
    ]
    for echo in echoes:
        peer = await serve(echo)
        error = await failing(WSServerHandshakeError, secret_url(peer.url))
        assert "key=***&plain=***" in str(error)
        # To act on, the attribute is whole.
        assert error.url == URL(f"{peer.url}?{QUERY}", encoded=True)


async def test_servers_that_echo_a_bearer(serve):
    peer = await serve(lambda request: b"HTTP/1.1 401 No\r\n\r\n" + request)
    options = {"headers": {"Authorization": f"Bearer {TOKEN}"}}
    error = await failing(WSServerHandshakeError, f"{peer.url}?{QUERY}", **options)
    assert "its body begins 'GET /feed?key=***&plain=*** HTTP/1.1 Host: localhost:" in str(error)


async def test_a_body_of_which_nothing_is_secret(serve):
    peer = await serve(b"HTTP/1.1 403 Forbidden\r\n\r\n\r\nerror  code:\t1020\x1b[31m\xff\n")
    error = await failing(WSServerHandshakeError, secret_url(peer.url))
    assert str(error).startswith(
        "server answered 403 'Forbidden', expected 101 Switching Protocols;"
        r" its body begins 'error code: 1020\x1b[31m�', url="
    )
    assert error.body == b"\r\nerror  code:\t1020\x1b[31m\xff\n"


async def test_what_is_said_in_words_of_ones_own_stays(serve):
    peer = await serve(b"HTTP/1.1 403 Forbidden\r\n\r\nno")
    error = await failing(WSServerHandshakeError, f"{peer.url}?role=server&expected=Protocols")
    assert "server answered 403 'Forbidden', expected 101 Switching Protocols;" in str(error)


async def test_a_long_body_is_cut(serve):
    peer = await serve(b"HTTP/1.1 503 x\r\n\r\n" + b"word " * 1000)
    error = await failing(WSServerHandshakeError, secret_url(peer.url))
    assert len(str(error)) < 500
    assert "word word" in str(error)


async def test_hanging_up_and_silence(serve):
    peer = await serve(b"")
    error = await failing(ServerDisconnectedError, secret_url(peer.url))
    assert "/feed?key=***&plain=***'" in str(error)
    peer = await serve(b"HTTP/1.1 101 x\r\n")
    await failing(ServerDisconnectedError, secret_url(peer.url))

    async def say_nothing(exchange):
        await exchange.client_leaves()

    peer = await serve(say_nothing)
    error = await failing(ConnectionTimeoutError, secret_url(peer.url), connect_timeout=0.05)
    assert "/feed?key=***&plain=***'" in str(error)


async def test_what_never_reaches_a_server():
    kinds = {
        "ws://nope.invalid/": ClientConnectorDNSError,
        "ws://127.0.0.1:1/": ClientConnectorError,
    }
    for url, kind in kinds.items():
        await failing(kind, secret_url(url))
    connector = UnixConnector("/nowhere")
    await failing(UnixClientConnectorError, secret_url("ws://h/"), connector=connector)


@pytest.mark.parametrize(
    "template",
    [
        "ftp://{user}@h/feed?{query}",
        "ws://{user}@h:x/feed?{query}",
        "ws://{user}@h/feed?{query}#part",
        "ws://{user}@h/feed?{query}&mail=me@h#{query}",
        "ws://h/feed?{query}&mail=me@h#x",
        "ws://h/feed? {query}",
        "//{user}@h/?{query}",
        "h/feed?{query}",
        "?{query}",
        "ws://{user}?{query}@h:x/",
        "ws://h:x/?{key}",
        "ws://h:x/?{key}==",
        "ws://h:x/?a=1;b={key}",
        "ws://h:x/#{key}",
    ],
)
async def test_bad_urls(template):
    url = template.format(user=f"{NAME}:{PASSWORD}", query=QUERY, key=KEY)
    error = await failing(InvalidURL, url)
    nothing_in(repr(error.url))
    async with ClientSession("ws://h/") as session:
        with pytest.raises((InvalidURL, ClientConnectorError)) as caught:
            await session.ws_connect(url, connect_timeout=5)
    check(caught.value)


async def test_redirects(serve, server_tls, client_tls):
    secure = await serve(b"", tls=server_tls)
    plain = await serve(b"")

    def to(location):
        return f"HTTP/1.1 302 {KEY}\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()

    secure.script = to(secret_url(plain.url))
    error = await failing(WSServerHandshakeError, secret_url(secure.url), ssl=client_tls)
    assert "to an insecure URL" in str(error)
    assert "?key=***&plain=***" in str(error)
    plain.script = to(f"?{QUERY}&again")
    error = await failing(TooManyRedirects, secret_url(plain.url), max_redirects=2)
    assert len(error.history) == 2
    for location in (f"ftp://{NAME}:{PASSWORD}@h?{QUERY}", f"//{NAME}:{PASSWORD}@h:x/?{QUERY}"):
        plain.script = to(location)
        await failing(WSServerHandshakeError, secret_url(plain.url))
    plain.script = f"HTTP/1.1 302 x\r\nLocation: /?{QUERY}\r\nLocation: /{KEY}\r\n\r\n".encode()
    await failing(WSServerHandshakeError, secret_url(plain.url))


async def test_tls(serve, server_tls, client_tls):
    peer = await serve(b"", tls=server_tls)
    await failing(ClientConnectorCertificateError, secret_url(peer.url))
    await failing(ServerFingerprintMismatch, secret_url(peer.url), ssl=Fingerprint(bytes(32)))
    plain = await serve(b"", scheme="wss")

    async def answer(reader, writer):
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    plain.serve = answer
    server = await asyncio.start_server(answer, "localhost", 0, family=2)
    async with server:
        url = f"wss://localhost:{server.sockets[0].getsockname()[1]}/feed"
        await failing(ClientConnectorSSLError, secret_url(url))


async def test_proxies(serve):
    peer = await serve(lambda request: b"HTTP/1.1 407 " + request.split(b"\r\n")[-3] + b"\r\n\r\n")
    by_url = f"http://{PROXY_NAME}:{PROXY_PASSWORD}@localhost:{peer.port}"
    url = secret_url("ws://example.invalid/feed")
    await failing(ClientHttpProxyError, url, proxy=by_url)
    options = {"proxy_auth": PROXY_AUTH, "proxy_headers": {"X-Key": HEADER}}
    await failing(ClientHttpProxyError, url, proxy=f"http://localhost:{peer.port}", **options)
    for scheme in ("http", "https", "socks5"):
        by_url = f"{scheme}://{PROXY_NAME}:{PROXY_PASSWORD}@127.0.0.1:1"
        await failing(ClientProxyConnectionError, url, proxy=by_url)
    for bad in ("ftp://{}@h", "http://{}@h:x", "http://{}@h/path?{}", "http://{}@:1"):
        user = f"{PROXY_NAME}:{PROXY_PASSWORD}"
        with pytest.raises(ValueError, match="proxy") as caught:
            await ws_connect(url, proxy=bad.format(user, QUERY))
        check(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        {"headers": {f"Authorization: Bearer {TOKEN}": ""}},
        {"headers": {"X-Key": f"{HEADER}\r\n"}},
        {"headers": {"Upgrade": HEADER}},
        {"headers": {"X-Key": HEADER.encode()}},
        {"protocols": ["access_token", f"{TOKEN}=="]},
        {"protocols": [TOKEN, TOKEN]},
        {"protocols": [TOKEN, ""]},
        {"origin": f"https://{HEADER}\n"},
        {"auth": BasicAuth(NAME, PASSWORD), "headers": {"Authorization": TOKEN}},
    ],
)
async def test_bad_arguments(options):
    await failing((ValueError, TypeError), secret_url("ws://localhost:1/feed"), **options)


@pytest.mark.parametrize("cookies", [{f"sid={COOKIE}": ""}, {"sid": f"{COOKIE};"}])
def test_bad_cookies(cookies):
    with pytest.raises(ValueError, match="cookie") as caught:
        ClientSession(cookies=cookies)
    check(caught.value)


async def test_tokens_in_subprotocols(serve):
    """Browsers have no other place for them."""
    token = f"{TOKEN}.{'x' * 32}"
    for answered in (token, "other"):
        peer = await serve(lambda r, a=answered: accept(r, f"Sec-WebSocket-Protocol: {a}x"))
        await failing(WSServerHandshakeError, peer.url, protocols=["chat", token])


async def test_an_open_websocket(serve):
    async def script(exchange):
        await exchange.send(accept(exchange.request))
        await exchange.client_leaves()

    peer = await serve(script)
    async with ClientSession(secret_url(peer.url), **OPTIONS) as session:
        ws = await session.ws_connect(f"?{QUERY}", trace=lambda step: nothing_in(repr(step)))
        assert "/feed?key=***&plain=*** open>" in repr(ws)
        nothing_in(repr(ws), str(ws), repr(ws.response), repr(session), repr(session.connector))
        assert ws.response.url.query["key"] == KEY
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            del ws
            gc.collect()
        assert "unclosed" in str(caught[0].message)
        nothing_in(*(str(warning.message) for warning in caught))


async def test_reconnect(serve):
    peer = await serve(lambda request: b"HTTP/1.1 503 No\r\n\r\n" + request)
    events = []
    with pytest.raises(WSServerHandshakeError):
        async for _ in wsclient.reconnect(
            secret_url(peer.url), reconnect_delays=lambda: [0.0], on_state=events.append
        ):
            pass
    nothing_in(repr(events))


def test_urls_as_they_are_shown():
    for url, shown in {
        "wss://u:p@h:1/a/b?token=x&a=%26&b": "wss://h:1/a/b?token=***&a=***&***",
        "wss://h/feed": "wss://h/feed",
        "wss://h/?": "wss://h/",
        "wss://h/?x": "wss://h/?***",
        "wss://h/?x=": "wss://h/?***",
        "wss://h/?a=1;b=2&&c=3": "wss://h/?a=***&&c=***",
    }.items():
        assert shown_url(URL(url, encoded=True)) == shown
    assert hide_query("no url") == "no url"
