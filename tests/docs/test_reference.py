"""Every public name has its place in the reference, and every page its place in the navigation."""

import importlib
import re
import tomllib

import pytest
from tests.docs.pages import DOCS, ROOT, blocks

MODULES = [
    "wsclient",
    "wsclient.aiohttp",
    "wsclient.framing",
    "wsclient.recording",
    "wsclient.testing",
    "wsclient.websockets",
]
CONFIG = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")


@pytest.mark.parametrize("module", MODULES)
def test_the_reference_has_an_anchor_for_every_public_name(module):
    page = (DOCS / "reference.md").read_text(encoding="utf-8")
    anchors = re.findall(r'(?m)^::: (\S+)$|id="(\S+?)"', page)
    found = {rendered or written for rendered, written in anchors}
    public = {f"{module}.{name}" for name in importlib.import_module(module).__all__}
    assert public
    assert found >= public
    # Nor has it names that are gone.
    assert {name for name in found if name.rpartition(".")[0] == module} <= {
        *public,
        *MODULES,
        "wsclient.exceptions",
    }


def test_every_page_is_in_the_navigation_once():
    listed = re.findall(r"(?m)^ +- .*: (\S+\.md)$", CONFIG)
    assert sorted(listed) == sorted(page.name for page in DOCS.glob("*.md"))


def test_the_site_and_its_repository_are_those_of_the_project():
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]
    assert f"\nsite_url: {urls['Documentation']}\n" in CONFIG
    assert f"\nrepo_url: {urls['Repository']}\n" in CONFIG


def test_signatures_are_formatted_by_the_linters_ruff():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    (pinned,) = [one for one in extras["lint"] if one.startswith("ruff")]
    assert pinned in extras["docs"]


def test_all_examples_are_rendered():
    examples = sorted(f"examples/{path.name}" for path in (ROOT / "examples").glob("*.py"))
    shown = blocks("examples.md")
    assert sorted(block.title for block in shown) == examples
    for block in shown:
        assert block.text == f'--8<-- "{block.title}"\n'
