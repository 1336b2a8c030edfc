"""Say which branches and lines of `src/endpoint` the Rust tests do not take.

Builds them once more, with LLVM's coverage, and runs them. Fails if there is one that is not named
here with its reason.

    python tests/covered.py DIRECTORY  # of llvm-profdata and llvm-cov, as new as rustc's LLVM
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

# A line and a column, and the way from there.
Place = tuple[int, int, str]

ROOT = Path(__file__).parent.parent
MEASURED = ROOT / "src/endpoint"
# What no test takes, by the file, what stands in the line, and the way; and why not.
GAPS = {
    ("close.rs", "Err(_) => false,", "run"): "the system has no entropy",
    ("receive.rs", "Err(_) => self.abort(),", "run"): "the system has no entropy",
    ("receive.rs", "Event::Text(_) | Event::Binary(_) => {}", "run"): "they do not come there",
}


def run(folder: Path) -> list[str]:
    """Run the tests, and return the programs that they are."""
    flags = "-Cinstrument-coverage -Zcoverage-options=branch"
    # Not in the sources' folder, where they would be left.
    profiles = {"LLVM_PROFILE_FILE": str(folder / "%p-%m.profraw")}
    environment = {**os.environ, "RUSTC_BOOTSTRAP": "1", "RUSTFLAGS": flags, **profiles}
    command = ["cargo", "test", "--target-dir", "target/coverage", "--lib", "--tests"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    command += ["--no-run", "--message-format=json"]
    built = subprocess.run(
        command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    )
    messages = map(json.loads, built.stdout.splitlines())
    return [message["executable"] for message in messages if message.get("executable")]


def export(llvm: Path, folder: Path, programs: list[str], form: str) -> str:
    """Return what LLVM says in one of its formats."""
    merged = folder / "merged"
    profiles = list(folder.glob("*.profraw"))
    subprocess.run([llvm / "llvm-profdata", "merge", "-o", merged, *profiles], check=True)
    objects = [argument for program in programs[1:] for argument in ("--object", program)]
    command = [str(llvm / "llvm-cov"), "export", f"--format={form}", f"--instr-profile={merged}"]
    command += [programs[0], *objects]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def branches(exported: str) -> dict[Path, Counter[Place]]:
    """Return how often each way of each branch was taken, by file."""
    files = {}
    for found in json.loads(exported)["data"][0]["files"]:
        taken = files[Path(found["filename"])] = Counter[Place]()
        # Each instance of generic code has its own numbers.
        for line, column, _, _, true, false, *_ in found["branches"]:
            taken[line, column, "true"] += true
            taken[line, column, "false"] += false
    return files


def lines(exported: str) -> dict[Path, Counter[Place]]:
    """Return how often each line was run, by file."""
    files = {}
    for record in exported.split("end_of_record"):
        if found := re.search(r"(?m)^SF:(.*)$", record):
            runs = re.findall(r"(?m)^DA:(\d+),(\d+)", record)
            files[Path(found[1])] = Counter[Place]({(int(a), 0, "run"): int(b) for a, b in runs})
    return files


def main() -> None:
    """Run, and say what was found."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        programs = run(folder)
        llvm = Path(sys.argv[1])
        run_lines = lines(export(llvm, folder, programs, "lcov"))
        run_branches = branches(export(llvm, folder, programs, "text"))
    named, unnamed = set(), []
    for path in sorted(MEASURED.glob("*.rs")):
        source = path.read_text().splitlines()
        counts = [files.get(path, Counter()) for files in (run_lines, run_branches)]
        missed = [sorted(place for place, count in taken.items() if not count) for taken in counts]
        (ran, all_lines), (took, all_branches) = (
            (len(taken) - len(places), len(taken))
            for taken, places in zip(counts, missed, strict=True)
        )
        file = path.relative_to(ROOT)
        sys.stdout.write(f"{file}: {ran} of {all_lines} lines, {took} of {all_branches} branches\n")
        for line, column, way in missed[0] + missed[1]:
            gap = (path.name, source[line - 1].strip(), way)
            place = f"{file}:{line}:{column}: never {way}: {gap[1]}"
            if gap in GAPS:
                named.add(gap)
                sys.stdout.write(f"  {place}: {GAPS[gap]}\n")
            else:
                unnamed.append(place)
    unnamed += [f"no gap any more: {gap}" for gap in GAPS if gap not in named]
    if unnamed:
        sys.exit("\n".join(unnamed))


if __name__ == "__main__":
    main()
