"""One read-only connection to the file, and what the file's table looks like."""
import sqlite3
import struct
from dataclasses import dataclass
from pathlib import Path

from settings import Fault, Settings

# Formats of `struct`, by the element of the vector column.
# struct's letters for the elements; eight of BIT are a byte.
LETTERS = {"FLOAT": "f", "FLOAT16": "e", "INT8": "b"}
# Distinct values that the catalogue lists per indexed column.
MOST_VALUES = 500

# Columns of the rows table with a UNIQUE constraint of their own, or the primary key.
KEYS = """
    SELECT name FROM pragma_table_info(:rows) WHERE pk = 1
      AND (SELECT count(*) FROM pragma_table_info(:rows) WHERE pk > 0) = 1
    UNION
    SELECT i.name FROM pragma_index_list(:rows) AS l JOIN pragma_index_info(l.name) AS i
    WHERE l."unique" AND l.origin IN ('u', 'pk') AND (SELECT count(*) FROM pragma_index_info(l.name)) = 1
"""
INDEXED = """
    SELECT DISTINCT i.name FROM pragma_index_list(:rows) AS l JOIN pragma_index_info(l.name) AS i
    WHERE l.origin = 'c' AND i.seqno = 0
"""


def quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True)
class Table:
    name: str
    key: str  # "rowid" if no column identifies a row
    columns: dict[str, str]  # ordinary columns and their types
    indexed: frozenset[str]
    embedding: str
    element: str
    dims: int
    metric: str

    def column(self, name: str) -> str | None:
        """The column's own spelling."""
        return next((known for known in self.columns if known.lower() == name.lower()), None)


class Catalogue:
    """The file as one connection sees it: used by one thread at a time."""

    def __init__(self, settings: Settings, identity: tuple):
        self.identity = identity
        self.db = connect(settings)
        try:
            self.table = describe(self.db, settings)
        except (sqlite3.Error, Fault) as error:
            self.db.close()
            raise error if isinstance(error, Fault) else Fault(f"{settings.database}: {error}") from None
        self._about = None

    def about(self) -> dict:
        """What a client needs to know of the table, read once per connection."""
        if self._about is None:
            table = self.table
            info = dict(self.db.execute("SELECT key, value FROM hnsw_info(?)", (table.name,)))
            self._about = {
                "table": table.name,
                "key": table.key,
                "rows": info["rows"],
                "embedding": {"column": table.embedding, "dims": table.dims, "metric": table.metric},
                "columns": [
                    {"name": name, "type": kind, "indexed": name in table.indexed} for name, kind in table.columns.items()
                ],
                "values": self._values(),
            }
        return self._about

    def _values(self) -> dict[str, list]:
        """The values of the indexed columns of text that have few."""
        values = {}
        for column in (name for name, kind in self.table.columns.items() if kind == "TEXT" and name in self.table.indexed):
            name = quote(column)
            rows = self.db.execute(
                f"SELECT DISTINCT {name} FROM {quote(self.table.name)} WHERE {name} IS NOT NULL LIMIT {MOST_VALUES + 1}"
            ).fetchall()
            if len(rows) <= MOST_VALUES:
                values[column] = sorted(value for (value,) in rows)
        return values


def connect(settings: Settings) -> sqlite3.Connection:
    path = settings.database
    if not path.is_file():
        raise Fault(f"{path}: no such file")
    try:
        db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, check_same_thread=False, isolation_level=None)
        db.execute("SELECT count(*) FROM sqlite_schema")
    except sqlite3.DatabaseError as error:
        raise Fault(f"{path}: {error}") from None
    if not hasattr(db, "enable_load_extension"):
        raise Fault("this Python's sqlite3 cannot load extensions: use Debian's /usr/bin/python3, or python:3 of Docker")
    db.text_factory = lambda text: text.decode("utf8", "replace")
    db.execute("PRAGMA busy_timeout = 5000")
    db.enable_load_extension(True)
    try:
        db.load_extension(str(Path(settings.library).with_suffix("")))
    except sqlite3.Error as error:
        raise Fault(f"VECRANK_LIBRARY {settings.library}: {error}") from None
    db.enable_load_extension(False)
    return db


def describe(db: sqlite3.Connection, settings: Settings) -> Table:
    def fault(text: str) -> Fault:
        return Fault(f"{settings.database}: {text}")

    name = choose(
        [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE sql LIKE 'CREATE VIRTUAL TABLE%USING hnsw%'")],
        settings.table, fault, "vecrank table", "FEED_TABLE",
    )
    info = dict(db.execute("SELECT key, value FROM hnsw_info(?)", (name,)))
    vectors = [info["column"]] if "column" in info else [key[:-5] for key in info if key.endswith(".dims")]
    embedding = choose(vectors, settings.embedding, fault, f"vector column in {name}", "FEED_EMBEDDING")
    fact = (lambda key: info[key]) if "column" in info else (lambda key: info[f"{embedding}.{key}"])
    columns = {
        column: kind
        for column, kind, hidden in db.execute("SELECT name, upper(type), hidden FROM pragma_table_xinfo(?)", (name,))
        if not hidden and column not in vectors
    }
    rows = {"rows": info.get("content") or f"{name}_rows"}
    keys = [key for (key,) in db.execute(KEYS, rows) if key in columns]
    return Table(
        name=name, key=keys[0] if len(keys) == 1 else "rowid", columns=columns,
        indexed=frozenset(column for (column,) in db.execute(INDEXED, rows)),
        embedding=embedding, element=fact("element"), dims=fact("dims"), metric=fact("metric"),
    )


def choose(there: list[str], wanted: str | None, fault, what: str, setting: str) -> str:
    """The only one, or the one that the setting names."""
    found = there if wanted is None else [name for name in there if name.lower() == wanted.lower()]
    if len(found) == 1:
        return found[0]
    if not there:
        raise fault(f"no {what}")
    names = ", ".join(sorted(there))
    raise fault(f"several: {names}; choose one by {setting}" if wanted is None else f"no {what} is named {wanted}; there is {names}")


def decode(vector: bytes, element: str) -> list[float]:
    """The numbers of a stored vector. Dimension 0 of a BIT vector is the lowest bit of its first byte."""
    if element == "BIT":
        return [byte >> place & 1 for byte in vector for place in range(8)]
    letter = LETTERS[element]
    return list(struct.unpack(f"<{len(vector) // struct.calcsize(letter)}{letter}", vector))


def encode(numbers: list[float], element: str) -> bytes:
    """The stored form of numbers that are in a vector of this element."""
    if element == "BIT":
        eights = (numbers[start : start + 8] for start in range(0, len(numbers), 8))
        return bytes(sum(int(bit) << place for place, bit in enumerate(eight)) for eight in eights)
    return struct.pack(f"<{len(numbers)}{LETTERS[element]}", *numbers)


def mean(vectors: list[bytes], element: str) -> list[float]:
    """The mean of stored vectors; of bits those that most have."""
    means = [sum(components) / len(vectors) for components in zip(*(decode(vector, element) for vector in vectors))]
    return [int(share > 0.5) for share in means] if element == "BIT" else means
