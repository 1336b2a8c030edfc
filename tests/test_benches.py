"""The benchmarks run. No figure is judged here."""

import json
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COMPARE = ROOT / "benches/compare"

needs_valgrind = pytest.mark.skipif(
    shutil.which("valgrind") is None, reason="valgrind is not installed"
)


def run(*command):
    return subprocess.run(
        [sys.executable, *command], check=False, capture_output=True, text=True, cwd=COMPARE
    )


@pytest.fixture
def compare(tmp_path):
    if shutil.which("cargo") is None:
        pytest.skip("cargo, which builds the benchmarks' server, is not installed")

    def measured(measures, scenarios, peers, *more):
        """Return the rows that a short run has written, and what it has printed."""
        path = tmp_path / "rows.json"
        options = ["--measure", *measures, "--scenario", *scenarios, "--peer", *peers]
        done = run(".", "--quick", "--loop", "uvloop", *options, *more, "--json", path)
        assert done.returncode == 0, done.stderr
        return json.loads(path.read_text())["rows"], done.stdout

    return measured


@pytest.mark.slow
def test_clients_are_measured_by_the_clock(compare):
    peers = ["wsclient", "aiohttp", "websockets", "bare", "native"]
    scenarios = ["echo", "echo-tls", "push", "push-batches", "send-1m", "tail", "tail-tls", "open"]
    scenarios += ["burst", "burst-tls", "feed", "feed-deflated"]
    rows, printed = compare(["cpu", "latency"], scenarios, peers)
    measured = {(row["scenario"], row["measure"], row["peer"]) for row in rows}
    assert measured == {
        *(("echo", "cpu", peer) for peer in peers),
        *((name, "cpu", peer)
          for name in ("echo-tls", "push", "send-1m", "open", "burst", "burst-tls")
          for peer in peers if peer != "native"),
        ("push-batches", "cpu", "wsclient"),
        *((name, "cpu", peer) for name in ("feed", "feed-deflated")
          for peer in ("wsclient", "aiohttp", "websockets")),
        *(("tail", measure, peer) for measure in ("p50", "p99", "p99/p50") for peer in peers),
        *(("tail-tls", measure, peer) for measure in ("p50", "p99", "p99/p50")
          for peer in ("wsclient", "aiohttp", "websockets")),
    }  # fmt: skip
    assert all(sample > 0 for row in rows for sample in row["samples"])
    assert "Echo of 256 bytes over TLS, uvloop" in printed
    assert "echo: cpu, beside native" in printed
    assert f"must stand, on CPython {platform.python_version()}" in printed


def test_idle_connections_take_memory(compare):
    rows, _ = compare(["memory"], ["idle"], ["wsclient", "bare"])
    assert {row["peer"] for row in rows} == {"wsclient", "bare"}


def test_picows_takes_part(compare):
    pytest.importorskip("picows", reason="picows is not installed; make bench does that")
    peers = ["picows", "picows.websockets"]
    scenarios = ["echo", "echo-tls", "push", "send-1m", "tail", "open", "burst", "burst-tls"]
    scenarios += ["feed", "feed-deflated"]
    rows, _ = compare(["cpu", "latency"], scenarios, peers)
    measured = {(row["scenario"], row["peer"]) for row in rows}
    assert measured == {
        *((name, peer) for name in scenarios for peer in peers if name != "feed-deflated"),
        ("feed-deflated", "picows.websockets"),
    }


def test_websocket_rs_takes_part(compare):
    pytest.importorskip("websocket_rs", reason="websocket-rs is not installed")
    scenarios = ["burst", "burst-tls", "feed"]
    rows, _ = compare(["cpu"], scenarios, ["websocket-rs"])
    assert {row["scenario"] for row in rows} == {*scenarios}


def test_ways_to_decode(compare):
    pytest.importorskip("orjson", reason="orjson is not installed; make bench does that")
    ways = ["not decoded", "json", "orjson", "msgspec", "msgspec, all fields"]
    ways.append("msgspec, three fields")
    scenarios = ["decode-tickers", "decode-books"]
    rows, _ = compare(["cpu"], scenarios, ways)
    measured = {(row["scenario"], row["peer"]) for row in rows}
    assert measured == {(name, way) for name in scenarios for way in ways}


@pytest.mark.slow
def test_what_wheels_are_optimised_for():
    done = run("../train.py", "--share", "50")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
@needs_valgrind
def test_counts_come_out_the_same(compare):
    rows, _ = compare(["instructions", "misses"], ["echo"], ["wsclient"], "--repeats", "2")
    assert [row["measure"] for row in rows] == ["instructions", "misses"]
    for first, second in (row["samples"] for row in rows):
        assert 0 < first == pytest.approx(second, rel=0.05)


@needs_valgrind
def test_a_baseline_of_another_toolchain_is_not_compared(tmp_path):
    baseline = tmp_path / "baseline.json"
    toolchain = {"python": "CPython 2.7.18"}
    baseline.write_text(json.dumps([{"toolchain": toolchain, "instructions": {"echo, uvloop": 1}}]))
    done = run("regression.py", "--baseline", baseline)
    assert done.returncode == 0, done.stderr
    assert "Not compared" in done.stdout
    assert "CPython 2.7.18 there" in done.stdout


@pytest.mark.parametrize(("now", "passes"), [(1020, True), (500, True), (1040, False)])
def test_more_instructions_than_the_baseline_fail(now, passes):
    call = f"import regression; print(regression.check({{'echo': 1000}}, {{'echo': {now}}}))"
    done = run("-c", call)
    assert done.stdout.splitlines()[-1] == str(passes), done.stderr


def test_what_a_baseline_does_not_have_is_told():
    call = "import regression; print(regression.check({}, {'echo, uvloop': 1000}))"
    *lines, passed = run("-c", call).stdout.splitlines()
    assert lines == [f"{'echo, uvloop':40} {1000:12,.1f}  not in the baseline"]
    assert passed == "True"


def test_a_baseline_has_all_that_gates_count():
    call = """
import gates, regression
counted = {(name, who) for name, _, peers in regression.wanted(everything=True) for who in peers}
asked = {
    (gate.scenario, gate.who)
    for each in gates.GATES.values() for gate in each if gate.measure == "instructions"
}
few = {name for name, _, _ in regression.wanted(everything=False)}
print(asked <= counted, sorted(few))
"""
    done = run("-c", call)
    few = ["burst", "echo", "echo-tls", "push", "push-batches", "push-typed"]
    assert done.stdout == f"True {few}\n", done.stderr
