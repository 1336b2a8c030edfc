"""Whether there is an aiohttp that this adapter knows."""

from __future__ import annotations

from wsclient.distribution import NAME

__all__ = ["check_version"]

_OLDEST = (3, 10)
_TOO_NEW = (4,)


def check_version() -> None:
    """Refuse to be imported without an aiohttp that has what is used here.

    Raises:
        ImportError: There is none, or it is too old or too new.
    """
    try:
        # Its metadata need not be there: programs made by PyInstaller come without.
        from aiohttp import __version__ as found  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name != "aiohttp":
            raise
        raise ImportError(
            f"wsclient.aiohttp needs aiohttp, which is not installed: pip install {NAME}[aiohttp]",
            name="aiohttp",
        ) from None
    release = tuple(int(part) for part in found.split(".")[:2] if part.isdigit())
    if not _OLDEST <= release < _TOO_NEW:
        raise ImportError(
            f"wsclient.aiohttp needs aiohttp 3.10 or newer, and older than 4; found {found}",
            name="aiohttp",
        )
