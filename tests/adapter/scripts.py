"""What a scenario of the side-by-side tests is written with."""

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Any

import aiohttp

SCENARIOS = {}


@dataclass
class Scenario:
    """Something to do on plain aiohttp and on the adapter, with the same trace.

    Attributes:
        play: An asynchronous function of a `Script`.
        reason: Why the traces differ, where they do: the defect of aiohttp's.
        since: The first aiohttp that has what it takes.
    """

    play: Any
    reason: str | None = None
    since: tuple[int, int] = (3, 10)

    @property
    def name(self):
        return self.play.__name__


def scenario(*, differs=None, since=(3, 10)):
    """Register a scenario under its function's name."""

    def register(play):
        assert play.__name__ not in SCENARIOS
        SCENARIOS[play.__name__] = Scenario(play, differs, since)
        return play

    return register


def shown(value):
    """A value as a trace has it: exceptions by their class, since texts are each client's own."""
    if isinstance(value, BaseException):
        code = f" {value.code}" if isinstance(value, aiohttp.WebSocketError) else ""
        return f"<{type(value).__name__}{code}>"
    if isinstance(value, bytearray):
        return bytes(value)
    return value


class Script:
    """One play of a scenario.

    Attributes:
        sessions: The class of sessions to use.
        trace: What the client saw.
        wire: What the server saw.
        scripted, raw, echo, web_server, client_tls, folder: See the fixture `servers`.
    """

    def __init__(self, sessions, servers):
        self.sessions = sessions
        self.trace = []
        self.wire = []
        self.__dict__.update(servers)
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self):
        await self._stack.__aenter__()
        return self

    async def __aexit__(self, *exc_info):
        await self._stack.__aexit__(*exc_info)

    def note(self, *what):
        self.trace.append(tuple(shown(value) for value in what))

    def saw(self, *what):
        self.wire.append(what)

    async def session(self, **options):
        """A session that is closed in the end."""
        return await self._stack.enter_async_context(self.sessions(**options))

    async def connect(self, url, *, session=None, **options):
        """A WebSocket that is closed in the end, if it is open then."""
        session = session or await self.session()
        return await self._stack.enter_async_context(session.ws_connect(url, **options))

    async def attempt(self, doing, awaitable):
        """Await something, and note what comes of it."""
        try:
            result = await awaitable
        except Exception as error:  # noqa: BLE001 - noted
            self.note(doing, error)
            return error
        if isinstance(result, tuple):
            assert isinstance(result, aiohttp.WSMessage)
            assert result.type is aiohttp.WSMsgType(int(result.type))
            assert (result.type, result.data, result.extra) == tuple(result)
            self.note(doing, result.type, result.data, result.extra)
        else:
            self.note(doing, result)
        return result

    async def receive(self, ws, times=1, **options):
        for _ in range(times):
            await self.attempt("receive", ws.receive(**options))

    def state(self, ws):
        self.note("state", ws.closed, ws.close_code)

    async def end(self, ws):
        """Receive the end: what comes now comes for ever."""
        await self.receive(ws, 2)
        self.state(ws)


VERSION = tuple(int(part) for part in aiohttp.__version__.split(".")[:2])


def limit(**limits):
    """What `timeout` takes; before aiohttp 3.11 it was seconds for `ws_close` only."""
    return limits["ws_close"] if VERSION < (3, 11) else aiohttp.ClientWSTimeout(**limits)


async def settled(task):
    """Let a task run until it waits for something outside of the loop."""
    for _ in range(10):
        await asyncio.sleep(0)
    assert not task.done()
