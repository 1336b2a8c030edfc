"""Compressed messages on the wire, with Python's zlib at the other end (RFC 7692 §6, §7.2)."""

import asyncio
import contextlib
import gc
import random
import zlib
from types import SimpleNamespace

import pytest
from tests.conftest import BINARY, CLOSE, PING, PONG, TEXT, frame

from wsclient import MsgType, PerMessageDeflate, framing
from wsclient.exceptions import ClientConnectionResetError

from .linked import deliver, gone, linked

CONTINUATION = 0
RSV1 = 4
TAIL = b"\x00\x00\xff\xff"
ACCEPTED = "permessage-deflate"

TICKS = [f'{{"symbol":"BTCUSDT","price":"{64000 + n}.5","size":"0.{n:03}"}}' for n in range(50)]
TALKATIVE = PerMessageDeflate(level=6)


class Zlib:
    """A server's half of permessage-deflate: its own compressor, the client's decompressor."""

    def __init__(self, *, server_bits=15, client_bits=15, server_alone=False, client_alone=False):
        self._bits = server_bits, client_bits
        self._alone = server_alone, client_alone
        self._deflate = self._inflate = None

    def compress(self, message, *, level=6):
        if self._deflate is None or self._alone[0]:
            self._deflate = zlib.compressobj(level, zlib.DEFLATED, -self._bits[0])
        data = self._deflate.compress(message) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        return data.removesuffix(TAIL)

    def decompress(self, payload):
        """Decompress in steps that are smaller than the window, so that it cannot be exceeded."""
        if self._inflate is None or self._alone[1]:
            self._inflate = zlib.decompressobj(-self._bits[1])
        data, message = payload + TAIL, b""
        while data:
            message += self._inflate.decompress(data, 100)
            data = self._inflate.unconsumed_tail
        return message

    def frame(self, opcode, message):
        return frame(opcode, self.compress(message), rsv=RSV1)


@contextlib.asynccontextmanager
async def compressing(scripted, *, extensions=ACCEPTED, compress=TALKATIVE, **options):
    """A WebSocket whose server has answered with `extensions`, and the server's `Wire`."""

    async def start(script):
        return await scripted(script, extensions=extensions)

    async with linked(start, compress=compress, **options) as ends:
        yield ends


async def sent(wire):
    """The next frame from the client, which must be a whole message."""
    received = await wire.receive()
    assert received.fin
    return received


async def test_the_offer_of_the_default_settings(scripted):
    async with compressing(scripted, compress=15) as (_, wire):
        assert b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n" in (
            wire.request
        )


async def test_nothing_is_offered_or_compressed_by_default(scripted):
    async with linked(scripted) as (ws, wire):
        assert b"extensions" not in wire.request.lower()
        assert (ws.compress, ws.client_notakeover) == (0, False)
        await ws.send_str("a" * 1000)
        received = await sent(wire)
        assert (received.rsv, received.payload) == (0, b"a" * 1000)


async def test_a_declined_offer_leaves_messages_as_they_are(scripted):
    async with compressing(scripted, extensions=None) as (ws, wire):
        assert (ws.compress, ws.client_notakeover) == (0, False)
        for compress in (None, 0, 15):
            await ws.send_str("a" * 1000, compress)
            received = await sent(wire)
            assert (received.rsv, received.payload) == (0, b"a" * 1000)


async def test_messages_are_compressed_and_refer_to_earlier_ones(scripted):
    async with compressing(scripted) as (ws, wire):
        assert (ws.compress, ws.client_notakeover) == (15, False)
        server, sizes = Zlib(), []
        for tick in TICKS:
            await ws.send_str(tick)
            received = await sent(wire)
            assert (received.opcode, received.rsv) == (TEXT, RSV1)
            assert server.decompress(received.payload) == tick.encode()
            sizes.append(len(received.payload))
        assert max(sizes[1:]) < sizes[0] / 2


