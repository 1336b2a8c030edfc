"""Libraries that open WebSockets by aiohttp, as they are on PyPI, on this client."""

import asyncio
import importlib.util
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PROGRAMS = Path(__file__).with_name("libraries")

SAID = {
    ("slack", "slack_sdk"): ["wsclient.aiohttp.response True", "opened 2 acknowledged ['1', '2']"],
    ("discord", "discord"): [
        "message hello",
        "resumed",
        "True DiscordClientWebSocketResponse",
        "identify closed 4000 resume closed 4000",
    ],
    ("gql", "gql"): [
        "True graphql-transport-ws",
        "{'count': 0}",
        "{'count': 1}",
        "{'count': 2}",
    ],
    ("hass", "hass_client"): ["True 2026.11.0", "did get_config"],
}


@pytest.mark.parametrize(("name", "module"), SAID, ids=[name for name, _ in SAID])
def test_a_library(name, module):
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed")

    async def run():
        process = await asyncio.create_subprocess_exec(
            sys.executable, PROGRAMS / f"with_{name}.py",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()
        return out.decode().splitlines()

    assert asyncio.run(run()) == SAID[name, module]
