"""Extensions of SQLite, loaded by apsw: what they share, sqlite-vec and vectorlite."""

import pathlib
import shutil

from adapters.base import Peer


class SqlitePeer(Peer):
    """`search` runs `self.sql` with the query's bytes, k and ef, whichever of them it takes."""

    is_writable = True
    sql = ""

    def load_libraries(self) -> None:
        import apsw

        self.library = apsw

    def file(self) -> pathlib.Path:
        return self.folder / "products.db"

    def extension(self) -> str:
        """Path of the extension's library."""
        raise NotImplementedError

    def connect(self, file: pathlib.Path, flags: int | None = None) -> None:
        self.load_libraries()
        flags = flags or self.library.SQLITE_OPEN_READWRITE | self.library.SQLITE_OPEN_CREATE
        self.connection = self.library.Connection(str(file), flags=flags)
        self.connection.enable_load_extension(True)
        self.connection.load_extension(self.extension())
        self.cursor = self.connection.cursor()

    def columns(self, table: str) -> str:
        return ", ".join(f"{table}.{column}" for column in self.setup.columns)

    def open(self, is_cold: bool = False) -> None:
        self.connect(self.file(), self.library_flags())
        self.ef = 64

    def library_flags(self) -> int | None:
        return None

    def close(self) -> None:
        self.cursor.close()
        self.connection.close()

    def set_ef(self, ef: int) -> None:
        self.ef = ef

    def search(self, query: bytes, k: int):
        return self.cursor.execute(self.sql, {"query": query, "k": k, "ef": self.ef}).fetchall()

    def open_copy(self, folder: pathlib.Path) -> None:
        self.connect(pathlib.Path(shutil.copy(self.file(), folder)))
        self.cursor.execute("PRAGMA synchronous = off")

    def begin(self) -> None:
        self.cursor.execute("BEGIN")

    def commit(self) -> None:
        self.cursor.execute("COMMIT")

    def plain_columns(self):
        """The columns of every product, read from Parquet."""
        import pyarrow.parquet as pq

        table = pq.read_table(self.setup.products, columns=self.setup.columns)
        return zip(*(table[column].to_pylist() for column in self.setup.columns))


class SqliteVec(SqlitePeer):
    """vec0 with auxiliary columns: every query scans all vectors, and is exact."""

    name = "sqlite-vec"
    packages = ["sqlite-vec", "apsw"]
    ladder = [0]

    def extension(self) -> str:
        import sqlite_vec

        return sqlite_vec.loadable_path()

    def build(self, base) -> None:
        self.file().unlink(missing_ok=True)
        self.connect(self.file())
        auxiliary = ", ".join(f"+{column} {kind}" for column, kind in self.column_types())
        vector = f"embedding float[{self.setup.dims}] distance_metric=cosine"
        self.cursor.execute(f"CREATE VIRTUAL TABLE products USING vec0({vector}, {auxiliary})")
        places = ", ".join("?" * (2 + len(self.setup.columns)))
        rows = ((i, vector.tobytes(), *rest) for i, (vector, rest) in enumerate(zip(base, self.plain_columns())))
        with self.connection:
            self.cursor.executemany(
                f"INSERT INTO products(rowid, embedding, {self.columns_listed()}) VALUES ({places})", rows
            )
        self.close()

    def column_types(self):
        """vec0 takes no column without a type."""
        import pyarrow.parquet as pq
        import pyarrow.types as types

        schema = pq.read_schema(self.setup.products)
        for column in self.setup.columns:
            kind = schema.field(column).type
            yield column, "float" if types.is_floating(kind) else "integer" if types.is_integer(kind) else "text"

    def columns_listed(self) -> str:
        return ", ".join(self.setup.columns)

    def open(self, is_cold: bool = False) -> None:
        super().open(is_cold)
        self.sql = (
            f"SELECT rowid, {self.columns_listed()} FROM products"
            " WHERE embedding MATCH :query AND k = :k ORDER BY distance"
        )

    def insert(self, number: int, vector: bytes) -> None:
        self.cursor.execute("INSERT INTO products(rowid, embedding) VALUES (?, ?)", (number, vector))

    def delete(self, number: int) -> None:
        self.cursor.execute("DELETE FROM products WHERE rowid = ?", (number,))


class Vectorlite(SqlitePeer):
    """M=16, ef_construction=200; the graph is loaded whole at the first use, the columns come by a join."""

    name = "vectorlite"
    packages = ["vectorlite-py", "apsw"]

    def extension(self) -> str:
        import vectorlite_py

        return vectorlite_py.vectorlite_path()

    def index_file(self) -> pathlib.Path:
        return self.folder / "index.bin"

    def build(self, base) -> None:
        for file in (self.file(), self.index_file()):
            file.unlink(missing_ok=True)
        self.connect(self.file())
        self.create_index(self.index_file(), "products_vectors")
        listed = ", ".join(self.setup.columns)
        self.cursor.execute(f"CREATE TABLE products(id INTEGER PRIMARY KEY, {listed})")
        places = ", ".join("?" * (1 + len(self.setup.columns)))
        with self.connection:
            vectors = ((i, vector.tobytes()) for i, vector in enumerate(base))
            self.cursor.executemany("INSERT INTO products_vectors(rowid, embedding) VALUES (?, ?)", vectors)
            rows = ((i, *rest) for i, rest in enumerate(self.plain_columns()))
            self.cursor.executemany(f"INSERT INTO products VALUES ({places})", rows)
        self.close()

    def create_index(self, file: pathlib.Path, table: str) -> None:
        index = f"hnsw(max_elements={self.setup.count + 10_000}, M=16, ef_construction=200)"
        vector = f"embedding float32[{self.setup.dims}] cosine"
        self.cursor.execute(f"CREATE VIRTUAL TABLE {table} USING vectorlite({vector}, {index}, '{file}')")

    def open(self, is_cold: bool = False) -> None:
        super().open(is_cold)
        self.sql = (
            f"SELECT p.id, {self.columns('p')} FROM products_vectors v JOIN products p ON p.id = v.rowid"
            " WHERE knn_search(v.embedding, knn_param(:query, :k, :ef)) ORDER BY v.distance"
        )

    def open_copy(self, folder: pathlib.Path) -> None:
        """The table knows its index by path and saves it there at close: the copy is a table of its own."""
        index = shutil.copy(self.index_file(), folder)
        self.connect(folder / "products.db")
        self.create_index(index, "products_vectors")
        self.cursor.execute("CREATE TABLE products(id INTEGER PRIMARY KEY)")
        self.cursor.execute("PRAGMA synchronous = off")

    def insert(self, number: int, vector: bytes) -> None:
        self.cursor.execute("INSERT INTO products_vectors(rowid, embedding) VALUES (?, ?)", (number, vector))

    def delete(self, number: int) -> None:
        self.cursor.execute("DELETE FROM products_vectors WHERE rowid = ?", (number,))
