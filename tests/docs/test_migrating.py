"""The programs of the pages for users of other clients run, and name what exists."""

import asyncio
import re
from importlib.util import find_spec

import pytest
from tests.docs.pages import DOCS, blocks

import wsclient
from wsclient.testing import Script, serve


def program(page, name):
    """What a page's only program defines."""
    (block,) = blocks(page)
    names = {"wsclient": wsclient}
    exec(block.text, names)
    return names[name]


async def test_from_picows(capsys):
    async with serve(Script().expect("hello").send("one").send(b"two").close(1001)) as server:
        await program("picows.md", "main")(server.url)
    assert capsys.readouterr().out.splitlines() == ["one", "1001 None"]


async def test_from_websocket_client(capsys):
    said = []
    async with serve(Script().expect("hello").send("one").close(1001, "bye")) as server:
        running = asyncio.create_task(program("websocket-client.md", "run_forever")(server.url))
        async with asyncio.timeout(60):
            while len(said) < 2:
                await asyncio.sleep(0)
                said += capsys.readouterr().out.splitlines()
        running.cancel()
        await asyncio.wait([running])
    assert said[:2] == ["one", "1001 bye None"]


@pytest.mark.parametrize("page", ["picows.md", "websocket-client.md"])
def test_the_options_in_the_tables_exist(page):
    options = {
        *wsclient.ConnectOptions.__annotations__,
        *wsclient.Heartbeat.__dataclass_fields__,
        *["cookies", "reconnect_delays", "code", "message", "cafile"],
    }
    rows = re.findall(r"(?m)^\| (.*) \| (.*) \|$", (DOCS / page).read_text(encoding="utf-8"))
    given = {name for _, ours in rows for name in re.findall(r"\b(\w+)=", ours)}
    assert given
    assert given <= options


@pytest.mark.parametrize("page", ["picows.md", "websocket-client.md", "faq.md", "how-to.md"])
def test_the_names_of_the_package_exist(page):
    text = (DOCS / page).read_text(encoding="utf-8")
    named = set(re.findall(r"\bwsclient\.([a-z_A-Z]+)\b", text))
    assert named
    for name in named:
        assert hasattr(wsclient, name) or find_spec(f"wsclient.{name}"), name
