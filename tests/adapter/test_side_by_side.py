"""Each scenario on plain aiohttp and on the adapter: the same trace, but for the listed defects."""

import importlib

import aiohttp
import pytest

import wsclient.aiohttp

from .scripts import SCENARIOS, VERSION, Script

for name in ("traffic", "sends", "endings", "bursts", "opening", "secure", "classes"):
    importlib.import_module(f".{name}", __package__)

ALIKE = [name for name, scenario in SCENARIOS.items() if scenario.reason is None]
DIFFERENT = [name for name, scenario in SCENARIOS.items() if scenario.reason is not None]


async def play(scenario, sessions, servers):
    if scenario.since > VERSION:
        pytest.skip(f"came with aiohttp {'.'.join(map(str, scenario.since))}")
    async with Script(sessions, servers) as script:
        expected = await scenario.play(script)
    return script, expected


@pytest.mark.parametrize("name", ALIKE)
async def test_both_do_the_same(name, servers):
    theirs, _ = await play(SCENARIOS[name], aiohttp.ClientSession, servers)
    ours, _ = await play(SCENARIOS[name], wsclient.aiohttp.ClientSession, servers)
    assert theirs.trace
    assert ours.trace == theirs.trace
    assert ours.wire == theirs.wire


@pytest.mark.parametrize("name", DIFFERENT)
async def test_a_defect_is_not_taken_over(name, servers):
    theirs, differs = await play(SCENARIOS[name], aiohttp.ClientSession, servers)
    ours, _ = await play(SCENARIOS[name], wsclient.aiohttp.ClientSession, servers)
    common = [entry for entry in theirs.trace if entry not in differs["theirs"]]
    assert [entry for entry in theirs.trace if entry in differs["theirs"]] == differs["theirs"]
    assert [entry for entry in ours.trace if entry in differs["ours"]] == differs["ours"]
    assert [entry for entry in ours.trace if entry not in differs["ours"]] == common