@pytest.mark.parametrize("where", ["answered", "own"])
async def test_messages_by_themselves(scripted, where):
    compress, extensions = PerMessageDeflate(client_no_context_takeover=True), ACCEPTED
    if where == "answered":
        compress, extensions = 15, f"{ACCEPTED}; client_no_context_takeover"
    async with compressing(scripted, extensions=extensions, compress=compress) as (ws, wire):
        assert (ws.compress, ws.client_notakeover) == (15, True)
        server = Zlib(client_alone=True)
        for tick in TICKS:
            await ws.send_bytes(tick.encode())
            received = await sent(wire)
            assert (received.opcode, received.rsv) == (BINARY, RSV1)
            assert server.decompress(received.payload) == tick.encode()


def test_this_zlib_keeps_to_its_window():
    part = random.Random(0).randbytes(700)
    payload = Zlib().compress(part * 2)
    assert Zlib().decompress(payload) == part * 2
    with pytest.raises(zlib.error, match="invalid distance"):
        Zlib(client_bits=9).decompress(payload)


@pytest.mark.parametrize("level", range(10))
@pytest.mark.parametrize("bits", range(9, 16))
async def test_the_window_is_kept(scripted, bits, level):
    """Repetitions at all distances: none farther than the window is used."""
    extensions = f"{ACCEPTED}; client_max_window_bits={bits}"
    compress = PerMessageDeflate(level=level)
    part = random.Random(bits).randbytes(700)
    messages = [part * 3, part, random.Random(level).randbytes(40_000) + part * 50, part]
    async with compressing(scripted, extensions=extensions, compress=compress) as (ws, wire):
        assert ws.compress == bits
        server = Zlib(client_bits=bits)
        for message in messages:
            await ws.send_bytes(message)
            received = await sent(wire)
            assert received.rsv == RSV1
            assert server.decompress(received.payload) == message


async def test_a_window_of_8_bits_is_kept_by_not_compressing(scripted):
    extensions = f"{ACCEPTED}; client_max_window_bits=8; server_max_window_bits=8"
    async with compressing(scripted, extensions=extensions) as (ws, wire):
        assert ws.compress == 0
        await ws.send_str("a" * 1000)
        received = await sent(wire)
        assert (received.rsv, received.payload) == (0, b"a" * 1000)
        await wire.send(Zlib(server_bits=9).frame(TEXT, b"a" * 200))
        assert (await ws.receive()).data == "a" * 200


async def test_bits_of_aiohttp_bind_both_sides(scripted):
    async with compressing(
        scripted, extensions=f"{ACCEPTED}; server_max_window_bits=10", compress=10
    ) as (ws, wire):
        assert b"; server_max_window_bits=10; client_max_window_bits=10\r\n" in wire.request
        assert ws.compress == 10


async def test_one_message_as_it_is(scripted):
    """What is not compressed is not in the window, on either side."""
    async with compressing(scripted) as (ws, wire):
        server = Zlib()
        for number, tick in enumerate(TICKS):
            plain = number % 3 == 1
            ws.send_str(tick, compress=0 if plain else None)
            received = await sent(wire)
            assert received.rsv == (0 if plain else RSV1)
            payload = received.payload if plain else server.decompress(received.payload)
            assert payload == tick.encode()


async def test_small_messages_go_out_as_they_are(scripted):
    async with compressing(scripted, compress=PerMessageDeflate(min_size=10)) as (ws, wire):
        server = Zlib()
        for message, compress, compressed in (
            ("123456789", None, False),
            ("1234567890", None, True),
            ("\u20ac\u20ac\u20ac.", None, True),
            ("1", 15, True),
            ("1", 9, True),
            ("1234567890", 0, False),
            ("", None, False),
        ):
            await ws.send_str(message, compress)
            received = await sent(wire)
            assert received.rsv == (RSV1 if compressed else 0), message
            payload = server.decompress(received.payload) if compressed else received.payload
            assert payload == message.encode()


