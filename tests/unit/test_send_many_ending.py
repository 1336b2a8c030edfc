"""What becomes of messages of `send_many` that there is no room for when the connection ends."""

import asyncio
import contextlib
import socket

import pytest
from tests.conftest import BINARY, CLOSE, accept, frame

from wsclient import ClientConnectionResetError, TCPConnector, framing, ws_connect

from .linked import gone
from .test_backpressure import until


@contextlib.asynccontextmanager
async def narrow(script):
    """Serve with `script(reader, writer)` over what holds a few KiB; yield what opens it."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    listener.bind(("127.0.0.1", 0))
    failures = []

    async def serve(reader, writer):
        try:
            writer.write(accept(await reader.readuntil(b"\r\n\r\n")))
            await script(reader, writer)
        except Exception as error:  # noqa: BLE001 - raised below
            failures.append(error)
        finally:
            writer.close()

    connector = TCPConnector(socket_options=[(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)])
    url = f"ws://127.0.0.1:{listener.getsockname()[1]}/"
    async with await asyncio.start_server(serve, sock=listener, limit=1024), asyncio.timeout(30):
        yield lambda: ws_connect(url, connector=connector)
    if failures:
        raise failures[0]


@pytest.mark.parametrize(
    ("end", "code"), [(frame(CLOSE, framing.encode_close(1001)), 1001), (b"\x83\x00", 1002)]
)
async def test_what_was_written_before_the_answer_to_the_peers_end_leaves(end, code):
    """The rest is not sent, as nothing may follow a close frame (§5.5.1)."""
    begun, answered = asyncio.Event(), asyncio.Event()
    frames = []

    async def script(reader, writer):
        await begun.wait()
        writer.write(end)
        await answered.wait()
        received = b""
        while data := await reader.read(1024):
            received += data
            while parsed := framing.parse_frame(received):
                frames.append(parsed[0])
                received = received[parsed[1] :]
                if parsed[0].opcode == CLOSE:
                    return

    async with narrow(script) as connect, connect() as ws:
        sending = asyncio.ensure_future(ws.send_many([bytes(1000)] * 3000))
        receiving = asyncio.create_task(ws.receive())
        begun.set()
        await until(lambda: not ws._connection.alive)
        answered.set()
        with pytest.raises(ClientConnectionResetError, match=f"closed with code {code}"):
            await sending
        await receiving
        await gone(ws)
        sent = ws.stats.messages_sent
        assert ws.close_code == code
    *messages, answer = frames
    assert 0 < sent == len(messages) < 3000
    assert all(message.opcode == BINARY for message in messages)
    assert (answer.opcode, framing.parse_close(answer.payload)[0]) == (CLOSE, code)
