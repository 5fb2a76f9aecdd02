#!/usr/bin/env python3
"""Random deletes, inserts and replacements on one table: what each commit takes, and what the graph is worth after them.

    python3 -m venv target/changes && target/changes/bin/pip install -r extension/benches/changes/requirements.txt
    cargo build --release
    target/changes/bin/python extension/benches/changes/changes.py --products products.parquet --queries queries.parquet

`--products` is a Parquet file with a list<float> column `embedding`, `--queries` one with such a column. The table holds
`--rows` of the products. New vectors are products with some noise. A batch is one transaction of one kind. At the end a
table of the same rows is built at once, and both are searched in turns; recall is counted against exact answers.

Times are CPU of the process (a rebuild uses all cores). They depend on the machine: read the ratios.
"""

import argparse
import collections
import pathlib
import tempfile
import time

import apsw
import numpy as np
import pyarrow.parquet as pq

ROOT = pathlib.Path(__file__).resolve().parents[3]
KINDS = ["delete", "insert", "replace"]
LARGEST = 500
BUCKETS = 5
NOISE = 0.3


def vectors(path: pathlib.Path) -> np.ndarray:
    column = pq.read_table(path, columns=["embedding"])["embedding"].combine_chunks()
    rows = np.asarray(column.flatten(), dtype=np.float32).reshape(len(column), -1)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class Table:
    """A table of vectors, and what must be in it."""

    def __init__(self, args: argparse.Namespace, file: pathlib.Path, rows: dict[int, np.ndarray]):
        self.connection = apsw.Connection(str(file))
        self.connection.enable_load_extension(True)
        self.connection.load_extension(str(args.library.resolve()), "sqlite3_vecrank_init")
        self.rows = rows
        dims = len(next(iter(rows.values())))
        run = self.connection.execute
        run("PRAGMA journal_mode = WAL")
        run(f"CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, e FLOAT16[{dims}])")
        run("BEGIN")
        insert = "INSERT INTO t(id, e) VALUES (?, ?)"
        self.connection.executemany(insert, ((id, row.astype(np.float16).tobytes()) for id, row in rows.items()))
        run("COMMIT")
        # A build writes the rows twice.
        run("VACUUM")

    def value(self, sql: str):
        return self.connection.execute(sql).fetchone()[0]

    def info(self, key: str) -> int:
        return int(self.value(f"SELECT value FROM hnsw_info('t') WHERE key LIKE '%{key}'"))

    def change(self, kind: str, ids: list[int], new: np.ndarray) -> float:
        """Runs one batch. Returns its CPU time in ms."""
        statement = {
            "delete": "DELETE FROM t WHERE id = ?2",
            "insert": "INSERT INTO t(e, id) VALUES (?1, ?2)",
            "replace": "UPDATE t SET e = ?1 WHERE id = ?2",
        }[kind]
        values = [(None if kind == "delete" else row.astype(np.float16).tobytes(), id) for id, row in zip(ids, new)]
        start = time.process_time_ns()
        self.connection.execute("BEGIN")
        self.connection.executemany(statement, values)
        self.connection.execute("COMMIT")
        taken = (time.process_time_ns() - start) / 1e6
        for id, row in zip(ids, new):
            if kind == "delete":
                del self.rows[id]
            else:
                self.rows[id] = row
        return taken

    def search(self, query: np.ndarray, ef: int) -> tuple[float, set[int]]:
        sql = f"SELECT id FROM t WHERE e MATCH ? AND ef_search = {ef} ORDER BY distance LIMIT 10"
        start = time.process_time_ns()
        found = {row[0] for row in self.connection.execute(sql, (query.tobytes(),))}
        return (time.process_time_ns() - start) / 1e3, found

    def check(self) -> None:
        self.connection.execute("INSERT INTO t(t) VALUES ('integrity-check')")


