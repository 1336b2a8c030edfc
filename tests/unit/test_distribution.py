"""The name to install, everywhere the same, and the other project that has the package's name."""

import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from importlib.metadata import metadata, version
from pathlib import Path

import pytest

import wsclient
from wsclient.distribution import NAME

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PATTERNS = ("*.md", "docs/*.md", ".github/**/*.yml", "python/**/*.py")
TEXTS = [path for pattern in PATTERNS for path in ROOT.glob(pattern)]
# Options, and a name that another text brings in, are left out.
COMMAND = re.compile(r"pip install ['\"`]?([a-z][\w-]*)(?:\[(\w+)\])?")


def test_the_name_is_that_of_the_project():
    assert PROJECT["name"] == NAME
    assert metadata(NAME)["Name"] == NAME
    assert wsclient.__version__ == version(NAME)


def test_the_documentation_installs_this_project():
    commands = [(path, *found.groups()) for path in TEXTS for found in commands_of(path)]
    assert {path.name for path, *_ in commands} >= {"README.md", "index.md", "aiohttp.md"}
    for path, name, extra in commands:
        if name.startswith("wsclient"):
            assert name == NAME, path
            assert extra is None or extra in PROJECT["optional-dependencies"], path


def commands_of(path):
    return COMMAND.finditer(path.read_text())


@pytest.fixture
def site(tmp_path):
    """A folder where this package is installed as by pip, beside all that it needs."""
    package = Path(wsclient.__file__).parent
    (tmp_path / "wsclient").mkdir()
    for path in package.iterdir():
        (tmp_path / "wsclient" / path.name).symlink_to(path)
    for folder in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for path in Path(folder).iterdir():
            if path.name != "__pycache__":
                (tmp_path / path.name).symlink_to(path)
    return tmp_path


class Other:
    """The distribution `wsclient`, which is not this one."""

    INIT = "print('the other package')\n"

    def __init__(self, site):
        self.init = site / "wsclient" / "__init__.py"
        self.info = site / "wsclient-0.4.0.dist-info"

    def install(self, *, before_this=False):
        self.info.mkdir()
        (self.info / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: wsclient\nVersion: 0.4.0\n"
        )
        if not before_this:
            self.init.unlink()
            self.init.write_text(self.INIT)

    def uninstall(self):
        shutil.rmtree(self.info)
        self.init.unlink()


def importing(site, module):
    """What it says, and whether it fails."""
    finished = subprocess.run(
        [sys.executable, "-S", "-c", f"import {module}"],
        env={"PYTHONPATH": str(site)},
        check=False,
        timeout=60,
        capture_output=True,
        text=True,
    )
    return (finished.stdout + finished.stderr).splitlines()


REPAIR = f"Run: pip uninstall -y wsclient {NAME}, and then: pip install {NAME}"


def test_alone_it_is_imported(site):
    assert importing(site, "wsclient, wsclient.aiohttp, wsclient.websockets") == []


def test_without_metadata(site):
    """As in programs that PyInstaller and the like make."""
    for info in site.glob("*.dist-info"):
        info.unlink()
    modules = "wsclient, wsclient.aiohttp, wsclient.websockets, wsclient.testing"
    said = importing(site, f"{modules}; print(wsclient.__version__)")
    assert said == [wsclient.__version__]


@pytest.mark.parametrize("module", ["wsclient", "wsclient.aiohttp", "wsclient.framing"])
def test_installed_after_the_other(site, module):
    Other(site).install(before_this=True)
    assert importing(site, module)[-1] == (
        f"ImportError: {site}/wsclient has files of two distributions: '{NAME}' and 'wsclient'"
        f" 0.4.0, which is another project. {REPAIR}"
    )


@pytest.mark.parametrize("module", ["wsclient.aiohttp", "wsclient.websockets"])
def test_installed_before_the_other(site, module):
    Other(site).install()
    first, *_, last = importing(site, module)
    assert first == "the other package"
    assert "has files of two distributions" in last
    assert last.endswith(REPAIR)


@pytest.mark.parametrize("module", ["wsclient.aiohttp", "wsclient.websockets"])
def test_the_other_uninstalled(site, module):
    other = Other(site)
    other.install()
    other.uninstall()
    assert importing(site, module)[-1] == (
        f"ImportError: {site}/wsclient has no __init__.py: the distribution 'wsclient', which is"
        f" another project, has been uninstalled, and has taken it along. {REPAIR}"
    )


def test_the_other_in_a_folder_of_its_own(site, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "wsclient").mkdir()
    Other(elsewhere).install(before_this=True)
    assert importing(f"{site}:{elsewhere}", "wsclient") == []
