"""What the programs share: the server at the other end, and what it saw of an ending."""

import asyncio
import contextlib
import ssl

import trustme
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

AUTHORITY = trustme.CA()


class Server:
    """A server of the `websockets` package's.

    Attributes:
        port: Where it listens, on 127.0.0.1.
        url: Its URL, with a slash at the end.
    """

    def __init__(self, port, scheme):
        self.port = port
        self.url = f"{scheme}://127.0.0.1:{port}/"
        self._endings = asyncio.Queue()

    async def ending(self):
        """How the next connection ended, as it came: the peer's close code and reason."""
        return await self._endings.get()

    def ended(self, connection):
        close = connection.protocol.close_rcvd
        self._endings.put_nowait("no close frame" if close is None else str(close))


@contextlib.asynccontextmanager
async def serving(handler, *, tls=False, **options):
    """Start a server that plays `await handler(connection)` on each connection.

    When the handler returns, the server waits for the peer's close frame.
    """

    async def play(connection):
        with contextlib.suppress(ConnectionClosed):
            await handler(connection)
            async for _ in connection:
                pass
        await connection.wait_closed()
        server.ended(connection)

    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        AUTHORITY.issue_cert("127.0.0.1").configure_cert(context)
    async with serve(play, "127.0.0.1", 0, ssl=context, **options) as running:
        port = running.sockets[0].getsockname()[1]
        server = Server(port, "wss" if tls else "ws")
        yield server


def client_tls():
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    return context


async def ping(connection):
    """Send a ping and wait until its pong has come."""
    await (await connection.ping())


def whose(connection):
    """The package that the library's connection is from."""
    return type(connection).__module__.partition(".")[0]
