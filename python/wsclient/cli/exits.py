"""What the command leaves with, and what it says, when it cannot do what was asked."""

from __future__ import annotations

import enum

from wsclient import (
    ClientConnectionError,
    ClientConnectionResetError,
    ClientError,
    ClientHttpProxyError,
    ClientResponseError,
    InvalidURL,
)

from .terminal import printable

__all__ = ["CommandError", "Exit", "explain", "reason_of"]


class Exit(enum.IntEnum):
    """The exit statuses, as docs/command.md lists them."""

    OK = 0
    """Done: the count was reached, standard input ended, or the server closed normally."""
    FAILED = 1
    """Something else: a file, a port, a line that cannot be sent."""
    USAGE = 2
    """The command line makes no sense; argparse's status."""
    UNREACHABLE = 3
    """No connection: DNS, TCP, TLS, proxy, or not open in time."""
    REFUSED = 4
    """The server answered the handshake, and its answer opens no WebSocket."""
    LOST = 5
    """The open connection broke: no close frame, a breach of the protocol, a dead heartbeat."""
    CLOSED = 6
    """The server closed with an error's code, or before all was done."""
    INTERRUPTED = 130
    """Ctrl-C."""
    BROKEN_PIPE = 141
    """Who read standard output has gone, as with ``| head``."""
    TERMINATED = 143
    """SIGTERM, or a prompt whose terminal has gone."""


class CommandError(Exception):
    """What is told to the user in one line, without a traceback.

    Args:
        message: What was wrong, and what was expected. Nothing is said if it is empty.
        status: What the command exits with.
    """

    def __init__(self, message: str, status: Exit = Exit.FAILED) -> None:
        super().__init__(message)
        self.status = status


def explain(error: Exception) -> CommandError | None:
    """Say what an error means for the command; None if it is none that a user can make.

    Args:
        error: What a sub-command raised.
    """
    if isinstance(error, CommandError):
        return error
    if isinstance(error, InvalidURL):
        status = Exit.USAGE
    elif isinstance(error, ClientConnectionResetError):
        status = Exit.LOST
    elif isinstance(error, (ClientConnectionError, ClientHttpProxyError)):
        status = Exit.UNREACHABLE
    elif isinstance(error, ClientResponseError):
        status = Exit.REFUSED
    elif isinstance(error, ClientError):
        status = Exit.LOST
    elif isinstance(error, OSError):
        status = Exit.FAILED
    else:
        return None
    return CommandError(printable(str(error)), status)


def reason_of(error: Exception) -> str:
    """Give the words of an operating system's error, without number and file name.

    Args:
        error: Any error.
    """
    return getattr(error, "strerror", None) or str(error)
