"""The names of the package: those it shows, those it loads late, and those it does not have."""

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import wsclient

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "observing.md"


def run(program, *options, **environment):
    """What a program prints in an interpreter of its own."""
    finished = subprocess.run(
        [sys.executable, *options, "-c", program],
        env={**os.environ, **environment},
        check=True,
        timeout=60,
        capture_output=True,
        text=True,
    )
    return finished.stdout.split()


def test_the_names_that_are_shown():
    shown = dir(wsclient)
    assert shown == sorted(shown)
    assert {"__doc__", "__version__", "__path__"} <= set(shown)
    usual = {name for name in shown if name.startswith("__")} | {"aiohttp"}
    assert set(shown) - usual == {*wsclient.__all__, "framing"}
    for name in shown:
        assert hasattr(wsclient, name), name


def test_the_adapter_is_shown_once_it_is_loaded():
    program = """
import wsclient
print("aiohttp" in dir(wsclient))
wsclient.aiohttp
print("aiohttp" in dir(wsclient))
"""
    assert run(program) == ["False", "True"]


def test_looking_at_all_attributes_loads_no_adapter():
    program = """
import inspect, sys, wsclient
inspect.getmembers(wsclient)
print(*sorted({"aiohttp", "wsclient.aiohttp", "wsclient.framing"} & sys.modules.keys()))
"""
    assert run(program) == ["wsclient.framing"]


def test_a_star_imports_what_is_said():
    program = """
import sys
from wsclient import *
print(*sorted(name for name in globals() if not name.startswith("__") and name != "sys"))
print(*sorted({"aiohttp", "wsclient.aiohttp", "wsclient.framing"} & sys.modules.keys()))
"""
    assert run(program) == sorted(wsclient.__all__)


@pytest.mark.parametrize(
    ("use", "loaded"),
    [
        ("", []),
        ("wsclient.framing.parse_frame", ["wsclient.framing"]),
        ("from wsclient import framing", ["wsclient.framing"]),
        ("wsclient.aiohttp.install", ["aiohttp", "wsclient.aiohttp"]),
        ("from wsclient import aiohttp", ["aiohttp", "wsclient.aiohttp"]),
        ("hasattr(wsclient, 'frame')", []),
    ],
)
def test_modules_are_loaded_when_they_are_used(use, loaded):
    program = f"""
import sys, wsclient
{use}
print(*sorted({{"aiohttp", "wsclient.aiohttp", "wsclient.framing"}} & sys.modules.keys()))
"""
    assert run(program) == loaded


def test_a_module_is_the_one_that_is_imported():
    program = """
import wsclient
late = wsclient.framing
import wsclient.framing
print(late is wsclient.framing, wsclient.framing.__name__)
"""
    assert run(program) == ["True", "wsclient.framing"]


def test_loggers_have_the_names_that_are_documented():
    program = """
import logging, wsclient.aiohttp, wsclient.framing
print(*sorted(name for name in logging.root.manager.loggerDict if name.startswith("wsclient.")))
"""
    documented = re.findall(r"(?m)^\| `(wsclient\.\w+)` \|", DOCUMENTATION.read_text())
    assert run(program) == sorted(set(documented))


@pytest.fixture
def without_aiohttp(tmp_path):
    """A folder of all modules that are installed but aiohttp."""
    package = Path(wsclient.__file__).parent
    installed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    for path in {package, *(path for folder in installed for path in Path(folder).iterdir())}:
        if not path.name.startswith(("aiohttp", "__pycache__")):
            (tmp_path / path.name).symlink_to(path)
    return tmp_path


@pytest.mark.parametrize(
    "use", ["wsclient.aiohttp", "from wsclient import aiohttp", "import wsclient.aiohttp"]
)
def test_the_adapter_says_what_it_lacks(without_aiohttp, use):
    program = f"""
import wsclient
wsclient.framing.parse_frame
try:
    {use}
except ImportError as error:
    print(error)
"""
    said = run(program, "-S", PYTHONPATH=str(without_aiohttp))
    assert " ".join(said) == (
        "wsclient.aiohttp needs aiohttp, which is not installed: pip install wsclient-rs[aiohttp]"
    )


@pytest.mark.parametrize("name", ["framings", "aiohttps", "connect", "session_", "zzz"])
def test_a_name_that_there_is_not(name):
    with pytest.raises(AttributeError, match=f"^module 'wsclient' has no attribute '{name}'"):
        getattr(wsclient, name)


def test_a_name_of_others_brings_a_hint():
    with pytest.raises(AttributeError, match=r"'connect'; use ws_connect\(\), or reconnect\(\)"):
        wsclient.connect  # noqa: B018
