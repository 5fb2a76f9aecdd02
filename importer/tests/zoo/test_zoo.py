"""Every file of the zoo is imported value by value, or refused in one clear line with the old database untouched.

    VECRANK_TARGET=target python -m pytest importer/tests/zoo

with `vecrank` built for release and requirements.txt installed; `tests/run.sh prepare build zoo` does all three.
"""
import json
import math
import re
import sqlite3
from pathlib import Path
from subprocess import CompletedProcess

import by_duckdb
import by_options
import by_polars
import by_pyarrow
import checksums
import pyarrow as pa
import pytest
import refused
from animal import Animal
from expected import stored
from vecrank_command import vecrank

ANIMALS = [*by_pyarrow.animals(), *by_polars.animals(), *by_duckdb.animals(), *by_options.animals()]
REFUSED = list(refused.animals())


def named(animal: Animal) -> str:
    return animal.name


def import_animal(animal: Animal, folder: Path) -> CompletedProcess:
    animal.write(folder / "animal.parquet")
    return vecrank("import", "animal.parquet", "zoo.db", "--table", "zoo", "--key", "id", *animal.options, folder=folder)


def rows_of(table: pa.Table, animal: Animal) -> dict[str, list]:
    """What each ordinary column should hold."""
    real, unix = "real" in animal.options, "unix" in animal.options
    columns = [name for name in table.column_names if name != "embedding"]
    return {name: [stored(value, real, unix) for value in table.column(name)] for name in columns}


def embeddings_of(table: pa.Table) -> dict[int, list[float] | None]:
    """The vectors as f32, which is what the query prints whatever the element; None for unusable ones."""
    found = {}
    for row, vector in zip(table.column("id").to_pylist(), table.column("embedding").to_pylist()):
        if isinstance(vector, bytes):
            vector = list(memoryview(vector).cast("f"))
        usable = vector is not None and len(vector) == 4 and None not in vector
        found[row] = vector if usable and all(map(math.isfinite, vector)) and any(vector) else None
    return found


@pytest.mark.parametrize("animal", ANIMALS, ids=named)
def test_is_imported_value_by_value(animal, tmp_path):
    done = import_animal(animal, tmp_path)
    assert (done.returncode, re.fullmatch(animal.says.format(file="animal.parquet"), done.stderr) is not None) == (0, True), done.stderr
    table = animal.read(tmp_path / "animal.parquet")
    db = sqlite3.connect(tmp_path / "zoo.db")
    wrong = []
    for name, values in rows_of(table, animal).items():
        quoted = '"' + name.replace('"', '""') + '"'
        got = [value for (value,) in db.execute(f"SELECT {quoted} FROM zoo_rows ORDER BY id")]
        assert len(got) == len(values)
        wrong += [(name, row, want, found) for row, (want, found) in enumerate(zip(values, got))
                  if not (want == found and (type(want) is type(found) or isinstance(found, str)))]
    assert wrong[:5] == []
    out = vecrank("query", "zoo.db", "--columns", "id,embedding", "--json", "--limit", str(table.num_rows), folder=tmp_path).stdout
    assert {row["id"]: row["embedding"] for row in json.loads(out)} == embeddings_of(table)


@pytest.fixture(scope="module")
def old_database(tmp_path_factory) -> bytes:
    folder = tmp_path_factory.mktemp("old")
    table = by_pyarrow.with_vectors({"n": pa.array([1, 2, 3])})
    assert import_animal(by_pyarrow.of_table("old", table), folder).returncode == 0
    return (folder / "zoo.db").read_bytes()


@pytest.mark.parametrize("animal", REFUSED, ids=named)
def test_is_refused_in_one_clear_line(animal, tmp_path, old_database):
    (tmp_path / "zoo.db").write_bytes(old_database)
    done = import_animal(animal, tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(f"vecrank: {animal.says.format(file='animal.parquet')}\n", done.stderr), done.stderr
    assert len(done.stderr) < 500
    assert (tmp_path / "zoo.db").read_bytes() == old_database
    assert sorted(path.name for path in tmp_path.iterdir()) == ["animal.parquet", "zoo.db"]


@pytest.mark.parametrize("seed", refused.DAMAGES)
def test_damage_anywhere_is_survived(seed, tmp_path, old_database):
    """Some bytes of a good file changed: it is imported, for damage to a number is none to the file, or refused."""
    (tmp_path / "zoo.db").write_bytes(old_database)
    done = import_animal(refused.damaged(seed), tmp_path)
    assert done.returncode in (0, 2) and "internal error" not in done.stderr, done.stderr
    if done.returncode == 2:
        assert re.fullmatch("vecrank: [^\n]*animal.parquet: [^\n]+\n", done.stderr), done.stderr
        assert (tmp_path / "zoo.db").read_bytes() == old_database


@pytest.mark.parametrize("seed", range(checksums.COUNT))
def test_damage_that_a_checksum_shows_is_refused(seed, tmp_path, old_database):
    (tmp_path / "zoo.db").write_bytes(old_database)
    codec, content = checksums.damaged(seed)
    (tmp_path / "animal.parquet").write_bytes(content)
    done = vecrank("import", "animal.parquet", "zoo.db", "--table", "zoo", "--key", "id", folder=tmp_path)
    if content == checksums.good(codec):
        assert done.returncode == 0, done.stderr
        return
    assert (done.returncode, done.stdout) == (2, ""), "a changed byte was imported"
    assert re.fullmatch("vecrank: animal.parquet: [^\n]+\n", done.stderr), done.stderr
    assert (tmp_path / "zoo.db").read_bytes() == old_database
