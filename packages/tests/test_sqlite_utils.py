"""The sqlite-utils plugin, by its command and from Python."""
import json

from conftest import run

LIKE = "(SELECT embedding FROM articles WHERE article_id = 'A00018')"
PAGE = f"SELECT article_id FROM articles({LIKE}) ORDER BY distance LIMIT 3"


def test_the_command_and_the_library_have_the_extension(installed, kept, feed_file):
    python = installed("/usr/bin/python3", "python", "sqlite-utils")
    environment = {"PYTHONPATH": kept("sqlite-utils")}
    page = [{"article_id": article} for article in ("A00018", "A00019", "A00020")]
    assert json.loads(run(python, "-m", "sqlite_utils", feed_file, PAGE, cwd=feed_file.parent, **environment)) == page
    program = f"import json, sqlite_utils; print(json.dumps(list(sqlite_utils.Database('feed.db').query(\"{PAGE}\"))))"
    assert json.loads(run(python, "-c", program, cwd=feed_file.parent, **environment)) == page


def test_another_query_of_the_command_writes_to_the_table(installed, kept, feed_file):
    python = installed("/usr/bin/python3", "python", "sqlite-utils")
    environment = {"PYTHONPATH": kept("sqlite-utils")}
    for sql in ("DELETE FROM articles WHERE article_id = 'A00018'", "INSERT INTO articles(articles) VALUES ('integrity-check')"):
        run(python, "-m", "sqlite_utils", feed_file, sql, cwd=feed_file.parent, **environment)
    rows = run(python, "-m", "sqlite_utils", feed_file, "SELECT count(*) FROM articles", cwd=feed_file.parent, **environment)
    assert json.loads(rows) == [{"count(*)": 4999}]
