"""An error names the table and column, what was expected and what came. The host survives."""
import pytest

TABLE = "CREATE VIRTUAL TABLE paints USING hnsw(name TEXT PRIMARY KEY NOT NULL, price REAL CHECK (price > 0), rgb FLOAT[3])"
TWO = "CREATE VIRTUAL TABLE two USING hnsw(words FLOAT16[4], image INT8[2] NOT NULL)"

CREATING = {
    "hnsw()": 't: expected at least one vector column, such as "embedding FLOAT[256]"',
    "hnsw(a TEXT)": 't: expected at least one vector column, such as "embedding FLOAT[256]"',
    "hnsw(v FLOAT[0])": "t.v: expected 1 to 16384 dimensions, got FLOAT[0]",
    "hnsw(v FLOAT[16385])": "t.v: expected 1 to 16384 dimensions, got FLOAT[16385]",
    "hnsw(v FLOAT)": 't: expected at least one vector column, such as "embedding FLOAT[256]"',
    "hnsw(v DOUBLE[3])": "t.v: expected FLOAT[d], FLOAT16[d], INT8[d] or BIT[d], got DOUBLE[3]",
    "hnsw(v FLOAT[3], V TEXT)": "t.V: the column is declared twice",
    "hnsw(v FLOAT[3], distance REAL)":
        "t.distance: the column names query, k, ef_search, distance, similarity, group_by, group_limit and that of the table itself are reserved",
    "hnsw(t TEXT, v FLOAT[3])":
        "t.t: the column names query, k, ef_search, distance, similarity, group_by, group_limit and that of the table itself are reserved",
    "hnsw(v FLOAT[3], metric = 'manhattan')": "t: metric: expected 'cosine', 'l2', 'dot' or 'hamming', got 'manhattan'",
    "hnsw(v FLOAT[3], m = 1)": "t: m: expected 2 to 64, got 1",
    "hnsw(v FLOAT[3], ef_construction = 0)": "t: ef_construction: expected 1 to 10000, got 0",
    "hnsw(v FLOAT[3], speed = 9)": 't: unknown option "speed": expected metric, m, ef_construction, ef_search, model, content or sync',
    "hnsw(v FLOAT[3], w.metric = 'l2')": "t: the option w.metric is for no vector column of the table",
    "hnsw(v FLOAT[3], m = 8, m = 9)": "t: the option m is given twice",
    "hnsw(v FLOAT[3] DEFAULT '[1,2,3]')": "t.v: a vector column takes NOT NULL and nothing else, got DEFAULT",
    "hnsw(a TEXT PRIMARY KEY, b TEXT PRIMARY KEY, v FLOAT[3])": "t.b: the table has more than one PRIMARY KEY",
}

WRITING = {
    "INSERT INTO paints VALUES ('a', 1, '[1, 2]')": "paints.rgb: expected 3 dimensions (12 bytes of FLOAT), got 2",
    "INSERT INTO paints VALUES ('a', 1, x'0000803f0000803f')":
        "paints.rgb: expected 3 dimensions (12 bytes of FLOAT), got 2",
    "INSERT INTO paints VALUES ('a', 1, x'0000803f00')":
        "paints.rgb: expected 3 dimensions (12 bytes of FLOAT), got 5 bytes",
    "INSERT INTO paints VALUES ('a', 1, '[1, 2, 3')":
        "paints.rgb: malformed JSON vector: expected ',' or ']' at byte 8, found the end of the text",
    "INSERT INTO paints VALUES ('a', 1, '[1, 2, nan]')":
        "paints.rgb: malformed JSON vector: expected a number at byte 7, found 'nan'",
    "INSERT INTO paints VALUES ('a', 1, x'0000c07f0000803f0000803f')":
        "paints.rgb: component 0: expected a finite number, got NaN",
    "INSERT INTO paints VALUES ('a', 1, x'0000807f0000803f0000803f')":
        "paints.rgb: component 0: expected a finite number, got inf",
    "INSERT INTO paints VALUES ('a', 1, '[0, 0, 0]')":
        "paints.rgb: expected a vector with a direction, since the metric is cosine, got all zeros",
    "INSERT INTO paints VALUES ('a', 1, 7)": "paints.rgb: expected a vector (a BLOB, or JSON text), got INTEGER",
    "INSERT INTO paints VALUES ('a', -1, '[1, 2, 3]')": "CHECK constraint failed: price > 0",
    "INSERT INTO paints VALUES (NULL, 1, '[1, 2, 3]')": "NOT NULL constraint failed: paints.name",
    "INSERT INTO paints VALUES ('brick', 1, '[1, 2, 3]')": "UNIQUE constraint failed: paints.name",
    "INSERT INTO two VALUES ('[1, 2, 3, 4]', NULL)": "NOT NULL constraint failed: two.image",
    "INSERT INTO two VALUES ('[1, 2, 3, 4]', '[1, 128]')":
        "two.image: component 1: expected a whole number from -128 to 127 for INT8, got 128",
    "INSERT INTO two VALUES ('[1, 2, 3, 70000]', '[1, 2]')":
        "two.words: component 3: expected -65504 to 65504 for FLOAT16, got 70000",
    "INSERT INTO paints(paints) VALUES ('polish')":
        "paints: unknown command 'polish': expected 'optimize', 'rebuild', 'cluster', 'fold', 'integrity-check', 'ef_search' or 'node_cache'",
    "INSERT INTO paints(paints, k) VALUES ('ef_search', 0)":
        "paints: the command 'ef_search' expects 1 to 10000 as k, got 0: "
        "INSERT INTO paints(paints, k) VALUES ('ef_search', 100)",
    "INSERT INTO paints(name, rgb, distance) VALUES ('a', '[1, 2, 3]', 0.5)":
        "paints.distance: a column that cannot be written",
}

