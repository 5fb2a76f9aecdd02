"""Creating and writing a table, transactions and schema changes, through each host."""
import pytest

CREATE = "CREATE VIRTUAL TABLE paints USING hnsw(id INTEGER PRIMARY KEY, name TEXT UNIQUE, rgb FLOAT[3], metric = 'l2')"
PAINTS = "INSERT INTO paints VALUES (1, 'brick', '[0.7, 0.25, 0.2]'), (2, 'coral', '[1, 0.5, 0.3]'), (3, 'ink', '[0, 0.1, 0.4]')"
NEAR_CORAL = "SELECT name FROM paints WHERE rgb MATCH '[1, 0.5, 0.3]' ORDER BY distance"
SOUND = "INSERT INTO paints(paints) VALUES ('integrity-check')"


@pytest.fixture
def paints(connect, tmp_path):
    session = connect(tmp_path / "paints.db")
    session.rows(CREATE)
    session.rows(PAINTS)
    yield session
    session.rows(SOUND)


def names(session, sql=NEAR_CORAL):
    return [name for (name,) in session.rows(sql)]


def test_insert_then_feed(paints):
    assert names(paints) == ["coral", "brick", "ink"]
    assert names(paints, NEAR_CORAL + " LIMIT 1 OFFSET 1") == ["brick"]


def test_vectors_come_out_as_they_went_in(paints):
    raw = bytes.fromhex("0000803f000000bf00000080")
    paints.rows("INSERT INTO paints VALUES (4, 'raw', :raw)", raw=raw)
    assert paints.value("SELECT rgb FROM paints WHERE id = 4") == raw


def test_update_of_vector_key_and_metadata(paints):
    paints.rows("UPDATE paints SET rgb = '[9, 9, 9]' WHERE name = 'coral'")
    assert names(paints) == ["brick", "ink", "coral"]
    paints.rows("UPDATE paints SET id = 20, name = 'CORAL' WHERE id = 2")
    assert paints.rows("SELECT id, name FROM paints WHERE name = 'CORAL'") == [[20, "CORAL"]]
    assert names(paints) == ["brick", "ink", "CORAL"]


def test_delete_and_truncate(paints):
    paints.rows("DELETE FROM paints WHERE name = 'coral'")
    assert names(paints) == ["brick", "ink"]
    paints.rows("DELETE FROM paints")
    assert names(paints) == [] and paints.value("SELECT count(*) FROM paints") == 0
    paints.rows(PAINTS)
    assert names(paints) == ["coral", "brick", "ink"]


def test_null_vector_is_a_row_that_no_search_returns(paints):
    paints.rows("INSERT INTO paints VALUES (9, 'unknown', NULL)")
    assert paints.value("SELECT count(*) FROM paints") == 4
    assert "unknown" not in names(paints)
    paints.rows("UPDATE paints SET rgb = '[1, 0.5, 0.31]' WHERE id = 9")
    assert names(paints)[:2] == ["coral", "unknown"]


def test_conflict_clauses(paints):
    paints.rows("INSERT OR REPLACE INTO paints VALUES (2, 'coral', '[0, 0, 0]')")
    assert names(paints) == ["brick", "ink", "coral"]
    paints.rows("INSERT OR IGNORE INTO paints VALUES (2, 'other', '[1, 1, 1]')")
    assert names(paints, "SELECT name FROM paints ORDER BY id") == ["brick", "coral", "ink"]
    assert "UNIQUE constraint failed" in paints.error("INSERT INTO paints VALUES (5, 'brick', '[1, 1, 1]')")
    assert paints.value("SELECT count(*) FROM paints") == 3


def test_rollback_and_savepoints(paints):
    paints.rows("BEGIN")
    paints.rows("DELETE FROM paints WHERE id = 1")
    paints.rows("SAVEPOINT doubt")
    paints.rows("INSERT INTO paints VALUES (4, 'rose', '[1, 0.5, 0.4]')")
    assert names(paints) == ["coral", "rose", "ink"]
    paints.rows("ROLLBACK TO doubt")
    assert names(paints) == ["coral", "ink"]
    paints.rows("ROLLBACK")
    assert names(paints) == ["coral", "brick", "ink"]


def test_bulk_load_in_one_transaction(paints):
    paints.rows(
        "WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 2099)"
        " INSERT INTO paints SELECT i, 'p' || i, '[' || i || ',' || (i % 7) || ', 1]' FROM n"
    )
    assert paints.value("SELECT count(*) FROM paints(vec_parse('[5, 5, 5]'))") == 2003
    assert names(paints, "SELECT name FROM paints WHERE rgb MATCH '[1500.1, 2, 1]' ORDER BY distance LIMIT 2")[0] == "p1500"


