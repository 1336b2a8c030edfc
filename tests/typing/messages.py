"""What a message holds, as users find out; never run, see `user_code.py`."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, Unpack, assert_never, assert_type

import wsclient
from wsclient import (
    MSG_TEXT,
    ClientSession,
    ClientWebSocketResponse,
    ConnectOptions,
    Message,
    MsgType,
    WSMessage,
    WSMsgType,
    ws_connect,
)


def every_type(msg: WSMessage) -> None:
    assert_type(msg.data, str | bytes | int | BaseException | None)
    if msg.type is WSMsgType.TEXT:
        assert_type(msg.data, str)
        assert_type(msg.extra, Any)
    elif msg.type is WSMsgType.BINARY:
        assert_type(msg.data, bytes)
        assert_type(msg.extra, Any)
    elif msg.type is WSMsgType.PING or msg.type is WSMsgType.PONG:
        assert_type(msg.data, bytes)
        assert_type(msg.extra, str)
    elif msg.type is WSMsgType.CLOSE or msg.type is WSMsgType.CLOSED:
        assert_type(msg.data, int)
        assert_type(msg.extra, str)
    elif msg.type is WSMsgType.CLOSING:
        assert_type(msg.data, None)
        assert_type(msg.extra, str)
    elif msg.type is WSMsgType.ERROR:
        assert_type(msg.data, BaseException)
        assert_type(msg.extra, str)
        raise msg.data
    else:
        assert_never(msg)


def by_any_name(msg: WSMessage) -> None:
    if msg.tp is MsgType.TEXT:
        assert_type(msg.data, str)
    if msg.tp == MsgType.text:
        assert_type(msg.data, str)
    if msg.tp is wsclient.MsgType.text:
        assert_type(msg.data, str)
    if msg.type == WSMsgType.BINARY:
        assert_type(msg.data, bytes)
    if msg.tp == MSG_TEXT:
        assert_type(msg.data, str)
    if msg.type is not WSMsgType.TEXT:
        return
    assert_type(msg.data, str)


def matched(msg: WSMessage) -> None:
    match msg.type:
        case WSMsgType.TEXT:
            assert_type(msg.data, str)
        case WSMsgType.BINARY | WSMsgType.PING | WSMsgType.PONG:
            assert_type(msg.data, bytes)
        case WSMsgType.CLOSE | WSMsgType.CLOSED:
            assert_type(msg.data, int)
        case WSMsgType.CLOSING:
            assert_type(msg.data, None)
        case WSMsgType.ERROR:
            assert_type(msg.data, BaseException)
        case _:
            assert_never(msg)


def matched_in_parts(msg: WSMessage) -> None:
    match msg:
        case (MsgType.TEXT, text, _):
            assert_type(text, str)
        case (MsgType.CLOSED, code, reason):
            assert_type(code, int)
            assert_type(reason, str)
        case _:
            pass


def unpacked(msg: WSMessage) -> None:
    tp, data, _ = msg
    assert_type(data, str | bytes | int | BaseException | None)
    if isinstance(data, str):
        assert_type(data, str)
    if tp is MsgType.TEXT:  # which of the variables belong together, no checker knows
        data.upper()  # type: ignore[union-attr]  # pyright: ignore[reportAttributeAccessIssue, reportOptionalMemberAccess, reportUnknownMemberType]


def unpacked_when_known(msg: WSMessage) -> None:
    if msg.type is WSMsgType.TEXT:
        _, text, _ = msg
        assert_type(text, str)
        assert_type(msg[1], str)


def mistaken(msg: WSMessage) -> None:
    msg.data.upper()  # type: ignore[union-attr]  # pyright: ignore[reportAttributeAccessIssue, reportOptionalMemberAccess, reportUnknownMemberType]
    if msg.type is WSMsgType.BINARY:
        msg.data.encode()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    if msg.type is WSMsgType.CLOSED:
        msg.data.upper()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]


def made(known: WSMessage | None, handler: type[Message]) -> None:
    own = Message(WSMsgType.TEXT, "hello", "")
    every_type(own)
    assert_type(own, Message)
    if isinstance(known, Message):
        every_type(known)
    handler("text", "hello", "")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


class Annotated(ClientWebSocketResponse):
    """Whoever says `Message` for what is received is believed."""

    async def receive(self, timeout: float | None = None) -> Message:
        return await super().receive(timeout)

    async def all(self) -> list[Message]:
        found: list[Message] = await self.receive_many()
        return found


async def of_text(ws: ClientWebSocketResponse) -> None:
    assert_type(ws, ClientWebSocketResponse[str])
    assert_type(await ws.receive(), WSMessage)
    assert_type(await ws.receive_str(), str)
    assert_type(await ws.receive_many_str(), list[str])
    assert_type(await ws.receive_many_bytes(timeout=1), list[bytes])
    async for msg in ws:
        if msg.type is WSMsgType.TEXT:
            assert_type(msg.data, str)
    async for piece in ws.receive_streaming():
        assert_type(piece, str | bytes)


async def of_bytes() -> None:
    async with ws_connect("ws://localhost/", decode_text=False) as ws:
        assert_type(ws, ClientWebSocketResponse[bytes])
        assert_type(await ws.receive(), WSMessage[bytes])
        assert_type(await ws.receive_str(), bytes)
        assert_type(await ws.receive_many_str(), list[bytes])
        assert_type(await ws.receive_many(), list[WSMessage[bytes]])
        assert_type(ws.receive_nowait(), WSMessage[bytes] | None)
        async for msg in ws:
            if msg.type is WSMsgType.TEXT:
                assert_type(msg.data, bytes)
        async for piece in ws.receive_streaming():
            assert_type(piece, bytes)
        (await ws.receive_str()).encode()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
        await of_text(ws)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert_type(await ws_connect("ws://localhost/", decode_text=True), ClientWebSocketResponse)
    task = asyncio.create_task(ws_connect("ws://localhost/", decode_text=False))
    assert_type(await task, ClientWebSocketResponse[bytes])


async def of_a_session(session: ClientSession) -> None:
    assert_type(await session.ws_connect("/"), ClientWebSocketResponse)
    ws = await session.ws_connect("/", decode_text=False)
    assert_type(ws, ClientWebSocketResponse[bytes])
    async for ws in session.reconnect("/", decode_text=False):
        assert_type(ws, ClientWebSocketResponse[bytes])
    again = wsclient.reconnect("/", decode_text=False)
    assert_type(again, AsyncGenerator[ClientWebSocketResponse[bytes], None])


class Raw(ClientWebSocketResponse[bytes]):
    """Of text that is not decoded."""


async def of_a_class() -> None:
    raw = await ws_connect("ws://localhost/", ws_response_class=Raw, decode_text=False)
    assert_type(raw, Raw)
    assert_type(await raw.receive_str(), bytes)


async def decided_elsewhere(decode_text: bool) -> None:
    ws = await ws_connect("ws://localhost/", decode_text=decode_text)
    assert_type(ws, ClientWebSocketResponse[Any])


async def handed_on(**options: Unpack[ConnectOptions]) -> ClientWebSocketResponse:
    return await ws_connect("ws://localhost/", **options)
