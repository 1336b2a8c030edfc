"""The native programs of `benches/native`: where they are, and how they are built."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
MANIFEST = ROOT / "benches/native/Cargo.toml"
TARGET = ROOT / "target/native"
PROGRAM = TARGET / "release/wsbench"


def build() -> None:
    """Compile what has not been compiled."""
    cargo = ["cargo", "build", "--quiet", "--release", "--locked"]
    paths = ["--manifest-path", str(MANIFEST), "--target-dir", str(TARGET)]
    subprocess.run([*cargo, *paths], check=True)
