"""Transports: made on connected sockets, and read and written by what comes next.

`plain_transport` has that of a connection without TLS. `aiofastnet` makes those with, because its
TLS costs about half of asyncio's; where it cannot be imported, or cannot do what a context asks
for, the loop's own serve.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypedDict, cast

from wsclient._core import forks
from wsclient.exceptions import ServerFingerprintMismatch

from .plain_transport import PlainTransport
from .sockets import Watcher, has_readers
from .tls import Fingerprint, needs_ssl_module, say_as_ssl

if TYPE_CHECKING:
    import socket
    from asyncio.trsock import TransportSocket
    from collections.abc import Awaitable, Callable
    from ssl import SSLContext
    from typing import Unpack

    from .limits import Slot
    from .peer import Peer
    from .tls import SSLSetting

__all__ = [
    "ConnectorProtocol",
    "Reached",
    "check_fingerprint",
    "plain_socket",
    "put_tls_on",
    "resume_reading",
    "serves_tls",
    "start_tls",
]

_logger = logging.getLogger("wsclient.transport")  # as the documentation has it


class _CreateConnection(Protocol):
    def __call__(
        self,
        loop: asyncio.AbstractEventLoop,
        protocol_factory: Callable[[], asyncio.Protocol],
        *,
        sock: socket.socket,
        ssl: SSLContext | None,
        server_hostname: str | None,
    ) -> Awaitable[tuple[asyncio.Transport, asyncio.Protocol]]: ...


class TimeLimits(TypedDict, total=False):
    """The arguments of ``loop.create_connection`` that say how long TLS may take."""

    ssl_handshake_timeout: float | None
    ssl_shutdown_timeout: float | None


async def _loop_create_connection(
    loop: asyncio.AbstractEventLoop,
    protocol_factory: Callable[[], asyncio.Protocol],
    *,
    sock: socket.socket,
    ssl: SSLContext | None,
    server_hostname: str | None,
) -> tuple[asyncio.Transport, asyncio.Protocol]:
    return await loop.create_connection(
        protocol_factory, sock=sock, ssl=ssl, server_hostname=server_hostname
    )


class _Loop(Watcher):
    """An event loop, as aiofastnet (1.2) is given it for one connection.

    - Of a server that hangs up during TLS aiofastnet tells not only whoever waits for TLS, but
      also the loop's exception handler, and that with the class instead of an exception, over
      which `logging` stumbles.
    - It is to go on reading where uvloop lets go of its reader; see `Watcher`.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._reader = None
        self._reads: tuple[int, Callable[[], object]] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    @property  # type: ignore[misc]
    def __class__(self) -> type[asyncio.AbstractEventLoop]:  # type: ignore[override]
        # It has to know Windows' loops.
        return type(self._loop)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if not isinstance(context.get("exception"), type):
            self._loop.call_exception_handler(context)

    def add_reader(self, descriptor: int, callback: Callable[[], object]) -> None:
        self._reads = descriptor, callback
        self._watch(descriptor, partial(callback))

    def remove_reader(self, descriptor: int) -> bool:
        self._reads = None
        return self._unwatch(descriptor)

    def _read_on(self) -> None:
        if self._reads is None:
            return
        descriptor, callback = self._reads
        try:
            self._watch(descriptor, partial(callback))
        except (OSError, RuntimeError) as error:
            transport: Any = getattr(callback, "__self__", None)
            transport._force_close(error)  # noqa: SLF001 - what it does when it cannot read


class _PatientLoop(_Loop):
    """The same, for protocols that resume reading themselves, not by `resume_reading`."""

    _made = False

    def add_reader(self, descriptor: int, callback: Callable[[], object]) -> None:
        super().add_reader(descriptor, callback)
        if self._made:
            # Before the socket is looked at: that comes with the loop's next turn, too.
            transport: Any = getattr(callback, "__self__", None)
            self._loop.call_soon(self._decrypt, transport)
        self._made = True

    def _decrypt(self, transport: Any) -> None:
        if self._reads is not None:
            transport._retry_ssl_read()  # noqa: SLF001 - see `resume_reading`


