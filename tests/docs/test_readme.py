"""README's program is the example, and its links lead somewhere, on PyPI as well."""

import re
import tomllib

import pytest
from tests.docs.pages import DOCS, HEADING, ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
URLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]
SOURCES = f"{URLS['Repository']}/blob/main/"
LINKS = re.findall(r"\]\((\S+?)\)", README)


def test_the_program_is_the_example():
    assert f"```python\n{(ROOT / 'examples' / 'bot.py').read_text()}```\n" in README


def test_all_examples_are_linked():
    for path in (ROOT / "examples").glob("*.py"):
        assert f"{SOURCES}examples/{path.name}" in LINKS


@pytest.mark.parametrize("link", sorted(set(LINKS)))
def test_links(link):
    """What is relative leads nowhere on PyPI."""
    if link.startswith("#"):
        assert link[1:] in anchors(README)
    elif link.startswith(f"{URLS['Documentation']}plots/"):
        assert (DOCS / link.removeprefix(URLS["Documentation"])).is_file()
    elif link.startswith(URLS["Documentation"]):
        name, _, anchor = link.removeprefix(URLS["Documentation"]).partition("#")
        page = (DOCS / f"{name.strip('/') or 'index'}.md").read_text(encoding="utf-8")
        assert not anchor or anchor in anchors(page)
    elif link.startswith(SOURCES):
        assert (ROOT / link.removeprefix(SOURCES)).is_file()
    else:
        assert link.startswith("https://")


def anchors(text):
    headings = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in HEADING.findall(text)]
    return {heading.strip().replace(" ", "-") for heading in headings}
