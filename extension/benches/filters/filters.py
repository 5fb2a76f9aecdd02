#!/usr/bin/env python3
"""What filters and deep pages cost, each against the unfiltered first page in the same run, and what they find.

    python3 -m venv target/filters && target/filters/bin/pip install -r extension/benches/filters/requirements.txt
    cargo build --release
    target/filters/bin/python extension/benches/filters/filters.py --products products.parquet --queries queries.parquet

`--products` is a Parquet file with a list<float> column `embedding` and a column `category`; `--queries` one with
`embedding` and, if it has several kinds of query, `kind`. Without `--queries` the last 1,000 products are held out.

Three filters, each on a column with an index and on a copy of it without one:
- random: `dice BETWEEN a AND b`, a window in a random permutation of the rows, another one for every query;
- near, far: `place BETWEEN a AND b`, a window in an order that keeps near vectors together (recursive halving): the
  window about the query's nearest row, and the one about its farthest;
- category: `category = c`, that of the query's nearest row and that of its farthest.

Times are CPU of the one thread, medians over the queries. All cells of a query run one after the other, so that a noisy
machine slows all sides: read the ratios. Every run has bounds and a query vector (scaled by a hair) of its own, so that
nothing is reused but what a feed of many users would reuse.
"""

import argparse
import pathlib
import subprocess
import tempfile
import time

import apsw
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROOT = pathlib.Path(__file__).resolve().parents[3]
SHARES = [0.0001, 0.001, 0.01, 0.1, 0.5, 0.9]
PAGE = 10


def matrix(column: pa.ChunkedArray) -> np.ndarray:
    values = column.combine_chunks()
    return np.asarray(values.flatten(), dtype=np.float32).reshape(len(values), -1)


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def connect(args: argparse.Namespace, database: pathlib.Path):
    connection = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
    connection.enable_load_extension(True)
    connection.load_extension(str(args.bin / "libvecrank"))
    for pragma in args.pragma:
        connection.execute(f"PRAGMA {pragma}")
    return connection


