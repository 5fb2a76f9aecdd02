"""The manual tells the truth: the SQL of README and the book is that of files, and every file gives what it says, on every
host."""
import re

import pytest

from hosts import ROOT
from manual import output, sql_files, with_outputs
from pages import PAGES, blocks


def test_every_sql_block_is_a_file_that_is_run():
    texts = {f.text for f in sql_files()}
    assert [block.place for block in blocks("sql") if block.text not in texts] == []


def test_the_pages_show_every_file_of_the_manual_and_the_cookbook():
    shown = {block.text for block in blocks("sql")}
    hidden = [f.path.name for f in sql_files() if f.path.parent.name in ("manual", "feeds") and f.text not in shown]
    assert hidden == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_outputs_of_sql_are_the_expected_ones(page):
    text = page.read_text("utf8")
    assert text == with_outputs(text)


@pytest.mark.parametrize("sql_file", sql_files(), ids=lambda f: f"{f.path.parent.name}/{f.path.stem}")
def test_gives_what_it_says(sql_file, connect, feed_file):
    session = connect(":memory:" if sql_file.empty_database else feed_file)
    if "dbstat" in sql_file.text and session.answer("SELECT 1 FROM dbstat LIMIT 1").error:
        assert output(sql_file, session) == "error: no such table: dbstat\n"
        return
    expected = sql_file.expected.read_text("utf8")
    if tuple(map(int, session.version.split("."))) < (3, 41):
        # An older SQLite keeps LIMIT to itself beside terms of its own. It is only a hint.
        expected = expected.replace(", limit offset", "")
    if not session.tells_reals:
        expected = re.sub(r"(?<![\w.,\[])(-?\d+)\.0(?=[|\n])", r"\1", expected)
    assert output(sql_file, session) == expected
