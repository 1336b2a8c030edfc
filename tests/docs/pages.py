"""What the documentation's pages consist of."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FENCE = re.compile(r"(?ms)^```(?P<info>[^\n]*)\n(?P<text>.*?)^```$")
# The lines that are like headings in programs are inside fences.
HEADING = re.compile(r"(?m)^#+ (.*)$")


class Block(NamedTuple):
    """A block of code, of what language, under which heading."""

    heading: str
    info: str
    text: str

    @property
    def title(self):
        found = re.search(r'title="(.*?)"', self.info)
        return found and found[1]


def blocks(page):
    """The blocks of a page in their order."""
    text = (DOCS / page).read_text(encoding="utf-8")
    heading, found, position = "", [], 0
    for fence in FENCE.finditer(text):
        for heading in HEADING.findall(text, position, fence.start()):  # noqa: B007 - the last
            pass
        position = fence.end()
        found.append(Block(heading, fence["info"], fence["text"]))
    return found
