"""vecrank through SQL, on connections of three kinds."""

import pathlib
import shutil
import subprocess

from adapters.sqlite import SqlitePeer


class Vecrank(SqlitePeer):
    """A plain connection: default pragmas, default settings."""

    name = "vecrank"
    packages = ["apsw"]
    reads_files = True
    import_args: list[str] = []

    def version(self) -> str:
        shown = subprocess.run([self.program(), "--version"], check=True, capture_output=True, text=True).stdout
        return shown.split()[-1]

    def program(self) -> str:
        return str(pathlib.Path(self.setup.bin) / "vecrank")

    def extension(self) -> str:
        return str(pathlib.Path(self.setup.bin) / "libvecrank")

    def check(self) -> None:
        for file in (self.program(), self.extension() + ".so"):
            if not pathlib.Path(file).exists():
                raise FileNotFoundError(f"no {file}: run cargo build --release")
        super().check()

    def build_key(self) -> str:
        """Anew for every build of the importer."""
        made = pathlib.Path(self.program()).stat().st_mtime_ns
        return f"{made} {' '.join(self.setup.import_args + self.import_args)}"

    def build(self, base) -> None:
        command = [self.program(), "import", self.setup.products, str(self.file()), "--table", "products"]
        command += self.setup.import_args + self.import_args
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def files(self) -> list[pathlib.Path]:
        return [self.file()]

    def library_flags(self) -> int:
        return self.library.SQLITE_OPEN_READONLY

    def open(self, is_cold: bool = False) -> None:
        self.load_libraries()
        super().open(is_cold)
        listed = ", ".join(["rowid"] + self.setup.columns)
        given = "" if is_cold else " AND ef_search = :ef"
        self.sql = f"SELECT {listed} FROM products WHERE embedding MATCH :query{given} ORDER BY distance LIMIT :k"
        self.row_numbers: dict[int, int] = {}
        if not is_cold:
            plan = self.cursor.execute("EXPLAIN QUERY PLAN " + self.sql, {"query": None, "k": 10, "ef": 64}).fetchall()
            assert "knn" in str(plan), plan

    def number_rows(self) -> None:
        """The importer puts rows in an order of its own: they are known by the first of the columns."""
        import pyarrow.parquet as pq

        key = self.setup.columns[0]
        keys = pq.read_table(self.setup.products, columns=[key])[key].to_pylist()
        numbers = {value: number for number, value in enumerate(keys)}
        assert len(numbers) == self.setup.count, f"{key}, the first of --columns, is not unique"
        rows = self.connection.execute(f"SELECT rowid, {key} FROM products_rows")
        self.row_numbers = {rowid: numbers[value] for rowid, value in rows}

    def rows(self, result) -> list[int]:
        if not self.row_numbers:
            self.number_rows()
        return [self.row_numbers[row[0]] for row in result]

    def insert(self, number: int, vector: bytes) -> None:
        self.cursor.execute("INSERT INTO products(rowid, embedding) VALUES (?, ?)", (number, vector))

    def delete(self, number: int) -> None:
        self.cursor.execute("DELETE FROM products WHERE rowid = ?", (number,))


class WithoutCache(Vecrank):
    """The same with the node cache off, which is a setting of the table: a copy of the file."""

    def file(self) -> pathlib.Path:
        return self.folder / "without_cache.db"

    def make(self) -> None:
        imported = super().file()
        if self.file().exists() and self.file().stat().st_mtime_ns > imported.stat().st_mtime_ns:
            return
        shutil.copy(imported, self.file())
        self.connect(self.file())
        self.cursor.execute("INSERT INTO products(products, k) VALUES ('node_cache', 0)")
        self.close()

    def open(self, is_cold: bool = False) -> None:
        self.make()
        super().open(is_cold)


class Mapped(WithoutCache):
    """Rows read out of mapped memory instead, with PRAGMA mmap_size."""

    def open(self, is_cold: bool = False) -> None:
        super().open(is_cold)
        # SQLite maps two gigabytes at most, unless it was built for more, and reads the rest.
        size = self.file().stat().st_size
        granted = self.cursor.execute(f"PRAGMA mmap_size = {size}").fetchall()[0][0]
        assert granted > 0, "this SQLite maps no files"


class Float16(Vecrank):
    name = "vecrank-f16"
    import_args = ["--element", "f16"]


class Int8(Vecrank):
    name = "vecrank-i8"
    import_args = ["--element", "i8"]
