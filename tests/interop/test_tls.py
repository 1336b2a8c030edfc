"""TLS with real servers: whom the client trusts, and what it refuses."""

import asyncio
import contextlib
import datetime as dt
import os
import ssl
import sys

import pytest
import trustme
from tests.conftest import trusting

from wsclient import TCPConnector, ws_connect
from wsclient.exceptions import (
    ClientConnectorCertificateError,
    ClientConnectorError,
    ServerDisconnectedError,
    WSServerHandshakeError,
)

from .conftest import NGINX
from .servers import SERVERS, nginx, server_tls


async def echo(peer):
    await peer.send(await peer.receive())


async def is_echoed(ws):
    async with ws:
        await ws.send_str("over TLS")
        return await ws.receive_str() == "over TLS"


@pytest.fixture(params=["websockets", "aiohttp", "nginx"])
async def serve(request, tmp_path):
    """A function that serves an echo with a certificate, or without; returns the port."""
    if request.param == "nginx":
        request.getfixturevalue("nginx_program")
    async with contextlib.AsyncExitStack() as stack:

        async def serve(certificate):
            behind_nginx = certificate is not None and request.param == "nginx"
            server = SERVERS.get(request.param, SERVERS["websockets"])
            tls = None if behind_nginx or certificate is None else server_tls(certificate)
            port = await stack.enter_async_context(server(echo, subprotocols=(), tls=tls))
            if behind_nginx:
                port = stack.enter_context(nginx(NGINX, certificate, port, tmp_path))
            return port

        yield serve


async def refusal(kind, url, **options):
    with pytest.raises(kind) as caught:
        await ws_connect(url, **options)
    return caught.value


async def test_an_authority_that_is_unknown(serve, certificate):
    url = f"wss://localhost:{await serve(certificate)}/"
    error = await refusal(ClientConnectorCertificateError, url)
    assert (error.host, error.step) == ("localhost", "tls")
    assert "unable to get local issuer certificate" in str(error)
    stranger = trusting(trustme.CA())
    await refusal(ClientConnectorCertificateError, url, ssl=stranger)


async def test_a_certificate_for_another_host(serve, authority, client_tls):
    port = await serve(authority.issue_cert("other.example"))
    for host in ("localhost", "127.0.0.1"):
        url = f"wss://{host}:{port}/"
        error = await refusal(ClientConnectorCertificateError, url, ssl=client_tls)
        assert "mismatch" in str(error)


async def test_a_certificate_that_has_expired(serve, authority, client_tls):
    past = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    url = f"wss://localhost:{await serve(authority.issue_cert('localhost', not_after=past))}/"
    error = await refusal(ClientConnectorCertificateError, url, ssl=client_tls)
    assert "certificate has expired" in str(error)


async def test_a_server_without_tls(serve, client_tls):
    url = f"wss://localhost:{await serve(None)}/"
    error = await refusal(ClientConnectorError, url, ssl=client_tls)
    # aiohttp and nginx answer something that is not TLS, `websockets` hangs up.
    assert error.step == "tls"
    assert not isinstance(error, ClientConnectorCertificateError)


async def test_a_client_without_tls(serve, certificate):
    url = f"ws://localhost:{await serve(certificate)}/"
    # nginx answers 400 to it, the others hang up.
    await refusal((ServerDisconnectedError, WSServerHandshakeError), url)


async def test_verification_switched_off(serve, certificate):
    url = f"wss://localhost:{await serve(certificate)}/"
    assert await is_echoed(await ws_connect(url, ssl=False))
    assert await is_echoed(await ws_connect(url, connector=TCPConnector(ssl=False)))


async def test_the_name_to_verify(serve, authority, client_tls):
    url = f"wss://localhost:{await serve(authority.issue_cert('other.example'))}/"
    ws = await ws_connect(url, ssl=client_tls, server_hostname="other.example")
    assert await is_echoed(ws)


async def test_the_name_to_verify_in_letters_of_its_language(serve, authority, client_tls):
    url = f"wss://localhost:{await serve(authority.issue_cert('münchen.example'))}/"
    assert await is_echoed(await ws_connect(url, ssl=client_tls, server_hostname="münchen.example"))


async def test_the_connectors_context(serve, certificate, client_tls):
    url = f"wss://localhost:{await serve(certificate)}/"
    assert await is_echoed(await ws_connect(url, connector=TCPConnector(ssl=client_tls)))


CLIENT = """
import asyncio, sys, wsclient

async def main():
    async with wsclient.ws_connect(sys.argv[1]) as ws:
        await ws.send_str("over TLS")
        assert await ws.receive_str() == "over TLS"
        print(ws.get_extra_info("ssl_object").selected_alpn_protocol())

asyncio.run(main())
"""


async def test_a_client_that_was_told_nothing(serve, request, authority, certificate, tmp_path):
    """It trusts whom the system trusts, and offers HTTP/1.1 by ALPN."""
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    url = f"wss://localhost:{await serve(certificate)}/"
    client = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", CLIENT, url),
        # OpenSSL's own variable stands for the system's authorities.
        env={**os.environ, "SSL_CERT_FILE": str(tmp_path / "authority.pem")},
        stdout=asyncio.subprocess.PIPE,
    )
    chosen, _ = await client.communicate()
    assert client.returncode == 0
    # Of the three, only nginx speaks ALPN here.
    assert chosen.split() == [b"http/1.1" if "nginx" in request.node.name else b"None"]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_versions_of_tls(serve, authority, certificate, version):
    context = trusting(authority)
    context.minimum_version = context.maximum_version = version
    ws = await ws_connect(f"wss://localhost:{await serve(certificate)}/", ssl=context)
    assert ws.get_extra_info("ssl_object").version() == version.name.replace("_", ".")
    assert await is_echoed(ws)
