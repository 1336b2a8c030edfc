"""The client through real proxies: tinyproxy, proxy.py, microsocks, Dante, tiny-proxy."""

import asyncio
import hashlib
import socket
import ssl

import pytest
from tests.ports import free_port
from websockets.asyncio.server import serve

from wsclient import (
    BasicAuth,
    ClientConnectorCertificateError,
    ClientHttpProxyError,
    ClientProxyConnectionError,
    ClientSession,
    Fingerprint,
    TCPConnector,
    ws_connect,
)

from .proxies import KINDS, PASSWORD, ROUTES, USER, WITH_AUTH


class Refusing:
    """A resolver that is not to be asked."""

    async def resolve(self, host, port=0, family=0):
        raise AssertionError(f"{host} is the proxy's to resolve")


def remote(scheme):
    """A connector whose host names the proxy has to resolve, where it can."""
    return TCPConnector() if scheme == "socks4" else TCPConnector(resolver=Refusing())


async def talk(ws):
    sizes = (0, 1, 200_000, 3_000_000)
    for size in sizes:
        await ws.send_bytes(b"a" * size)
    for size in sizes:
        assert await ws.receive_bytes() == b"a" * size


@pytest.mark.parametrize("target", ["ws", "wss"])
@pytest.mark.parametrize("route", ROUTES)
async def test_through_a_proxy(start, echoes, client_tls, route, target):
    kind, scheme = route
    port = start(kind)
    async with ws_connect(
        echoes[target],
        connector=remote(scheme),
        ssl=client_tls,
        proxy=f"{scheme}://127.0.0.1:{port}",
        proxy_ssl=client_tls,
    ) as ws:
        assert ws.get_extra_info("peername")[1] == port
        await talk(ws)
    assert ws.close_code == 1000


@pytest.mark.parametrize("target", ["ws", "wss"])
@pytest.mark.parametrize("route", ROUTES)
async def test_backpressure_through_a_proxy(start, echoes, client_tls, route, target):
    """Reading pauses at every layer of TLS there is, and goes on."""
    kind, scheme = route
    port = start(kind)
    async with ws_connect(
        echoes[target],
        ssl=client_tls,
        proxy=f"{scheme}://127.0.0.1:{port}",
        proxy_ssl=client_tls,
        heartbeat=60,
    ) as ws:
        for _ in range(40):
            ws.send_bytes(b"a" * 100_000)
        for number in range(40):
            if number % 8 == 0:
                # Time for the inbox to fill up.
                await asyncio.sleep(0.02)
            assert len(await ws.receive_bytes()) == 100_000


@pytest.mark.parametrize("in_url", [False, True])
@pytest.mark.parametrize("route", WITH_AUTH)
async def test_credentials_for_the_proxy(start, echoes, client_tls, route, in_url):
    kind, scheme = route
    port = start(kind, auth=True)
    userinfo = f"{USER}:{PASSWORD}@" if in_url else ""
    auth = None if in_url else BasicAuth(USER, PASSWORD)
    async with ws_connect(
        echoes["ws"],
        proxy=f"{scheme}://{userinfo}127.0.0.1:{port}",
        proxy_auth=auth,
        proxy_ssl=client_tls,
    ) as ws:
        await ws.send_str("hello")
        assert await ws.receive_str() == "hello"


@pytest.mark.parametrize("password", [None, "wrong-secret"])
@pytest.mark.parametrize("route", [route for route in WITH_AUTH if "socks4" not in route[1]])
async def test_wrong_credentials_for_the_proxy(start, echoes, client_tls, route, password):
    kind, scheme = route
    port = start(kind, auth=True)
    error = ClientProxyConnectionError if scheme.startswith("socks") else ClientHttpProxyError
    with pytest.raises(error) as caught:
        await ws_connect(
            echoes["ws"],
            proxy=f"{scheme}://127.0.0.1:{port}",
            proxy_auth=None if password is None else BasicAuth(USER, password),
            proxy_ssl=client_tls,
        )
    if error is ClientHttpProxyError:
        assert caught.value.status in {401, 407}  # tinyproxy 1.11 says 401
        assert str(caught.value.url) == f"{scheme}://127.0.0.1:{port}"
    else:
        assert caught.value.step == "proxy"
        assert (caught.value.host, caught.value.port) == ("127.0.0.1", port)
    assert f"{scheme}://127.0.0.1:{port}" in str(caught.value)
    assert "secret" not in f"{caught.value!r} {caught.value.__cause__!r} {caught.value}"


@pytest.mark.parametrize(("kind", "scheme"), ROUTES)
async def test_a_server_that_is_not_there(start, client_tls, kind, scheme):
    port = start(kind)
    with pytest.raises((ClientProxyConnectionError, ClientHttpProxyError)) as caught:
        await ws_connect(
            f"ws://localhost:{free_port()}/",
            proxy=f"{scheme}://127.0.0.1:{port}",
            proxy_ssl=client_tls,
            connector=remote(scheme),
        )
    assert f"{scheme}://127.0.0.1:{port}" in str(caught.value)


async def test_the_session_has_a_proxy_and_a_call_another_or_none(start, echoes):
    port = start("proxy.py")
    other = start("tinyproxy")
    async with ClientSession(proxy=f"http://127.0.0.1:{port}") as session:
        for options, peer in (
            ({}, port),
            ({"proxy": f"http://127.0.0.1:{other}"}, other),
            ({"proxy": None}, int(echoes["ws"].strip("/").rpartition(":")[2])),
        ):
            async with session.ws_connect(echoes["ws"], **options) as ws:
                assert ws.get_extra_info("peername")[1] == peer


async def test_the_certificate_of_a_proxy(start, echoes, certificate):
    port = start("proxy.py-tls")
    proxy = f"https://127.0.0.1:{port}"
    with pytest.raises(ClientProxyConnectionError) as caught:
        await ws_connect(echoes["ws"], proxy=proxy)
    assert caught.value.step == "tls"
    assert isinstance(caught.value.os_error, ssl.SSLCertVerificationError)
    async with ws_connect(echoes["ws"], proxy=proxy, proxy_ssl=False):
        pass
    der = ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode())
    pinned = Fingerprint(hashlib.sha256(der).digest())
    async with ws_connect(echoes["ws"], proxy=proxy, proxy_ssl=pinned):
        pass


@pytest.mark.parametrize("kind", ["proxy.py", "proxy.py-tls", "microsocks"])
async def test_the_certificate_of_the_server_behind_a_proxy(start, echoes, client_tls, kind):
    port = start(kind)
    scheme = KINDS[kind][1][0]
    proxy = f"{scheme}://127.0.0.1:{port}"
    with pytest.raises(ClientConnectorCertificateError) as caught:
        await ws_connect(echoes["wss"], proxy=proxy, proxy_ssl=client_tls)
    assert (caught.value.step, caught.value.host) == ("tls", "localhost")


async def test_an_address_of_ipv6_by_connect(start):
    """The proxy has to find the port behind the brackets."""
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")

    async def handler(ws):
        await ws.wait_closed()

    async with serve(handler, "::1", 0) as server:
        url = f"ws://[::1]:{server.sockets[0].getsockname()[1]}/"
        for kind in ("tinyproxy", "microsocks"):
            scheme = KINDS[kind][1][0]
            async with ws_connect(url, proxy=f"{scheme}://127.0.0.1:{start(kind)}"):
                pass
