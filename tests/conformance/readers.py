"""Three clients' reading sides without I/O, brought to one form: bytes in, messages out."""

from typing import NamedTuple

import websockets.extensions.permessage_deflate
import websockets.frames
import websockets.protocol
import wsproto
import wsproto.events
import wsproto.extensions
import wsproto.frame_protocol

from wsclient import WebSocketError, framing


class Deflate(NamedTuple):
    """What was negotiated of permessage-deflate."""

    server_bits: int
    server_alone: bool


class Outcome(NamedTuple):
    """What a reader makes of a stream.

    Attributes:
        messages: Pairs of opcode and payload, in order.
        code: The close code that answers a breach of the protocol, or None.
        said: What the reader says about the breach.
    """

    messages: list
    code: int | None = None
    said: str = ""


def wsclient(pieces, deflate=None, max_size=None):
    """This package."""
    parser = framing.MessageParser(
        max_size=max_size or 0,
        deflate=deflate is not None,
        server_no_context_takeover=bool(deflate and deflate.server_alone),
    )
    messages = []
    try:
        # What came before a breach is returned before it is raised.
        for piece in [*pieces, b""]:
            messages += parser.feed(piece)
    except WebSocketError as error:
        return Outcome(messages, error.code, str(error))
    return Outcome(messages)


def wsproto_reader(pieces, deflate=None, max_size=None):
    """`wsproto`, which has no limit to the size of a message."""
    assert max_size is None
    extensions = []
    if deflate:
        extension = wsproto.extensions.PerMessageDeflate(
            server_max_window_bits=deflate.server_bits,
            server_no_context_takeover=deflate.server_alone,
        )
        extension.finalize("")
        extensions.append(extension)
    connection = wsproto.Connection(wsproto.ConnectionType.CLIENT, extensions)
    messages, parts = [], []
    for piece in pieces:
        connection.receive_data(piece)
        for event in connection.events():
            match event:
                case wsproto.events.Ping(payload=payload):
                    messages.append((9, bytes(payload)))
                case wsproto.events.Pong(payload=payload):
                    messages.append((10, bytes(payload)))
                case wsproto.events.CloseConnection(code=code, reason=reason):
                    if connection.state is not wsproto.connection.ConnectionState.REMOTE_CLOSING:
                        return Outcome(messages, int(code), str(reason))
                    payload = b"" if code == 1005 else framing.encode_close(int(code), reason)
                    return Outcome([*messages, (8, payload)])
                case _:
                    parts.append(event.data)
                    if event.message_finished:
                        text = isinstance(event, wsproto.events.TextMessage)
                        whole = "".join(parts).encode() if text else b"".join(parts)
                        messages.append((1 if text else 2, whole))
                        parts = []
    return Outcome(messages)


def websockets_reader(pieces, deflate=None, max_size=None):
    """`websockets`: its sans-I/O layer yields frames; its upper one makes messages of them."""
    protocol = websockets.protocol.Protocol(websockets.protocol.CLIENT, max_size=max_size)
    if deflate:
        protocol.extensions = [
            websockets.extensions.permessage_deflate.PerMessageDeflate(
                remote_no_context_takeover=deflate.server_alone,
                local_no_context_takeover=False,
                remote_max_window_bits=deflate.server_bits,
                local_max_window_bits=15,
            )
        ]
    for piece in pieces:
        protocol.receive_data(piece)
    messages, parts = [], []
    opcode = None
    for frame in protocol.events_received():
        if frame.opcode in websockets.frames.CTRL_OPCODES:
            messages.append((int(frame.opcode), bytes(frame.data)))
            continue
        opcode = int(frame.opcode) or opcode
        parts.append(bytes(frame.data))
        if frame.fin:
            whole, parts = b"".join(parts), []
            try:
                whole.decode("utf-8" if opcode == 1 else "latin-1")
            except UnicodeDecodeError as error:
                return Outcome(messages, 1007, str(error))
            messages.append((opcode, whole))
    if protocol.parser_exc is not None:
        return Outcome(messages, int(protocol.close_sent.code), str(protocol.parser_exc))
    return Outcome(messages)