NO_SEARCH = (
    "paints.rgb: unable to use function MATCH in the requested context: "
    "write it as a term of WHERE, joined to the others by AND"
)
READING = {
    "SELECT * FROM paints WHERE rgb MATCH '[1, 2]'": "paints.rgb: expected 3 dimensions (12 bytes of FLOAT), got 2",
    "SELECT * FROM paints WHERE rgb MATCH 'coral'":
        "paints.rgb: malformed JSON vector: expected '[' at byte 0, found 'coral'",
    "SELECT * FROM paints WHERE rgb MATCH '[0, 0, 0]'":
        "paints.rgb: expected a vector with a direction, since the metric is cosine, got all zeros",
    "SELECT * FROM paints WHERE name MATCH '[1, 2, 3]'":
        'paints.name: MATCH is for vector columns: write "WHERE rgb MATCH ?"',
    "SELECT * FROM paints WHERE rgb MATCH '[1, 2, 3]' AND ef_search = 0":
        "paints.ef_search: expected 1 to 10000 or 'exact', got 0",
    "SELECT * FROM paints WHERE rgb MATCH '[1, 2, 3]' AND ef_search = 'fast'":
        "paints.ef_search: expected 1 to 10000 or 'exact', got 'fast'",
    "SELECT * FROM paints('[1, 2, 3]', -1)": "paints.k: expected a whole number from 0 on, got -1",
    "SELECT * FROM paints('[1, 2, 3]') WHERE rgb MATCH '[1, 2, 3]'": "paints: expected one query vector, got two",
    "SELECT * FROM paints WHERE rgb MATCH '[1, 2, 3]' OR price + 1 > 2": NO_SEARCH,
    "SELECT * FROM paints WHERE NOT rgb MATCH '[1, 2, 3]'": NO_SEARCH,
    "SELECT rgb MATCH '[1, 2, 3]' FROM paints": NO_SEARCH,
    "SELECT * FROM two('[1, 2]')": 'table "two" has two vector columns: write "WHERE words MATCH ?" instead of two(?)',
    "SELECT vec_l2('[1, 2]', '[1, 2, 3]')": "vec_l2: expected two vectors of the same dimensions, got 2 and 3",
    "SELECT * FROM vec_each": "vec_each: expected a vector as its argument: vec_each(v)",
    "SELECT * FROM hnsw_info": "hnsw_info: expected the name of a table: hnsw_info('articles')",
    "SELECT * FROM hnsw_info('nothing')": 'hnsw_info: there is no hnsw table "nothing"',
    "SELECT * FROM hnsw_stats": "hnsw_stats: expected the name of a table: hnsw_stats('articles')",
    "SELECT * FROM hnsw_stats('nothing')": 'hnsw_stats: there is no hnsw table "nothing"',
}


@pytest.mark.parametrize("definition", CREATING)
def test_create_is_refused(memory, definition):
    assert memory.error(f"CREATE VIRTUAL TABLE t USING {definition}") == CREATING[definition]
    assert memory.rows("SELECT name FROM sqlite_schema") == []


@pytest.fixture
def tables(memory):
    memory.rows(TABLE)
    memory.rows(TWO)
    memory.rows("INSERT INTO paints VALUES ('brick', 12.5, '[0.7, 0.25, 0.2]')")
    return memory


@pytest.mark.parametrize("sql", WRITING)
def test_write_is_refused_and_changes_nothing(tables, sql):
    assert tables.error(sql) == WRITING[sql]
    assert tables.rows("SELECT name FROM paints") == [["brick"]]
    assert tables.value("SELECT count(*) FROM two") == 0
    tables.rows("INSERT INTO paints(paints) VALUES ('integrity-check')")


@pytest.mark.parametrize("sql", READING)
def test_read_is_refused(tables, sql):
    assert tables.error(sql) == READING[sql]
    assert tables.rows("SELECT name FROM paints('[1, 1, 1]')") == [["brick"]]


def test_a_damaged_row_is_named_and_the_host_lives(connect, tmp_path):
    file = tmp_path / "damaged.db"
    session = connect(file)
    session.rows(TABLE)
    session.rows("INSERT INTO paints VALUES ('brick', 1, '[1, 2, 3]'), ('coral', 1, '[3, 2, 1]')")
    node = session.value("SELECT min(id) FROM paints_nodes")
    session.rows("UPDATE paints_nodes SET data = zeroblob(7) WHERE id = :id", id=node)
    text = connect(file).error("SELECT name FROM paints('[1, 1, 1]')")
    assert "paints_nodes" in text and "damaged" in text


def test_a_newer_format_is_refused_by_number(connect, tmp_path):
    file = tmp_path / "newer.db"
    session = connect(file)
    session.rows(TABLE)
    session.rows("UPDATE paints_config SET value = 99 WHERE key GLOB '*version*'")
    assert "format version 99" in connect(file).error("SELECT name FROM paints('[1, 1, 1]')")
