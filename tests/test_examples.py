"""The examples do what they say, as programs of their own against real servers."""

import asyncio
import contextlib
import json
import re
import resource
import signal
import sys
from pathlib import Path

import pytest

from wsclient.testing import Script, echo, serve

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[1] / "examples"


class Program:
    """A running example."""

    def __init__(self, process):
        self.process = process

    async def line(self):
        return (await self.process.stdout.readline()).decode().rstrip()

    async def rest(self):
        """What it prints to its end, which must be a good one."""
        out, errors = await self.process.communicate()
        assert (self.process.returncode, errors.decode()) == (0, "")
        return out.decode().splitlines()


@pytest.fixture
async def run():
    """A function that runs an example; it ends with the test at the latest."""
    async with contextlib.AsyncExitStack() as stack:

        async def run(name, *arguments):
            process = await asyncio.create_subprocess_exec(
                sys.executable, EXAMPLES / name, *arguments,
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip

            async def end():
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()

            stack.push_async_callback(end)
            return Program(process)

        async with asyncio.timeout(120):
            yield run


async def test_bot(run):
    script = Script().expect("hello").send("one").send(b"two").send("three").close()
    async with serve(script) as server:
        assert await (await run("bot.py", server.url)).rest() == ["one", "three"]


async def test_latest(run):
    async def handler(ws):
        for number in range(100):
            await ws.send(str(number))

    async with serve(handler) as server:
        *lines, last = await (await run("latest.py", server.url)).rest()
        assert last.startswith("closed with code 1000")
        assert lines[-1].startswith("99 (")
        passed_over = sum(int(re.search(r"\((\d+) older", line)[1]) for line in lines)
        assert passed_over + len(lines) == 100


async def test_market_data(run):
    visits, connections = [], []

    async def handler(ws):
        connections.append(ws)
        visits.append(json.loads(await ws.expect()))
        for number in range(3):
            for symbol in ("BTC", "ETH"):
                price = len(visits) * 100 + number
                await ws.send({"symbol": symbol, "price": price})
        await ws.recv()

    async with serve(handler) as server:
        program = await run("market_data.py", server.url)
        seen = []
        while sum("202" in line for line in seen) < 2:
            seen.append(await program.line())
            if sum("102" in line for line in seen) == 2 and "closed" not in seen:
                # The server dies; what was subscribed to must be again.
                await connections[0].reset()
        program.process.terminate()
    assert visits == [{"subscribe": ["BTC", "ETH"]}] * 2
    states = [line.split()[0] for line in seen if line.split()[0] in STATES]
    assert states == ["connecting", "open", "closed", "waiting", "connecting", "open"]


async def test_quotes(run):
    pytest.importorskip("msgspec", reason="msgspec is not installed")
    quotes = [("BTC", 67_012.25, 67_012.75), ("ETH", 3480.25, 3481.0)]

    async def handler(ws):
        assert json.loads(await ws.expect()) == {"subscribe": ["BTC", "ETH"]}
        await ws.send({"event": "subscribed", "channels": [["book", 1]]})
        for symbol, bid, ask in quotes:
            levels = [[bid - level, 1.5] for level in range(50)]
            await ws.send(
                {"channel": "book", "symbol": symbol, "bid": bid, "ask": ask, "bids": levels}
            )

    async with serve(handler) as server:
        lines = await (await run("quotes.py", server.url)).rest()
    assert lines == ["BTC 0.50", "ETH 0.75"]


STATES = {"connecting", "open", "closed", "waiting"}


async def test_ask(run):
    async def handler(ws):
        questions = [json.loads(await ws.recv()) for _ in range(5)]
        for question in reversed(questions):
            answer = question["ask"].upper()
            await ws.send({"id": question["id"], "answer": answer})
        await ws.expect_close(1000)

    async with serve(handler) as server:
        lines = await (await run("ask.py", server.url)).rest()
    assert lines == [f"question {number}: QUESTION {number}" for number in range(5)]


async def test_fan_out(run):
    async with serve(Script().send("a").send("b").send("c")) as server:
        lines = await (await run("fan_out.py", server.url)).rest()
    for name in ("one", "two", "three"):
        mine = [line for line in lines if line.startswith(name)]
        assert mine == [f"{name} got {text}" for text in ("a", "b", "c")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_shutdown(run, number):
    async with serve(Script().send("hello").expect_close(1001, timeout=60)) as server:
        program = await run("shutdown.py", server.url)
        assert [await program.line() for _ in range(3)] == ["got hello"] * 3
        program.process.send_signal(number)
        lines = await program.rest()
        assert lines == ["stopping", *["closed, code 1001"] * 3]
        await server.wait_finished()
        assert len(server.connections) == 3


async def test_many(run):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 3000:
        pytest.skip("2,000 connections need as many descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 3000), hard))
    async with serve(echo) as server:
        lines = await (await run("many.py", server.url, "2000")).rest()
    assert lines[0].startswith("2000 open after")
    assert lines[1:] == ["2000 answered", "2000 messages received"]


async def test_spans(run):
    pytest.importorskip("opentelemetry.sdk", reason="opentelemetry-sdk is not installed")

    async with serve(Script().expect_close()) as server:
        printed = "\n".join(await (await run("spans.py", server.url)).rest())
    decoder, spans = json.JSONDecoder(), []
    while printed.strip():
        span, end = decoder.raw_decode(printed)
        spans.append(span)
        printed = printed[end:].lstrip()
    steps = ["websocket dns", "websocket tcp", "websocket handshake"]
    assert [span["name"] for span in spans] == [*steps, "open a feed"]
    parent = spans[-1]["context"]["span_id"]
    assert [span["parent_id"] for span in spans] == [parent] * 3 + [None]
