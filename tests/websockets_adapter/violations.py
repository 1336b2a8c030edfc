"""Scenarios: servers that break the protocol."""

import asyncio

from tests.conftest import BINARY, CLOSE, PING, PONG, TEXT, frame
from websockets.protocol import State

from wsclient import framing

from .receiving import CONTINUATION
from .scripts import scenario, since, until


def breaks(name, *frames, extensions=None, release=(14,), **options):
    """A scenario with a server that sends a message, then what is wrong, then another message."""

    async def play(script):
        async def server(peer):
            await peer.send(frame(TEXT, b"before"), *frames, frame(TEXT, b"after"))
            await peer.behave()

        url = await script.server(server, extensions=extensions)
        ws = await script.connect(url, **options)
        await script.recv(ws)
        await script.ended(ws)

    play.__name__ = f"violation_{name}"
    scenario(since(*release)(play))


breaks("rsv1_without_an_extension", frame(TEXT, b"text", rsv=4))
breaks("rsv2", frame(BINARY, b"bytes", rsv=2))
breaks("rsv3_of_a_ping", frame(PING, b"ping", rsv=1))
breaks("rsv1_of_a_ping", frame(PING, b"p", rsv=4), extensions="permessage-deflate")
breaks("unknown_data_opcode", b"\x83\x01a")
breaks("unknown_control_opcode", b"\x8b\x01a")
breaks("masked", framing.encode_frame(TEXT, b"masked", mask=b"abcd"))
breaks("ping_of_126_bytes", b"\x89\x7e\x00\x7e" + b"p" * 126)
breaks("fragmented_ping", b"\x09\x01p")
breaks("fragmented_close", b"\x08\x02\x03\xe8")
breaks("close_of_one_byte", b"\x88\x01\x03")
breaks("close_with_999", frame(CLOSE, b"\x03\xe7"))
breaks("close_with_1004", frame(CLOSE, b"\x03\xec"))
breaks("close_with_1005", frame(CLOSE, b"\x03\xed"))
breaks("close_with_1006", frame(CLOSE, b"\x03\xee"))
breaks("close_with_1015", frame(CLOSE, b"\x03\xf7"))
breaks("close_with_2999", frame(CLOSE, b"\x0b\xb7why"))
breaks("close_with_5000", frame(CLOSE, b"\x13\x88"))
breaks("close_reason_that_is_no_text", frame(CLOSE, b"\x03\xe8a\xff"))
breaks("continuation_of_nothing", frame(CONTINUATION, b"more"))
breaks("text_between_fragments", frame(TEXT, b"one", fin=False), frame(TEXT, b"two"))
breaks("close_between_fragments", frame(TEXT, b"one", fin=False), frame(CLOSE, b"\x03\xe8"))
breaks("text_that_is_no_text", frame(TEXT, b"ab\xffcd"))
breaks("text_that_ends_in_a_character", frame(TEXT, "π".encode()[:1]))
breaks("text_with_a_surrogate", frame(TEXT, b"a\xed\xa0\x80"))
breaks("fragments_that_are_no_text", frame(TEXT, b"a\xff", fin=False), frame(CONTINUATION, b"b"))
breaks("too_big", frame(BINARY, b"x" * 101), max_size=100)
breaks("too_big_with_a_long_length", b"\x82\x7f\0\0\0\x01\0\0\0\0", max_size=100)
breaks("length_of_more_than_63_bits", b"\x82\x7f\xff\0\0\0\0\0\0\0")
breaks(
    "too_big_in_fragments",
    *[frame(BINARY, b"x" * 60, fin=False), frame(PING), frame(CONTINUATION, b"x" * 60)],
    max_size=100,
)
breaks("garbage_compressed", frame(TEXT, b"\xff\xff\xff", rsv=4), extensions="permessage-deflate")
breaks(
    "too_big_when_inflated",
    frame(TEXT, bytes.fromhex("4a4c1c05a360148c02a60000"), rsv=4),
    extensions="permessage-deflate",
    max_size=100,
)
breaks(
    "rsv1_of_a_continuation",
    *[frame(TEXT, b"\xf2", rsv=4, fin=False), frame(CONTINUATION, b"\0", rsv=4)],
    extensions="permessage-deflate",
    release=(16, 1),
)


@scenario
async def just_small_enough(script):
    async def server(peer):
        await peer.send(frame(TEXT, b"x" * 100), frame(TEXT, b"y" * 50, fin=False))
        await peer.send(frame(CONTINUATION, b"z" * 50), frame(TEXT, b"last"))
        await peer.behave()

    ws = await script.connect(await script.server(server), max_size=100)
    await script.recv(ws, 3)


@scenario
@since(16)
async def limits_for_messages_and_fragments(script):
    for limits in ((100, 50), (None, 50), (100, None)):

        async def server(peer):
            await peer.send(frame(TEXT, b"x" * 50, fin=False), frame(CONTINUATION, b"y" * 50))
            await peer.send(frame(TEXT, b"z" * 51), frame(TEXT, b"a" * 101))
            await peer.behave()

        ws = await script.connect(await script.server(server), max_size=limits)
        await script.recv(ws, 3)
        script.state(ws)


@scenario
async def a_violation_while_recv_waits(script):
    go = asyncio.Event()

    async def server(peer):
        await go.wait()
        await peer.send(b"\xf1\x01a")
        await peer.behave()

    ws = await script.connect(await script.server(server))
    task = asyncio.create_task(ws.recv())
    pong = await ws.ping("never answered")
    go.set()
    await script.attempt("recv", task)
    await script.attempt("pong", pong)
    script.state(ws)


@scenario
async def a_violation_that_the_server_does_not_see(script):
    async def server(peer):
        await peer.send(frame(TEXT, b"text", rsv=2))
        await peer.hear_all()

    ws = await script.connect(await script.server(server), close_timeout=0.05)
    await until(lambda: ws.state is State.CLOSING)
    script.state(ws)
    await script.attempt("send", ws.send("late"))
    await script.recv(ws)
    script.state(ws)


@scenario
async def a_violation_after_the_close_frames(script):
    async def server(peer):
        await peer.send(frame(CLOSE, b"\x0f\xa0"), b"\xff\xff\xff")
        await peer.hear()
        peer.end()

    ws = await script.connect(await script.server(server))
    await script.recv(ws)
    script.state(ws)


@scenario
async def a_violation_after_the_close_frame_of_the_client(script):
    async def server(peer):
        await peer.hear()
        await peer.send(frame(PONG, b"p", rsv=2))
        peer.end()
        await peer.hear_all()

    ws = await script.connect(await script.server(server))
    await script.attempt("close", ws.close(4000, "mine"))
    await script.ended(ws)
