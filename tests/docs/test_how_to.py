"""What the how-tos show does what they say."""

import ast
import asyncio
import base64
import contextlib
import inspect
import json
import logging
import re
import signal
import sys

import pytest
from tests.conftest import TEXT, accept, frame
from tests.docs.pages import blocks

import wsclient
from wsclient.testing import Script, refuse, serve

PAGE = "how-to.md"


@pytest.fixture
def section():
    """A function that runs a section's code, and returns what that has defined."""

    def run(heading):
        shown = [
            block.text
            for block in blocks(PAGE)
            if (block.heading, block.info) == (heading, "python")
        ]
        assert shown
        names = {"asyncio": asyncio, "wsclient": wsclient}
        exec("\n".join(shown), names)
        return names

    return run


def test_every_section_with_code_is_tested():
    source = inspect.getsource(sys.modules[__name__])
    for block in blocks(PAGE):
        assert f'"{block.heading}"' in source


async def test_a_token(section):
    async def handler(ws):
        await ws.send(ws.request.headers["Authorization"])

    async with serve(handler) as server:
        first_message = section("Authenticate")["first_message"]
        assert await first_message(server.url, "secret") == "Bearer secret"


async def test_polling(section):
    async def handler(ws):
        await ws.send("ask")
        assert await ws.recv() == "ASK"

    async with serve(handler) as server:
        await section("Poll instead of sleeping")["answer_at_once"](server.url, str.upper)


async def test_netrc(section, tmp_path, monkeypatch):
    async def handler(ws):
        await ws.send(ws.request.headers["Authorization"])

    file = tmp_path / "netrc"
    file.write_text("machine 127.0.0.1 login me password word\n")
    file.chmod(0o600)
    monkeypatch.setenv("NETRC", str(file))
    async with serve(handler) as server:
        said = await section("Authenticate")["as_netrc_says"](server.url)
    assert base64.b64decode(said.removeprefix("Basic ")) == b"me:word"


async def test_a_cookie(section):
    async def serve_one(reader, writer):
        request = await reader.readuntil(b"\r\n\r\n")
        (cookie,) = re.findall(rb"(?m)^Cookie: (.*)\r$", request)
        writer.write(accept(request, "Set-Cookie: seen=yes") + frame(TEXT, cookie))
        await reader.read(1000)  # its close frame
        writer.close()

    async with await asyncio.start_server(serve_one, "127.0.0.1", 0) as listening:
        url = f"ws://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
        said, kept = await section("Authenticate")["with_a_cookie"](url, "abc")
    assert (said, kept) == ("session=abc", ["seen"])


async def test_a_login(section):
    follow = section("Authenticate")["follow_account"]
    seen = []

    async def handler(ws):
        login = json.loads(await ws.recv())
        assert (login["op"], login["key"], len(login["sign"])) == ("login", "key", 64)
        await ws.send({"event": "login"})
        await ws.send("balance")

    refusing = Script().expect(str).send({"event": "error"}).expect_close()
    async with serve(handler, refusing) as server:
        with pytest.raises(PermissionError, match="error"):
            await asyncio.wait_for(follow(server.url, "key", b"secret", seen.append), 60)
    assert [msg.data for msg in seen] == ["balance"]


async def test_tokens_that_expire(section):
    follow = section("Authenticate")["follow_with_tokens"]
    tokens, seen = iter(["old", "new", "none", "none"]), []

    async def new_token():
        return next(tokens)

    def process_request(request):
        # The good one is good for one connection.
        good = request.headers["Authorization"] == "Bearer new" and not seen
        return None if good else refuse(401)

    async with serve(Script().send("hello").close(), process_request=process_request) as server:
        with pytest.raises(PermissionError, match="a new token was refused"):
            await asyncio.wait_for(follow(server.url, new_token, seen.append), 60)
    assert [msg.data for msg in seen] == ["hello"]
    assert next(tokens) == "none"


