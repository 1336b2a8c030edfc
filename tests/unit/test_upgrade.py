"""The opening handshake without I/O: requests, verdicts, chunking (RFC 6455 §4.1)."""

import base64
import hashlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from yarl import URL

from wsclient.exceptions import ServerDisconnectedError, WSServerHandshakeError
from wsclient.handshake.extensions import PerMessageDeflate
from wsclient.handshake.upgrade import MAX_FIELDS, MAX_HEAD, MAX_INFORMATIONAL, Handshake
from wsclient.handshake.urls import parse_url

EXTENSIONS, DEFLATE = "Sec-WebSocket-Extensions", "permessage-deflate"
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def request_of(handshake):
    """Split a request into its first line and its header fields."""
    head, _, body = handshake.request().partition(b"\r\n\r\n")
    assert body == b""
    first, *lines = head.decode().split("\r\n")
    return first, CIMultiDict(tuple(line.split(": ", 1)) for line in lines)


def start(url="ws://example.org/feed", **kwargs):
    return Handshake(parse_url(url), **kwargs)


def answer(handshake, *extra, drop=(), status="HTTP/1.1 101 Switching Protocols", **replace):
    """Make a valid 101 for a request, then bend it."""
    key = request_of(handshake)[1]["Sec-WebSocket-Key"]
    accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
    fields = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": accept}
    fields.update({name.replace("_", "-"): value for name, value in replace.items()})
    lines = [status, *(f"{n}: {v}" for n, v in fields.items() if n not in drop), *extra]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()


def refusal(handshake, data):
    with pytest.raises(WSServerHandshakeError) as caught:
        handshake.receive(data)
    return caught.value


# --- the request (RFC 6455 §4.1, the list of requirements)


def test_request_has_what_the_rfc_asks_for():
    first, fields = request_of(start("ws://example.org/feed?a=b"))
    assert first == "GET /feed?a=b HTTP/1.1"
    assert fields["Host"] == "example.org"
    assert (fields["Upgrade"], fields["Connection"]) == ("websocket", "Upgrade")
    assert fields["Sec-WebSocket-Version"] == "13"
    assert len(base64.b64decode(fields["Sec-WebSocket-Key"], validate=True)) == 16
    absent = {"Origin", "Authorization", "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"}
    assert not absent & set(fields)


def test_every_request_has_its_own_key():
    assert len({request_of(start())[1]["Sec-WebSocket-Key"] for _ in range(50)}) == 50


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("ws://h:80/", "h"),
        ("wss://h:443/", "h"),
        ("wss://h:80/", "h:80"),
        ("ws://h:8080", "h:8080"),
        ("ws://[::1]:81/", "[::1]:81"),
        ("ws://[fe80::1%25lo]/", "[fe80::1]"),
        ("ws://u:p@h/", "h"),
    ],
)
def test_host_field(url, host):
    first, fields = request_of(start(url))
    assert first == "GET / HTTP/1.1"
    assert fields["Host"] == host


def test_offers_and_origin_are_sent():
    deflate = PerMessageDeflate(server_max_window_bits=10)
    handshake = start(protocols=["chat.v2", "chat"], deflate=deflate, origin="https://o.org")
    fields = request_of(handshake)[1]
    assert fields["Sec-WebSocket-Protocol"] == "chat.v2, chat"
    assert fields["Sec-WebSocket-Extensions"] == deflate.offer()
    assert fields["Origin"] == "https://o.org"


def test_url_credentials_become_basic_authorization_and_leave_the_url():
    handshake = start("ws://üser:p%40ss@h/")
    expected = base64.b64encode("üser:p@ss".encode()).decode()
    assert request_of(handshake)[1]["Authorization"] == f"Basic {expected}"
    assert str(handshake.url) == "ws://h/"


def test_callers_headers_win_where_they_may():
    headers = [
        ("host", "virtual"),
        ("ORIGIN", "o"),
        ("User-Agent", "bot/1 é"),
        ("Authorization", "Bearer t"),
        ("Cookie", "a=1"),
        ("Cookie", "b=2"),
    ]
    handshake = start("ws://u:p@h/", origin="ignored", headers=headers)
    fields = request_of(handshake)[1]
    for name in ("Host", "Origin", "User-Agent", "Authorization"):
        assert fields.getall(name) == [value for n, value in headers if n.lower() == name.lower()]
    assert fields.getall("Cookie") == ["a=1", "b=2"]


