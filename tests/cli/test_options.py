"""What the options of all sub-commands do, on the wire, and what is wrong with them."""

import base64
import os
import re
import socket
import ssl
import threading

import pytest
import trustme
from tests.ports import free_port

from wsclient.testing import Script, refuse, serve

AUTHORITY = trustme.CA()


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """PEM files of an authority, and of a client's certificate and key."""
    folder = tmp_path_factory.mktemp("pem")
    AUTHORITY.cert_pem.write_to_path(folder / "ca")
    client = AUTHORITY.issue_cert("me@example.org")
    client.cert_chain_pems[0].write_to_path(folder / "cert")
    client.private_key_pem.write_to_path(folder / "key")
    return folder


def server_context(*, wants_certificate=False):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    AUTHORITY.issue_cert("127.0.0.1").configure_cert(context)
    if wants_certificate:
        context.verify_mode = ssl.CERT_REQUIRED
        AUTHORITY.configure_trust(context)
    return context


async def headers(ws):
    """Send the handshake's fields back."""
    await ws.send("".join(f"{name}: {value}\n" for name, value in ws.request.headers.raw_items()))


def basic(credentials):
    return f"Authorization: Basic {base64.b64encode(credentials.encode()).decode()}\n"


def test_header_fields(run, tmp_path):
    (tmp_path / "fields").write_text("X-Third: 3\n\nX-Fourth: 4\n")
    with serve(headers) as server:
        ran = run(
            "listen", "-H", "X-First:1", "--header", "X-Second: 2: two",
            "-H", f"@{tmp_path / 'fields'}", "--origin", "https://example.org", server.url,
        )  # fmt: skip
    for line in ("X-First: 1", "X-Second: 2: two", "X-Third: 3", "X-Fourth: 4"):
        assert line in ran.out.splitlines()
    assert "Origin: https://example.org\n" in ran.out


def test_subprotocols_and_the_answer(run):
    with serve(Script().send("hi"), subprotocols=["b"]) as server:
        ran = run("listen", "-v", "-s", "a", "-s", "b", server.url)
    assert ran.out == "hi\n"
    lines = ran.err.splitlines()
    assert "wsclient: Sec-WebSocket-Protocol: b" in lines
    assert "wsclient: HTTP/1.1 101 Switching Protocols" in lines
    for step in ("dns", "tcp", "handshake"):
        assert re.search(rf"(?m)^wsclient: {step} took [\d.]+ ms$", ran.err)


def test_compression(run):
    async def tell(ws):
        await ws.send(str(ws.compressed))

    with serve(tell, compression=True) as server:
        assert run("listen", "--compress", server.url).out == "True\n"
        assert run("listen", server.url).out == "False\n"


def test_credentials(run, tmp_path, monkeypatch):
    file = tmp_path / "netrc"
    file.write_text("machine 127.0.0.1 login looked password up\n")
    file.chmod(0o600)
    monkeypatch.setenv("NETRC", str(file))
    monkeypatch.setattr("getpass.getpass", lambda prompt: f"answer to {prompt}")
    with serve(headers) as server:
        assert basic("me:pass:word") in run("listen", "--auth", "me:pass:word", server.url).out
        assert (
            basic("me:answer to Password of me: ") in run("listen", "--auth", "me", server.url).out
        )
        assert basic("looked:up") in run("listen", server.url).out
        assert "Authorization" not in run("listen", "--no-env", server.url).out


def test_a_proxy(run, monkeypatch):
    asked = []

    def answer(listening):
        for _ in range(2):
            with listening.accept()[0] as sock:
                asked.append(sock.recv(10_000).split(b"\r\n")[0])
                sock.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=answer, args=[listening])
        thread.start()
        proxy = f"http://127.0.0.1:{listening.getsockname()[1]}"
        ran = run("listen", "--proxy", proxy, "ws://example.org/")
        monkeypatch.setenv("HTTP_PROXY", proxy)
        assert run("listen", "ws://example.org/") == ran
        thread.join()
    assert asked == [b"CONNECT example.org:80 HTTP/1.1"] * 2
    assert ran.status == 3
    assert "403" in ran.err


