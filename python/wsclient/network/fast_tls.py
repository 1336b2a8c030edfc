"""Transports with TLS by aiofastnet, whose TLS costs about half of asyncio's.

Where it cannot be imported, or cannot do what a context asks for, the event loop's own serve.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from types import MethodType
from typing import TYPE_CHECKING, Any, Protocol, TypedDict

from wsclient._core import Alert, forks

from .sockets import Watcher
from .tls import needs_ssl_module, say_as_ssl

if TYPE_CHECKING:
    import socket
    from asyncio.trsock import TransportSocket
    from collections.abc import Callable
    from ssl import SSLContext
    from typing import Unpack

_aiofastnet: Any
try:
    import aiofastnet as _aiofastnet
except ImportError:
    _aiofastnet = None

__all__ = [
    "Polling",
    "create_connection",
    "let_ask",
    "put_tls_on",
    "resume_reading",
    "serves_tls",
    "suits",
]


class Polling(Protocol):
    """What can poll a socket: the core's protocol."""

    def ask_socket(
        self,
        socket: TransportSocket,
        read: Callable[[], object] | None,
        unsent: Callable[[], int],
    ) -> None:
        """See there."""


_is_there = _aiofastnet is not None
# Where it does not find OpenSSL's library it (1.2) goes by way of `ssl`, and then fails to resume
# reading without `resume_reading`.
_direct = _is_there and _aiofastnet.OPENSSL_DYN_LIBS is not None

_logger = logging.getLogger("wsclient.transport")  # as the documentation has it


class TimeLimits(TypedDict, total=False):
    """The arguments of ``loop.create_connection`` that say how long TLS may take."""

    ssl_handshake_timeout: float | None
    ssl_shutdown_timeout: float | None


class _Loop(Watcher):
    """An event loop, as aiofastnet (1.2) is given it for one connection.

    - Of a server that hangs up during TLS aiofastnet tells not only whoever waits for TLS, but
      also the loop's exception handler, and that with the class instead of an exception, over
      which `logging` stumbles.
    - It is to go on reading where uvloop lets go of its reader; see `Watcher`.
    - It says by `is_closing` that it has begun to close, which nobody can ask after each frame for
      nothing. But then it has something to be done by the loop, as it has at hardly any other time.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._reader = None
        self._reads: tuple[int, Callable[[], object]] | None = None
        self.alert: Alert = Alert()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    @property  # type: ignore[misc]
    def __class__(self) -> type[asyncio.AbstractEventLoop]:  # type: ignore[override]
        # It has to know Windows' loops.
        return type(self._loop)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if not isinstance(context.get("exception"), type):
            self._loop.call_exception_handler(context)

    def call_soon(self, *args: Any, **options: Any) -> asyncio.Handle:
        self.alert.raise_()
        return self._loop.call_soon(*args, **options)

    def call_later(self, *args: Any, **options: Any) -> asyncio.TimerHandle:
        self.alert.raise_()
        return self._loop.call_later(*args, **options)

    def add_reader(self, descriptor: int, callback: Callable[[], object]) -> None:
        self._reads = descriptor, callback
        self._watch(descriptor, _another(callback))

    def remove_reader(self, descriptor: int) -> bool:
        self._reads = None
        return self._unwatch(descriptor)

    def _read_on(self) -> None:
        if self._reads is None:
            return
        descriptor, callback = self._reads
        try:
            self._watch(descriptor, _another(callback))
        except (OSError, RuntimeError) as error:
            transport: Any = getattr(callback, "__self__", None)
            transport._force_close(error)  # noqa: SLF001 - what it does when it cannot read


def _another(callback: Callable[[], object]) -> Callable[[], object]:
    """Return an object that does the same and that nobody else holds."""
    if isinstance(callback, MethodType):
        # Quicker to call.
        return MethodType(callback.__func__, callback.__self__)
    return partial(callback)


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


async def create_connection(
    loop: asyncio.AbstractEventLoop,
    protocol_factory: Callable[[], asyncio.Protocol],
    *,
    sock: socket.socket,
    ssl: SSLContext | None,
    server_hostname: str | None,
    shield: type[_Loop] = _Loop,
    **limits: Unpack[TimeLimits],
) -> tuple[asyncio.Transport, asyncio.Protocol]:
    """Do what ``loop.create_connection`` does with a connected socket and a context.

    Args:
        loop: The running event loop.
        protocol_factory: Makes the protocol that the transport will serve.
        sock: It is connected.
        ssl: Does TLS; one that is served (`suits`).
        server_hostname: The name to verify the certificate for.
        shield: What stands between the loop and aiofastnet.
        limits: As for ``loop.create_connection``.

    Raises:
        OSError: TLS could not be set up, or the connection was lost.
    """
    shielded: Any = shield(loop)
    if server_hostname is not None and not server_hostname.isascii():
        # As `ssl` does it; here it would go out as UTF-8, and be compared so.
        server_hostname = server_hostname.encode("idna").decode()
    made: tuple[asyncio.Transport, asyncio.Protocol] = await _aiofastnet.create_connection(
        shielded, protocol_factory, sock=sock, ssl=ssl, server_hostname=server_hostname, **limits
    )
    transport: Any = made[0]
    if _reader(transport) is not None:
        transport._wsclient_alert = shielded.alert  # noqa: SLF001 - a name of this package
    return made


def _reader(transport: Any) -> Callable[[], object] | None:
    """Return what a transport gives to the loop's `add_reader`, if it meets the socket itself."""
    ours = _is_there and isinstance(transport, _aiofastnet.Transport)
    return getattr(transport, "_read_ready", None) if ours else None


def suits(context: SSLContext) -> bool:
    """Tell whether `create_connection` can serve, for a protocol that uses `resume_reading`.

    A line at DEBUG says what of a context stands against it.

    Args:
        context: Is to do TLS.
    """
    reason = needs_ssl_module(context)
    if reason is not None:
        _logger.debug("TLS by the event loop's own transport, for the context's %s", reason)
    return _is_there and reason is None


def serves_tls(context: SSLContext) -> bool:
    """Tell whether `put_tls_on` can serve; a line at DEBUG as from `suits`.

    Args:
        context: Is to do TLS.
    """
    return suits(context) and _direct


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
        transport, _ = await create_connection(
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


def let_ask(transport: asyncio.Transport, connection: Polling) -> None:
    """Let a connection poll the socket of a transport with TLS.

    Args:
        transport: What a connector returned.
        connection: Its protocol.
    """
    ours: Any = transport
    read = _reader(ours)
    # What is encrypted already counts, too.
    unsent = ours.get_write_buffer_size if read is None else ours.get_local_write_buffer_size
    connection.ask_socket(transport.get_extra_info("socket"), read, unsent)
