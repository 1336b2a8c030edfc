"""Modules as attributes of the package, which this file imports no other way."""

from typing import assert_type

import wsclient


def framing(data: bytes) -> None:
    assert_type(wsclient.framing.parse_frame(data), tuple[wsclient.framing.Frame, int] | None)


def adapter() -> None:
    assert_type(wsclient.aiohttp.install(), wsclient.aiohttp.Installed)


def misspelt() -> None:
    str(wsclient.frames)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownArgumentType]