async def test_json(scripted):
    async with compressing(scripted) as (ws, wire):
        server = Zlib()
        await ws.send_json({"price": 1.5})
        await ws.send_json({"price": 1.5}, compress=0)
        await ws.send_json({"price": 1.5}, dumps=lambda data: "x")
        assert server.decompress((await sent(wire)).payload) == b'{"price": 1.5}'
        assert (await sent(wire)).payload == b'{"price": 1.5}'
        assert server.decompress((await sent(wire)).payload) == b"x"


async def test_empty_messages(scripted):
    """§7.2.3.6: an empty block."""
    async with compressing(scripted) as (ws, wire):
        server = Zlib()
        for message in ("", "first", "", "second", ""):
            await ws.send_str(message)
            received = await sent(wire)
            assert received.rsv == RSV1
            assert received.payload == b"\x00" or message
            assert server.decompress(received.payload) == message.encode()
            await wire.send(server.frame(TEXT, message.encode()))
            assert (await ws.receive()).data == message
        await wire.send(frame(TEXT, b"", rsv=RSV1), server.frame(TEXT, b"last"))
        assert [(await ws.receive()).data for _ in range(2)] == ["", "last"]


@pytest.mark.parametrize("size", [65_000, 1_000_000])
async def test_what_cannot_be_compressed_arrives(scripted, size):
    noise = random.Random(size).randbytes(size)
    async with compressing(scripted) as (ws, wire):
        server = Zlib()
        for _ in range(2):
            sending = asyncio.ensure_future(ws.send_bytes(noise))
            received = await sent(wire)
            await sending
            assert received.rsv == RSV1
            assert server.decompress(received.payload) == noise


async def test_control_frames_are_never_compressed(scripted):
    async with compressing(scripted) as (ws, wire):
        await ws.ping("a" * 100)
        await wire.send(frame(PING, b"b" * 100))
        first = [await wire.receive() for _ in range(2)]
        assert [(f.opcode, f.rsv) for f in first] == [(PING, 0), (PONG, 0)]
        closing = asyncio.create_task(ws.close(message="c" * 100))
        close = await wire.receive()
        assert (close.opcode, close.rsv) == (CLOSE, 0)
        await wire.send(frame(CLOSE, close.payload))
        wire.transport.write_eof()
        await closing
        assert ws.compress == 15
        with pytest.raises(ClientConnectionResetError):
            ws.send_str("late", 15)


@pytest.mark.parametrize("compress", [1, 8, 16, -1, True, 1 << 70])
async def test_a_bad_compress_sends_nothing(scripted, compress):
    async with compressing(scripted) as (ws, wire):
        for send, data in ((ws.send_str, "a"), (ws.send_bytes, b"a"), (ws.send_json, "a")):
            with pytest.raises(ValueError, match=f"compress is {compress}, expected 0 or 9 to 15"):
                send(data, compress)
        with pytest.raises(TypeError):
            ws.send_str("a", compress="9")
        await ws.send_str("good")
        assert Zlib().decompress((await sent(wire)).payload) == b"good"


async def test_a_message_that_was_not_sent_is_not_referred_to(scripted):
    async with compressing(scripted) as (ws, wire):
        server = Zlib()
        await ws.send_str(TICKS[0])
        server.decompress((await sent(wire)).payload)
        later, never = [await asyncio.to_thread(ws.send_str, text) for text in TICKS[1:3]]
        never.close()
        ws.send_str(TICKS[2])
        assert server.decompress((await sent(wire)).payload) == TICKS[2].encode()
        await later
        assert server.decompress((await sent(wire)).payload) == TICKS[1].encode()


class Refusing:
    """A transport that raises when it is to write."""

    def __init__(self, transport):
        self._transport = transport

    def write(self, data):
        raise OSError("refused")

    def __getattr__(self, name):
        return getattr(self._transport, name)


