"""One message, sent in fragments."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, TypeAlias, cast

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ._core import Protocol

__all__ = ["Bytes", "send_fragments"]

Bytes: TypeAlias = bytes | bytearray | memoryview

_BYTES = (bytes, bytearray, memoryview)


async def send_fragments(
    connection: Protocol,
    fragments: Iterable[str | Bytes] | AsyncIterable[str | Bytes],
    *,
    text: bool | None,
) -> None:
    """Do what `ClientWebSocketResponse.send_fragments` does.

    Args:
        connection: What to send on.
        fragments: As there.
        text: As there.
    """
    source = _source(fragments)
    while (turn := connection.wait_turn()) is not None:
        await turn
    try:
        first = await anext(source)
    except StopAsyncIteration:
        return
    is_str = isinstance(first, str)
    payload = _payload(first, is_str=is_str)
    is_text = is_str if text is None else text
    while (turn := connection.begin_message(is_text, is_text and not is_str)) is not None:
        await turn
    try:
        await connection.send_fragment(payload)
        async for fragment in source:
            await connection.send_fragment(_payload(fragment, is_str=is_str))
        # Which fragment is the last is known only after it has left.
        sent = connection.send_fragment(b"", fin=True)
    except BaseException:
        connection.break_off()
        raise
    await sent


def _source(fragments: object) -> AsyncIterator[object]:
    kind = type(fragments).__name__
    if isinstance(fragments, AsyncIterable):
        return aiter(cast("AsyncIterable[object]", fragments))
    # What is iterable by accident is a mistake.
    if isinstance(fragments, Iterable) and not isinstance(fragments, (str, *_BYTES, Mapping)):
        return _Steps(iter(cast("Iterable[object]", fragments)))
    raise TypeError(
        "fragments must be an iterable or asynchronous iterable of str or of bytes, bytearray or"
        f" memoryview, not {kind}"
    )


class _Steps:
    """An iterator as an asynchronous one; a generator would want to be closed.

    Args:
        steps: The iterator.
    """

    def __init__(self, steps: Iterator[object]) -> None:
        self._steps = steps

    def __aiter__(self) -> AsyncIterator[object]:
        return self

    async def __anext__(self) -> object:
        for step in self._steps:
            return step
        raise StopAsyncIteration


def _payload(fragment: object, *, is_str: bool) -> Bytes:
    if is_str and isinstance(fragment, str):
        return fragment.encode()
    if not is_str and isinstance(fragment, _BYTES):
        return cast("Bytes", fragment)
    raise TypeError(
        "fragments must be all str, or all bytes, bytearray or memoryview; one is"
        f" {type(fragment).__name__}"
    )
