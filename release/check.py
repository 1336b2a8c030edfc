"""Check what is to be published, and try it: every wheel and the source distribution in a folder.

    python release/check.py target/dist

Needs auditwheel, check-wheel-contents and twine. What this machine can run is installed into a
fresh environment and talks to a server there (`smoke.py`); what it cannot is named at the end.
"""

from __future__ import annotations

import argparse
import email
import json
import platform
import subprocess
import sys
import tempfile
import zipfile
from io import BytesIO
from pathlib import Path

from sources import check_sdist, package_files, require
from wheels import PROJECT, environment, find_python, run

if sys.platform == "linux":
    from elftools.elf.elffile import ELFFile  # auditwheel's

NAME = PROJECT["project"]["name"]
UVLOOP = "uvloop; sys_platform != 'win32'"


class Wheel:
    """A wheel's file, and what its name says.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name, self.version, self.python, self.abi, self.platforms = path.stem.split("-")
        self.python_version = f"{self.python[2]}.{self.python[3:]}{self.abi[len(self.python) :]}"

    def __str__(self) -> str:
        return self.path.name

    def runs_here(self) -> bool:
        """Whether it is for this machine's system, processor and C library."""
        if sys.platform == "linux":
            return self.platforms.startswith(f"manylinux2014_{platform.machine()}.")
        return sys.platform[:3] == self.platforms[:3]

    def check(self) -> None:
        """Check what is in it."""
        info = f"{self.name}-{self.version}.dist-info"
        with zipfile.ZipFile(self.path) as archive:
            names = set(archive.namelist())
            metadata = email.message_from_bytes(archive.read(f"{info}/METADATA"))
            tags = email.message_from_bytes(archive.read(f"{info}/WHEEL")).get_all("Tag", [])
            sbom = json.loads(archive.read(f"{info}/sboms/wsclient.cyclonedx.json"))
            (core,) = (
                name for name in names if name.startswith("wsclient/_core.") and name[-1] != "i"
            )
            machine_code = archive.read(core)
        require(metadata["Name"] == NAME, f"{self} is of {metadata['Name']}")
        require(metadata["Version"] == self.version, f"{self} has version {metadata['Version']}")
        require(metadata["License-Expression"] == "MIT", f"{self} has no licence in its metadata")
        said = {f"{self.python}-{self.abi}-{tag}" for tag in self.platforms.split(".")}
        require(set(tags) == said, f"{self} has the tags {tags}")
        crates = {part["name"] for part in sbom["components"]}
        require({"pyo3", "flate2", "simdutf8"} <= crates, f"{self} has no whole SBOM: {crates}")
        sources = package_files()
        expected = sources | {f"{info}/licenses/LICENSE"}
        require(expected <= names, f"{self} lacks {expected - names}")
        more = {name for name in names if not name.startswith(f"{info}/")} - sources - {core}
        require(not more, f"{self} has {more}")
        if sys.platform == "linux":
            self._check_elf(ELFFile(BytesIO(machine_code)))

    def _check_elf(self, core: ELFFile) -> None:
        names = [section.name for section in core.iter_sections()]
        kept = [name for name in names if name.startswith((".debug", ".symtab"))]
        require(not kept, f"{self} is not stripped: {kept}")
        oldest = self.platforms.rpartition(".")[2]
        if oldest.startswith("musllinux"):
            # The linker calls musl's C library libc.so, which musl takes for itself; auditwheel
            # knows the name that Alpine gives it, and nothing of a version.
            tags = core.get_section_by_name(".dynamic").iter_tags()
            needed = {tag.needed for tag in tags if tag.entry.d_tag == "DT_NEEDED"}
            require(needed == {"libc.so"}, f"{self} needs {needed}")
            return
        report = " ".join(output("auditwheel", "show", self.path).split())
        require(f'following platform tag: "{oldest}"' in report, f"not {oldest}: {report}")


def output(*command: str | Path) -> str:
    """Return what a command prints, which must succeed."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def try_out(python: Path, distribution: Path) -> None:
    """Install a distribution into a fresh environment, and see whether it works there."""
    with tempfile.TemporaryDirectory() as scratch:
        inside = environment(python, Path(scratch), distribution, UVLOOP)
        run(inside, "-m", "pip", "check")
        run(inside, Path(__file__).with_name("smoke.py"))


def main() -> None:
    """Check and try everything in a folder."""
    parser = argparse.ArgumentParser(description="Check what is to be published, and try it.")
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    wheels = [Wheel(path) for path in sorted(folder.glob("*.whl"))]
    sdists = sorted(folder.glob("*.tar.gz"))
    require(bool(wheels) and len(sdists) == 1, f"{folder} has not wheels and one .tar.gz")
    run("twine", "check", "--strict", *sdists, *(wheel.path for wheel in wheels))
    # W004: no module, by its name; PyInstaller wants its hooks so.
    run("check-wheel-contents", "--ignore=W004", *(wheel.path for wheel in wheels))
    check_sdist(sdists[0])
    untried = []
    for wheel in wheels:
        wheel.check()
        python = find_python(wheel.python_version) if wheel.runs_here() else None
        if python is None:
            untried.append(wheel)
        else:
            try_out(python, wheel.path)
    try_out(Path(sys.executable), sdists[0])
    print(f"{len(wheels)} wheels and {sdists[0].name} are as they should be.")
    for wheel in untried:
        print(f"Not tried, as this machine cannot run it: {wheel}")


if __name__ == "__main__":
    main()
