"""What belongs into what is published: the package and the crate."""

from __future__ import annotations

import sys
import tarfile
from typing import TYPE_CHECKING

from wheels import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def require(condition: bool, otherwise: str) -> None:
    """End with an error if something is not as it has to be."""
    if not condition:
        sys.exit(otherwise)


def below(folder: Path) -> set[str]:
    """Return all files below a folder but what was built or compiled there."""
    built = {".so", ".pyd", ".pyc"}
    paths = (path for path in folder.rglob("*") if path.is_file() and path.suffix not in built)
    return {path.relative_to(folder).as_posix() for path in paths}


def package_files() -> set[str]:
    """Return the files of the package and of pytest's plugin, as they are installed."""
    return below(ROOT / "python")


def sdist_files() -> set[str]:
    """Return what belongs into the source distribution."""
    single = {"Cargo.lock", "Cargo.toml", "LICENSE", "PKG-INFO", "README.md", "build.rs"}
    package = {f"python/{name}" for name in package_files()}
    return single | {"pyproject.toml"} | package | {f"src/{name}" for name in below(ROOT / "src")}


def check_sdist(path: Path) -> None:
    """Check what is in the source distribution."""
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    missing, more = sdist_files() - names, names - sdist_files()
    require(not missing and not more, f"{path.name} lacks {missing} and has {more}")
