"""CPU time, latency and memory, which clients measure of themselves."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from clocked import Job
from results import Row
from scenarios import SCENARIOS

if TYPE_CHECKING:
    from scenarios import Wanted
    from server import Server

CLOCKED = Path(__file__).with_name("clocked.py")


def measure(server: Server, name: str, wanted: Wanted, turns: int, core: int) -> list[Row]:
    """Have one thing measured, by one client process for all peers or, for memory, for each."""
    scenario_name, loop, peers = wanted
    scenario = SCENARIOS[scenario_name]
    url, count = server.url(scenario.path, tls=scenario.tls), scenario.measures[name]
    rows = []
    for group in [(peer,) for peer in peers] if name == "memory" else [peers]:
        job = Job(name, scenario_name, loop, group, url, server.authority, turns, count, core)
        command = [sys.executable, str(CLOCKED), json.dumps(asdict(job))]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        for measured, samples in json.loads(done.stdout).items():
            rows += [Row(scenario_name, loop, measured, peer, samples[peer]) for peer in group]
    return rows
