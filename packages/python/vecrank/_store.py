"""A table of texts with their metadata and vectors, under the vector stores of LangChain and LlamaIndex."""
import json
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Union

from ._auto import auto
from ._load import load_driver
from ._vectors import vector

Term = tuple[str, list[Any]]


class Text(NamedTuple):
    id: str
    text: str
    metadata: dict[str, Any]
    embedding: bytes
    distance: float = 0.0


class TextTable:
    """An hnsw table with the columns id, text, metadata (JSON) and embedding, made when the first text comes."""

    def __init__(self, database: Union[str, sqlite3.Connection], table: str):
        if not table:
            raise ValueError("table: expected a name, got an empty one")
        if not isinstance(database, sqlite3.Connection):
            if not hasattr(sqlite3.Connection, "enable_load_extension"):
                auto()
            database = sqlite3.connect(database, check_same_thread=False)
        load_driver(database)
        self.connection = database
        self.table = '"{}"'.format(table.replace('"', '""'))
        # The stores' async methods run the others in threads.
        self.lock = threading.RLock()

    def put(self, texts: Iterable[tuple[str, str, dict[str, Any], Sequence[float]]]) -> list[str]:
        """Writes texts in one transaction. One with a known id replaces the old one."""
        rows = [(id, text, json.dumps(metadata), vector(embedding)) for id, text, metadata, embedding in texts]
        if rows:
            columns = f"id TEXT PRIMARY KEY, text TEXT NOT NULL, metadata TEXT NOT NULL, embedding FLOAT[{len(rows[0][3]) // 4}]"
            with self.lock, self.connection:
                self.connection.execute(f"CREATE VIRTUAL TABLE IF NOT EXISTS {self.table} USING hnsw({columns})")
                self.connection.executemany(
                    f"INSERT OR REPLACE INTO {self.table}(id, text, metadata, embedding) VALUES (?, ?, ?, ?)", rows
                )
        return [row[0] for row in rows]

    def delete(self, term: Term) -> None:
        sql, values = term
        if self._exists():
            with self.lock, self.connection:
                self.connection.execute(f"DELETE FROM {self.table} WHERE {sql}", values)

    def get(self, term: Term) -> list[Text]:
        """The texts that match, in the order in which they were written first."""
        return self._texts(f"{term[0]} ORDER BY rowid", term[1])

    def search(self, embedding: Sequence[float], limit: int, term: Term = ("1", []), offset: int = 0) -> list[Text]:
        """The texts that match, the nearest first."""
        values = [vector(embedding), *term[1], int(limit), int(offset)]
        return self._texts(f"embedding MATCH ? AND {term[0]} ORDER BY distance LIMIT ? OFFSET ?", values)

    def _texts(self, rest: str, values: list[Any]) -> list[Text]:
        if not self._exists():
            return []
        with self.lock:
            rows = self.connection.execute(f"SELECT id, text, metadata, embedding, distance FROM {self.table} WHERE {rest}", values)
            return [Text(id, text, json.loads(metadata), *others) for id, text, metadata, *others in rows]

    def _exists(self) -> bool:
        with self.lock:
            found = self.connection.execute("SELECT 1 FROM pragma_table_info(?)", [self.table[1:-1].replace('""', '"')])
            return found.fetchone() is not None


def of_ids(ids: Iterable[str]) -> Term:
    return "id IN (SELECT value FROM json_each(?))", [json.dumps(list(ids))]


def of_metadata(key: str, operator: str, value: Any) -> Term:
    """A comparison of a value in the metadata. IN and NOT IN take a list."""
    if '"' in key:
        raise ValueError(f"filter: expected a key without quotation marks, got {key}")
    path = f'$."{key}"'
    if operator in ("IN", "NOT IN"):
        return f"json_extract(metadata, ?) {operator} (SELECT value FROM json_each(?))", [path, json.dumps(list(value))]
    if value is not None and not isinstance(value, (str, int, float)):
        raise TypeError(f"filter: expected a text, a number or None for {key}, got {type(value).__name__}")
    return f"json_extract(metadata, ?) {operator} ?", [path, value]


def together(terms: list[Term], by: str = "AND") -> Term:
    """The conjunction of terms, or their disjunction by "OR"."""
    if not terms:
        return "1", []
    return "(" + f" {by} ".join(sql for sql, _ in terms) + ")", [value for _, values in terms for value in values]
