"""Files whose columns are taken in another form, as options ask: vectors in other forms, other names, other types."""
import functools
import json
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq

from animal import DIMS, Animal, embeddings, vectors, with_vectors

ROWS = 5
NAMED = ("--embedding", "embedding")


def of_tables(name: str, written: pa.Table, meant: pa.Table, options: tuple[str, ...], **how) -> Animal:
    """`meant`: the table that the options make of the written one."""
    return Animal(f"options-{name}", functools.partial(pq.write_table, written, **how), lambda path: meant, options)


def other_vectors():
    rows = vectors(ROWS)
    meant = pa.table({"id": range(ROWS), "embedding": embeddings(ROWS)})
    forms = {
        "json": pa.array([json.dumps(row.tolist()) for row in rows]),
        "json-dictionary": pa.array([json.dumps(row.tolist()) for row in rows]).dictionary_encode(),
        "binary": pa.array([row.tobytes() for row in rows], pa.binary()),
        "large-binary": pa.array([row.tobytes() for row in rows], pa.large_binary()),
        "binary-view": pa.array([row.tobytes() for row in rows], pa.binary_view()),
        "1-by-n": pa.array([[row.tolist()] for row in rows], pa.list_(pa.list_(pa.float64()))),
        "1-by-n-fixed": pa.array([[row.tolist()] for row in rows], pa.list_(pa.list_(pa.float32(), DIMS), 1)),
    }
    for name, array in forms.items():
        yield of_tables(name, pa.table({"id": range(ROWS), "embedding": array}), meant, NAMED)
    found = pa.table({"id": range(ROWS), "embedding": forms["1-by-n"]})
    yield of_tables("1-by-n-found", found, meant, ())


def parts():
    rows = vectors(ROWS)
    words = pa.array(["a", None, "b", "c", "d"])
    struct = pa.StructArray.from_arrays([words, embeddings(ROWS), words], ["word", "embedding", "last"])
    rest = pa.StructArray.from_arrays([words, words], ["word", "last"])
    written, meant = ({"id": pa.array(range(ROWS)), "payload": array} for array in (struct, rest))
    meant["embedding"] = embeddings(ROWS)
    yield of_tables("struct", pa.table(written), pa.table(meant), ("--embedding", "payload.embedding"))
    deep = pa.StructArray.from_arrays([struct], ["inner"])
    only = pa.StructArray.from_arrays([rest], ["inner"])
    yield of_tables("deep-struct", pa.table(written | {"payload": deep}), pa.table(meant | {"payload": only}),
                    ("--embedding", "payload.inner.embedding"))
    for kind in ("float32", "float64", "float16"):
        spread = {f"e{i:02}": pa.array(rows[:, i]).cast(kind) for i in reversed(range(DIMS))}
        yield of_tables(f"spread-{kind}", pa.table({"id": range(ROWS)} | spread | {"word": words}),
                        pa.table({"id": range(ROWS), "word": words, "embedding": embeddings(ROWS)}), ("--embedding", "embedding=e*"))


def others():
    whole = with_vectors({"distance": pa.array([1, 2]), "k": pa.array(["a", "b"]), "Query": pa.array([0.5, None])})
    renames = ("--rename", "distance=far", "--rename", "k=letter", "--rename", "Query=q")
    yield of_tables("rename", whole, whole.rename_columns(["id", "far", "letter", "q", "embedding"]), renames)
    twice = pa.Table.from_arrays([pa.array([0, 1]), pa.array(["a", "b"]), pa.array([1, 2]), embeddings(2)], ["id", "a", "a", "embedding"])
    yield of_tables("rename-twice", twice, twice.rename_columns(["id", "first", "second", "embedding"]),
                    ("--rename", "a=first", "--rename", "a=second"))
    typed = with_vectors({"zip": pa.array([1234, None]), "n": pa.array(["7", "-1"]), "r": pa.array(["0.5", "12"]), "b": pa.array(["ä", ""])})
    meant = with_vectors({"zip": pa.array(["1234", None]), "n": pa.array([7, -1]), "r": pa.array([0.5, 12.0]), "b": pa.array(["ä".encode(), b""])})
    types = [("--type", f"{column}={kind}") for column, kind in (("zip", "TEXT"), ("n", "INTEGER"), ("r", "REAL"), ("b", "BLOB"))]
    yield of_tables("types", typed, meant, sum(types, ()))
    bad = pa.array([b"ok", b"\xff"], pa.binary()).view(pa.string())
    yield of_tables("exclude-bad-text", with_vectors({"word": bad, "n": pa.array([1, 2])}), with_vectors({"n": pa.array([1, 2])}),
                    ("--exclude", "word"))


def maps():
    """Maps by every kind of key."""
    keys = {
        "binary": pa.array([b"\xff\xfe", b""], pa.binary()), "fixed": pa.array([b"ab", b"\0\1"], pa.binary(2)),
        "number": pa.array([7, -7], pa.int8()), "real": pa.array([0.5, -1.25]), "date": pa.array([date(2025, 3, 1), date(1, 1, 1)]),
        "moment": pa.array([0, 1], pa.timestamp("ms", "UTC")), "bool": pa.array([True, False]),
        "struct": pa.StructArray.from_arrays([pa.array(["a", None]), pa.array([1, 2])], ["first", "n"]),
        "list": pa.array([["a", None], []], pa.list_(pa.string())),
    }
    columns = {name: pa.MapArray.from_arrays(pa.array([0, 2, 2]), array, pa.array([1, None])) for name, array in keys.items()}
    table = with_vectors(columns)
    yield of_tables("map-keys", table, table, ())


def animals():
    yield from other_vectors()
    yield from parts()
    yield from others()
    yield from maps()
