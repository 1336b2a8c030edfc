"""websockets' own ways through proxies, under the adapter: the same proxies, the same errors."""

import contextlib

import pytest
import websockets.asyncio.client
from tests.ports import free_port
from websockets.exceptions import InvalidProxy
from websockets.version import version

import wsclient.websockets

from .proxies import KINDS, PASSWORD, ROUTES, USER, WITH_AUTH

pytestmark = pytest.mark.skipif(
    int(version.split(".")[0]) < 15, reason="proxies came with websockets 15"
)

CLIENTS = [websockets.asyncio.client, wsclient.websockets]
VARIABLES = [f"{scheme}_proxy" for scheme in ("ws", "wss", "http", "https", "socks", "all", "no")]


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def secured(client_tls, scheme, target):
    """The options for a proxy and a server, of which either may have TLS."""
    options = {"ssl": client_tls} if target == "wss" else {}
    return {**options, "proxy_ssl": client_tls} if scheme == "https" else options


async def talk(ws):
    for size in (0, 1, 200_000, 3_000_000):
        await ws.send(b"a" * size)
        assert await ws.recv() == b"a" * size
    await ws.send("text")
    assert await ws.recv() == "text"


async def refused(client, url, **options):
    """What a connection that cannot be opened says."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - compared with the other's
        await client.connect(url, **options)
    error = caught.value
    return type(error), str(error), type(error.__cause__), str(error.__cause__)


@pytest.mark.parametrize("target", ["ws", "wss"])
@pytest.mark.parametrize("route", ROUTES)
async def test_through_a_proxy(start, echoes, client_tls, route, target):
    kind, scheme = route
    port = start(kind)
    options = secured(client_tls, scheme, target)
    names = []
    for client in CLIENTS:
        proxy = f"{scheme}://127.0.0.1:{port}"
        async with client.connect(echoes[target], proxy=proxy, max_size=None, **options) as ws:
            assert ws.remote_address[1] == port
            await talk(ws)
            names.append(type(ws.transport).__module__)
        assert ws.close_code == 1000
    # TLS within TLS is the event loop's.
    assert ("aiofastnet" in names[1]) == (target == "wss" and scheme != "https")


@pytest.mark.parametrize(("kind", "scheme"), WITH_AUTH)
async def test_credentials(start, echoes, client_tls, kind, scheme):
    port = start(kind, auth=True)
    options = secured(client_tls, scheme, "ws")
    for client in CLIENTS:
        proxy = f"{scheme}://{USER}:{PASSWORD}@127.0.0.1:{port}"
        async with client.connect(echoes["ws"], proxy=proxy, max_size=None, **options) as ws:
            await talk(ws)


@pytest.mark.parametrize("user", ["", f"{USER}:wrong@"])
@pytest.mark.parametrize("route", [route for route in WITH_AUTH if "socks4" not in route[1]])
async def test_wrong_credentials(start, echoes, client_tls, route, user):
    kind, scheme = route
    port = start(kind, auth=True)
    options = secured(client_tls, scheme, "ws")
    options["proxy"] = f"{scheme}://{user}127.0.0.1:{port}"
    theirs, ours = [await refused(client, echoes["ws"], **options) for client in CLIENTS]
    assert theirs == ours


@pytest.mark.parametrize(("kind", "scheme"), ROUTES)
async def test_a_server_that_is_not_there(start, client_tls, kind, scheme):
    options = secured(client_tls, scheme, "ws")
    options["proxy"] = f"{scheme}://127.0.0.1:{start(kind)}"
    url = f"ws://localhost:{free_port()}/"
    theirs, ours = [await refused(client, url, **options) for client in CLIENTS]
    assert theirs == ours


@pytest.mark.parametrize("scheme", ["http", "https", "socks5h"])
async def test_a_proxy_that_is_not_there(echoes, client_tls, scheme):
    options = secured(client_tls, scheme, "ws")
    options["proxy"] = f"{scheme}://127.0.0.1:{free_port()}"
    theirs, ours = [await refused(client, echoes["ws"], **options) for client in CLIENTS]
    assert theirs == ours


@pytest.mark.parametrize("kind", ["proxy.py", "proxy.py-tls", "microsocks"])
async def test_a_certificate_that_is_not_trusted(start, echoes, client_tls, kind):
    (scheme, *_) = KINDS[kind][1]
    options = secured(client_tls, scheme, "ws")
    options["proxy"] = f"{scheme}://127.0.0.1:{start(kind)}"
    theirs, ours = [await refused(client, echoes["wss"], **options) for client in CLIENTS]
    # Only the line of CPython's source is not in both.
    assert theirs[0] == ours[0]
    assert ours[1].startswith(theirs[1].partition(" (_ssl.c")[0])


@pytest.mark.parametrize(
    "setting",
    [
        ("https_proxy", "tinyproxy", "ws"),
        ("https_proxy", "tinyproxy", "wss"),
        ("socks_proxy", "microsocks", "ws"),
        ("wss_proxy", "proxy.py", "wss"),
    ],
)
async def test_the_environment(start, echoes, client_tls, monkeypatch, setting):
    variable, kind, target = setting
    (scheme, *_) = KINDS[kind][1]
    monkeypatch.setenv(variable, f"{scheme}://127.0.0.1:{start(kind)}")
    options = secured(client_tls, scheme, target)
    peers = []
    for client in CLIENTS:
        async with client.connect(echoes[target], max_size=None, **options) as ws:
            await talk(ws)
            peers.append(ws.remote_address)
    assert peers[0] == peers[1]
    monkeypatch.setenv("no_proxy", "localhost")
    for client in CLIENTS:
        async with client.connect(echoes[target], **options) as ws:
            assert f":{ws.remote_address[1]}/" in echoes[target]


async def test_the_environment_under_install(start, echoes, monkeypatch):
    port = start("tinyproxy")
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
    with wsclient.websockets.install():
        async with websockets.asyncio.client.connect(echoes["ws"]) as ws:
            assert isinstance(ws, wsclient.websockets.ClientConnection)
            assert ws.remote_address[1] == port


async def test_reconnecting_through_a_proxy(start, echoes):
    proxy = f"http://127.0.0.1:{start('tinyproxy')}"
    for client in CLIENTS:
        times = 0
        async for ws in client.connect(echoes["ws"], proxy=proxy):
            with contextlib.suppress(websockets.exceptions.ConnectionClosed):
                await ws.send("text")
                assert await ws.recv() == "text"
                times += 1
                ws.transport.abort()
                await ws.recv()
            if times == 3:
                break


async def test_what_is_no_proxy(echoes):
    for client in CLIENTS:
        with pytest.raises(InvalidProxy, match="ftp"):
            await client.connect(echoes["ws"], proxy="ftp://127.0.0.1:1")