async def _fast_create_connection(
    loop: asyncio.AbstractEventLoop,
    protocol_factory: Callable[[], asyncio.Protocol],
    *,
    sock: socket.socket,
    ssl: SSLContext | None,
    server_hostname: str | None,
    shield: type[_Loop] = _Loop,
    **limits: Unpack[TimeLimits],
) -> tuple[asyncio.Transport, asyncio.Protocol]:
    shielded: Any = shield(loop)
    if server_hostname is not None and not server_hostname.isascii():
        # As `ssl` does it; here it would go out as UTF-8, and be compared so.
        server_hostname = server_hostname.encode("idna").decode()
    return await aiofastnet.create_connection(
        shielded, protocol_factory, sock=sock, ssl=ssl, server_hostname=server_hostname, **limits
    )


_create_connection: _CreateConnection
try:
    import aiofastnet
except ImportError:
    _create_connection = _loop_create_connection
    _direct = False
else:
    _create_connection = _fast_create_connection
    # Where it does not find OpenSSL's library it (1.2) goes by way of `ssl`, and then fails to
    # resume reading without `resume_reading`.
    _direct = aiofastnet.OPENSSL_DYN_LIBS is not None


async def _plain_create_connection(
    loop: asyncio.AbstractEventLoop,
    protocol_factory: Callable[[], asyncio.Protocol],
    *,
    sock: socket.socket,
    ssl: SSLContext | None,  # noqa: ARG001 - None
    server_hostname: str | None,  # noqa: ARG001 - None
) -> tuple[asyncio.Transport, asyncio.Protocol]:
    protocol = protocol_factory()
    return PlainTransport(loop, sock, protocol), protocol


def serves_tls(context: SSLContext) -> bool:
    """Tell whether `put_tls_on` can; a line at DEBUG says what of a context stands against it.

    Args:
        context: Is to do TLS.
    """
    return _suits(context) and _direct


def _suits(context: SSLContext) -> bool:
    reason = needs_ssl_module(context)
    if reason is not None:
        _logger.debug("TLS by the event loop's own transport, for the context's %s", reason)
    return reason is None


def _choose(loop: asyncio.AbstractEventLoop, context: SSLContext | None) -> _CreateConnection:
    if context is not None:
        return _create_connection if _suits(context) else _loop_create_connection
    return _plain_create_connection if has_readers(loop) else _loop_create_connection


class ConnectorProtocol(asyncio.Protocol):
    """A protocol that knows its transport, so that a connection can be aborted half-made.

    Attributes:
        transport: The transport, from `connection_made` on.
        early: What is to be taken as the first that was received.
        slot: The connection's place among those that the connector may have, which it has until
            it is lost.
        peer: Who is connected to.
    """

    transport: asyncio.Transport | None = None
    _forks = 0
    early: bytes = b""
    slot: Slot | None = None
    peer: Peer | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport. Called by the event loop, after TLS is up.

        What is to be said first is said at once, together with the last words of the TLS
        handshake: to a server that refuses these in TLS 1.3, and closes, it could no longer be
        sent, and the failure to send it would hide the refusal. But a pinned certificate is
        compared first.
        """
        self.transport = cast("asyncio.Transport", transport)
        self._forks = forks()
        if self.early:
            self.data_received(self.early)
        if self.peer is None or not isinstance(self.peer.ssl, Fingerprint):
            self.begin()

    def begin(self) -> None:
        """Say what is to be said first, if that has not been done."""

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Give the slot back. Called by the event loop."""
        if self.slot is not None:
            self.slot.release()

    def abort(self) -> None:
        """Drop the connection at once, if there is one and it is not the parent process's."""
        if self.transport is not None and self._forks == forks():
            self.transport.abort()


def plain_socket(transport: asyncio.Transport) -> TransportSocket | None:
    """Tell which socket may be used past its transport, while that has nothing queued.

    Args:
        transport: What a connector returned.

    Returns:
        The socket, or None: with TLS, or if it is not known whether the transport holds data
        back or closes the socket before it tells its protocol.
    """
    if not isinstance(transport, PlainTransport):
        return None
    sock: TransportSocket = transport.get_extra_info("socket")
    return sock


async def start_tls(
    transport: asyncio.Transport,
    protocol: ConnectorProtocol,
    context: SSLContext,
    server_hostname: str,
) -> asyncio.Transport:
    """Do TLS over a transport; on failure or cancellation leave nothing open.

    Args:
        transport: One of the event loop's own; it belongs to this function.
        protocol: What the new transport will serve; its ``connection_made`` is not called.
        context: Does TLS.
        server_hostname: Name to verify the certificate for.

    Raises:
        OSError: TLS could not be set up, or the connection was lost.
    """
    loop = asyncio.get_running_loop()
    try:
        secured = await loop.start_tls(
            transport, protocol, context, server_hostname=server_hostname
        )
    except BaseException as error:
        transport.abort()
        # CPython up to 3.11.7 and 3.12.1 stumbles over the failure of TLS within TLS that it is
        # to report (gh-113214).
        if isinstance(error, TypeError) and isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise
    # uvloop returns a closed one.
    if secured is None or secured.is_closing():
        raise ConnectionResetError("connection lost before TLS")
    return secured


