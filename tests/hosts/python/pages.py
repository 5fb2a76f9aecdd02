"""README and the pages of the book in docs/: their code blocks, and what each is to print.

A ```text block that follows another block is the output of that block. The word after the backticks says how a block is
run: `sql` by test_manual.py on every host, all others by test_pages.py.
"""
import re
from dataclasses import dataclass
from pathlib import Path

from hosts import ROOT

README = ROOT / "README.md"
BOOK = ROOT / "docs" / "src"
PAGES = [README, *sorted(BOOK.rglob("*.md"))]
BLOCK = re.compile(
    r"^```(?P<kind>[^\n]*)\n(?P<text>(?:(?!```).*\n)*)```$(?:\n\n```text\n(?P<output>(?:(?!```).*\n)*)```$)?", re.MULTILINE
)


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    kind: str
    text: str
    output: str | None

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(*kinds: str) -> list[Block]:
    """The blocks of all pages, or those of some kinds, in their order."""
    found = []
    for page in PAGES:
        text = page.read_text("utf8")
        for match in BLOCK.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            found.append(Block(page, line, match["kind"], match["text"], match["output"]))
    return [block for block in found if not kinds or block.kind in kinds]


def page(name: str) -> str:
    """The text of a page of the book, such as "command"."""
    return (BOOK / f"{name}.md").read_text("utf8")
