"""Servers that want the client's memory: it stays flat, measured in a process of its own."""

import asyncio
import json
import random
import struct
import sys
import zlib
from pathlib import Path

import pytest
from tests.conftest import BINARY, CLOSE, PING, TEXT, frame

MEBIBYTE = 1024 * 1024
LIMIT = 4 * MEBIBYTE
COUNT = 3_000_000
CONTINUATION = 0
RSV1 = 4
DEFLATE = {"extensions": "permessage-deflate"}
HOARD = Path(__file__).with_name("hoard.py")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc"),
]


def compressed(*parts):
    """One message's payload: the parts, one after the other."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    payload = b"".join(map(deflate.compress, parts)) + deflate.flush(zlib.Z_SYNC_FLUSH)
    return payload.removesuffix(b"\x00\x00\xff\xff")


@pytest.fixture(scope="session")
def bomb():
    """1 GiB in 1 MiB."""
    payload = compressed(*[bytes(16 * MEBIBYTE)] * 64)
    assert len(payload) < 1.01 * MEBIBYTE
    return payload


@pytest.fixture
def hoard(scripted):
    """A function that has a client take `stream`, and returns what the client says about it.

    None in the stream closes the connection.
    """

    async def hoard(stream, *, extensions=None, **options):
        async def script(wire):
            await wire.send(frame(TEXT, b"ready"))
            assert (await wire.receive()).payload == b"go"
            try:
                for piece in stream:
                    if piece is None:
                        return
                    await wire.send(piece)
                await wire.end()
            except ConnectionError:
                # The client may leave before it has read all.
                wire.reset()

        if extensions:
            options.setdefault("compress", 15)
        url = await scripted(script, extensions=extensions)
        name = "uvloop" if "uvloop" in type(asyncio.get_running_loop()).__module__ else "asyncio"
        command = [sys.executable, HOARD, name, url, json.dumps(options)]
        client = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        out, _ = await client.communicate()
        assert client.returncode == 0
        return json.loads(out)

    return hoard


GOODBYE = frame(CLOSE, struct.pack("!H", 1000))


def fragments(payload, size, *, rsv):
    """A binary message in fragments of `size` bytes, up to but without the last."""
    for start in range(0, len(payload), size):
        opcode = CONTINUATION if start else BINARY
        piece = payload[start : start + size]
        yield frame(opcode, piece, fin=False, rsv=0 if start else rsv)


@pytest.mark.parametrize("cut", [False, True], ids=["whole", "fragments"])
async def test_a_gibibyte_from_a_mebibyte(hoard, bomb, cut):
    stream = fragments(bomb, 1024, rsv=RSV1) if cut else [frame(BINARY, bomb, rsv=RSV1)]
    said = await hoard(stream, **DEFLATE)
    assert (said["messages"], said["code"]) == (0, 1009)
    assert said["grown"] < 2 * LIMIT


async def test_a_gibibyte_in_messages_that_nobody_takes(hoard):
    """Each is as large as it may be; they are decompressed when there is room for them."""
    message = frame(BINARY, compressed(bytes(LIMIT)), rsv=RSV1)
    stream = [message * 256, GOODBYE]
    assert len(stream[0]) < 1.1 * MEBIBYTE
    said = await hoard(stream, **DEFLATE, patient=True)
    assert (said["messages"], said["size"], said["code"]) == (256, 256 * LIMIT, 1000)
    assert said["grown"] < 8 * LIMIT


async def test_a_gibibyte_behind_the_end(hoard):
    """What has arrived can still be received after `close()`, but not without bound."""
    message = frame(BINARY, compressed(bytes(LIMIT)), rsv=RSV1)
    said = await hoard([message * 256], **DEFLATE, impatient=True, timeout=0.1)
    assert said["messages"] >= 1
    # 16 MiB are kept; the rest is what the allocators keep of the messages before.
    assert said["grown"] < 10 * LIMIT


@pytest.mark.parametrize("deflate", [{}, DEFLATE], ids=["plain", "compressed"])
@pytest.mark.parametrize("size", [0, 1])
async def test_three_million_fragments(hoard, deflate, size):
    payload = random.Random(size).randbytes(size * COUNT)
    expected = len(payload)
    rsv = RSV1 if deflate else 0
    if deflate and size:
        # Stored as it is: three million bytes stay as many.
        store = zlib.compressobj(0, zlib.DEFLATED, -15)
        payload = store.compress(payload) + store.flush(zlib.Z_SYNC_FLUSH)
    middle = bytearray(frame(CONTINUATION, bytes(size), fin=False) * max(COUNT, len(payload)))
    if size:
        middle[2::3] = payload
    first, last = frame(BINARY, b"", fin=False, rsv=rsv), frame(CONTINUATION)
    said = await hoard([first, bytes(middle), last, GOODBYE], **deflate)
    assert (said["messages"], said["size"], said["code"]) == (1, expected, 1000)
    assert said["grown"] < 3 * expected + 2 * MEBIBYTE


@pytest.mark.parametrize("deflate", [{}, DEFLATE], ids=["plain", "compressed"])
async def test_three_million_empty_messages(hoard, deflate):
    message = frame(BINARY, b"\x00", rsv=RSV1) if deflate else frame(BINARY)
    said = await hoard([message * COUNT, GOODBYE], **deflate, patient=True)
    assert (said["messages"], said["size"], said["code"]) == (COUNT, 0, 1000)
    assert said["grown"] < 4 * MEBIBYTE


@pytest.mark.parametrize("deflate", [{}, DEFLATE], ids=["plain", "compressed"])
@pytest.mark.parametrize("limit", [0, LIMIT], ids=["no-limit", "limit"])
async def test_a_header_that_announces_2_to_the_63(hoard, deflate, limit):
    """All but one byte of it, which no client would ever see the end of."""
    first = 0x80 | (RSV1 << 4 if deflate else 0) | BINARY
    header = struct.pack("!BBQ", first, 127, (1 << 63) - 1)
    empty_blocks = b"\x00\x00\x00\xff\xff" * 200
    said = await hoard([header, empty_blocks, None], **deflate, max_msg_size=limit)
    # The length of a compressed message is known when it is decompressed.
    too_big = limit and not deflate
    assert (said["messages"], said["code"]) == (0, 1009 if too_big else 1006)
    assert said["grown"] < 2 * MEBIBYTE


@pytest.mark.parametrize("rsv", [0, RSV1])
async def test_a_header_that_announces_2_to_the_63_itself(hoard, rsv):
    header = struct.pack("!BBQ", 0x80 | rsv << 4 | BINARY, 127, 1 << 63)
    said = await hoard([header], **DEFLATE, max_msg_size=0)
    assert (said["messages"], said["code"]) == (0, 1002)
    assert said["grown"] < 2 * MEBIBYTE


async def test_a_flood_of_pings_whose_pongs_are_not_read(hoard):
    """The client reads all of it, and remembers the newest."""
    said = await hoard([*[frame(PING, bytes(125)) * 10_000] * 200, None])
    assert (said["messages"], said["code"]) == (0, 1006)
    assert said["grown"] < 2 * LIMIT


async def test_a_flood_of_close_frames(hoard):
    said = await hoard([GOODBYE * 100_000] * 300)
    assert (said["messages"], said["code"]) == (0, 1000)
    assert said["grown"] < 2 * MEBIBYTE


@pytest.mark.parametrize("deflate", [{}, DEFLATE], ids=["plain", "compressed"])
async def test_a_gibibyte_after_a_violation(hoard, deflate):
    """Nothing is kept of what comes after it."""
    said = await hoard([bytes([0x83, 0]), *[bytes(MEBIBYTE)] * 1024], **deflate)
    assert (said["messages"], said["code"]) == (0, 1002)
    assert said["grown"] < 2 * MEBIBYTE
