"""What this package is installed as, and whether it is installed whole.

Another project on PyPI has the name `wsclient`, and a package of that name. pip installs both into
one folder and says nothing: the later ``__init__.py`` replaces the earlier, and whichever is
uninstalled first takes it along.
"""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

from ._core import VERSION as BUILT

__all__ = ["NAME", "VERSION"]

NAME = "wsclient-rs"
"""What pip calls this package."""

_REPAIR = f"Run: pip uninstall -y wsclient {NAME}, and then: pip install {NAME}"


def _version() -> str:
    # Reached in spite of another __init__.py, or none, by whoever imports an adapter.
    package = Path(__file__).parent
    if getattr(sys.modules[__name__.rpartition(".")[0]], "__file__", None) is None:
        raise ImportError(
            f"{package} has no __init__.py: the distribution 'wsclient', which is another project,"
            f" has been uninstalled, and has taken it along. {_REPAIR}"
        )
    try:
        other = distribution("wsclient")
    except PackageNotFoundError:
        return _installed()
    if Path(str(other.locate_file("wsclient"))).resolve() == package.resolve():
        raise ImportError(
            f"{package} has files of two distributions: {NAME!r} and 'wsclient' {other.version},"
            f" which is another project. {_REPAIR}"
        )
    return _installed()


def _installed() -> str:
    try:
        return version(NAME)
    except PackageNotFoundError:
        # Programs made by PyInstaller and the like come without metadata.
        return BUILT


VERSION = _version()
"""The installed version, as `wsclient.__version__` has it."""
