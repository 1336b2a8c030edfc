"""What is published, and the places that must say the same."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import metadata
from pathlib import Path

import pytest

from wsclient.distribution import NAME

ROOT = Path(__file__).parents[1]
TOML = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = TOML["project"]
WORKFLOWS = ROOT / ".github" / "workflows"


@pytest.fixture
def release(monkeypatch):
    """The scripts for releases can be imported."""
    monkeypatch.syspath_prepend(ROOT / "release")
    yield
    for name in ("ready", "sources", "wheels"):
        sys.modules.pop(name, None)


def test_the_metadata_is_what_users_look_for():
    said = metadata(NAME)
    urls = dict(url.split(", ", 1) for url in said.get_all("Project-URL"))
    assert urls.keys() == {"Homepage", "Documentation", "Repository", "Issues", "Changelog"}
    assert said["License-Expression"] == "MIT"
    assert said["Description-Content-Type"].startswith("text/markdown")
    assert said["Requires-Python"] == ">=3.11"
    assert "Typing :: Typed" in said.get_all("Classifier")


def test_the_source_distribution_has_what_builds_it_and_nothing_else(release, tmp_path):
    import sources

    maturin = Path(sys.executable).with_name("maturin")
    subprocess.run(
        [maturin, "sdist", "--out", tmp_path, "--manifest-path", ROOT / "Cargo.toml"],
        check=True,
        capture_output=True,
        timeout=120,
    )
    (made,) = tmp_path.iterdir()
    assert made.name.startswith(f"{NAME.replace('-', '_')}-")
    assert {"src/lib.rs", "python/wsclient/py.typed"} <= sources.sdist_files()
    sources.check_sdist(made)


def test_there_is_one_repository():
    patterns = ("*.md", "docs/*.md", "*.cff", ".github/**/*.*")
    texts = [path.read_text() for pattern in patterns for path in ROOT.glob(pattern)]
    found = re.findall(r"https://github\.com/[\w.-]+/wsclient\b", "\n".join(texts))
    assert set(found) == {PROJECT["urls"]["Repository"]}


def test_every_python_of_the_classifiers_is_tested_and_built_for(release):
    import wheels

    named = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    assert set(wheels.PYTHONS) == {*named, "3.14t"}
    for name in ("tests.yml", "wheels.yml"):
        for listed in re.findall(r"python: \[(.*)\]", (WORKFLOWS / name).read_text()):
            assert tuple(re.findall(r"[\d.t]+", listed)) == wheels.PYTHONS
    built = re.search(r'WHEELS_FOR="(.*)"', (WORKFLOWS / "wheels.yml").read_text())
    assert tuple(built[1].split()) == wheels.PYTHONS


def test_pre_commit_has_the_linters_versions():
    pinned = set(re.findall(r"\[(ruff==.*)\]", (ROOT / ".pre-commit-config.yaml").read_text()))
    assert pinned <= set(PROJECT["optional-dependencies"]["lint"])
    assert pinned


def test_the_lock_files_have_the_version(release):
    import ready

    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["version"]
    assert {ready.locked(ROOT / name) for name in ready.LOCKS} == {version}