@pytest.mark.parametrize(
    "kwargs",
    [
        {"headers": {"X": "secret\r\n"}},
        {"headers": {"Upgrade": "secret"}},
        {"origin": "secret\n"},
        {"protocols": ["a b"]},
    ],
)
def test_what_must_not_be_sent_is_refused(kwargs):
    with pytest.raises(ValueError, match=r"header|subprotocol") as caught:
        start(**kwargs)
    assert "secret" not in str(caught.value)


def test_two_host_headers_are_refused():
    with pytest.raises(ValueError, match="multiple Host"):
        start(headers=[("Host", "a"), ("Host", "b")])


# --- a 101 (RFC 6455 §4.1, "the client MUST validate")


@pytest.mark.parametrize(
    ("bend", "extra"),
    [
        ({}, []),
        ({"Upgrade": "WebSocket", "Connection": "keep-alive, UPGRADE"}, []),
        ({"Upgrade": "h2c, websocket"}, ["Connection: keep-alive"]),
        ({"Connection": "keep-alive"}, ["connection: upgrade"]),
        ({"status": "HTTP/1.1 101"}, []),
        ({"status": "HTTP/1.1 101 \xe9"}, []),
    ],
)
def test_valid_101(bend, extra):
    handshake = start(protocols=["chat"])
    response = handshake.receive(answer(handshake, *extra, **bend))
    assert (response.status, response.http_version) == (101, "1.1")
    assert response.url == URL("ws://example.org/feed")
    assert (handshake.subprotocol, handshake.agreement, handshake.trailing) == (None, None, b"")


def test_chosen_subprotocol_and_extension():
    handshake = start(protocols=["a", "b"], deflate=PerMessageDeflate())
    extension = 'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits="9"'
    data = answer(handshake, "Sec-WebSocket-Protocol: b", extension)
    assert handshake.receive(data).headers["sec-websocket-protocol"] == "b"
    assert handshake.subprotocol == "b"
    assert handshake.agreement.client_max_window_bits == 9


@pytest.mark.parametrize("value", ["", " "])
@pytest.mark.parametrize("offered", [False, True])
def test_fields_that_choose_nothing(value, offered):
    """Gateways send them. They name nothing that was not offered, so nothing is wrong (§4.1)."""
    offers = {"protocols": ["chat"], "deflate": PerMessageDeflate()} if offered else {}
    handshake = start(**offers)
    lines = [f"Sec-WebSocket-Protocol:{value}", f"{EXTENSIONS}:{value}"]
    assert handshake.receive(answer(handshake, *lines)).status == 101
    assert (handshake.subprotocol, handshake.agreement) == (None, None)


@pytest.mark.parametrize("cut", [None, 7])
def test_a_101_of_http_1_0(cut):
    """Old gateways write so; the accept key tells that a WebSocket server is behind them."""
    handshake = start(protocols=["chat"])
    data = answer(handshake, "Sec-WebSocket-Protocol: chat", status="HTTP/1.0 101 Switching")
    if cut is not None:
        assert handshake.receive(data[:cut]) is None
        data = data[cut:]
    assert handshake.receive(data + b"\x81\x00").http_version == "1.0"
    assert (handshake.subprotocol, handshake.trailing) == ("chat", b"\x81\x00")


def test_a_declined_extension():
    handshake = start(deflate=PerMessageDeflate())
    handshake.receive(answer(handshake))
    assert handshake.agreement is None


