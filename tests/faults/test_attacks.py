"""Known attacks on a client's handshake and keys, by name; `docs/security.md` lists all.

Those on framing, memory, redirects and credentials stand with what they attack, in the other
files here.
"""

import asyncio
import datetime as dt
import itertools
import os
import ssl
import subprocess
import sys

import pytest
import trustme
from tests.conftest import TEXT, accept, frame

from wsclient import (
    BasicAuth,
    ClientConnectorCertificateError,
    ClientSession,
    ConnectionTimeoutError,
    InvalidURL,
    MsgType,
    WSServerHandshakeError,
    ws_connect,
)
from wsclient.handshake.cookies import join_cookies
from wsclient.handshake.extensions import PerMessageDeflate
from wsclient.handshake.headers import parse_extensions
from wsclient.handshake.upgrade import MAX_HEAD

from .conftest import failure

HELLO = frame(TEXT, b"hello")


# --- response smuggling: what is behind the 101 belongs to the WebSocket, whatever the head claims


@pytest.mark.parametrize(
    "claim",
    ["Content-Length: 7", "Content-Length: 0", "Transfer-Encoding: chunked", "Connection: close"],
)
@pytest.mark.parametrize("split", [False, True], ids=["at-once", "in-two"])
async def test_smuggling_by_a_101_that_claims_a_body(serve, claim, split):
    async def script(exchange):
        head = accept(exchange.request, claim)
        if split:
            await exchange.send(head[:20])
            await asyncio.sleep(0.01)
            head = head[20:]
        await exchange.send(head + HELLO)
        await exchange.client_leaves()

    peer = await serve(script)
    async with ws_connect(peer.url, timeout=0.1) as ws:
        assert await ws.receive_str() == "hello"


@pytest.mark.parametrize(
    ("bent", "said"),
    [
        ("Sec-WebSocket-Protocol : a", "not HTTP/1.1"),
        ("X: a\x00b", "not HTTP/1.1"),
        ("X\x00: a", "not HTTP/1.1"),
        (": a", "not HTTP/1.1"),
        ("Transfer-Encoding: gzip", "not HTTP/1.1"),
        ("Content-Length: 4\r\nContent-Length: 5", "not HTTP/1.1"),
        ("Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: a", "2 times"),
        ("Sec-WebSocket-Accept: x", "2 times"),
    ],
)
async def test_smuggling_by_a_head_that_can_be_read_in_two_ways(serve, no_leak, bent, said):
    peer = await serve(lambda request: accept(request, bent) + HELLO)
    async with no_leak():
        error = await failure(WSServerHandshakeError, peer.url, protocols=["a"])
    assert said in str(error)


async def test_smuggling_by_a_first_answer(serve, no_leak):
    first = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    peer = await serve(lambda request: first + accept(request) + HELLO)
    async with no_leak():
        error = await failure(WSServerHandshakeError, peer.url)
    assert error.status == 200


async def test_pipelined_response_after_the_101_is_no_http(serve):
    peer = await serve(lambda request: accept(request) + b"HTTP/1.1 200 OK\r\n\r\n")
    async with ws_connect(peer.url) as ws:
        msg = await ws.receive()
        assert msg.tp == MsgType.error
        assert "reserved bits 100" in str(msg.data)
    assert ws.close_code == 1002


# --- injection: nothing of a caller's changes the request, or reaches a server at all

