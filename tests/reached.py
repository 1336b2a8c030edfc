"""Say which `unsafe` code the tests of `memcheck` reach: what they do not, valgrind has not seen.

Builds the extension once more, with LLVM's coverage, and runs those tests with it. Fails if a place
is not reached.

    python tests/reached.py DIRECTORY  # of llvm-profdata and llvm-cov, as new as rustc's LLVM
"""

import os
import platform
import re
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

from memcheck import tests

ROOT = Path(__file__).parent.parent
# Not the templates of macros, which count where they are used.
UNSAFE = re.compile(r"^(?!\s*//).*\bunsafe (\{|fn (?!\$)|extern)")
# What follows one of these, to the end of its file, is not in what users of Unix get, or not with
# this Python.
NEWER = r"|#\[cfg\(all\(Py_3_12, not\(Py_GIL_DISABLED\)\)\)\]\nmod"
ELSEWHERE = re.compile(
    r"#\[cfg\((test|not\(unix\))\)\]" + (NEWER if sys.version_info < (3, 12) else "")
)
# Functions that those tests cannot reach.
UNREACHED = {
    "exhausted",  # in a process of its own, by tests/faults/test_memory.py
    "shutting_down",  # likewise, by tests/unit/test_messages.py
    "write_older",  # as this processor has AVX2; `cargo test` runs what they do under valgrind
    "write_ssse3",
}
# Not compiled here; `make test-arm` runs those for ARM.
FOR_OTHER_PROCESSORS = (
    {"x86_64.rs", "write_avx2"}
    if platform.machine() in ("aarch64", "arm64")
    else {"neon.rs", "write_neon"}
)


def build(target: Path) -> Path:
    """Build the extension and return where it is."""
    command = ["cargo", "rustc", "--features=python", "--lib", "--crate-type=cdylib"]
    flags = {"RUSTFLAGS": "-Cinstrument-coverage", "CARGO_TARGET_DIR": str(target)}
    subprocess.run(command, cwd=ROOT, env={**os.environ, **flags}, check=True)
    return target / "debug/libwsclient.so"


def run(extension: Path, folder: Path) -> None:
    """Run the tests with an extension in place of the installed one."""
    package = folder / "wsclient"
    package.mkdir()
    for path in (ROOT / "python/wsclient").iterdir():
        if not path.name.startswith("_core.c"):
            (package / path.name).symlink_to(path)
    (package / f"_core{sysconfig.get_config_var('EXT_SUFFIX')}").symlink_to(extension)
    paths = {"PYTHONPATH": str(folder), "LLVM_PROFILE_FILE": str(folder / "%p.profraw")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests()]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **paths}, check=True)


def counts(llvm: Path, extension: Path, folder: Path) -> dict[Path, dict[int, int]]:
    """Return how often each line was run, by file."""
    merged = folder / "merged"
    profiles = list(folder.glob("*.profraw"))
    subprocess.run([llvm / "llvm-profdata", "merge", "-o", merged, *profiles], check=True)
    command = [llvm / "llvm-cov", "export", "--format=lcov", f"--instr-profile={merged}", extension]
    report = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    lines: dict[Path, dict[int, int]] = {}
    for record in report.split("end_of_record"):
        if found := re.search(r"(?m)^SF:(.*)$", record):
            runs = {int(a): int(b) for a, b in re.findall(r"(?m)^DA:(\d+),(\d+)", record)}
            lines[Path(found[1])] = runs
    return lines


def unsafe_places(source: Path) -> Iterator[tuple[int, str]]:
    """Yield the number of each line of a file where `unsafe` code begins, and its function."""
    function = ""
    text = ELSEWHERE.split(source.read_text(), maxsplit=1)[0]
    for number, line in enumerate(text.splitlines(), 1):
        if found := re.search(r"\bfn (\w+)", line):
            function = found[1]
        if UNSAFE.search(line):
            yield number, function


def was_run(lines: dict[int, int], begin: int) -> bool:
    """Whether the first line of code from `begin` on was run: a brace of its own has no count."""
    return bool(lines.get(min((line for line in lines if line >= begin), default=0)))


def main() -> None:
    """Run, and say what was found."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        extension = build(ROOT / "target/coverage")
        run(extension, folder)
        lines = counts(Path(sys.argv[1]), extension, folder)
    reached, missed = 0, []
    for source in sorted((ROOT / "src").rglob("*.rs")):
        if source.name in FOR_OTHER_PROCESSORS:
            continue
        for number, function in unsafe_places(source):
            if was_run(lines.get(source, {}), number):
                reached += 1
            elif function not in UNREACHED | FOR_OTHER_PROCESSORS:
                missed.append(f"{source.relative_to(ROOT)}:{number}: {function}")
    sys.stdout.write(f"{reached} places of unsafe code are reached\n")
    if missed:
        sys.exit("not reached:\n" + "\n".join(missed))


if __name__ == "__main__":
    main()
