"""Whether there is a `websockets` that this adapter knows."""

from __future__ import annotations

from wsclient.distribution import NAME

__all__ = ["check_version"]

_OLDEST = 14


def check_version() -> None:
    """Refuse to be imported without a `websockets` that has what is used here.

    Raises:
        ImportError: There is none, or it is too old.
    """
    try:
        # Its metadata need not be there: programs made by PyInstaller come without.
        from websockets.version import version as found  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name != "websockets":
            raise
        raise ImportError(
            "wsclient.websockets needs websockets, which is not installed:"
            f" pip install {NAME}[websockets]",
            name="websockets",
        ) from None
    if int(found.split(".", 1)[0]) < _OLDEST:
        raise ImportError(
            f"wsclient.websockets needs websockets {_OLDEST} or newer; found {found}",
            name="websockets",
        )
