"""Read-only databases can be searched in full, and reading never writes."""
import hashlib
import sqlite3

import pytest

from manual import sql_files
from sample import blob, sample

FEED = "SELECT rowid, distance FROM articles WHERE embedding MATCH :taste AND in_stock > 0 ORDER BY distance LIMIT 20"


def digest(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.mark.parametrize("how", ["mode=ro", "immutable=1", "mode=ro&immutable=1"])
def test_feeds_from_read_only_files(connect, feed_file, how):
    taste = blob(sample().tastes(1, seed=3)[0])
    before = digest(feed_file)
    expected = connect(feed_file).rows(FEED, taste=taste)
    session = connect(f"file:{feed_file}?{how}")
    assert len(expected) == 20 and session.rows(FEED, taste=taste) == expected
    assert session.value("SELECT count(*) FROM articles") == len(sample().rows)
    assert digest(feed_file) == before
    assert sorted(f.name for f in feed_file.parent.iterdir()) == [feed_file.name]


def test_feeds_from_a_write_protected_file(connect, feed_file):
    taste = blob(sample().tastes(1, seed=4)[0])
    expected = connect(feed_file).rows(FEED, taste=taste)
    feed_file.chmod(0o444)
    assert connect(f"file:{feed_file}?mode=ro").rows(FEED, taste=taste) == expected


def test_query_only_connections(feed):
    feed.rows("PRAGMA query_only = 1")
    assert len(feed.rows(FEED, taste=blob(sample().tastes(1, seed=5)[0]))) == 20


def test_a_write_to_a_read_only_file_is_refused(connect, feed_file):
    session = connect(f"file:{feed_file}?mode=ro")
    assert "readonly" in session.error("DELETE FROM articles WHERE rowid = 1")
    assert session.value("SELECT count(*) FROM articles") == len(sample().rows)


def test_a_host_without_the_extension_reads_the_rows(feed_file):
    (sql_file,) = (f for f in sql_files() if f.path.name == "rows_table.sql")
    db = sqlite3.connect(feed_file)
    try:
        with pytest.raises(sqlite3.OperationalError, match="no such module: hnsw"):
            db.execute("SELECT article_id FROM articles")
        rows = db.execute(sql_file.text).fetchall()
    finally:
        db.close()
    assert "".join("|".join(map(str, row)) + "\n" for row in rows) == sql_file.expected.read_text("utf8")
