"""A dump (`.dump`) of one shell, read by another, restores rows, keys, BLOBs and vectors, and the index is sound."""
import io
import shutil
import subprocess

import apsw
import apsw.shell
import pytest

from hosts import HOSTS, LIBRARY
from conftest import opened

ROWS = "SELECT rowid, id, name, picture, typeof(picture), hex(words), hex(image), hex(hash) FROM goods ORDER BY rowid"


def apsw_connection(file) -> apsw.Connection:
    db = apsw.Connection(str(file))
    db.enable_load_extension(True)
    db.load_extension(str(LIBRARY))
    return db


def debian_dump(file) -> str:
    return subprocess.run([shell(), str(file), ".dump"], check=True, capture_output=True, text=True).stdout


def debian_read(dump: str, file) -> None:
    command = [shell(), "-batch", "-cmd", f".load {LIBRARY.with_suffix('')}", str(file)]
    run = subprocess.run(command, input=dump, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")


def apsw_dump(file) -> str:
    output = io.StringIO()
    db = apsw_connection(file)
    apsw.shell.Shell(db=db, stdout=output).process_command(".dump")
    db.close()
    return output.getvalue()


def apsw_read(dump: str, file) -> None:
    script = file.with_suffix(".sql")
    script.write_text(dump, "utf8")
    db = apsw_connection(file)
    apsw.shell.Shell(db=db).process_command(f".read {script}")
    db.close()


def shell() -> str:
    found = shutil.which("sqlite3")
    if found is None:
        opened(next(host for host in HOSTS if host.name == "shell"), ":memory:")
    return found


DUMPS = {"debian": debian_dump, "apsw": apsw_dump}
READS = {"debian": debian_read, "apsw": apsw_read}


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("dump", DUMPS)
def test_a_dump_restores_the_table(dump, read, tmp_path):
    db = apsw_connection(tmp_path / "old.db")
    db.execute(
        "CREATE VIRTUAL TABLE goods USING hnsw(id TEXT PRIMARY KEY, name TEXT COLLATE NOCASE INDEXED, picture BLOB, "
        "words FLOAT16[3], image INT8[2] NOT NULL, hash BIT[16], image.metric = 'l2', model = 'it''s A', image.model = 'B')"
    )
    db.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40) "
        "INSERT INTO goods SELECT 'G' || i, 'it''s ' || char(9731) || i, CAST(zeroblob(i % 3) || x'00ff27' AS BLOB), "
        "iif(i % 7, vec_f16('[' || i || ', 1, -2]'), NULL), vec_int8('[' || i || ', -3]'), "
        "iif(i % 5, CAST(char(i, 127 - i) AS BLOB), NULL) FROM n"
    )
    db.execute("DELETE FROM goods WHERE id IN ('G5', 'G6')")
    expected = [db.execute(ROWS).fetchall()] + [db.execute(sql).fetchall() for sql in searches()]
    assert expected[2] == [("words.model", "it's A"), ("image.model", "B"), ("hash.model", "it's A")]
    db.close()

    READS[read](DUMPS[dump](tmp_path / "old.db"), tmp_path / "new.db")
    db = apsw_connection(tmp_path / "new.db")
    assert [db.execute(ROWS).fetchall()] + [db.execute(sql).fetchall() for sql in searches()] == expected
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    db.execute("INSERT INTO goods(id, image) VALUES ('new', '[1, 1]')")
    db.execute("INSERT INTO goods(goods) VALUES ('integrity-check')")
    with pytest.raises(apsw.ConstraintError, match="UNIQUE constraint failed: goods.id"):
        db.execute("INSERT INTO goods(id, image) VALUES ('G7', '[1, 1]')")
    db.close()


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("dump", DUMPS)
def test_a_dump_of_a_content_table_has_its_index_and_log(dump, read, tmp_path):
    db = apsw_connection(tmp_path / "old.db")
    for sync in ("commit", "log"):
        db.execute(f"CREATE TABLE {sync}_goods(id TEXT PRIMARY KEY, name TEXT, words BLOB)")
        db.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40) "
            f"INSERT INTO {sync}_goods SELECT 'G' || i, 'it''s ' || i, vec_parse('[' || i || ', 1]') FROM n"
        )
        db.execute(f"CREATE VIRTUAL TABLE {sync}_near USING hnsw(content = {sync}_goods, words FLOAT[2], sync = {sync})")
        db.execute(f"DELETE FROM {sync}_goods WHERE id = 'G5'")
        db.execute(f"UPDATE {sync}_goods SET words = '[70, 1]' WHERE id = 'G6'")
    feeds = [f"SELECT rowid, id, name, distance FROM {sync}_near WHERE words MATCH '[7, 1]' ORDER BY distance" for sync in
             ("commit", "log")]
    expected = [db.execute(sql).fetchall() for sql in feeds]
    assert [len(rows) for rows in expected] == [39, 39]
    assert db.execute("SELECT value FROM hnsw_info('log_near') WHERE key = 'logged'").fetchall() == [(2,)]
    db.close()

    READS[read](DUMPS[dump](tmp_path / "old.db"), tmp_path / "new.db")
    db = apsw_connection(tmp_path / "new.db")
    assert [db.execute(sql).fetchall() for sql in feeds] == expected
    for sync in ("commit", "log"):
        db.execute(f"INSERT INTO {sync}_goods VALUES ('new', 'n', '[7, 1]')")
        db.execute(f"INSERT INTO {sync}_near({sync}_near) VALUES ('fold')")
        db.execute(f"INSERT INTO {sync}_near({sync}_near) VALUES ('integrity-check')")
    assert [("new" in {row[1] for row in db.execute(sql).fetchall()[:2]}) for sql in feeds] == [True, True]
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    db.close()


def searches() -> list[str]:
    return [
        "SELECT id, distance FROM goods WHERE words MATCH '[3, 1, -2]' ORDER BY distance",
        "SELECT key, value FROM hnsw_info('goods') WHERE key LIKE '%model'",
        "SELECT id, distance FROM goods WHERE hash MATCH x'0f6f' ORDER BY distance LIMIT 20",
        "SELECT id, distance FROM goods WHERE image MATCH '[9, 1]' AND name < 'it''s b' ORDER BY distance LIMIT 9",
    ]