def places(base: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The place of every row in an order that keeps near rows together: halved again and again across its spread."""
    place = np.empty(len(base), np.int64)
    stack = [(0, np.arange(len(base)))]
    while stack:
        start, rows = stack.pop()
        if len(rows) <= 4:
            place[rows] = np.arange(start, start + len(rows))
            continue
        a, b = base[random.choice(rows, 2, replace=False)]
        order = np.argsort(base[rows] @ (a - b), kind="stable")
        half = len(rows) // 2
        stack += [(start, rows[order[:half]]), (start + half, rows[order[half:]])]
    return place


def prepare(args: argparse.Namespace, folder: pathlib.Path):
    random = np.random.default_rng(7)
    table = pq.read_table(args.products)
    if args.queries is None:
        queries = unit(matrix(table.slice(len(table) - 1000)["embedding"]))
        table = table.slice(0, len(table) - 1000)
    else:
        known = pq.read_table(args.queries, columns=None)
        queries = unit(matrix(known["embedding"]))
        if "kind" in known.column_names:
            queries = queries[np.array(known["kind"].to_pylist()) == args.kind]
    base = unit(matrix(table["embedding"]))
    dice, place = random.permutation(len(base)), places(base, random)
    category = np.array(table["category"].to_pylist())
    columns = {"article": pa.array([f"A{n}" for n in range(len(base))])}
    for name, values in (("dice", dice), ("place", place), ("category", category)):
        columns[name] = columns[f"{name}_bare"] = pa.array(values)
    columns["embedding"] = table["embedding"]
    source, database = folder / "filters.parquet", args.database or folder / "filters.db"
    pq.write_table(pa.table(columns), source)
    if not pathlib.Path(database).exists():
        command = [str(args.importer or args.bin / "vecrank"), "import", str(source), str(database), "--table", "products"]
        subprocess.run(command + ["--index", "dice,place,category"], check=True, stdout=subprocess.DEVNULL)
    return base, queries[: args.count], dice, place, category, database


class Cell:
    """One filter: how its bounds are found for a query, and what was measured."""

    def __init__(self, name: str, column: str, share: float | None):
        self.name, self.column, self.share = name, column, share
        self.times, self.found, self.wanted, self.short = [], 0, 0, 0


class Bench:
    def __init__(self, args: argparse.Namespace, folder: pathlib.Path):
        self.args = args
        self.base, self.queries, dice, place, category, database = prepare(args, folder)
        self.values = {"dice": dice, "place": place, "category": category}
        self.random = np.random.default_rng(11)
        self.cursor = connect(args, database).cursor()
        rowids = dict(self.cursor.execute("SELECT rowid, article FROM products_rows"))
        self.row_of = {rowid: int(article[1:]) for rowid, article in rowids.items()}
        self.runs = 0

    def run(self, query: np.ndarray, filter: str, bounds: tuple, page: str) -> tuple[float, list[int]]:
        """CPU microseconds, and the rows."""
        self.runs += 1
        vector = (query * np.float32(1 + self.runs % 1000 / 1e4)).tobytes()
        return self.ask(vector, filter, bounds, page)

    def ask(self, vector: bytes, filter: str, bounds: tuple, page: str) -> tuple[float, list[int]]:
        sql = f"SELECT rowid, article, distance FROM products WHERE embedding MATCH ? {filter} ORDER BY distance {page}"
        before = time.thread_time_ns()
        rows = self.cursor.execute(sql, (vector, *bounds)).fetchall()
        spent = (time.thread_time_ns() - before) / 1000
        return spent, [self.row_of[row[0]] for row in rows]

    def window(self, cell: Cell, nearest: int, farthest: int) -> tuple[int, int]:
        count = len(self.base)
        size = max(1, round(count * cell.share))
        if cell.name == "random":
            start = int(self.random.integers(0, count - size + 1))
        else:
            place = self.values["place"][nearest]
            if cell.name == "far" and cell.share < 0.5:
                place = self.values["place"][farthest]
            # A window at the wrong end, where it is too large to lie elsewhere.
            start = place - size // 2
            if cell.share >= 0.5:
                start = 0 if (place < count / 2) == (cell.name == "near") else count - size
            start = int(np.clip(start + self.random.integers(-3, 4), 0, count - size))
        return start, start + size - 1

    def cell(self, cell: Cell, query: np.ndarray, similarity: np.ndarray) -> None:
        nearest, farthest = int(similarity.argmax()), int(similarity.argmin())
        values = self.values[cell.column.removesuffix("_bare")]
        if cell.share is None:
            value = str(values[nearest if cell.name == "near" else farthest])
            filter, bounds, mask = f"AND {cell.column} = ?", (value,), values == value
        else:
            low, high = self.window(cell, nearest, farthest)
            filter, bounds, mask = f"AND {cell.column} BETWEEN ? AND ?", (low, high), (values >= low) & (values <= high)
        rows = np.flatnonzero(mask)
        wanted = rows[np.argsort(-similarity[rows], kind="stable")[:PAGE]]
        spent, got = self.run(query, filter, bounds, f"LIMIT {PAGE}")
        assert mask[got].all(), "a row that does not match"
        cell.times.append(spent)
        cell.short += len(got) < len(wanted)
        cell.found += len(set(got) & set(wanted.tolist()))
        cell.wanted += len(wanted)

    def filters(self) -> None:
        kinds = [(name, column, share) for name, column in (("random", "dice"), ("near", "place"), ("far", "place")) for share in SHARES]
        kinds += [("near", "category", None), ("far", "category", None)]
        cells = {kind: [Cell(kind[0], kind[1] + bare, kind[2]) for bare in ("", "_bare")] for kind in kinds}
        plain = []
        for round in range(self.args.rounds + 1):
            for query in self.queries:
                similarity = self.base @ query
                plain += [self.run(query, "", (), f"LIMIT {PAGE}")[0] for _ in range(2)]
                for cell in sum(cells.values(), []):
                    self.cell(cell, query, similarity)
            if round == 0:  # warms up
                plain = []
                for cell in sum(cells.values(), []):
                    cell.times = []
        unfiltered = float(np.median(plain))
        print(f"Unfiltered page of {PAGE}: {unfiltered:.0f} us, the unit of every ratio.\n")
        print("| filter | rows | recall@10 | ratio | short pages | no index: recall@10 | ratio | short pages |")
        print("|---|--:|--:|--:|--:|--:|--:|--:|")
        for (name, column, share), pair in cells.items():
            shown = column if share is None else f"{share * 100:g} %"
            parts = [
                f"{cell.found / cell.wanted:.3f} | {np.median(cell.times) / unfiltered:.1f} | {cell.short}" for cell in pair
            ]
            print(f"| {name} | {shown} | {' | '.join(parts)} |")
        print()

    def paging(self, filter: str, bounds: tuple) -> None:
        first, alone, after, found, wanted = [], [], [], 0, 0
        for query in self.queries[: self.args.paged]:  # warms up
            self.run(query, filter, bounds, "LIMIT 20 OFFSET 980")
        for query in self.queries[: self.args.paged]:
            first.append(self.run(query, filter, bounds, "LIMIT 20")[0])
            alone.append(self.run(query, filter, bounds, "LIMIT 20 OFFSET 980")[0])
            self.runs += 1
            vector = (query * np.float32(1 + self.runs % 1000 / 1e4)).tobytes()
            pages = [self.ask(vector, filter, bounds, f"LIMIT 20 OFFSET {start}") for start in range(0, 1000, 20)]
            after.append(pages[-1][0])
            rows = np.arange(len(self.base))
            if bounds:
                rows = np.flatnonzero((self.values["dice"] >= bounds[0]) & (self.values["dice"] <= bounds[1]))
            truth = rows[np.argpartition(-(self.base[rows] @ query), 999)[:1000]]
            got = [row for _, page in pages for row in page]
            assert len(set(got)) == len(got) == 1000, "a page is short, or repeats a row"
            found, wanted = found + len(set(got) & set(truth.tolist())), wanted + 1000
        unit = float(np.median(first))
        cells = [f"{np.median(times) / unit:.1f}" for times in (alone, after)]
        print(f"| {filter or 'no filter'} | {unit:.0f} | {' | '.join(cells)} | {found / wanted:.3f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", required=True)
    parser.add_argument("--queries")
    parser.add_argument("--kind", default="item", help="of the queries, which")
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "target" / "release")
    parser.add_argument("--importer", type=pathlib.Path, help="the command vecrank, if it stands elsewhere")
    parser.add_argument("--database", type=pathlib.Path, help="is made if it is not there; else a temporary one")
    parser.add_argument("--count", type=int, default=60, help="queries")
    parser.add_argument("--paged", type=int, default=30, help="queries whose fifty pages are read")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--pragma", action="append", default=[])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(args, pathlib.Path(folder))
        bench.filters()
        print("| deep paging | page 1, us | page 50 alone | page 50 after pages 1 to 49 | recall@1000 |\n|---|--:|--:|--:|--:|")
        bench.paging("", ())
        count = len(bench.base)
        bench.paging("AND dice BETWEEN ? AND ?", (count // 5, count // 2))
        bench.paging("AND dice_bare BETWEEN ? AND ?", (count // 5, count // 2))


if __name__ == "__main__":
    main()
