"""A small WebSocket server to talk to, of h11 and `wsclient.framing`: all of RFC 6455, no more.

No extensions; a subprotocol is accepted whatever it is. Not for production.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hashlib
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, cast

import h11

from wsclient import WebSocketError, WSCloseCode, framing
from wsclient.types import MsgType

__all__ = ["ServerProtocol"]

MAX_SIZE = 64 * 1024 * 1024
"""Bytes of a message."""
CLOSE_TIMEOUT = 5.0
"""Seconds that a client has to close after this side has."""
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3
_KEY_SIZE = 16
_CONTINUATION = 0

if TYPE_CHECKING:
    from collections.abc import Iterable

    _Fields = Iterable[tuple[bytes, bytes]]


class ServerProtocol(asyncio.Protocol, ABC):
    """The server's end of a connection. A subclass has `received`, and `opened` if it wants."""

    _transport: asyncio.Transport

    def __init__(self) -> None:
        self._http: h11.Connection | None = h11.Connection(h11.SERVER)
        self._buffer = bytearray()
        self._parts: list[bytes] = []
        self._size = 0
        self._opcode = _CONTINUATION
        self._over = False

    def opened(self) -> None:
        """Be told that the WebSocket is open."""

    @abstractmethod
    def received(self, opcode: int, payload: bytes) -> None:
        """Be given a message.

        Args:
            opcode: `MsgType.text` or `MsgType.binary`.
            payload: Of text it is UTF-8.
        """

    def send(self, opcode: int, payload: bytes) -> None:
        """Send a message, if the connection is open.

        Args:
            opcode: `MsgType.text` or `MsgType.binary`.
            payload: Of text it must be UTF-8.
        """
        if not self._over:
            self._transport.write(framing.encode_frame(opcode, payload, mask=False))

    def close(self, code: int, reason: str = "") -> None:
        """Send a close frame, after which nothing more is sent, and end the stream.

        Args:
            code: Its close code.
            reason: Its reason.
        """
        if self._over:
            return
        if self._http is None:
            self.send(MsgType.close, framing.encode_close(code, reason))
        self._end()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport. Called by the event loop."""
        self._transport = cast("asyncio.Transport", transport)

    def pause_writing(self) -> None:
        """Let a client that does not read wait, too. Called by the event loop."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Read on. Called by the event loop."""
        self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Read the opening handshake, then frames. Called by the event loop."""
        if self._http is None:
            self._buffer += data
            self._read_frames()
        elif not self._over:
            self._read_request(self._http, data)

    def _read_request(self, http: h11.Connection, data: bytes) -> None:
        try:
            http.receive_data(data)
            request = http.next_event()
        except h11.RemoteProtocolError as error:
            self._refuse(http, error.error_status_hint, "this is no HTTP")
            return
        if not isinstance(request, h11.Request):
            return
        fields = dict(request.headers)
        problem = _problem_of(request.method, fields)
        if problem is not None:
            self._refuse(http, *problem)
            return
        token = hashlib.sha1(fields[b"sec-websocket-key"] + _GUID).digest()  # noqa: S324 - §4.2.2
        answer = [
            (b"Upgrade", b"websocket"),
            (b"Connection", b"Upgrade"),
            (b"Sec-WebSocket-Accept", base64.b64encode(token)),
        ]
        offered = fields.get(b"sec-websocket-protocol", b"").partition(b",")[0].strip()
        if offered:
            answer.append((b"Sec-WebSocket-Protocol", offered))
        self._transport.write(
            http.send(h11.InformationalResponse(status_code=101, headers=answer)) or b""
        )
        self._http = None
        self._buffer += http.trailing_data[0]
        self.opened()
        self._read_frames()

    def _refuse(self, http: h11.Connection, status: int, why: str) -> None:
        body = f"{why}\n".encode()
        fields: _Fields = [
            (b"Content-Type", b"text/plain"),
            (b"Content-Length", b"%d" % len(body)),
            (b"Connection", b"close"),
            *([(b"Sec-WebSocket-Version", b"13")] if status == 426 else []),  # noqa: PLR2004
        ]
        for event in (
            h11.Response(status_code=status, headers=[*fields]),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            self._transport.write(http.send(event) or b"")
        self._end()

    def _read_frames(self) -> None:
        position = 0
        try:
            while not self._over:
                with memoryview(self._buffer) as whole, whole[position:] as left:
                    parsed = framing.parse_frame(left, max_size=MAX_SIZE)
                if parsed is None:
                    break
                frame, size = parsed
                position += size
                self._take(frame)
        except WebSocketError as error:
            self.close(error.code, error.message)
        del self._buffer[: len(self._buffer) if self._over else position]

    def _take(self, frame: framing.Frame) -> None:
        if not frame.masked:  # §5.1
            raise WebSocketError(WSCloseCode.PROTOCOL_ERROR, "frame without a mask")
        if frame.rsv:  # §5.2
            raise WebSocketError(WSCloseCode.PROTOCOL_ERROR, "reserved bits are set")
        match frame.opcode:
            case MsgType.ping:
                self.send(MsgType.pong, frame.payload)
            case MsgType.pong:
                pass
            case MsgType.close:
                framing.parse_close(frame.payload)
                self.send(MsgType.close, frame.payload)
                self._end()
            case _:
                self._take_data(frame)

    def _take_data(self, frame: framing.Frame) -> None:
        """Put fragments together (§5.4)."""
        if (frame.opcode == _CONTINUATION) != bool(self._opcode):
            raise WebSocketError(WSCloseCode.PROTOCOL_ERROR, "fragment out of order")
        self._opcode = self._opcode or frame.opcode
        self._size += len(frame.payload)
        if self._size > MAX_SIZE:
            raise WebSocketError(WSCloseCode.MESSAGE_TOO_BIG, f"more than {MAX_SIZE} bytes")
        self._parts.append(frame.payload)
        if frame.fin:
            opcode, payload = self._opcode, b"".join(self._parts)
            self._opcode, self._size = _CONTINUATION, 0
            self._parts.clear()
            if opcode == MsgType.text and not framing.is_utf8(payload):
                raise WebSocketError(WSCloseCode.INVALID_TEXT, "text is not UTF-8")
            self.received(opcode, payload)

    def _end(self) -> None:
        """Send nothing more, and take nothing: the client is to close as well."""
        self._over = True
        if self._transport.can_write_eof():
            with contextlib.suppress(OSError):  # the client was faster
                self._transport.write_eof()
            loop = asyncio.get_running_loop()
            loop.call_later(CLOSE_TIMEOUT, self._transport.abort)
        else:
            self._transport.close()


def _problem_of(method: bytes, fields: dict[bytes, bytes]) -> tuple[int, str] | None:
    """What keeps a request from opening a WebSocket (§4.2.1): a status, and why."""
    if method != b"GET" or fields.get(b"upgrade", b"").lower() != b"websocket":
        return 426, "this is a WebSocket server"
    if fields.get(b"sec-websocket-version") != b"13":
        return 426, "Sec-WebSocket-Version must be 13"
    try:
        key = base64.b64decode(fields.get(b"sec-websocket-key", b""), validate=True)
    except binascii.Error:
        key = b""
    return None if len(key) == _KEY_SIZE else (400, "Sec-WebSocket-Key must be 16 bytes in base64")
