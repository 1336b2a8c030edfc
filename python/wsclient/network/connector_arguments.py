"""What connectors take, checked when it is given."""

from __future__ import annotations

import asyncio
import inspect
import socket
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from wsclient.arguments import kind_of, read_count, read_type

__all__ = [
    "check_family",
    "check_local_addr",
    "check_loop",
    "check_resolver",
    "parameters_of",
    "read_socket_options",
]

_FAMILIES = (0, socket.AF_INET, socket.AF_INET6)

_SocketOption: TypeAlias = tuple[int, int, int | bytes]


def check_loop(loop: object) -> None:
    """Check what a caller gave as ``loop``.

    Raises:
        TypeError: It is neither an event loop nor None.
    """
    if loop is not None:
        read_type("loop", loop, asyncio.AbstractEventLoop, "an asyncio event loop or None")


def check_family(family: object) -> None:
    """Check what a caller gave as ``family``.

    Raises:
        TypeError: It is no number.
        ValueError: It is no family of addresses that TCP has here.
    """
    if read_count("family", family) not in _FAMILIES:
        raise ValueError(f"family is {family}, expected socket.AF_INET, socket.AF_INET6 or 0")


def check_local_addr(address: Any) -> None:
    """Check what a caller gave as ``local_addr``.

    Raises:
        TypeError: It is neither host and port nor None.
    """
    match address:
        case None | (str(), int()):
            return
        case _:
            got = kind_of(address)
            raise TypeError(f"local_addr must be a pair of IP address and port, got {got}")


def check_resolver(resolver: object) -> None:
    """Check what a caller gave as ``resolver``.

    Raises:
        TypeError: It cannot resolve.
    """
    if resolver is not None and not callable(getattr(resolver, "resolve", None)):
        raise TypeError(f"resolver must have a method resolve, got {kind_of(resolver)}")


def read_socket_options(options: Any) -> Iterator[_SocketOption]:
    """Check what a caller gave as ``socket_options``, and go through it.

    Raises:
        TypeError: One is not the three arguments of ``setsockopt``.
    """
    expected = "socket_options must be an iterable of level, option and value, got"
    if not isinstance(options, Iterable):
        raise TypeError(f"{expected} {kind_of(options)}")
    found: list[Any] = [*options]
    for one in found:
        if not _is_socket_option(one):
            raise TypeError(f"{expected} one of {kind_of(one)}")
        yield one


def _is_socket_option(option: Any) -> bool:
    match option:
        case (int(), int(), int() | bytes() | bytearray()):
            return True
        case _:
            return False


def parameters_of(kind: type) -> list[str]:
    """Name the parameters of a class.

    Args:
        kind: The class.
    """
    named = inspect.signature(kind).parameters.values()
    return [one.name for one in named if one.kind is not inspect.Parameter.VAR_KEYWORD]
