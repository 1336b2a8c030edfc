"""What a script expects of a client, and how it says that something else has come."""

from __future__ import annotations

import json
import re
import reprlib
from typing import Any, TypeAlias

__all__ = ["ANYTHING", "ClientGone", "ExpectationError", "Received", "matches", "shown", "wanted"]

Received: TypeAlias = str | bytes
"""A message of a client, text or binary."""

_SHOWN = reprlib.Repr()
_SHOWN.maxstring = _SHOWN.maxother = 300
_SHOWN.maxlist = _SHOWN.maxdict = _SHOWN.maxtuple = 30


class _Anything:
    def __repr__(self) -> str:
        return "a message"


ANYTHING = _Anything()
"""Is expected where any message will do."""


class ExpectationError(AssertionError):
    """A client has not done what a script expected.

    Args:
        connection: Which of the server's connections, from 1.
        step: Which step of its script, from 1.
        expected: What should have come, in words.
        got: What came, in words.
        message: What came, if it was a message.
        follows: Whether that may come of another failure: the client's leaving, the test's end.
    """

    def __init__(
        self,
        connection: int,
        step: int,
        expected: str,
        got: str,
        *,
        message: Received | None = None,
        follows: bool = False,
    ) -> None:
        super().__init__(f"connection {connection}, step {step}: expected {expected}, got {got}")
        self.connection = connection
        self.step = step
        self.expected = expected
        self.got = got
        self.message = message
        self.follows = follows


class ClientGone(ConnectionError):  # noqa: N818 - like ConnectionResetError's, a state
    """A handler used a connection that the client has left, which fails no test by itself."""


def shown(value: object) -> str:
    """Represent a value, cut short if it is long."""
    if isinstance(value, str):
        return f"text {_SHOWN.repr(value)}"
    if isinstance(value, bytes):
        return f"binary {_SHOWN.repr(value)}"
    return _SHOWN.repr(value)


def wanted(expected: Any) -> str:
    """Say in words what is expected."""
    if expected is str or expected is bytes:
        return f"a {'text' if expected is str else 'binary'} message"
    if _is_pattern(expected):
        return f"a match of {expected.pattern!r}"
    if isinstance(expected, dict | list):
        return f"JSON {_SHOWN.repr(expected)}"
    if callable(expected):
        return f"what {getattr(expected, '__name__', expected)} is true of"
    return shown(expected)


def matches(expected: Any, message: Received) -> bool:
    """Whether a message is what is expected; see `ServerConnection.expect`."""
    if expected is ANYTHING:
        return True
    if expected is str or expected is bytes:
        return type(message) is expected
    if _is_pattern(expected):
        # A pattern of text finds nothing in bytes, nor the other way round.
        same_kind = type(expected.pattern) is type(message)
        return same_kind and expected.search(message) is not None
    if isinstance(expected, dict | list):
        return _same_json(expected, message)
    if callable(expected):
        return bool(expected(message))
    # The expected one first, as its own `__eq__` may take many messages.
    return bool(expected == message)


def _is_pattern(expected: Any) -> bool:
    return isinstance(expected, re.Pattern)


def _same_json(expected: Any, message: Received) -> bool:
    try:
        return bool(expected == json.loads(message))
    except ValueError:
        return False
