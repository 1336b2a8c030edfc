"""Each scenario on plain websockets and on the adapter: the same trace, but for the differences."""

import importlib
import os

import pytest
import websockets.asyncio.client

from .differences import DIFFERENCES, OLDER, UNPLAYED
from .scripts import SCENARIOS, VERSION, Script

THEMES = (
    "opening", "secure", "answers", "reconnecting", "receiving", "iterating", "streaming", "violations",
    "sending", "pressing", "pinging", "closing", "losing", "attributes", "customizing",
)  # fmt: skip

for name in THEMES:
    importlib.import_module(f".{name}", __package__)

NEWEST = (17,)
# WSCLIENT_BESIDE=websockets.asyncio.client asks whether the scenarios themselves tell the same twice.
BESIDE = os.environ.get("WSCLIENT_BESIDE", "wsclient.websockets")


def adapter():
    return importlib.import_module(BESIDE)


async def played(scenario, library, folder):
    folder.mkdir()
    async with Script(library, folder) as script:
        await scenario.play(script)
    trace, wire = script.told
    assert trace or any(wire)
    return {"client": trace, "server": wire}


@pytest.mark.parametrize("name", SCENARIOS)
async def test_both_do_the_same(name, tmp_path):
    scenario = SCENARIOS[name]
    if scenario.since > VERSION:
        pytest.skip(f"came with websockets {'.'.join(map(str, scenario.since))}")
    if name in UNPLAYED and BESIDE == "wsclient.websockets":
        pytest.skip(UNPLAYED[name])
    theirs = await played(scenario, websockets.asyncio.client, tmp_path / "theirs")
    ours = await played(scenario, adapter(), tmp_path / "ours")
    known = BESIDE == "wsclient.websockets"
    if known and name in DIFFERENCES:
        # Older releases have defects of their own.
        assert ours != theirs or VERSION < NEWEST
    elif not (known and name in OLDER and OLDER[name][0] > VERSION):
        assert ours == theirs


def test_differences_are_of_scenarios():
    assert DIFFERENCES.keys() | OLDER.keys() | UNPLAYED.keys() <= SCENARIOS.keys()