async def test_a_transport_that_raises_is_the_end(scripted):
    async with compressing(scripted) as (ws, wire):
        noise = random.Random(1).randbytes(100_000)
        (transport,) = (o for o in gc.get_referents(ws._connection) if hasattr(o, "write"))
        ws._connection.connection_made(Refusing(transport))
        nothing = SimpleNamespace(fileno=lambda: -1)  # nothing goes past the transport
        ws._connection.use_socket(nothing)
        with pytest.raises(OSError, match="refused"):
            ws.send_bytes(noise)
        # A part of it may have left: whatever followed would be taken for its rest.
        with pytest.raises(ClientConnectionResetError, match="in part only"):
            ws.send_bytes(noise)
        assert isinstance(ws.exception(), OSError)
        await gone(ws)
        assert ws.close_code == 1006
        assert await wire.receive() is None


@pytest.mark.parametrize("alone", [False, True], ids=["takeover", "no-takeover"])
@pytest.mark.parametrize("bits", range(9, 16))
async def test_compressed_messages_are_received(scripted, bits, alone):
    extensions = f"{ACCEPTED}; server_max_window_bits={bits}"
    if alone:
        extensions += "; server_no_context_takeover"
    part = random.Random(bits).randbytes(700)
    messages = [*(tick.encode() for tick in TICKS), part * 3, part, b"", part * 100]
    async with compressing(scripted, extensions=extensions) as (ws, wire):
        server = Zlib(server_bits=bits, server_alone=alone)
        for level in (0, 1, 6, 9):
            for message in messages:
                payload = server.compress(message, level=level)
                await wire.send(frame(BINARY, payload, rsv=RSV1))
            received = [await ws.receive_bytes() for _ in messages]
            assert received == messages


async def test_fragments_of_compressed_messages(scripted):
    """Cut anywhere, with control frames between; RSV1 is on the first fragment alone (§6)."""
    async with compressing(scripted) as (ws, wire):
        server = Zlib()
        text = "".join(f"\u20ac{n}" for n in range(100))
        for size in (1, 7, 1000):
            payload = server.compress(text.encode())
            opcode, rsv = TEXT, RSV1
            for start in range(0, len(payload), size):
                piece = payload[start : start + size]
                await deliver(wire, frame(opcode, piece, fin=False, rsv=rsv))
                opcode, rsv = CONTINUATION, 0
            assert ws.receive_nowait() is None
            await wire.send(frame(CONTINUATION))
            assert await ws.receive() == (MsgType.text, text, "")


async def test_plain_and_compressed_messages_may_alternate(scripted):
    async with compressing(scripted) as (ws, wire):
        server = Zlib()
        for number, tick in enumerate(TICKS):
            data = tick.encode()
            await wire.send(server.frame(TEXT, data) if number % 2 else frame(TEXT, data))
        assert [(await ws.receive()).data for _ in TICKS] == TICKS


async def test_text_as_bytes(scripted):
    async with compressing(scripted, decode_text=False) as (ws, wire):
        await wire.send(Zlib().frame(TEXT, "\u20ac".encode()))
        assert await ws.receive() == (MsgType.text, "\u20ac".encode(), "")


@pytest.mark.parametrize("padded", [True, False], ids=["padded", "bare"])
async def test_messages_that_end_with_a_final_block(scripted, padded):
    """§7.2.3.4: with the empty block that §7.2.1 wants behind it, and without."""
    async with compressing(scripted) as (ws, wire):
        for tick in TICKS:
            final = zlib.compressobj(6, zlib.DEFLATED, -15)
            payload = final.compress(tick.encode()) + final.flush()
            await wire.send(frame(TEXT, payload + b"\x00" * padded, rsv=RSV1))
        assert [(await ws.receive()).data for _ in TICKS] == TICKS


def test_the_parser_inflates_if_told():
    server = Zlib()
    stream = b"".join(server.frame(TEXT, tick.encode()) for tick in TICKS)
    messages = framing.MessageParser(deflate=True).feed(stream)
    assert messages == [(TEXT, tick.encode()) for tick in TICKS]
    server = Zlib(server_alone=True)
    stream = b"".join(server.frame(TEXT, tick.encode()) for tick in TICKS)
    parser = framing.MessageParser(deflate=True, server_no_context_takeover=True)
    assert parser.feed(stream) == messages
