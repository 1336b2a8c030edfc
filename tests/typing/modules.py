"""Modules as attributes of the package, which this file imports no other way."""

from typing import Any, assert_type

import wsclient


def framing(data: bytes) -> None:
    assert_type(wsclient.framing.parse_frame(data), tuple[wsclient.framing.Frame, int] | None)


def adapter() -> None:
    assert_type(wsclient.aiohttp.install(), wsclient.aiohttp.Installed)


def misspelt() -> None:
    str(wsclient.frames)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownArgumentType]


async def of_the_adapter(session: wsclient.aiohttp.ClientSession) -> None:
    ws = await session.ws_connect("ws://localhost/")
    assert_type(ws, wsclient.aiohttp.ClientWebSocketResponse)
    assert_type(await ws.receive_str(), str)
    assert_type(await ws.receive_bytes(), bytes)
    assert_type(ws.closed, bool)
    assert_type(ws.latency, Any)
