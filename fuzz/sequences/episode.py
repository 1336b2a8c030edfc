"""One episode: a hostile server and a random client in one loop, and what must be true after it."""

from __future__ import annotations

import asyncio
import gc
import os
import ssl
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trustme
from client import Client
from hooks import LOOPS, Collector
from inside import act_inside
from server import Server
from websockets_client import WebsocketsClient
from world import Interrupt, World, watch

if TYPE_CHECKING:
    from random import Random

__all__ = ["play"]


@cache
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext, ssl.SSLContext]:
    """Make both sides' TLS, and a client's that the event loop's own transports serve."""
    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client, logging = ssl.create_default_context(), ssl.create_default_context()
    authority.configure_trust(client)
    authority.configure_trust(logging)
    logging.keylog_filename = os.devnull
    return server, client, logging


def descriptors() -> set[str]:
    """List what is open."""
    found = set()
    for path in Path("/proc/self/fd").iterdir():
        try:
            found.add(f"{path.name} {path.readlink()}")
        except OSError:  # that of the listing itself
            continue
    return found


def play(seed: int, loop_name: str) -> World:
    """Play the episode of a seed.

    Args:
        seed: Decides everything but what time decides.
        loop_name: One of `hooks.LOOPS`.

    Returns:
        With `World.findings`.
    """
    contexts()
    world = World(seed)
    watch(world)
    before = descriptors()
    loop: Any = LOOPS[loop_name]()
    loop.world = world
    loop.set_exception_handler(world.loop_told)
    asyncio.set_event_loop(loop)
    known: list[Any] = []
    main = loop.create_task(_main(world, known))
    while not main.done():
        try:
            loop.run_until_complete(main)
        except Interrupt as error:
            world.surfaced.append(error)
    if main.exception() is not None:
        world.complain("the episode itself", main.exception())
    del main
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    world.over = True
    asyncio.set_event_loop(None)
    del loop
    for error in [*world.raised, *world.surfaced]:
        # Whose frames hold all there is.
        error.__traceback__ = error.__context__ = error.__cause__ = None
    gc.collect()
    gc.collect()
    for reference in known:
        if (ws := reference()) is not None:
            world.find("not collected", f"{ws!r}, held by {_holders(ws)}")
            del ws
    if left := {one for one in descriptors() - before if "socket:" in one or "anon" in one}:
        world.find("descriptors left", str(left))
    for error in world.raised:
        if isinstance(error, Interrupt) and not any(error is one for one in world.surfaced):
            world.find("interrupt swallowed", repr(error))
    return world


def _holders(thing: object) -> str:
    """Tell who holds something, as far as what holds everything."""
    shown, seen, level = "", {id(thing)}, [thing]
    for depth in range(8):
        found = [one for held in level for one in gc.get_referrers(held)]
        fresh = {id(one): one for one in found if id(one) not in seen and one not in (level, found)}
        fresh = {key: one for key, one in fresh.items() if one is not sys._getframe()}
        level = list(fresh.values())[:12]
        seen |= fresh.keys() | {id(level), id(found), id(fresh)}
        for one in level:
            shown += f"\n{'  ' * depth}{type(one).__name__} {str(one)[:160]}"
    return shown


async def _main(world: World, known: list[Any]) -> None:
    rng = world.random("episode")
    server_tls, client_tls, logging_tls = contexts()
    if world.random("context").random() < 0.25:
        client_tls = logging_tls
    tls = rng.random() < 0.4
    server = Server(world)
    await server.start(server_tls if tls else None)
    world.faulty = rng.random() < 0.25
    api = rng.choices(["wsclient", "aiohttp", "websockets"], [50, 25, 25])[0]
    world.note("episode", f"tls {tls}, API of {api}, faults {world.faulty}")
    if tls and client_tls is logging_tls:
        world.note("episode", "the loop's own TLS")
    client: Client
    if api == "websockets":
        client = WebsocketsClient(world, server, client_tls if tls else None)
    else:
        client = Client(world, server, client_tls if tls else None, adapter=api == "aiohttp")

    def act(rng: Random) -> None:
        living = [ws for reference in client.known if (ws := reference()) is not None]
        if living:
            act_inside(world, rng.choice(living), rng)

    with Collector(world.random("collector"), act):
        await client.run()
    known += client.known
    del act
    await _collect(world, known)
    await _check_end(world, client)
    await client.close()
    await server.stop()
    for account in client.accounts:
        judge = account.server.judge
        if judge is not None and (missing := account.sends.missing(judge.messages)):
            world.find("never arrived", f"{account.server.name}: {missing[:10]}")


async def _collect(world: World, known: list[Any]) -> None:
    """Collect what is forgotten; its finalizers may leave more garbage that holds it."""
    for error in world.raised:
        # Whose frames hold the task that it came to.
        error.__traceback__ = None
    for _ in range(50):
        await asyncio.sleep(0)
        gc.collect()
        if all(reference() is None for reference in known):
            return


async def _check_end(world: World, client: Client) -> None:
    """See that nothing is left on the client's side."""
    for _ in range(200):
        places = client.places()
        tasks = [task for task in asyncio.all_tasks() if _is_clients(task)]
        if not places and not tasks:
            return
        # What was forgotten ends in its own time.
        await asyncio.sleep(0.01)
        gc.collect()
    if places:
        world.find("places taken", f"{places} of {client.limit}")
    if tasks:
        world.find("tasks left", repr(tasks))


def _is_clients(task: asyncio.Task[Any]) -> bool:
    return task is not asyncio.current_task() and task.get_name() != "server"
