"""The example for the sqlite3 shell, which needs no package."""
from conftest import LIBRARY, ROOT, need, run


def test_the_example_prints_the_first_page(feed_file, tour):
    need("sqlite3")
    lines = run(ROOT / "examples" / "shell" / "page.sh", LIBRARY, feed_file, cwd=feed_file.parent).splitlines()
    assert [line.split()[0] for line in lines] == tour["page1"]