LINES = "a\r\nX-Injected: secret"


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\x00"])
@pytest.mark.parametrize(
    "options",
    [
        lambda text: {"headers": {"X": text}},
        lambda text: {"headers": {text: "x"}},
        lambda text: {"headers": [("Cookie", text)]},
        lambda text: {"headers": {"Host": text}},
        lambda text: {"headers": {"User-Agent": text}},
        lambda text: {"origin": text},
        lambda text: {"protocols": [text]},
        lambda text: {"auth": BasicAuth("u"), "headers": {"Authorization": text}},
        lambda text: {"proxy": "http://127.0.0.1:1", "proxy_headers": {"X": text}},
    ],
    ids=["value", "name", "cookie", "host", "agent", "origin", "protocol", "auth", "proxy"],
)
async def test_crlf_injection(serve, options, end):
    peer = await serve(accept)
    with pytest.raises(ValueError, match=r"control character|token|Authorization"):
        await ws_connect(peer.url, **options(LINES.replace("\r\n", end)))
    assert peer.writers == []


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\x00"])
@pytest.mark.parametrize("where", ["path", "query", "host", "user"])
async def test_crlf_injection_by_the_url(serve, where, end):
    peer = await serve(accept)
    text = LINES.replace("\r\n", end)
    url = {
        "path": peer.url + text,
        "query": f"{peer.url}?a={text}",
        "host": peer.url.replace("localhost", "localhost" + text),
        "user": peer.url.replace("localhost", f"{text}:p@localhost"),
    }[where]
    with pytest.raises(InvalidURL):
        await ws_connect(url)
    assert peer.writers == []


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\x00"])
async def test_crlf_injection_by_cookies(end):
    text = LINES.replace("\r\n", end)
    with pytest.raises(ValueError, match="control character"):
        ClientSession(cookies={"a": text})
    with pytest.raises(ValueError, match="token"):
        ClientSession(cookies={text: "a"})


@pytest.mark.parametrize("end", ["\r\n", "\n"])
async def test_crlf_in_parameters_and_credentials_is_encoded(serve, end):
    peer = await serve(accept)
    text = LINES.replace("\r\n", end)
    async with ws_connect(peer.url, params={"a": text}, auth=BasicAuth("u", text)):
        pass
    (request,) = peer.requests
    assert b"x-injected" not in request.lower().replace(b"=a%0d%0ax-injected", b"").replace(
        b"=a%0ax-injected", b""
    )
    assert request.count(b"\r\n\r\n") == 1


# --- confusion: what was not offered is not accepted


@pytest.mark.parametrize("chosen", [",", "A", "c", "a, b", "a,", "a\t", '"a"'])
async def test_subprotocol_confusion(serve, no_leak, chosen):
    peer = await serve(lambda request: accept(request, f"Sec-WebSocket-Protocol: {chosen}"))
    async with no_leak():
        # White space around a value is not part of it (RFC 9110 §5.5).
        if chosen.strip() == "a":
            async with ws_connect(peer.url, protocols=["a", "b"]) as ws:
                assert ws.protocol == "a"
        else:
            error = await failure(WSServerHandshakeError, peer.url, protocols=["a", "b"])
            assert "subprotocol" in str(error)


@pytest.mark.parametrize(
    "accepted", ["x-webkit-deflate-frame", "permessage-deflate, permessage-deflate", ",", "a;;"]
)
@pytest.mark.parametrize("deflate", [None, PerMessageDeflate()], ids=["not-offered", "offered"])
async def test_extension_confusion(serve, no_leak, accepted, deflate):
    peer = await serve(lambda request: accept(request, f"Sec-WebSocket-Extensions: {accepted}"))
    async with no_leak():
        error = await failure(WSServerHandshakeError, peer.url, deflate=deflate)
    assert "xtension" in str(error)


# --- slowness and size


async def test_slow_loris(serve, no_leak):
    async def script(exchange):
        for byte in b"HTTP/1.1 101 " + b"x" * 1_000_000:
            await exchange.send(bytes([byte]))
            await asyncio.sleep(0.001)

    peer = await serve(script)
    async with no_leak():
        error = await failure(ConnectionTimeoutError, peer.url, connect_timeout=0.2)
    assert error.step == "handshake"


CHUNK = b"3e8\r\n" + b"a" * 1000 + b"\r\n"


