"""Scenarios: what connect() takes, and the request that it makes."""

import asyncio
import logging
import socket

from tests.conftest import TEXT, frame
from tests.ports import free_port
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from .scripts import client_tls, scenario, since


def shows_request(script, *lines, **options):
    """The URL of a server that notes the request line and the fields."""

    async def server(peer):
        peer.saw(*sorted(peer.request.decode().split("\r\n")))
        await peer.behave()

    return script.server(server, *lines, **options)


@scenario
async def request_by_default(script):
    ws = await script.connect(await shows_request(script))
    script.note(ws.request.path, min(ws.request.headers.raw_items()))
    script.note(ws.response.status_code, ws.response.reason_phrase, ws.response.body)
    script.note(sorted(key for key, _ in ws.response.headers.raw_items()))
    script.state(ws)
    await ws.close()


@scenario
async def path_query_and_user_info(script):
    url = await shows_request(script)
    url = url.replace("ws://", "ws://name:secret@") + "path%20/a?b=c&d"
    ws = await script.connect(url)
    script.note(ws.request.path)


@scenario
async def origin_and_headers(script):
    for headers in (
        {"X-One": "1", "Cookie": "a=b"},
        [("X-Two", "2"), ("X-Two", "3")],
        {"Authorization": "Bearer token"},
    ):
        await script.connect(
            await shows_request(script), origin="https://example.org", additional_headers=headers
        )


@scenario
async def headers_that_replace(script):
    ws = await script.connect(
        await shows_request(script), additional_headers={"Host": "other.example", "User-Agent": "U"}
    )
    script.note(ws.request.headers.get_all("Host"), ws.request.headers.get_all("User-Agent"))


@scenario
async def user_agents(script):
    for agent in (None, "own/1.0"):
        ws = await script.connect(await shows_request(script), user_agent_header=agent)
        script.note("User-Agent" in ws.request.headers, ws.request.headers.get("User-Agent"))


@scenario
async def subprotocol_chosen(script):
    url = await shows_request(script, "Sec-WebSocket-Protocol: two")
    ws = await script.connect(url, subprotocols=["one", "two"])
    script.note(ws.subprotocol)


@scenario
async def subprotocol_of_the_real_server(script):
    async def handler(ws):
        await ws.send(str(ws.subprotocol))
        await ws.wait_closed()

    url = await script.serve(handler, subprotocols=["b", "c"])
    for offered in (["b"], ["c", "b"]):
        ws = await script.connect(url, subprotocols=offered)
        script.note(ws.subprotocol)
        await script.recv(ws)


@scenario
async def subprotocol_not_chosen(script):
    ws = await script.connect(await shows_request(script), subprotocols=["one"])
    script.note(ws.subprotocol)


@scenario
async def subprotocols_refused(script):
    two = "Sec-WebSocket-Protocol: one, two"
    for offered, line in (
        (None, "Sec-WebSocket-Protocol: one"),
        (["one"], "Sec-WebSocket-Protocol: other"),
        (["one", "two"], two),
    ):
        url = await shows_request(script, line)
        await script.attempt("connect", script.dial(url, subprotocols=offered))


@scenario
async def subprotocols_that_are_wrong(script):
    url = await shows_request(script)
    for offered in ("one", ["a b"], [""]):
        try:
            script.dial(url, subprotocols=offered)
        except Exception as error:  # noqa: BLE001 - noted
            script.note(error)
        else:
            script.note("taken")


@scenario
async def arguments_that_are_wrong(script):
    for uri, options in (
        ("http://127.0.0.1/", {}),
        ("ws://", {}),
        ("ws://127.0.0.1/#fragment", {}),
        ("ws://127.0.0.1:1/", {"compression": "gzip"}),
        ("ws://127.0.0.1:1/", {"ssl": client_tls()}),
        ("wss://127.0.0.1:1/", {"ssl": None}),
        ("ws://127.0.0.1:1/", {"unknown": 1}),
    ):

        async def connects(uri=uri, options=options):
            await script.dial(uri, **options)

        await script.attempt(uri, connects())


@scenario
async def no_compression(script):
    ws = await script.connect(await shows_request(script), compression=None)
    script.note(ws.protocol.extensions)
    await ws.send("plain " * 10)


@scenario
async def compression_that_is_not_taken(script):
    ws = await script.connect(await shows_request(script))
    script.note(ws.protocol.extensions)
    await ws.send("plain " * 10)


@scenario
async def compression(script):
    url = await shows_request(script, extensions="permessage-deflate")
    ws = await script.connect(url)
    script.note([extension.name for extension in ws.protocol.extensions])
    for _ in range(3):
        await ws.send("compressed " * 10)
    await ws.send(b"")


@scenario
async def compression_of_the_real_server(script):
    async def handler(ws):
        async for message in ws:
            await ws.send(message)

    url = await script.serve(handler)
    for compression in ("deflate", None):
        ws = await script.connect(url, compression=compression)
        script.note("Sec-WebSocket-Extensions" in ws.response.headers)
        for size in (0, 1, 100, 100_000):
            await ws.send("ab" * size)
            await ws.send(b"\0" * size)
            script.note((await ws.recv()) == "ab" * size, (await ws.recv()) == b"\0" * size)
        await ws.send([b"frag", b"men", b"ted"])
        await script.recv(ws)


@scenario
async def a_factory_of_compression(script):
    for options, answer in (
        ({"server_no_context_takeover": True}, "permessage-deflate; server_no_context_takeover"),
        ({"client_no_context_takeover": True}, "permessage-deflate; client_no_context_takeover"),
        ({"server_max_window_bits": 10}, "permessage-deflate; server_max_window_bits=10"),
        (
            {"client_max_window_bits": 11, "compress_settings": {"memLevel": 4, "level": 9}},
            "permessage-deflate; client_max_window_bits=9",
        ),
    ):
        url = await shows_request(script, extensions=answer)
        factory = ClientPerMessageDeflateFactory(**options)
        ws = await script.connect(url, extensions=[factory], compression=None)
        script.note(ws.protocol.extensions)
        for _ in range(2):
            await ws.send("compressed " * 10)