def test_reopened_file_and_a_second_connection(paints, connect, tmp_path):
    other = connect(tmp_path / "paints.db")
    assert names(other) == ["coral", "brick", "ink"]
    paints.rows("DELETE FROM paints WHERE id = 2")
    assert names(other) == ["brick", "ink"]


def test_rename_vacuum_and_drop(paints):
    paints.rows("ALTER TABLE paints RENAME TO colours")
    assert names(paints, NEAR_CORAL.replace("paints", "colours")) == ["coral", "brick", "ink"]
    paints.rows("VACUUM")
    assert names(paints, NEAR_CORAL.replace("paints", "colours")) == ["coral", "brick", "ink"]
    paints.rows("DROP TABLE colours")
    assert paints.rows("SELECT name FROM sqlite_schema") == []
    paints.rows(CREATE)


def test_attached_database(paints, tmp_path):
    paints.rows("ATTACH :file AS other", file=str(tmp_path / "other.db"))
    paints.rows(CREATE.replace("TABLE ", "TABLE other."))
    paints.rows(PAINTS.replace("INTO ", "INTO other.").replace("'coral'", "'far coral'"))
    assert names(paints, NEAR_CORAL.replace("FROM ", "FROM other.")) == ["far coral", "brick", "ink"]
    assert names(paints) == ["coral", "brick", "ink"]


def test_odd_names_work_and_inject_nothing(memory):
    table, column, vector = "o'dd \"name; DROP TABLE x--", "sélect *", "vec [tor]"

    def quoted(name):
        return '"' + name.replace('"', '""') + '"'

    t, c, v = quoted(table), quoted(column), quoted(vector)
    memory.rows("CREATE TABLE x(a)")
    memory.rows(f"CREATE VIRTUAL TABLE {t} USING hnsw({c} TEXT, {v} FLOAT[2])")
    memory.rows(f"INSERT INTO {t}({c}, {v}) VALUES ('one', '[1, 0]'), ('two', '[0, 1]')")
    assert memory.rows(f"SELECT {c} FROM {t} WHERE {v} MATCH '[0, 2]' ORDER BY distance") == [["two"], ["one"]]
    assert memory.rows("SELECT * FROM x") == []


def test_rows_are_readable_without_the_extension(paints, tmp_path):
    import sqlite3

    with sqlite3.connect(tmp_path / "paints.db") as plain:
        assert plain.execute("SELECT name FROM paints_rows ORDER BY id").fetchall() == [("brick",), ("coral",), ("ink",)]


def test_table_valued_functions_under_or(paints):
    assert paints.rows("SELECT i FROM vec_each('[1, 2, 3]') WHERE i = 0 OR value = 2") == [[0], [1]]
    keys = paints.rows("SELECT key FROM hnsw_info('paints') WHERE key = 'm' OR value = 'l2' ORDER BY key")
    assert keys == [["m"], ["metric"]]


def test_pragma_integrity_check_reports_ok(paints):
    assert paints.rows("PRAGMA integrity_check") == [["ok"]]


def test_like_finds_blobs_whatever_its_prefix_ends_with(memory):
    """SQLite makes a range of a LIKE by adding one to its prefix, each version in its own way. BLOBs lie outside."""
    texts = [prefix + end for prefix in ("", "q") for end in ("a", "\u00e9", "\u00ff", "\u043f", "\uffff", "\U0010ffff")]
    for column in ("a TEXT COLLATE NOCASE", "a TEXT COLLATE BINARY"):
        memory.rows(f"CREATE TABLE plain(id INTEGER PRIMARY KEY, {column})")
        memory.rows(f"CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, {column}, e FLOAT[1])")
        values = ", ".join(f"('{text}1'), (CAST('{text}1' AS BLOB))" for text in texts)
        memory.rows(f"INSERT INTO plain(a) VALUES {values}")
        memory.rows("INSERT INTO t SELECT id, a, '[1]' FROM plain")
        for text in texts:
            for condition in (f"a LIKE '{text}%'", f"a LIKE '{text}%' ESCAPE '!'", f"a GLOB '{text}*'"):
                expected = memory.rows(f"SELECT id FROM plain WHERE {condition} ORDER BY id")
                assert memory.rows(f"SELECT id FROM t WHERE {condition} ORDER BY id") == expected, condition
                assert memory.rows(f"SELECT id FROM t WHERE e MATCH '[1]' AND {condition} ORDER BY id") == expected, condition
        memory.rows("DROP TABLE plain")
        memory.rows("DROP TABLE t")
