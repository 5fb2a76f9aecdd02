"""The manual tells the truth: README's SQL is sql/manual's, and every file gives what it says, on every host."""
import re

import pytest

from manual import README, output, sql_files, with_outputs

MANUAL = [f for f in sql_files() if f.path.parent.name == "manual"]


def readme_blocks() -> list[str]:
    return re.findall(r"^```sql\n(.*?)^```$", README.read_text("utf8"), re.MULTILINE | re.DOTALL)


def test_every_sql_block_of_readme_is_a_file_that_is_run():
    texts = {f.text: f.path.name for f in MANUAL}
    strangers = [block for block in readme_blocks() if block not in texts]
    assert not strangers, "README has SQL that no file of sql/manual holds:\n" + "\n".join(strangers)


def test_readme_shows_every_file_of_the_manual():
    blocks = set(readme_blocks())
    assert [f.path.name for f in MANUAL if f.text not in blocks] == []


def test_outputs_in_readme_are_the_expected_ones():
    readme = README.read_text("utf8")
    assert readme == with_outputs(readme)


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
    assert output(sql_file, session) == expected