async def put_tls_on(
    sock: socket.socket,
    protocol: asyncio.Protocol,
    context: SSLContext,
    server_hostname: str | None,
    **limits: Unpack[TimeLimits],
) -> asyncio.Transport:
    """Do TLS by the faster transports for a protocol that knows nothing of them.

    On failure or cancellation nothing is left open.

    Args:
        sock: It is connected, and belongs to this function.
        protocol: What the transport will serve; its ``transport`` is what it was told last.
        context: Does TLS; one that is served (`serves_tls`).
        server_hostname: Name to verify the certificate for.
        limits: As for ``loop.create_connection``.

    Raises:
        OSError: TLS could not be set up, or the connection was lost.
    """
    loop, process = asyncio.get_running_loop(), forks()
    try:
        transport, _ = await _fast_create_connection(
            loop,
            lambda: protocol,
            sock=sock,
            ssl=context,
            server_hostname=server_hostname,
            shield=_PatientLoop,
            **limits,
        )
    except BaseException as error:
        if process == forks():
            made: asyncio.Transport | None = getattr(protocol, "transport", None)
            if made is not None:
                made.abort()
            sock.close()  # for the reasons that `Reached.establish` has
        say_as_ssl(error, server_hostname)
        raise
    return transport


class Reached:
    """A connection that has no transport yet.

    Args:
        sock: It is connected, and belongs to this object.
        early: What has been received already.
    """

    def __init__(self, sock: socket.socket, early: bytes = b"") -> None:
        self._sock = sock
        self._early = early

    @property
    def early(self) -> bytes:
        """What has been received already."""
        return self._early

    def abort(self) -> None:
        """Drop the connection."""
        self._sock.close()

    async def establish(
        self,
        protocol: ConnectorProtocol,
        context: SSLContext | None,
        server_hostname: str,
        *,
        own: bool = True,
    ) -> asyncio.Transport:
        """Put a transport on it; on failure or cancellation leave nothing open.

        Args:
            protocol: What the transport will serve.
            context: Does TLS; None for none.
            server_hostname: Name to verify the certificate for.
            own: Use the faster transports, if there are any; else those of the event loop.

        Raises:
            OSError: TLS could not be set up, or the connection was lost.
        """
        protocol.early = self.early
        loop = asyncio.get_running_loop()
        create = _choose(loop, context) if own else _loop_create_connection
        try:
            transport, _ = await create(
                loop,
                lambda: protocol,
                sock=self._sock,
                ssl=context,
                server_hostname=None if context is None else server_hostname,
            )
        except BaseException:
            # The order matters: abort() takes the descriptor out of the event loop, and only
            # then may its number be free for another socket. The socket is closed as well,
            # because a transport whose constructor raised never owned it.
            protocol.abort()
            self._sock.close()
            raise
        return transport


def resume_reading(transport: asyncio.Transport) -> None:
    """Let a paused transport read again, including what it had read already.

    Where pausing happened inside a read callback, aiofastnet (1.2) keeps the rest of what
    it read undecrypted. On resuming it looks at the socket first: a silent socket leaves
    that rest where it is, a busy one finds its buffer full and loses the connection.

    Args:
        transport: What a connector returned. Its protocol may be called before this function
            returns.
    """
    transport.resume_reading()
    decrypt = getattr(transport, "_retry_ssl_read", None)
    if decrypt is not None:
        decrypt()


def check_fingerprint(
    setting: SSLSetting, transport: asyncio.Transport, host: str, port: int
) -> None:
    """Compare the certificate that a peer has shown, if the setting is a `Fingerprint`.

    Args:
        setting: The setting in force.
        transport: A transport with TLS.
        host: Whose certificate it is, for the error.
        port: And on which port.

    Raises:
        ServerFingerprintMismatch: It is another certificate.
    """
    if isinstance(setting, Fingerprint):
        certificate: bytes = transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
        got = hashlib.sha256(certificate).digest()
        if got != setting.fingerprint:
            raise ServerFingerprintMismatch(setting.fingerprint, got, host, port)