@scenario
async def extensions_that_are_refused(script):
    for options, answer in (
        ({}, "x-unknown"),
        ({}, "permessage-deflate; unknown_parameter"),
        ({}, "permessage-deflate; client_max_window_bits=7"),
        ({}, "permessage-deflate, permessage-deflate"),
        ({"compression": None}, "permessage-deflate"),
        ({}, "permessage-deflate; =;"),
    ):
        url = await shows_request(script, extensions=answer)
        await script.attempt(answer, script.dial(url, **options))


@scenario
async def opening_takes_too_long(script):
    async def server(reader, writer, saw):
        await reader.read()

    ws = script.dial(await script.raw(server), open_timeout=0.05)
    await script.attempt("connect", ws)


@scenario
async def opening_is_cancelled(script):
    asked = asyncio.Event()

    async def server(reader, writer, saw):
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        saw("then", await reader.read())

    url = await script.raw(server)

    async def connects():
        await script.dial(url, open_timeout=None)

    task = asyncio.create_task(connects())
    await asked.wait()
    task.cancel()
    await asyncio.wait([task])
    script.note(task.cancelled())


@scenario
async def nobody_listens(script):
    port = free_port()
    script._ports.append(port)
    await script.attempt("connect", script.dial(f"ws://127.0.0.1:{port}/"))


@scenario
async def a_socket_is_given(script):
    url = await shows_request(script)
    sock = socket.create_connection(("127.0.0.1", script._ports[0]))
    sock.setblocking(False)
    ws = await script.connect("ws://example.org/path", sock=sock)
    script.note(ws.request.headers["Host"], ws.remote_address[0] in url)


@scenario
async def host_and_port_are_given(script):
    await shows_request(script)
    ws = await script.connect("ws://example.org/", host="127.0.0.1", port=script._ports[0])
    script.note(ws.request.headers["Host"], ws.remote_address)


@scenario
async def local_address_is_given(script):
    ws = await script.connect(await shows_request(script), local_addr=("127.0.0.1", 0))
    script.note(ws.local_address[0])


@scenario
async def unix(script):
    path = script.folder / "socket"
    await shows_request(script, path=path)
    ws = script.keep(await script.library.unix_connect(str(path)))
    script.note(ws.remote_address, ws.local_address)
    await ws.send("text")
    async with script.library.unix_connect(str(path), "ws://example.org/path") as ws:
        script.note(ws.request.headers["Host"], ws.request.path)


@scenario
async def unix_over_tls(script):
    path = script.folder / "socket"
    await shows_request(script, path=path, tls=True)
    ws = await script.library.unix_connect(str(path), ssl=client_tls(), server_hostname="127.0.0.1")
    script.keep(ws)
    await ws.send("text")
    await ws.close()
    script.state(ws)


@scenario
async def tls(script):
    async def handler(ws):
        async for message in ws:
            await ws.send(message)

    url = await script.serve(handler, tls=True, max_size=None)
    ws = await script.connect(url, ssl=client_tls(), max_size=None)
    script.note(ws.transport.get_extra_info("ssl_object") is not None, ws.remote_address)
    for size in (0, 1, 1000, 100_000, 1 << 20):
        await ws.send(bytes(size))
        script.note(len(await ws.recv()))
    await ws.close(3000, "enough")
    script.state(ws)


@scenario
async def tls_that_is_not_trusted(script):
    async def handler(ws):
        await ws.wait_closed()

    await script.attempt("connect", script.dial(await script.serve(handler, tls=True)))


@scenario
async def tls_for_another_name(script):
    url = await shows_request(script, tls=True)
    for name in ("server.example", "other.example"):
        dialling = script.dial(url, ssl=client_tls(), server_hostname=name)
        result = await script.attempt(name, opens(dialling))
        script.note(type(result))


async def opens(dialling):
    async with dialling as ws:
        return ws.state


@scenario
async def tls_ends_without_a_word(script):
    async def server(peer):
        await peer.send(frame(TEXT, b"last"))
        peer._writer.close()

    ws = await script.connect(await script.server(server, tls=True), ssl=client_tls())
    await script.recv(ws, 2)
    script.state(ws)


@scenario
async def a_logger_is_given(script):
    url = await shows_request(script)
    for logger in (logging.getLogger("own"), None):
        ws = await script.connect(url, logger=logger)
        script.note(type(ws.logger), ws.logger.logger.name)
        ws.logger.warning("said")
        ws.logger.debug("not said")


@scenario
async def limits_of_all_kinds(script):
    for options in (
        {"max_size": None, "write_limit": 1},
        {"max_size": 100, "max_queue": 0, "write_limit": (100, 10)},
        {"max_queue": (4, 1), "write_limit": (100, None)},
        {"write_limit": 0},
        {"ping_interval": None, "ping_timeout": None, "close_timeout": None},
        {"open_timeout": None},
    ):

        async def server(peer):
            await peer.send(*[frame(TEXT, str(number).encode()) for number in range(20)])
            await peer.behave()

        ws = await script.connect(await script.server(server), **options)
        script.note(ws.ping_interval, ws.ping_timeout, ws.close_timeout)
        await ws.send("text")
        await script.recv(ws, 20)
        await ws.close()


@scenario
@since(15)
async def a_proxy_that_is_wrong(script):
    await script.attempt("connect", script.dial("ws://127.0.0.1:1/", proxy="ftp://127.0.0.1"))
