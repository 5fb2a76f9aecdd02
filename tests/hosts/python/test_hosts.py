"""The hosts themselves: each runs the SQLite that it claims, and passes every kind of value both ways."""
from hosts import parse_rows

FLOORS = {"apsw": (3, 54), "apsw-3.40.1": (3, 40, 1), "rusqlite-3.38.2": (3, 38, 2)}


def test_runs_the_sqlite_that_it_claims(host, memory):
    version = tuple(map(int, memory.version.split(".")))
    assert version >= (3, 38)
    claimed = FLOORS.get(host.name)
    assert claimed is None or version[: len(claimed)] == claimed


def test_carries_every_kind_of_value(memory):
    values = {"a": None, "b": -7, "c": 0.1, "d": "it's\ntwo lines", "e": b"\x00\x1e\x1f\xff", "f": "", "g": b""}
    (row,) = memory.rows("SELECT :a, :b, :c, :d, :e, :f, :g", **values)
    assert row == list(values.values())


def test_reports_errors_and_goes_on(memory):
    assert memory.error("SELECT * FROM nothing_of_the_kind") == "no such table: nothing_of_the_kind"
    memory.rows("CREATE TABLE once(a UNIQUE)")
    memory.rows("INSERT INTO once VALUES (1)")
    assert memory.error("INSERT INTO once VALUES (1)") == "UNIQUE constraint failed: once.a"
    assert memory.value("SELECT count(*) FROM once") == 1


def test_rows_are_parsed_by_value_not_by_line():
    assert parse_rows("'a\nb'\x1f1\n2.5\x1fNULL\nX'00ff'\x1f''''\n") == [["a\nb", 1], [2.5, None], [b"\x00\xff", "'"]]