def test_tls(run, files):
    with serve(Script().send("secret"), ssl=server_context()) as server:
        ran = run("listen", server.url)
        assert (ran.status, ran.out) == (3, "")
        assert re.search("(?i)certificate.verify.failed", ran.err)
        assert run("listen", "--insecure", server.url) == (0, "secret\n", "")
        assert run("listen", "--ca", str(files / "ca"), server.url) == (0, "secret\n", "")


def test_a_certificate_of_ones_own(run, files):
    certificate = ("--cert", str(files / "cert"), "--key", str(files / "key"))
    with serve(Script().send("secret"), ssl=server_context(wants_certificate=True)) as server:
        ran = run("listen", "--ca", str(files / "ca"), *certificate, server.url)
        assert ran == (0, "secret\n", "")
        assert run("listen", "--insecure", *certificate, server.url) == (0, "secret\n", "")
        assert run("listen", "--ca", str(files / "ca"), server.url).status == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["example.org"], "invalid URL 'example.org': no scheme, expected ws, wss, http or https"),
        (["ws://a/#b"], "invalid URL 'ws://a/#***': fragments must not be used (RFC 6455 §3)"),
        (["-H", "secret", "ws://a/"], "a --header has no colon, expected 'Name: value'"),
        (["-H", "a b: c", "ws://a/"], "header name that begins 'a' is not a token"),
        (["-H", "@/no/file", "ws://a/"], "--header @/no/file: No such file or directory"),
        (["-s", "a b", "ws://a/"], "subprotocol 1 of 1 is not a token"),
        (["--ca", "/no/file", "ws://a/"], "--ca /no/file: No such file or directory"),
        (["--ca", os.devnull, "ws://a/"], f"--ca {os.devnull}: "),
        (["--cert", "/no/file", "ws://a/"], "--cert /no/file: No such file or directory"),
        (["--key", "/no/file", "ws://a/"], "--key needs --cert"),
        (["-k", "--ca", "/", "ws://a/"], "--insecure and --ca were given, expected one"),
        (["--proxy", "ftp://a", "ws://a/"], "ftp"),
        (["--auth", "a:\nb", "-H", "Authorization: x", "ws://a/"], "expected one"),
        (["--auth", "a:\udcff", "ws://a/"], "password cannot be encoded in utf-8"),
        (["--max-size", "-1", "ws://a/"], "argument --max-size: '-1', expected bytes, 0 or more"),
        (["--count", "x", "ws://a/"], "argument -n/--count: 'x', expected messages, 1 or more"),
        (["--send", "\udcff", "ws://a/"], "argument --send: '\\udcff', expected UTF-8"),
        ([], "the following arguments are required: URL"),
    ],
)
def test_mistakes(run, arguments, said):
    ran = run("listen", *arguments)
    assert ran.status == 2
    assert said in ran.err
    assert "Traceback" not in ran.err
    assert "secret" not in ran.err


def test_no_connection(run):
    port = free_port()
    for url in (f"ws://127.0.0.1:{port}/", f"wss://127.0.0.1:{port}/", "ws://no.invalid/"):
        ran = run("listen", url)
        assert ran.status == 3
        assert re.fullmatch(r"wsclient: cannot connect to .*\n", ran.err)


def test_no_answer(run):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"ws://127.0.0.1:{silent.getsockname()[1]}/?key=secret"
        ran = run("listen", "--connect-timeout", "0.1", url)
    assert ran.status == 3
    assert "0.1" in ran.err
    assert "secret" not in ran.err


def test_a_refusal(run):
    with serve(refuse(401, body="who \x1b[31mare you?")) as server:
        ran = run("listen", server.url + "?key=secret")
    assert ran.status == 4
    assert "401" in ran.err
    assert not {"\x1b", "secret"} & set(ran.err.split())


def test_a_server_that_stops_answering(run):
    with serve(Script().send("last").stall()) as server:
        ran = run("listen", "--heartbeat", "0.1", server.url)
    assert (ran.status, ran.out) == (5, "last\n")
    assert ran.err.startswith("wsclient: connection lost: ")


def test_a_message_that_is_too_large(run):
    with serve(Script().send("x" * 1001).expect_close(1009)) as server:
        ran = run("listen", "--max-size", "1000", server.url)
    assert (ran.status, ran.out) == (5, "")
    assert "1001" in ran.err
