"""What the source distribution holds: what a build needs, and nothing else."""

import shutil
import subprocess
import sysconfig
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MATURIN = shutil.which("maturin", path=sysconfig.get_path("scripts"))

NEEDED = {
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "PKG-INFO",
    "README.md",
    "build.rs",
    "pyproject.toml",
}
STRAY = (
    ".hypothesis/constants/0123",
    "benches/train.py",
    "default_1_0.profraw",
    "fuzz/Cargo.toml",
    "python/wsclient/__pycache__/session.cpython-311.pyc",
    "python/wsclient/_core.abi3.so",
    "python/wsclient/_core.cpython-311-x86_64-linux-gnu.so",
    "python/wsclient/default_1_0.profraw",
    "src/python/notes.txt",
    "target/release/wsclient.d",
    "tests/conftest.py",
    "tests/memory.rs",
)

pytestmark = [
    pytest.mark.skipif(MATURIN is None, reason="maturin is not installed beside this Python"),
    pytest.mark.skipif(shutil.which("cargo") is None, reason="cargo is not installed"),
]


def sources(root):
    """The files of a folder that are to be in it."""
    kinds = [
        *(root / "src").rglob("*.rs"),
        *(root / "python").rglob("*.py"),
        *(root / "python" / "wsclient").rglob("*.pyi"),
        root / "python" / "wsclient" / "py.typed",
    ]
    return {path.relative_to(root).as_posix() for path in kinds}


def sdist(root, folder):
    """Make the source distribution of a folder, and return its names and where it is unpacked."""
    command = [MATURIN, "sdist", "--out", str(folder)]
    finished = subprocess.run(
        command, cwd=root, capture_output=True, text=True, timeout=120, check=False
    )
    assert finished.returncode == 0, finished.stderr
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
        names = opened.getnames()
    top = archive.name.removesuffix(".tar.gz")
    assert {name.partition("/")[0] for name in names} == {top}
    unpacked = folder / top
    files = {
        path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*") if path.is_file()
    }
    assert len(names) == len(files)
    return files, unpacked


def test_it_holds_what_a_build_needs_and_no_more(tmp_path):
    files, unpacked = sdist(ROOT, tmp_path)
    assert files == NEEDED | sources(ROOT)
    # Cargo refuses a manifest with a target whose file is missing, such as a benchmark's.
    command = ["cargo", "metadata", "--no-deps", "--offline", "--format-version=1"]
    subprocess.run(command, cwd=unpacked, check=True, capture_output=True, timeout=60)


def test_what_lies_about_stays_out(tmp_path):
    root = tmp_path / "project"
    wanted = NEEDED - {"PKG-INFO"} | sources(ROOT) | {"benches/core.rs"}
    for name in wanted:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    for name in STRAY:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("stray")
    out = tmp_path / "out"
    out.mkdir()
    files, _ = sdist(root, out)
    assert files == NEEDED | sources(ROOT)