@pytest.mark.parametrize(
    ("bend", "extra", "what"),
    [
        ({"drop": ["Upgrade"]}, [], "Upgrade nothing, expected 'websocket'"),
        ({"Upgrade": "h2c"}, [], "Upgrade 'h2c'"),
        ({"Upgrade": "websocketx"}, [], "Upgrade"),
        ({"drop": ["Connection"]}, [], "Connection nothing"),
        ({"Connection": "close"}, [], "Connection 'close'"),
        ({"drop": ["Sec-WebSocket-Accept"]}, [], "no Sec-WebSocket-Accept"),
        ({"Sec_WebSocket_Accept": ""}, [], "wrong Sec-WebSocket-Accept"),
        ({"Sec_WebSocket_Accept": "AAAA"}, [], "wrong Sec-WebSocket-Accept"),
        ({}, ["Sec-WebSocket-Accept: x"], "Sec-WebSocket-Accept 2 times"),
        ({}, ["Sec-WebSocket-Protocol: other"], "subprotocol 'other', offered was 'Chat, v2'"),
        ({}, ["Sec-WebSocket-Protocol: chat"], "subprotocol 'chat'"),
        ({}, ["Sec-WebSocket-Protocol: Chat, v2"], "subprotocol"),
        ({}, ["Sec-WebSocket-Protocol: v2"] * 2, "Sec-WebSocket-Protocol 2 times"),
        ({}, [f"{EXTENSIONS}: x-b"], "extension 'x-b', offered was 'permessage-deflate'"),
        ({}, [f"{EXTENSIONS}: Permessage-Deflate"], "extension 'Permessage-Deflate'"),
        ({}, [f"{EXTENSIONS}: {DEFLATE}, x-b"], "extension 'x-b'"),
        ({}, [f"{EXTENSIONS}: {DEFLATE}, {DEFLATE}"], "more than once"),
        ({}, [f"{EXTENSIONS}: {DEFLATE}"] * 2, "Sec-WebSocket-Extensions 2 times"),
        ({}, [f"{EXTENSIONS}: {DEFLATE};"], "malformed Sec-WebSocket-Extensions"),
        ({}, [f"{EXTENSIONS}: ,"], "malformed Sec-WebSocket-Extensions"),
        ({}, [f"{EXTENSIONS}:"] * 2, "Sec-WebSocket-Extensions 2 times"),
        ({}, [f"{EXTENSIONS}: {DEFLATE}; x=1"], f"extension '{DEFLATE}' with an unknown parameter"),
        ({"status": "HTTP/1.2 101 Switching Protocols"}, [], "HTTP/1.2, expected HTTP/1.1"),
    ],
)
def test_invalid_101(bend, extra, what):
    handshake = start(protocols=["Chat", "v2"], deflate=PerMessageDeflate())
    error = refusal(handshake, answer(handshake, *extra, **bend))
    assert f"server's 101 has {what}" in str(error).replace(" a ", " ") or what in str(error)
    assert "url='ws://example.org/feed'" in str(error)
    assert error.status == 101
    assert error.headers is not None
    assert handshake.subprotocol is None


def test_an_extension_that_was_not_offered():
    handshake = start()
    error = refusal(handshake, answer(handshake, f"{EXTENSIONS}: {DEFLATE}"))
    assert f"extension '{DEFLATE}', offered was nothing" in str(error)


def test_what_follows_the_101_is_kept():
    handshake = start()
    handshake.receive(answer(handshake) + b"\x81\x01a")
    handshake.receive(b"\x00\r\n\r\n")
    assert handshake.trailing == b"\x81\x01a\x00\r\n\r\n"


# --- other answers


@pytest.mark.parametrize("status", [200, 204, 304, 400, 401, 403, 404, 426, 500, 503])
def test_other_status_is_refused_with_its_body(status):
    body = b"" if status in {204, 304} else b"\xffgo away"
    head = f"HTTP/1.1 {status} Not today\r\nX-A: 1\r\nContent-Length: {len(body)}\r\n\r\n"
    error = refusal(start(), head.encode() + body)
    assert (error.status, error.body, error.headers["x-a"]) == (status, body, "1")
    assert str(error).startswith(f"server answered {status} 'Not today', expected 101 Switching")