@pytest.mark.parametrize(
    "piece", [CHUNK, b"1;" + b"x" * 5000 + b"\r\na\r\n", b"7fffffff\r\n" + b"a" * 100_000]
)
async def test_chunk_bomb_in_the_body_of_an_error(serve, no_leak, piece):
    async def script(exchange):
        await exchange.send(b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            await exchange.send(piece)
            await asyncio.sleep(0)

    peer = await serve(script)
    async with no_leak():
        error = await failure(WSServerHandshakeError, peer.url)
    assert error.status == 403
    assert len(error.body) <= 4096


@pytest.mark.parametrize(
    "value",
    [
        "a;" * (MAX_HEAD // 2),
        'a; b="' + "\\a" * (MAX_HEAD // 2),
        "a" + " " * MAX_HEAD + "@",
        "a; b" + "\t" * MAX_HEAD + "=",
        "a" + ";a=b" * (MAX_HEAD // 4) + ';a="',
        "," * MAX_HEAD + "@",
    ],
)
def test_redos(value):
    """As long as a head may be: had a pattern to go back and forth, this would not end."""
    with pytest.raises(ValueError, match="extension"):
        PerMessageDeflate().agree(parse_extensions(value)[0].params)
    with pytest.raises(ValueError, match="authorization"):
        BasicAuth.decode("Basic " + value)
    with pytest.raises(ValueError, match="cookie"):
        join_cookies({value: value + ";"})


# --- TLS


@pytest.mark.parametrize(
    ("days", "name", "said"),
    [
        ((-20, -10), "localhost", "expired"),
        ((10, 20), "localhost", "not yet valid"),
        ((-10, 10), "other.example", "hostname mismatch"),
        ((-10, 10), "*.localhost", "hostname mismatch"),
    ],
)
async def test_tls_certificates_that_are_not_valid_here(  # noqa: PLR0917 - fixtures
    serve, no_leak, authority, client_tls, days, name, said
):
    now = dt.datetime.now(dt.UTC)
    first, last = (now + dt.timedelta(days=day) for day in days)
    context = trustme_context(authority.issue_cert(name, not_before=first, not_after=last))
    peer = await serve(accept, tls=context)
    async with no_leak():
        error = await failure(ClientConnectorCertificateError, peer.url, ssl=client_tls)
    assert said in str(error).lower()
    assert peer.requests == []


def trustme_context(certificate: trustme.LeafCert):
    """A server's context with that certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    return context


# --- masking keys (RFC 6455 §10.3)

KEYS = 20_000


async def test_masking_keys_cannot_be_predicted(scripted):
    """Each bit, and each bit beside that of the key before, is set half the time.

    Of 20,000 fair coins, 566 more or fewer than half is eight standard deviations: with 64 bits
    looked at, less than one run in 10^12 fails without cause, and so for nine equal pairs.
    """
    keys = []

    async def script(wire):
        data = await wire._reader.readexactly(10 * KEYS)
        keys.extend(int.from_bytes(data[at : at + 4]) for at in range(2, len(data), 10))
        await wire.answer_close()

    url = await scripted(script)
    async with ws_connect(url) as ws:
        for _ in range(KEYS):
            await ws.send_bytes(b"1234")
    assert len(keys) == KEYS
    assert len(set(keys)) > KEYS - 9
    for sample in (keys, [one ^ other for one, other in itertools.pairwise(keys)]):
        for bit in range(32):
            assert abs(sum(key >> bit & 1 for key in sample) - KEYS / 2) < 566


FORK = """
import os
from wsclient.framing import encode_frame
draw = lambda: encode_frame(2, b"", mask=True)[2:].hex()
draw()
child = os.fork()
os.write(1, "".join(f"{draw()} " for _ in range(100)).encode())
if child:
    os.waitpid(child, 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_masking_keys_differ_after_a_fork():
    done = subprocess.run(
        [sys.executable, "-c", FORK], check=True, capture_output=True, text=True, timeout=60
    )
    keys = done.stdout.split()
    assert len(keys) == 200
    assert len(set(keys)) > 195
