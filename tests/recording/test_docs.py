"""What `docs/recording.md` shows runs, and is so."""

import asyncio
import json
import re
from pathlib import Path
from typing import get_args

import wsclient
from wsclient import testing
from wsclient.recording import Recorder, Recording
from wsclient.recording.entries import Type

PAGE = (Path(__file__).parents[2] / "docs" / "recording.md").read_text(encoding="utf-8")
LINES = re.search(r"(?ms)^``` \{ \.json[^\n]*\n(.*?)^```", PAGE)[1]


async def total(url):
    async with wsclient.ws_connect(url) as ws:
        return sum([json.loads(msg.data)["price"] async for msg in ws])


def names(**more):
    """What the page's programs define."""
    defined = {"wsclient": wsclient, "testing": testing, "Recording": Recording, "json": json}
    defined |= {"total": total, **more}
    for block in re.findall(r"(?ms)^```python\n(.*?)^```", PAGE):
        exec(block, defined)
    return defined


def test_the_file(file):
    file.write_text(LINES, encoding="utf-8")
    entries = [*Recording.read(file)]
    assert {entry.type for entry in entries} == set(get_args(Type))
    copy = file.with_name("copy.jsonl")
    Recording(entries, start=Recording.read(file).start).write(copy)
    assert copy.read_text(encoding="utf-8") == LINES


def test_each_member_is_in_the_table():
    members = {name for line in LINES.splitlines() for name in json.loads(line)}
    rows = re.findall(r"(?m)^\| ((?:`\w+`(?:, | or )?)+) \|", PAGE.partition("| Member")[2])
    assert {name for row in rows for name in re.findall(r"\w+", row)} - {"or"} == members


async def test_the_programs(file):
    traded, enough = [], asyncio.Event()

    def trade(data):
        traded.append(json.loads(data)["price"])
        if len(traded) == 2:
            enough.set()

    script = testing.Script().expect({"subscribe": "BTC"})
    script.send({"price": 61250.5}).send({"price": 61250.5}).stall()
    defined = names(trade=trade)
    async with testing.serve(script) as server:
        bot = asyncio.create_task(defined["bot"](server.url, file))
        await enough.wait()
        bot.cancel()
        await asyncio.wait([bot])
        assert bot.cancelled()
    assert [price for _, price in defined["prices"](file)] == traded == [61250.5] * 2
    await defined["test_yesterdays_market"](file)


def test_the_attributes_are_those_of_a_recorder():
    for name in re.findall(r"`recorder\.(\w+)`", PAGE):
        assert isinstance(getattr(Recorder, name), property)
