"""What stands in for the sans-I/O protocol of `websockets` once the core serves a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidState, ProtocolError
from websockets.frames import Close, CloseCode
from websockets.protocol import State

if TYPE_CHECKING:
    from websockets.exceptions import ConnectionClosed

    from wsclient._core import Protocol as CoreProtocol
    from wsclient.fragments import Bytes

__all__ = ["ServedProtocol", "check_control", "close_error_of", "serve"]

_MAX_CONTROL_PAYLOAD = 125
"""Bytes (RFC 6455 §5.5)."""


class ServedProtocol(ClientProtocol):
    """A `ClientProtocol` after its handshake: what it knows and does is the core's.

    What the handshake has found stays: id, logger, subprotocol, extensions.
    """

    _core: CoreProtocol
    _gone = False
    # Whether the connection is failed, so that nothing else that the server says counts.
    _failed = False
    # What this side closes with, as it was given.
    _own_close: Close | None = None

    @property
    def state(self) -> State:
        """OPEN, CLOSING or CLOSED."""
        if self._gone or self._core.lost:
            return State.CLOSED
        return State.OPEN if self._core.alive else State.CLOSING

    @state.setter
    def state(self, state: State) -> None:
        raise AttributeError(f"the state is the connection's, and cannot be set to {state.name}")

    @property
    def close_rcvd(  # type: ignore[override] # pyright: ignore[reportIncompatibleVariableOverride]
        self,
    ) -> Close | None:
        """The server's close frame."""
        return None if self._failed else _close_of(self._core.close_frames()[0])

    @property
    def close_sent(  # type: ignore[override] # pyright: ignore[reportIncompatibleVariableOverride]
        self,
    ) -> Close | None:
        """This side's close frame."""
        sent = self._core.close_frames()[1]
        own = self._own_close
        return own if own is not None and sent == (own.code, own.reason) else _close_of(sent)

    @property
    def close_rcvd_then_sent(  # type: ignore[override] # pyright: ignore[reportIncompatibleVariableOverride]
        self,
    ) -> bool | None:
        """Which of both came first, if there are both."""
        received, sent, answers = self._core.close_frames()
        known = received is not None and sent is not None and not self._failed
        return answers if known else None

    def close_expected(self) -> bool:
        """Tell whether TCP is to end soon."""
        return self.state is State.CLOSING

    def receive_eof(self) -> None:
        """Take note that the connection is lost."""
        if self._gone:
            return
        self._gone = True
        received, _, _ = self._core.close_frames()
        if received is None and not self._failed:
            self.parser_exc: Exception | None = _cause(*self._core.outcome())

    def send_text(self, data: Bytes, fin: bool = True) -> None:
        """Send a text message, or begin one in fragments."""
        self._send(text=True, data=data, fin=fin)

    def send_binary(self, data: Bytes, fin: bool = True) -> None:
        """Send a binary message, or begin one in fragments."""
        self._send(text=False, data=data, fin=fin)

    def _send(self, *, text: bool, data: Bytes, fin: bool) -> None:
        if self.expect_continuation_frame:
            raise ProtocolError("expected a continuation frame")
        self._check_open()
        if fin:
            self._core.send_message(text, data)
            return
        self._core.begin_message(text, checks=False)
        self.expect_continuation_frame = True
        self._core.send_fragment(data)

    def send_continuation(self, data: Bytes, fin: bool) -> None:
        """Send the next fragment of a message."""
        if not self.expect_continuation_frame:
            raise ProtocolError("unexpected continuation frame")
        self._check_open()
        self.expect_continuation_frame: bool = not fin
        self._core.send_fragment(data, fin=fin)

    def break_off(self) -> None:
        """Close the connection if a message has gone out in part."""
        if self.expect_continuation_frame:
            self._core.break_off()

    def send_close(self, code: int | None = None, reason: str = "") -> None:
        """Begin the closing handshake (RFC 6455 §7.1.2)."""
        self._check_open()
        if code is not None:
            self._close(Close(code, reason))
        elif reason:
            raise ProtocolError("cannot send a reason without a code")
        else:
            self._core.start_bare_close()

    def send_pong(self, data: Bytes) -> None:
        """Send a pong."""
        check_control(data)
        self._core.send_pong(data)

    def fail(self, code: int, reason: str = "") -> None:
        """Fail the connection (RFC 6455 §7.1.7)."""
        if self.state is State.OPEN and code != CloseCode.ABNORMAL_CLOSURE:
            self._close(Close(code, reason))
            self._failed = True

    def _close(self, close: Close) -> None:
        check_control(close.serialize())
        self._own_close = close
        self._core.start_close(close.code, close.reason)

    def _check_open(self) -> None:
        if self.state is not State.OPEN:
            raise InvalidState(f"connection is {self.state.name.lower()}")


def check_control(payload: Bytes) -> None:
    """Refuse what no control frame can have.

    Args:
        payload: Is to be sent in one.

    Raises:
        ProtocolError: It is too long.
    """
    if len(payload) > _MAX_CONTROL_PAYLOAD:
        raise ProtocolError("control frame too long")


def close_error_of(core: CoreProtocol) -> ConnectionClosed:
    """Say how a connection ended to whoever has nothing but the core's part of it.

    Args:
        core: That part.
    """
    protocol = ServedProtocol.__new__(ServedProtocol)
    protocol.__dict__.update(_core=core, parser_exc=None)
    protocol.receive_eof()
    return protocol.close_exc


def _close_of(parts: tuple[int | None, str] | None) -> Close | None:
    if parts is None:
        return None
    code, reason = parts
    return Close(CloseCode.NO_STATUS_RCVD if code is None else code, reason)


def _cause(code: int | None, exception: BaseException | None) -> Exception:
    """Why there is no close frame of the server's."""
    if code == CloseCode.PROTOCOL_ERROR:
        return ProtocolError(str(exception))
    if exception is not None and isinstance(exception.__cause__, OSError):
        return exception.__cause__
    if code in {None, CloseCode.ABNORMAL_CLOSURE} or not isinstance(exception, Exception):
        return EOFError("unexpected end of stream")
    return exception


def serve(protocol: ClientProtocol, core: CoreProtocol) -> None:
    """Let the core's connection stand behind a protocol that has done its handshake.

    Args:
        protocol: Becomes a `ServedProtocol`.
        core: The connection.
    """
    fields: dict[str, Any] = protocol.__dict__
    for name in ("close_rcvd", "close_sent", "close_rcvd_then_sent"):
        fields.pop(name, None)
    protocol.__class__ = ServedProtocol
    fields["_core"] = core
