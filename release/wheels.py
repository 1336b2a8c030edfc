"""Build the wheels that are published: for each CPython found, and each target of this system.

    python release/wheels.py --out target/dist --python 3.12 --target x86_64-unknown-linux-gnu

On Linux zig links them, against a C library as old as manylinux2014's, and for other processors and
for musl. A wheel for this machine itself is optimised for what an instrumented one was seen doing
(PGO). Needs maturin, ziglang on Linux, rustup for targets other than this machine's, and
llvm-profdata of the compiler's LLVM version on PATH.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PYTHONS = ("3.11", "3.12", "3.13", "3.14", "3.14t")
LINUX = {
    "x86_64-unknown-linux-gnu": "manylinux2014",
    "aarch64-unknown-linux-gnu": "manylinux2014",
    "x86_64-unknown-linux-musl": "musllinux_1_2",
    "aarch64-unknown-linux-musl": "musllinux_1_2",
}
"""Targets, and the oldest systems that their wheels are for."""
ASK = """
import sys, sysconfig
free_threaded = sysconfig.get_config_var("Py_GIL_DISABLED")
print("%d.%d" % sys.version_info[:2] + ("t" if free_threaded else ""), sys.executable)
"""


def run(*command: str | Path, **environment: str) -> None:
    """Run a command that must succeed, and show it."""
    print("+", shlex.join(map(str, command)), file=sys.stderr, flush=True)
    subprocess.run(command, check=True, env={**os.environ, **environment})


def host() -> str:
    """Return the compiler's own target."""
    facts = subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True).stdout
    return next(line.split()[1] for line in facts.splitlines() if line.startswith("host:"))


def find_python(version: str) -> Path | None:
    """Find a CPython: the running one, on PATH, or below `pyenv root`.

    What a file is called does not say what it is: pyenv's programs on PATH may lead nowhere, and a
    CPython without the GIL is installed as `python3.14`, too.
    """
    found = [Path(folder, f"python{version}") for folder in os.get_exec_path()]
    if pyenv := shutil.which("pyenv"):
        root = subprocess.run([pyenv, "root"], check=True, capture_output=True, text=True).stdout
        installed = Path(root.strip()).glob(f"versions/{version.rstrip('t')}.*/bin/python{version}")
        found += sorted(installed, reverse=True)
    for python in [Path(sys.executable), *filter(Path.exists, found)]:
        asked = subprocess.run([python, "-c", ASK], check=False, capture_output=True, text=True)
        said, _, executable = asked.stdout.strip().partition(" ")
        if said == version:
            return Path(executable)
    return None


def build(python: str, target: str, out: Path, *flags: str, zig: bool) -> Path:
    """Build one wheel.

    Args:
        python: The interpreter that it is for; another machine's is named as `python3.12`.
        target: Whose machine code, in the compiler's words.
        out: The folder that it goes to.
        flags: For the compiler.
        zig: Whether it is linked by zig, for systems as old as `LINUX` says.

    Returns:
        The wheel.
    """
    portable = ["--zig", "--compatibility", LINUX[target]] if zig else []
    if target.endswith("musl"):
        # Extension modules are there only where musl is not linked statically.
        flags += ("-Ctarget-feature=-crt-static",)
    maturin = ["maturin", "build", "--release", "--locked", "--strip", *portable]
    with tempfile.TemporaryDirectory() as alone:
        run(
            *(sys.executable, "-m", *maturin, "--target", target, "--interpreter", python),
            *("--manifest-path", ROOT / "Cargo.toml", "--out", alone),
            CARGO_ENCODED_RUSTFLAGS="\x1f".join(flags),
            # Where maturin looks for zig.
            PATH=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        )
        (made,) = Path(alone).iterdir()
        return Path(shutil.move(made, out / made.name))


def profile(python: Path, target: str, scratch: Path) -> Path:
    """See what an instrumented wheel does, when it does what `pgo-command` says.

    The target is named even though it is this machine's: cargo names functions by it, and a profile
    is of no use where they have other names.
    """
    seen = scratch / "seen"
    wheel = build(str(python), target, scratch, f"-Cprofile-generate={seen}", zig=False)
    trained = environment(python, scratch / "trained", wheel)
    command = shlex.split(PROJECT["tool"]["maturin"]["pgo-command"])
    run(trained, *(ROOT / part if "/" in part else part for part in command[1:]))
    merged = scratch / "merged.profdata"
    run("llvm-profdata", "merge", "-o", merged, seen)
    return merged


def environment(python: Path, folder: Path, *wheels: str | Path) -> Path:
    """Make a fresh virtual environment.

    Returns:
        Its interpreter.
    """
    run(python, "-m", "venv", folder)
    inside = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    run(inside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wheels)
    return inside


def build_for(version: str, python: Path, target: str, out: Path) -> None:
    """Build the wheel that is published for a CPython and a target."""
    linux = target in LINUX
    if target != host():
        run("rustup", "target", "add", target)
        build(f"python{version}", target, out, zig=linux)
    elif not shutil.which("llvm-profdata"):
        print("llvm-profdata is missing: a wheel without PGO", file=sys.stderr)
        build(str(python), target, out, zig=linux)
    else:
        with tempfile.TemporaryDirectory() as scratch:
            merged = profile(python, target, Path(scratch))
            build(str(python), target, out, f"-Cprofile-use={merged}", zig=linux)


def main() -> None:
    """Build what is asked for."""
    parser = argparse.ArgumentParser(description="Build the wheels that are published.")
    parser.add_argument("--out", type=Path, required=True, help="where they go")
    parser.add_argument("--python", nargs="+", help="which CPythons (default: all that are found)")
    parser.add_argument("--target", nargs="+", help="which targets (default: all of this system)")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    targets = options.target or (LINUX if sys.platform == "linux" else [host()])
    for version in options.python or PYTHONS:
        python = find_python(version)
        if python is None:
            print(f"CPython {version} is not here: no wheels for it", file=sys.stderr)
            if options.python:
                sys.exit(1)
            continue
        for target in targets:
            build_for(version, python, target, options.out)


if __name__ == "__main__":
    main()
