"""Text messages: whatever their characters, the `str` is the one that Python would make."""

import sys

import pytest
from tests.conftest import TEXT, frame

from wsclient import ws_connect

ALPHABETS = ["", "a", "\x7f", "\x80", "é", "\xff", "Ā", "я", "\u07ff", "ࠀ", "龥", "\uffff", "😀"]
TEXTS = [
    *(a + b for a in ALPHABETS for b in ALPHABETS),
    *(a * n + b * n for a in "aéя龥😀" for b in "aéя龥😀" for n in (3, 8, 70)),
    '{"from": "Анна", "text": "Привет, κόσμε! 你好 ☕"} ' * 20,
]


async def test_every_width_is_what_python_makes(scripted):
    async def script(wire):
        await wire.send(*(frame(TEXT, text.encode()) for text in TEXTS))
        await wire.answer_close()

    async with ws_connect(await scripted(script)) as ws:
        for text in TEXTS:
            received = await ws.receive_str()
            assert received == text
            assert hash(received) == hash(text)
            # One unit for each character, as narrow as the widest allows.
            if len(text) > 1:  # CPython has some of the others in stock
                assert sys.getsizeof(received) == sys.getsizeof("".join(list(text)))


@pytest.mark.parametrize("text", ["a" * 70_000, "é" * 70_000, "я" * 70_000, "😀" * 70_000])
async def test_long_and_in_fragments(scripted, text):
    data = text.encode()

    async def script(wire):
        await wire.send(frame(TEXT, data))
        await wire.send(frame(TEXT, data[:1001], fin=False), frame(0, data[1001:]))
        await wire.answer_close()

    async with ws_connect(await scripted(script)) as ws:
        assert await ws.receive_str() == text
        assert await ws.receive_str() == text
