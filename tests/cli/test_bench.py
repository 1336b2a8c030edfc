"""`wsclient bench`: round trips and throughput."""

import re

import pytest

from wsclient.cli import bench
from wsclient.testing import Script, serve


def test_it_measures(run):
    with serve() as server:
        ran = run("bench", "--seconds", "0.2", "--size", "10", "--in-flight", "5", server.url)
    assert (ran.status, ran.err) == (0, "")
    *picture, _, trips, each, cpu, throughput = ran.out.splitlines()
    assert re.fullmatch(
        r"  round trip    p50 .*, p90 .*, p99 .*, p99\.9 .*, max [\d.]+ [um]?s", trips
    )
    count = int(
        re.search(r"one by one    ([\d,]+) in 0\.\d\d s, [\d,]+ a second", each)[1].replace(",", "")
    )
    drawn = [int(re.search(r"([\d,]+)$", row)[1].replace(",", "")) for row in picture[1:]]
    assert count == sum(drawn)
    assert re.fullmatch(r"  client CPU    [\d.]+ [um]s a round trip", cpu)
    assert re.search(r"[\d,]+ messages a second, [\d.]+ MB/s, 5 in flight$", throughput)
    assert set(server.received) == {"." * 10}


def test_a_message_of_ones_own_and_uvloop(run):
    with serve() as server:
        ran = run("bench", "--uvloop", "--seconds", "0.1", "--message", "é", server.url)
    assert ran.status == 0
    assert set(server.received) == {"é"}


def test_an_empty_message(run):
    with serve() as server:
        ran = run("bench", "--seconds", "0.1", "--message", "", server.url)
    assert (ran.status, ran.err) == (0, "")
    assert ", 0.0 MB/s, 100 in flight" in ran.out


def test_a_message_that_is_no_text(run):
    ran = run("bench", "--message", "\udcff", "ws://127.0.0.1:1/")
    assert ran.status == 2
    assert ran.err.endswith("argument --message: '\\udcff', expected UTF-8\n")


def test_a_greeting_is_no_answer(run):
    async def greet(ws):
        await ws.send("welcome")
        async for message in ws:
            await ws.send(message)

    with serve(greet) as server:
        ran = run("bench", "--seconds", "0.1", server.url)
    assert (ran.status, ran.err) == (0, "")


def test_a_server_that_does_not_echo(run, monkeypatch):
    monkeypatch.setattr(bench, "GREETING", 0.1)

    async def acknowledge(ws):
        async for _ in ws:
            await ws.send("ok")

    with serve(acknowledge) as server:
        ran = run("bench", "--seconds", "0.1", server.url)
    assert ran.status == 0
    assert ran.err == (
        "wsclient: the server does not echo: what is timed is whatever it sends next\n"
    )
    assert "  round trip    p50" in ran.out


def test_a_server_that_says_nothing(run, monkeypatch):
    monkeypatch.setattr(bench, "PATIENCE", 0.1)
    with serve(Script().expect().expect_close(1000)) as server:
        ran = run("bench", server.url)
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith("wsclient: nothing has come back within 0.1 s")


@pytest.mark.parametrize("end", [lambda ws: ws.drop(), lambda ws: ws.close(4000, "enough")])
def test_a_server_that_leaves(run, end):
    async def leave(ws):
        for _ in range(3):
            await ws.send(await ws.recv())
        await end(ws)

    with serve(leave) as server:
        ran = run("bench", "--seconds", "1e300", server.url)
    assert ran.status in {5, 6}
    assert re.fullmatch(
        r"wsclient: (connection lost|closed by the server with code 4000): .*\n", ran.err
    )


def test_messages_that_are_large(run):
    """So many at once that neither side could send if the other did not read."""
    with serve() as server:
        ran = run("bench", "--seconds", "0.1", "--size", "1000000", "--in-flight", "30", server.url)
    assert ran.status == 0
    assert "30 in flight" in ran.out