async def test_a_proxy(section):
    asked = []

    async def proxy(reader, writer):
        asked.append((await reader.readuntil(b"\r\n\r\n")).split(b" HTTP/1.1")[0])
        port = int(asked[0].rpartition(b":")[2])
        onward = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(pass_on(reader, onward[1]), pass_on(onward[0], writer))

    async def pass_on(reader, writer):
        while data := await reader.read(1000):
            writer.write(data)
        writer.close()

    async with serve() as server, await asyncio.start_server(proxy, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        through = section("Go through a proxy")["through"]
        assert await through(f"http://127.0.0.1:{port}", server.url) == "hello"
    assert asked == [f"CONNECT 127.0.0.1:{server.port}".encode()]


async def test_many_connections(section):
    seen = []
    async with serve(Script().send("hello").close()) as server:
        urls = [f"{server.url}{number}" for number in range(30)]
        follow_all = section("Hold many connections")["follow_all"]
        await follow_all(urls, lambda url, msg: seen.append((url, msg.data)), at_once=7)
    assert sorted(seen) == sorted((url, "hello") for url in urls)


@pytest.mark.parametrize("name", ["newest_of_each", "newest_thousand", "in_batches"])
async def test_market_data(section, name):
    seen, passed = [], []

    async def handler(ws):
        for number in range(3000):
            await ws.send({"symbol": "BTC", "price": number})

    async def trade(price, passed_over):
        seen.append(price["price"])
        passed.append(passed_over)
        while server.connections[0].steps < 3000:  # noqa: ASYNC110 - it has none
            await asyncio.sleep(0)

    async with serve(handler) as server:
        await section("Keep up with market data")[name](server.url, trade)
    assert seen == sorted(seen)
    assert seen[-1] == 2999
    # The ones count all that were passed over, the other those of its batch.
    assert len(seen) + (sum(passed) if name == "in_batches" else passed[-1]) == 3000
    assert len(seen) < 3000


async def test_a_feed_on_two_connections(section):
    shown, seen, done = section("Take a feed from two connections"), [], asyncio.Event()

    async def handler(ws):
        await ws.expect({"subscribe": "BTC"})
        for number in range(100):
            await ws.send({"seq": number})
        await done.wait()

    async def snapshot():
        seen.append("snapshot")

    async def trade(msg):
        seen.append(msg["seq"])
        if msg["seq"] == 99:
            done.set()
            raise LookupError("the last")

    async with serve(handler) as one, serve(handler) as other:
        with pytest.raises(LookupError, match="the last"):
            await shown["follow_both"]([one.url, other.url], snapshot, trade)
    assert seen == ["snapshot", *range(100)]


async def test_what_two_connections_have_done(section):
    shown = section("Take a feed from two connections")
    script = Script().send({"seq": 1}).send({"seq": 2}).stall()
    async with serve(script) as server:
        feeds = wsclient.race([server.url, server.url], key=shown["seq"])
        async with contextlib.aclosing(feeds):
            feed = await anext(feeds)
            while sum(side.duplicates for side in feed.sides) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0)
            one, other = shown["compare"](feed)
    assert re.fullmatch(r"side 0: \d first, 0 missed, \d late by \d+\.\d ms", one)
    assert other.startswith("side 1: ")


async def test_logs(section, caplog):
    logger = logging.getLogger("wsclient")
    before = logger.level
    try:
        section("Find out what goes wrong")["log_connections"]()
        async with serve() as server, wsclient.ws_connect(server.url):
            pass
    finally:
        logger.setLevel(before)
    assert {record.name for record in caplog.records} >= {"wsclient.session", "wsclient.tracing"}


async def test_the_steps_of_opening(section):
    async with serve() as server:
        spent = await section("Find out what goes wrong")["time_opening"](server.url)
    assert {"tcp", "handshake"} <= spent.keys()


def test_uvloop(section):
    async def loop():
        return type(asyncio.get_running_loop()).__module__

    assert section("Run on uvloop")["run_on_uvloop"](loop()) == "uvloop"


async def test_slow_work(section):
    async with serve(Script().send("a").expect("A").send("b").expect("B").close()) as server:
        await section("Work with threads")["work_elsewhere"](server.url, str.upper)


def test_a_program_without_asyncio(section):
    with serve() as server:
        assert section("Work with threads")["ask"](server.url, "hello") == "hello"


async def test_a_signal(section):
    async def bot():
        async with wsclient.ws_connect(server.url) as ws:
            await ws.receive_str()
            signal.raise_signal(signal.SIGTERM)
            await ws.receive_str()

    async with serve(Script().send("hello").expect_close(1000)) as server:
        try:
            until_signal = section("Stop on a signal")["until_signal"]
            await asyncio.create_task(until_signal(bot()))
        finally:
            asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)


async def test_a_notebook():
    """Each cell is run as IPython does it: compiled with `await` allowed, its last value shown."""
    shown = [block for block in blocks(PAGE) if block.heading == "Use it in Jupyter"]
    assert all(".cell" in block.info for block in shown)

    async def handler(ws):
        await ws.send(await ws.recv())
        await ws.send("one")
        await ws.send("two")
        await ws.expect_close(1000)

    async with serve(handler) as server:
        names, values = {"URL": server.url}, []
        for block in shown:
            values.append(await run_cell(block.text, names))
            if len(values) == 2:
                await collected(names["messages"], 2)
    assert values == ["hello", None, 2]


async def collected(messages, count):
    while len(messages) < count:  # noqa: ASYNC110 - the list is the notebook's
        await asyncio.sleep(0)


async def run_cell(text, names):
    tree = ast.parse(text)
    if isinstance(tree.body[-1], ast.Expr):
        tree.body[-1] = ast.Assign([ast.Name("_", ast.Store())], tree.body[-1].value)
    else:
        names["_"] = None
    code = compile(ast.fix_missing_locations(tree), PAGE, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    waiting = eval(code, names)
    if waiting is not None:
        await waiting
    return names["_"]


async def test_processes(tmp_path):
    (block,) = [block for block in blocks(PAGE) if block.heading == "Use more than one core"]
    (tmp_path / block.title).write_text(block.text)

    async def handler(ws):
        for symbol in json.loads(await ws.recv())["subscribe"]:
            await ws.send({"symbol": symbol})

    async with serve(handler) as server:
        process = await asyncio.create_subprocess_exec(
            sys.executable, tmp_path / block.title, server.url,
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, _ = await asyncio.wait_for(process.communicate(), 120)
    assert out.decode().splitlines() == ["BTC SOL", "ETH XRP"]
