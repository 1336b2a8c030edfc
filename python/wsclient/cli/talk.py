"""A conversation: what is typed goes out, what comes in is shown."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Protocol

from wsclient import ClientConnectionError

from .connections import connections, status_of
from .exits import CommandError, Exit
from .terminal import printable

if TYPE_CHECKING:
    import argparse

    from wsclient import ClientWebSocketResponse, Message

__all__ = ["Console", "Talk"]

HELP = """\
A line is sent as a text message. Lines that begin with a slash are commands:
  /ping [TEXT]            send a ping, and tell how long the pong took
  /binary HEX             send a binary message, such as 00 ff
  /close [CODE [REASON]]  close the connection, and leave
  /help                   this
  //...                   send a line that begins with a slash
Ctrl-D closes the connection and leaves; so does Ctrl-C, with status 130."""


class Console(Protocol):
    """Where lines come from, and messages go to.

    Attributes:
        has_commands: Whether a person types, and a slash begins a command.
    """

    has_commands: bool

    async def read(self) -> str | None:
        """Wait for a line; None at the end."""
        ...

    def done(self) -> None:
        """Be told that nothing more is read."""
        ...

    def show(self, msg: Message) -> None:
        """Show a text or binary message."""
        ...

    def tell(self, text: str) -> None:
        """Say something beside the messages."""
        ...


class Talk:
    """A conversation with a server, over one connection or, with ``--reconnect``, many.

    Args:
        options: From a parser with `add_connection`, `add_reconnect`, `add_send` and ``--wait``.
        console: This side's end.
    """

    def __init__(self, options: argparse.Namespace, console: Console) -> None:
        self._options = options
        self._console = console
        self._ws: ClientWebSocketResponse[Any] | None = None
        self._opened = asyncio.Event()
        self._leaving = False
        self._unsent = False
        self._heard = 0.0
        self._pings: set[asyncio.Task[None]] = set()

    async def run(self) -> Exit:
        """Talk until one of both sides has ended it.

        Returns:
            The exit status.

        Raises:
            CommandError: A line cannot be sent, or somebody has pressed Ctrl-C.
            ClientError: As for `ws_connect` and `reconnect`.
        """
        hearing = asyncio.ensure_future(self._hear())
        speaking = asyncio.ensure_future(self._speak())
        try:
            await asyncio.wait({hearing, speaking}, return_when=asyncio.FIRST_COMPLETED)
            if not hearing.done():
                await speaking
            return await hearing if hearing.done() or self._leaving else Exit.OK
        finally:
            await _cancelled(speaking)
            # Closing may take a while, in which Ctrl-C is to work.
            self._console.done()
            await _cancelled(hearing, *self._pings)

    async def _hear(self) -> Exit:
        status = Exit.OK
        async with contextlib.aclosing(connections(self._options)) as opened:
            async for ws in opened:
                self._ws, self._heard = ws, asyncio.get_running_loop().time()
                self._opened.set()
                if self._console.has_commands:
                    self._console.tell(f"connected{_terms(ws)}; /help tells what can be done")
                await self._show_all(ws)
                self._ws = None
                self._opened.clear()
                if self._leaving:
                    await ws.close()
                    self._console.tell(f"closed, and the server answered {ws.close_code}")
                    return Exit.OK
                status = status_of(ws)
                if self._console.has_commands and status is Exit.OK:
                    self._console.tell(f"closed by the server with code {ws.close_code}")
        if self._unsent and status is Exit.OK:
            raise CommandError("closed by the server before everything was sent", Exit.CLOSED)
        return status

    async def _show_all(self, ws: ClientWebSocketResponse[Any]) -> None:
        async for msg in ws:
            if isinstance(msg.data, BaseException):
                # What has ended the connection, which `status_of` tells.
                continue
            self._heard = asyncio.get_running_loop().time()
            self._console.show(msg)

    async def _speak(self) -> None:
        await self._opened.wait()
        while (line := await self._console.read()) is not None:
            if not self._console.has_commands:
                await self._send(line)
            elif line.startswith("/") and not line.startswith("//"):
                if await self._leaves(line):
                    return
            elif line:
                self._send_now(line.removeprefix("/") if line.startswith("//") else line)
        if not self._console.has_commands:
            await self._linger()

    async def _send(self, line: str) -> None:
        """Send a line of a program, when there is a connection."""
        while True:
            await self._opened.wait()
            with contextlib.suppress(ClientConnectionError):
                if self._ws is not None:
                    await self._ws.send_str(line)
                    return
            if not self._options.reconnect:
                # The connection has ended, which the other task is about to learn.
                self._unsent = True
                await asyncio.get_running_loop().create_future()
            self._opened.clear()

    def _send_now(self, message: str | bytes) -> None:
        """Send what a person has typed, who sees whether there is a connection."""
        if self._ws is None:
            self._console.tell("not sent, as there is no connection")
            return
        try:
            if isinstance(message, str):
                self._ws.send_str(message)
            else:
                self._ws.send_bytes(message)
        except (ClientConnectionError, ValueError) as error:
            self._console.tell(f"not sent: {printable(str(error))}")

    async def _linger(self) -> None:
        """Wait until the server has had nothing to say for a while."""
        loop = asyncio.get_running_loop()
        ended = loop.time()
        while True:
            left = max(ended, self._heard) + self._options.wait - loop.time()
            if left <= 0:
                return
            await asyncio.sleep(min(left, 3600))

    async def _leaves(self, line: str) -> bool:
        """Obey a command, and tell whether it was the last one."""
        command, _, rest = line[1:].partition(" ")
        rest = rest.strip()
        match command:
            case "help":
                self._console.tell(HELP)
            case "ping":
                self._ping(rest)
            case "binary":
                try:
                    self._send_now(bytes.fromhex(rest))
                except ValueError:
                    self._console.tell("/binary takes hexadecimal digits, such as 00 ff")
            case "close":
                return await self._close(rest)
            case _:
                self._console.tell(f"there is no /{printable(command)}, see /help")
        return False

    def _ping(self, text: str) -> None:
        if self._ws is None:
            self._console.tell("not sent, as there is no connection")
            return
        try:
            pong = self._ws.round_trip(text or None)
        except (ClientConnectionError, ValueError) as error:
            self._console.tell(f"not sent: {printable(str(error))}")
            return

        async def tell() -> None:
            with contextlib.suppress(ClientConnectionError):
                self._console.tell(f"pong after {await pong * 1000:.2f} ms")

        task = asyncio.ensure_future(tell())
        self._pings.add(task)
        task.add_done_callback(self._pings.discard)

    async def _close(self, arguments: str) -> bool:
        code, _, reason = arguments.partition(" ")
        self._leaving = True
        if self._ws is not None:
            self._console.done()
            try:
                await self._ws.close(code=int(code or 1000), message=reason)
            except ValueError as error:
                self._leaving = False
                wrong = error if code.isdecimal() else "a code is a number, such as 1000"
                self._console.tell(f"not closed: {wrong}")
                return False
        return True


async def _cancelled(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _terms(ws: ClientWebSocketResponse[Any]) -> str:
    """What was agreed on, in words."""
    words = [f"subprotocol {printable(ws.protocol)}"] if ws.protocol else []
    words += ["compressed"] if ws.compress else []
    return f" ({', '.join(words)})" if words else ""
