"""DuckDB with its extension VSS."""

import pathlib
import shutil
import struct
import time

from adapters.base import Peer


class DuckdbVss(Peer):
    """CREATE INDEX with its defaults (M=16, M0=32, ef_construction=128), persisted in the file.

    A query's vector is a text in the statement, cast to an array: bound lists cost some twenty milliseconds more,
    list literals two.
    """

    name = "duckdb-vss"
    packages = ["duckdb", "duckdb-extension-vss"]
    ladder = [16, 32, 64, 128, 256, 512]
    clock = staticmethod(time.process_time_ns)
    is_writable = True
    reads_files = True

    def load_libraries(self) -> None:
        import duckdb
        import duckdb_extension_vss

        self.library = duckdb
        folder = pathlib.Path(duckdb_extension_vss.__file__).parent
        self.extension = next(folder.rglob("vss.duckdb_extension"))

    def file(self) -> pathlib.Path:
        return self.folder / "products.duckdb"

    def connect(self, file: pathlib.Path, threads: int) -> None:
        self.load_libraries()
        self.connection = self.library.connect(str(file), config={"threads": threads})
        self.connection.execute(f"LOAD '{self.extension}'")
        self.connection.execute("SET hnsw_enable_experimental_persistence = true")

    def build(self, base) -> None:
        self.file().unlink(missing_ok=True)
        self.connect(self.file(), self.setup.threads)
        columns = ", ".join(self.setup.columns)
        self.connection.execute(
            f"CREATE TABLE products AS SELECT file_row_number AS id, {columns},"
            f" embedding::FLOAT[{self.setup.dims}] AS embedding"
            f" FROM read_parquet('{self.setup.products}', file_row_number = true)"
        )
        self.connection.execute("CREATE INDEX by_vector ON products USING HNSW (embedding) WITH (metric = 'cosine')")
        self.connection.execute("CHECKPOINT")
        self.connection.close()

    def open(self, is_cold: bool = False) -> None:
        self.connect(self.file(), 1)
        if not is_cold:
            plan = self.connection.execute("EXPLAIN " + self.statement(bytes(4 * self.setup.dims), 10)).fetchall()
            assert "HNSW_INDEX_SCAN" in str(plan), plan

    def close(self) -> None:
        self.connection.close()

    def set_ef(self, ef: int) -> None:
        self.connection.execute(f"SET hnsw_ef_search = {ef}")

    def vector(self, query: bytes) -> str:
        numbers = ",".join(map(repr, struct.unpack(f"<{self.setup.dims}f", query)))
        return f"'[{numbers}]'::FLOAT[{self.setup.dims}]"

    def statement(self, query: bytes, k: int) -> str:
        columns = ", ".join(self.setup.columns)
        order = f"array_cosine_distance(embedding, {self.vector(query)})"
        return f"SELECT id, {columns} FROM products ORDER BY {order} LIMIT {k}"

    def prepare(self, query: bytes) -> str:
        return self.statement(query, 10)

    def search(self, query: str, k: int):
        return self.connection.execute(query).fetchall()

    def open_copy(self, folder: pathlib.Path) -> None:
        self.connect(pathlib.Path(shutil.copy(self.file(), folder)), 1)

    def begin(self) -> None:
        self.connection.execute("BEGIN")

    def insert(self, number: int, vector: bytes) -> None:
        self.connection.execute(f"INSERT INTO products(id, embedding) VALUES ({number}, {self.vector(vector)})")

    def commit(self) -> None:
        self.connection.execute("COMMIT")

    def delete(self, number: int) -> None:
        self.connection.execute(f"DELETE FROM products WHERE id = {number}")
