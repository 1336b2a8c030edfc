"""Try the wheels for ARM in an emulator: with Debian's qemu and Debian's Python for ARM.

    python release/emulate.py target/dist target/arm64

Only the wheel for the one CPython that Debian has is tried. Needs apt-get and dpkg.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from wheels import run

APT = """
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
Dir::State "{folder}/state";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
"""


def unpack(architecture: str, packages: list[str], folder: Path) -> Path:
    """Download Debian packages with all that they need, and unpack them.

    Returns:
        The folder that is their root.
    """
    root = folder / "root"
    if root.exists():
        return root
    for below in ("state/lists/partial", "cache/archives/partial"):
        (folder / below).mkdir(parents=True, exist_ok=True)
    (folder / "status").touch()
    settings = folder / "apt.conf"
    settings.write_text(APT.format(architecture=architecture, folder=folder))
    run("apt-get", "update", "-qq", APT_CONFIG=str(settings))
    options = ["-qq", "--yes", "--download-only", "--no-install-recommends"]
    run("apt-get", "install", *options, *packages, APT_CONFIG=str(settings))
    for package in (folder / "cache/archives").glob("*.deb"):
        run("dpkg", "--extract", package, root)
    return root


def main() -> None:
    """Try what there is."""
    parser = argparse.ArgumentParser(description="Try the wheels for ARM in an emulator.")
    parser.add_argument("dist", type=Path, help="the folder with the wheels")
    parser.add_argument("folder", type=Path, help="for what is downloaded")
    options = parser.parse_args()
    folder = options.folder.resolve()
    here = subprocess.run(
        ["dpkg", "--print-architecture"], check=True, capture_output=True, text=True
    )
    qemu = unpack(here.stdout.strip(), ["qemu-user-static"], folder / "qemu")
    root = unpack("arm64", ["python3-minimal", "libpython3-stdlib"], folder / "python")
    (python,) = (root / "usr/bin").glob("python3.*")
    version = python.name.removeprefix("python")
    tag = f"cp{version.replace('.', '')}"
    wheels = list(options.dist.glob(f"*-{tag}-{tag}-manylinux*_aarch64.whl"))
    if not wheels:
        sys.exit(f"{options.dist} has no wheel of {tag} for manylinux on ARM")
    site = folder / "site-packages"
    run(
        *(sys.executable, "-m", "pip", "install", "--quiet", "--upgrade", "--target", site),
        *("--python-version", version, "--only-binary", ":all:"),
        *("--platform", "manylinux2014_aarch64", "--platform", "manylinux_2_28_aarch64"),
        *wheels,
    )
    smoke = Path(__file__).with_name("smoke.py")
    emulator = qemu / "usr/bin/qemu-aarch64-static"
    run(emulator, "-L", root, python, "-S", smoke, PYTHONPATH=str(site))


if __name__ == "__main__":
    main()
