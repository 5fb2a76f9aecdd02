"""Every link of the project's Markdown and of the rendered book leads somewhere.

Nothing is fetched: of an address outside only the form is checked. `tests/run.sh docs` renders the book first.
"""
import html.parser
import os
import pathlib
import re
from urllib.parse import unquote, urlsplit

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BOOK = ROOT / "docs" / "src"
RENDERED = pathlib.Path(os.environ.get("VECRANK_TARGET", ROOT / "target")) / "book"
# It is built in the long form, unless what it is built with is missing; under CI nothing may be missing.
IS_LONG = os.environ.get("VECRANK_LONG") == "1"
WITH_PLAYGROUND = (IS_LONG and os.environ.get("CI") == "true") or (RENDERED / "playground").exists()
SOURCES = [*ROOT.glob("*.md"), *ROOT.glob("[ep]*/**/*.md"), *ROOT.glob("tests/**/*.md"), *BOOK.rglob("*.md")]
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"\]\(([^()\s]+)\)|<(https?:[^>\s]+)>")
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
INCLUDE = re.compile(r"\{\{#include ([^}:]+)\}\}")
OUTSIDE = re.compile(r"https?://[\w-]+(\.[\w-]+)+(/[^\s]*)?")


def anchors(page: pathlib.Path) -> set[str]:
    """The names that forges and mdBook give the headings of a page."""
    text = INCLUDE.sub(lambda match: (page.parent / match[1]).read_text("utf8"), page.read_text("utf8"))
    found = set()
    for heading in HEADING.findall(FENCED.sub("", text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        name = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        found.add(name if name not in found else f"{name}-1")
    return found


def dead_links(page: pathlib.Path) -> list[str]:
    text = CODE.sub("", FENCED.sub("", page.read_text("utf8")))
    dead = []
    for target, bare in LINK.findall(text):
        address = urlsplit(target or bare)
        if address.scheme:
            is_dead = not OUTSIDE.fullmatch(target or bare)
        else:
            file = page.parent / unquote(address.path) if address.path else page
            is_dead = not file.exists() or bool(address.fragment) and address.fragment not in anchors(file)
        if is_dead:
            dead.append(target or bare)
    return dead


@pytest.mark.parametrize("page", SOURCES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_markdown_lead_somewhere(page):
    assert dead_links(page) == []


def test_dead_links_are_found(tmp_path):
    (tmp_path / "other.md").write_text("# A `name`: two words\n## Twice\n## Twice\n```\n# no heading\n```\n")
    good = "[a](other.md#a-name-two-words) [b](#here) [c](other.md#twice-1) <https://sqlite.org/fts5.html> `[d](nowhere.md)`"
    dead = ["nowhere.md", "other.md#no-heading", "#there", "other.md#twice-2", "https://nowhere"]
    page = tmp_path / "page.md"
    page.write_text(f"# Here\n{good} {' '.join(f'[x]({link})' for link in dead)}\n")
    assert dead_links(page) == dead


def test_the_table_of_contents_has_every_page():
    listed = set(re.findall(r"\]\(([^)]+\.md)\)", (BOOK / "SUMMARY.md").read_text("utf8")))
    assert listed == {str(page.relative_to(BOOK)) for page in BOOK.rglob("*.md")} - {"SUMMARY.md"}


class Page(html.parser.HTMLParser):
    """What a rendered page refers to, and the names that others may refer to."""

    def __init__(self, file: pathlib.Path):
        super().__init__()
        self.links, self.names = [], set()
        self.feed(file.read_text("utf8"))

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.links += [attributes[name] for name in ("href", "src") if attributes.get(name)]
        self.names |= {attributes[name] for name in ("id", "name") if attributes.get(name)}


def test_links_of_the_rendered_book_lead_somewhere():
    # 404.html is shown at any depth, and has its links from the root.
    files = [file for file in RENDERED.rglob("*.html") if file.name != "404.html"]
    assert files, f"no book in {RENDERED}: run tests/run.sh docs"
    pages = {file.resolve(): Page(file) for file in files}
    dead = []
    for file, page in pages.items():
        for link in page.links:
            address = urlsplit(link)
            if address.scheme or address.netloc:
                continue
            target = (file.parent / unquote(address.path)).resolve() if address.path else file
            target = target / "index.html" if target.is_dir() else target
            if target.parent == RENDERED.resolve() / "playground" and not WITH_PLAYGROUND:
                continue
            known = pages[target].names if target in pages else set()
            if not target.exists() or target in pages and address.fragment and unquote(address.fragment) not in known:
                dead.append(f"{file.name}: {link}")
    assert dead == []
    unread = [file.name for file in files if "{{#" in file.read_text("utf8")]
    assert unread == [], "an include was not found"