def run_changes(args: argparse.Namespace, table: Table, products: np.ndarray) -> None:
    random = np.random.default_rng(args.seed)
    next_id, done, batches, most_deleted = len(table.rows), 0, 0, 0.0
    taken = collections.defaultdict(list)
    singles = collections.defaultdict(list)
    ids = list(table.rows)
    while done < args.changes:
        kind = KINDS[random.integers(3)]
        count = 1 if batches % 4 == 3 else int(random.integers(1, LARGEST + 1))
        new = products[random.integers(len(products), size=count)]
        new = new + NOISE / np.sqrt(new.shape[1]) * random.standard_normal(new.shape).astype(np.float32)
        if kind == "insert":
            changed = list(range(next_id, next_id + count))
            next_id += count
            ids += changed
        else:
            places = sorted(random.choice(len(ids), count, replace=False), reverse=True)
            changed = [ids[place] for place in places]
            if kind == "delete":
                for place in places:
                    ids[place] = ids[-1]
                    ids.pop()
        ms = table.change(kind, changed, new.astype(np.float32))
        (singles if count == 1 else taken)[kind, 0 if count == 1 else (count - 1) * BUCKETS // LARGEST].append((ms, count))
        done, batches = done + count, batches + 1
        deleted = table.info("deleted")
        most_deleted = max(most_deleted, deleted / (deleted + len(table.rows)))
        if batches % args.check == 0:
            table.check()
            print(f"{done} changes: sound; {100 * deleted / (deleted + len(table.rows)):.1f} % deleted", flush=True)
    print(f"\n{done} changes in {batches} commits; at most {100 * most_deleted:.1f} % of the nodes were deleted ones\n")
    print("| kind, rows a commit | commits | median ms | ms a row | worst / median |\n|---|--:|--:|--:|--:|")
    for what in (singles, taken):
        for (kind, bucket), of in sorted(what.items()):
            ms = np.array([m for m, _ in of])
            rows = "1" if what is singles else f"{bucket * LARGEST // BUCKETS + 1} to {(bucket + 1) * LARGEST // BUCKETS}"
            each = np.median([m / count for m, count in of])
            print(f"| {kind}, {rows} | {len(of)} | {np.median(ms):.2f} | {each:.3f} | {ms.max() / np.median(ms):.1f} |")


def compare(args: argparse.Namespace, changed: Table, fresh: Table, queries: np.ndarray) -> None:
    ids = np.array(list(changed.rows))
    rows = np.stack([changed.rows[id] for id in ids]).astype(np.float16).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    truth = [set(ids[np.argpartition(-(rows @ query), 10)[:10]]) for query in queries]
    print("\n| ef_search | recall@10 after the changes | built at once | us a page | built at once | ratio |")
    print("|--:|--:|--:|--:|--:|--:|")
    for ef in args.ef:
        times, hits = ([], []), [0, 0]
        for turn in range(args.rounds + 1):
            of = ([], [])
            for query, exact in zip(queries, truth):
                for side, table in enumerate((changed, fresh)):
                    us, found = table.search(query, ef)
                    of[side].append(us)
                    hits[side] += len(found & exact) if turn == 0 else 0
            if turn > 0:
                for side in (0, 1):
                    times[side].append(np.median(of[side]))
        recall = [hit / 10 / len(queries) for hit in hits]
        a, b = min(times[0]), min(times[1])
        print(f"| {ef} | {recall[0]:.4f} | {recall[1]:.4f} | {a:.1f} | {b:.1f} | {a / b:.2f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=pathlib.Path, required=True)
    parser.add_argument("--queries", type=pathlib.Path, required=True)
    parser.add_argument("--library", type=pathlib.Path, default=ROOT / "target/release/libvecrank.so")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--changes", type=int, default=100_000)
    parser.add_argument("--searches", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--check", type=int, default=100, help="commits between two integrity checks")
    parser.add_argument("--ef", type=int, nargs="+", default=[16, 32, 64, 128])
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    products, queries = vectors(args.products)[: args.rows], vectors(args.queries)[: args.searches]
    with tempfile.TemporaryDirectory(prefix="changes-") as folder:
        changed = Table(args, pathlib.Path(folder, "changed.db"), dict(enumerate(products)))
        run_changes(args, changed, products)
        changed.check()
        fresh = Table(args, pathlib.Path(folder, "fresh.db"), dict(sorted(changed.rows.items())))
        pages = [table.value("PRAGMA page_count") for table in (changed, fresh)]
        size = f"the file has {pages[0] / pages[1]:.2f} times the pages of one that was built at once"
        print(f"\nSound at the end; {size}.")
        compare(args, changed, fresh, queries)


if __name__ == "__main__":
    main()
