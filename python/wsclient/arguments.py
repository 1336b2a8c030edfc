"""What an argument must be, and what is said of one that is not; nothing here does I/O."""

from __future__ import annotations

import math

__all__ = [
    "kind_of",
    "read_callable",
    "read_count",
    "read_flag",
    "read_limit",
    "read_seconds",
    "read_type",
]

_FOREVER = 1e9
"""Seconds from which on nobody waits, and which not every event loop can count."""


def kind_of(value: object) -> str:
    """Name the type of a value, for an error text: values may be secrets, or long."""
    kind = type(value)
    if kind.__module__ == "builtins":
        return kind.__name__
    return f"{kind.__module__}.{kind.__qualname__}"


def read_seconds(name: str, value: object, *, expected: str = "a number of seconds") -> float:
    """Check a number of seconds.

    Args:
        name: The argument.
        value: What it was given.
        expected: What it can be.

    Returns:
        The number; infinity if it is more than any loop waits.

    Raises:
        TypeError: It is no number; `bool` is none.
        ValueError: It is negative, or not a number (NaN).
    """
    if isinstance(value, bool) or not isinstance(value, (float, int)):
        raise TypeError(f"{name} must be {expected}, got {kind_of(value)}")
    if not value >= 0:
        raise ValueError(f"{name} is {value}, expected at least 0")
    return value if value < _FOREVER else math.inf


def read_limit(
    name: str, value: object, *, expected: str = "a number of seconds or None"
) -> float | None:
    """Check a number of seconds that bounds something.

    Args:
        name: The argument.
        value: What it was given.
        expected: What it can be.

    Returns:
        The number; None, for no bound, if it was None or infinite.

    Raises:
        TypeError, ValueError: As for `read_seconds`.
    """
    if value is None:
        return None
    seconds = read_seconds(name, value, expected=expected)
    return None if seconds == math.inf else seconds


def read_count(name: str, value: object, least: int = 0, *, expected: str = "int") -> int:
    """Check a number of things.

    Args:
        name: The argument.
        value: What it was given.
        least: The smallest that it may be.
        expected: What it can be.

    Raises:
        TypeError: It is no `int`; `bool` is none.
        ValueError: It is too small.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be {expected}, got {kind_of(value)}")
    if value < least:
        raise ValueError(f"{name} is {value}, expected at least {least}")
    return value


def read_flag(name: str, value: object) -> bool:
    """Check a yes or no: what merely counts as true is often meant for another argument.

    Args:
        name: The argument.
        value: What it was given.

    Raises:
        TypeError: It is no `bool`.
    """
    return bool(read_type(name, value, bool, "True or False"))


def read_type(name: str, value: object, kinds: type | tuple[type, ...], expected: str) -> object:
    """Check a value's type.

    Args:
        name: The argument.
        value: What it was given.
        kinds: What it may be.
        expected: The same in words.

    Raises:
        TypeError: It is none of them.
    """
    if not isinstance(value, kinds):
        raise TypeError(f"{name} must be {expected}, got {kind_of(value)}")
    return value


def read_callable(name: str, value: object, expected: str) -> object:
    """Check that a value can be called.

    Args:
        name: The argument.
        value: What it was given.
        expected: What it can be.

    Raises:
        TypeError: It cannot.
    """
    if not callable(value):
        raise TypeError(f"{name} must be {expected}, got {kind_of(value)}")
    return value
