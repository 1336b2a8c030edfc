"""Whether the repository is ready for a release: one version, its changes, a clean tree."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCKS = ("Cargo.lock", "fuzz/Cargo.lock")


def git(*arguments: str) -> str:
    """Return what git prints."""
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def locked(path: Path) -> str:
    """Return the version of this package in a lock file."""
    packages = tomllib.loads(path.read_text())["package"]
    return next(str(package["version"]) for package in packages if package["name"] == "wsclient")


def wrong() -> list[str]:
    """Say what is not ready yet."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["version"]
    repository = project["urls"]["Repository"]
    changes = (ROOT / "CHANGELOG.md").read_text()
    citation = (ROOT / "CITATION.cff").read_text()
    heading = re.search(rf"(?m)^## \[{re.escape(version)}\] - (\d{{4}}-\d\d-\d\d)$", changes)
    date = heading[1] if heading else "YYYY-MM-DD"
    found = [
        f"{path} has version {locked(ROOT / path)}, Cargo.toml {version}: run cargo update wsclient"
        for path in LOCKS
        if locked(ROOT / path) != version
    ]
    if not heading:
        found.append(f"CHANGELOG.md has no heading '## [{version}] - {date}'")
    escaped = re.escape(version)
    link = rf"(?m)^\[{escaped}\]: {re.escape(repository)}/(compare|releases/tag)/\S*v{escaped}$"
    if not re.search(link, changes):
        found.append(f"CHANGELOG.md has no link for [{version}] at its end")
    if f"[Unreleased]: {repository}/compare/v{version}...HEAD" not in changes:
        found.append(f"CHANGELOG.md does not compare [Unreleased] with v{version}")
    found += [
        f"CITATION.cff has no '{line}'"
        for line in (f"version: {version}", f"date-released: {date}")
        if line not in citation
    ]
    if git("status", "--porcelain"):
        found.append("there are changes that are not committed")
    if git("tag", "--list", f"v{version}"):
        found.append(f"v{version} is tagged already: raise the version in Cargo.toml")
    return found


def main() -> None:
    """Print what is wrong; fails if anything is."""
    found = wrong()
    for line in found:
        print(f"Not ready: {line}", file=sys.stderr)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