def test_redirect_without_location_is_refused():
    assert refusal(start(), b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n").status == 302


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_returned(status):
    handshake = start()
    response = handshake.receive(f"HTTP/1.1 {status} x\r\nLocation: /y\r\n\r\n".encode())
    assert (response.status, response.headers["location"]) == (status, "/y")


def test_long_body_is_cut():
    handshake = start(max_body=10)
    head = b"HTTP/1.1 500 x\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert handshake.receive(head + b"8\r\n01234567\r\n") is None
    assert refusal(handshake, b"8\r\n89abcdef\r\n").body == b"0123456789"


@pytest.mark.parametrize(
    ("head", "rest"),
    [(b"Content-Length: 10", b""), (b"Transfer-Encoding: chunked", b"zz"), (b"X: y", b"")],
)
def test_body_that_ends_early_or_badly_still_shows_its_beginning(head, rest):
    handshake = start()
    chunk = b"3\r\nabc\r\n" if b"chunked" in head else b"abc"
    assert handshake.receive(b"HTTP/1.1 500 x\r\n" + head + b"\r\n\r\n" + chunk) is None
    assert refusal(handshake, rest and rest + b"\r\n").body == b"abc"


def test_informational_answers_are_skipped_up_to_a_bound():
    handshake = start()
    hint = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    assert handshake.receive(hint * MAX_INFORMATIONAL) is None
    assert handshake.receive(answer(handshake)).status == 101
    assert "informational" in str(refusal(start(), hint * (MAX_INFORMATIONAL + 1)))


@pytest.mark.parametrize(
    "garbage",
    [
        b"SSH-2.0-OpenSSH_9\r\n",
        b"\x15\x03\x01\x00\x02\x02\x16",
        b"\x00\x00\x12\x04\x00\x00\x00\x00\x00",
        b"HTTQ",
        b"\r\nHTTP/1.1 101 x\r\n",
        b"HTTP/2 101 x\r\n\r\n",
        b"HTTP/1.1 abc x\r\n\r\n",
        b"HTTP/1.1 000 x\r\n\r\n",
        b"HTTP/1.1 101 x\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 x\r\nContent-Length: -1\r\n\r\n",
    ],
)
def test_garbage_is_named(garbage):
    error = refusal(start(), garbage)
    assert repr(garbage.partition(b"\n")[0])[2:-1] in str(error)
    assert (error.status, error.headers) == (0, None)


def test_garbage_keeps_cookies_out_of_the_text():
    data = b"HTTP/1.1 200 x\r\nSet-Cookie: secret\x00\r\n\r\n"
    error = refusal(start(), data)
    assert "secret" not in str(error)
    assert error.__suppress_context__


@pytest.mark.parametrize("whole", [True, False])
def test_head_is_bounded_however_it_comes(whole):
    fits, spills = start(), start()
    head = answer(fits)
    filler = f"X: {'a' * (MAX_HEAD - len(head) - len('X: ') - 2)}"
    data = answer(fits, filler)
    assert len(data) == MAX_HEAD
    assert fits.receive(data).status == 101
    longer = answer(spills, filler + "a")
    with pytest.raises(WSServerHandshakeError, match=f"larger than {MAX_HEAD} bytes"):
        for piece in [longer] if whole else [longer[:-1], longer[-1:]]:
            assert spills.receive(piece) is None


def test_endless_head_is_refused():
    handshake = start()
    with pytest.raises(WSServerHandshakeError, match="larger than"):
        handshake.receive(b"HTTP/1.1 101 x\r\n")
        for _ in range(MAX_HEAD):
            handshake.receive(b"X: yyyyyyyy\r\n")


def test_number_of_fields_is_bounded():
    handshake = start()
    error = refusal(handshake, answer(handshake, *["X: y"] * MAX_FIELDS))
    assert f"expected at most {MAX_FIELDS}" in str(error)


def test_end_at_every_byte_of_the_head():
    whole = len(answer(start()))
    for size in range(whole):
        handshake = start()
        data = answer(handshake)[:size]
        if data:
            assert handshake.receive(data) is None
        with pytest.raises(ServerDisconnectedError, match=f"{size} bytes into its answer"):
            handshake.receive(b"")


# --- chunking


def outcome(handshake, pieces):
    try:
        for piece in pieces:
            response = handshake.receive(piece)
    except (WSServerHandshakeError, ServerDisconnectedError) as error:
        return type(error), getattr(error, "status", None), getattr(error, "body", None)
    return response, handshake.trailing, handshake.subprotocol


ANSWERS = [
    lambda h: answer(h, "Sec-WebSocket-Protocol: p") + b"\x82\x7e\x01\x00" + bytes(30),
    lambda h: b"HTTP/1.1 100 Continue\r\n\r\n" + answer(h),
    lambda h: b"HTTP/1.1 403 x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    lambda h: b"HTTP/1.1 500 x\r\nContent-Length: 60\r\n\r\n" + b"b" * 60,
    lambda h: answer(h, Upgrade="h2c") + b"rest",
    lambda h: b"HTTP/1.1 101 x\r\nbroken\r\n\r\n",
    lambda h: answer(h)[:-1],
    lambda h: answer(h, status="HTTP/1.1 101 Änderung") + b"rest",
    lambda h: answer(h, status="HTTP/1.1 101") + b"rest",
    lambda h: answer(h, "Transfer-Encoding: chunked") + b"2\r\nno\r\n0\r\n\r\n",
    lambda h: answer(h, "Transfer-Encoding: gzip") + b"rest",
    lambda h: answer(h, "Content-Length: 4") + b"rest",
    lambda h: answer(h, "Content-Length: 4", "Content-Length: 5") + b"rest",
]


@given(which=st.sampled_from(ANSWERS), cuts=st.sets(st.integers(1, 250)), bytewise=st.booleans())
def test_chunking_does_not_matter(which, cuts, bytewise):
    whole, cut = start(protocols=["p"], max_body=50), start(protocols=["p"], max_body=50)
    # The same key, so that both can be given the same answer.
    cut._key = whole._key
    data = which(whole)
    marks = range(len(data)) if bytewise else sorted(mark for mark in cuts if mark < len(data))
    edges = [0, *marks, len(data)]
    pieces = [data[a:b] for a, b in itertools.pairwise(edges) if a < b]
    assert outcome(cut, [*pieces, b""]) == outcome(whole, [data, b""])
