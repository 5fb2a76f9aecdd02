"""The book's "SQLite's rules for virtual tables": what ORMs, schema tools and drivers make of them, and the ways out."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig

import pytest

from hosts import LIBRARY, TARGET, HostMissing, PythonSession, python_that_loads_extensions

PAGE = """SELECT id FROM a WHERE e MATCH '[0, 0]' AND {} ORDER BY distance LIMIT 2 OFFSET {}"""


def missing(reason: str) -> None:
    """A skip, or under CI a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"missing under CI: {reason}")
    pytest.skip(reason)


def found(case: str) -> dict:
    try:
        python = python_that_loads_extensions()
    except HostMissing as error:
        missing(str(error))
    environment = dict(os.environ)
    if python != sys.executable:
        environment["PYTHONPATH"] = sysconfig.get_path("purelib")
    script = pathlib.Path(__file__).with_name("frameworks.py")
    run = subprocess.run([python, script, LIBRARY, case], env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_django_gets_no_automatic_key_and_writes_the_row_twice():
    assert found("django_returning") == {
        "automatic": None,
        "twice": [[1, "jug"], [2, "mug"]],
        "given": [7, "mug"],
        "bytes": True,
        "without_returning": 8,
    }


def test_django_cannot_upsert():
    assert found("django_upsert") == {"error": 'UPSERT not implemented for virtual table "articles"'}


def test_django_alter_field_makes_an_ordinary_table():
    assert found("django_alter_field") == {"tables": [["articles", "CREATE TABLE"]]}


def test_sqlalchemy_gets_no_automatic_keys():
    assert found("sqlalchemy_returning") == {
        "automatic": "NULL identity key.",
        "without_returning": [1, 2],
        "given": [[5, "jug", True], [6, "mug", True]],
    }


def test_alembic_would_drop_the_shadow_tables():
    changes = found("alembic_autogenerate")
    shadow = {f"remove_table articles_{suffix}" for suffix in ("config", "rows", "nodes", "graph")}
    assert shadow < set(changes["bare"])
    assert (changes["name"], changes["object"]) == ([], [])


def test_sqlite_utils_transform_makes_an_ordinary_table():
    assert found("sqlite_utils_transform") == {"tables": [["articles", "CREATE TABLE"]]}


def test_odbc_gives_the_bytes_of_a_vector(tmp_path):
    try:
        import pyodbc
    except ImportError as error:  # libodbc.so
        missing(str(error))
    if "SQLite3" not in pyodbc.drivers():
        missing("no ODBC driver SQLite3: tests/run.sh prepare installs libsqliteodbc")
    source = f"DRIVER=SQLite3;Database={tmp_path / 'o.db'};LoadExt={LIBRARY}"
    connection = pyodbc.connect(source, autocommit=True)
    connection.execute("CREATE VIRTUAL TABLE articles USING hnsw(id INTEGER PRIMARY KEY, name TEXT, e FLOAT[2], f INT8[2])")
    vector = b"\x00\x00\x80\x3f\x00\x00\x00\x40"
    connection.execute("INSERT INTO articles VALUES (1, 'jug', ?, '[3, -4]')", vector)
    assert [tuple(row) for row in connection.execute("SELECT * FROM articles")] == [(1, "jug", vector, b"\x03\xfc")]
    (row,) = connection.execute("SELECT e, name, distance FROM articles WHERE e MATCH ? ORDER BY distance", vector)
    assert (row.e, row.name) == (vector, "jug") and row.distance < 1e-6
    connection.close()


NODE_HOME = TARGET / "node-hosts"


def test_a_node_orm_gives_the_bytes_of_a_vector():
    if shutil.which("node") is None or not (NODE_HOME / "node_modules").exists():
        missing(f"no Node with {NODE_HOME}/node_modules: tests/run.sh prepare installs it")
    command = ["node", str(NODE_HOME / "drizzle.mjs"), str(LIBRARY)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == {
        "rows": [{"id": 1, "name": "jug", "embedding": "0000803f00000040"}, {"id": 2, "name": "mug", "embedding": None}],
        "near": [{"id": 1, "name": "jug", "embedding": "0000803f00000040"}],
    }


def test_an_untrusted_schema_has_no_match_but_the_table_valued_form(memory):
    memory.rows("CREATE VIRTUAL TABLE a USING hnsw(name TEXT, e FLOAT[2])")
    memory.rows("INSERT INTO a VALUES ('jug', '[1, 0]')")
    memory.rows("CREATE TABLE asked(taste)")
    memory.rows("CREATE TABLE shown(name)")
    memory.rows("PRAGMA trusted_schema = off")
    for number, form in enumerate(["FROM a WHERE e MATCH {}", "FROM a({})"]):
        view, trigger = form.format("'[1, 0]'"), form.format("new.taste")
        memory.rows(f"CREATE VIEW near{number} AS SELECT name {view}")
        memory.rows(f"CREATE TRIGGER ask{number} AFTER INSERT ON asked BEGIN INSERT INTO shown SELECT name {trigger}; END")
        uses = [f"SELECT name FROM near{number}", "INSERT INTO asked VALUES ('[1, 0]')"]
        if number == 0:
            assert [memory.error(use) for use in uses] == ["unsafe use of MATCH()"] * 2
            memory.rows("DROP TRIGGER ask0")
        else:
            assert [memory.rows(use) for use in uses] == [[["jug"]], []]
    assert memory.rows("SELECT name FROM shown") == [["jug"]]
    assert memory.rows("SELECT name FROM a WHERE e MATCH '[1, 0]'") == [["jug"]]  # by the host itself: always


@pytest.mark.parametrize("version", ["3.51.2", "3.53.0", "current"])
def test_exists_beside_offset_is_wrong_in_some_releases_of_sqlite(version):
    """There SQLite makes EXISTS a join, and OFFSET counts a row once for each match."""
    path = None if version == "current" else TARGET / "python-hosts" / f"apsw-{version}.0"
    if path is not None and not path.exists():
        missing(f"no apsw in {path}: tests/run.sh prepare installs it")
    with PythonSession(":memory:", sys.executable, "apsw", path) as session:
        assert version in (session.version, "current")
        session.rows("CREATE VIRTUAL TABLE a USING hnsw(id INTEGER PRIMARY KEY, e FLOAT[2], metric = 'l2')")
        session.rows("INSERT INTO a VALUES (1, '[1, 0]'), (2, '[2, 0]'), (3, '[3, 0]'), (4, '[4, 0]')")
        session.rows("CREATE TABLE tags(id INTEGER)")
        session.rows("CREATE INDEX by_id ON tags(id)")
        session.rows("INSERT INTO tags VALUES (1), (1), (1), (2), (3), (4)")
        exists = PAGE.format("EXISTS (SELECT 1 FROM tags t WHERE t.id = a.id)", 2)
        right, wrong = [[3], [4]], [[1], [2]]
        assert session.rows(exists) == (right if version == "current" else wrong)
        assert session.rows(PAGE.format("id IN (SELECT id FROM tags)", 2)) == right
