#!/usr/bin/env python3
"""vecrank beside hnswlib on the same data and queries, in one run: build, search, cold start, file size.

    python3 -m venv target/peers && target/peers/bin/pip install -r extension/benches/peers/requirements.txt
    cargo build --release
    target/peers/bin/python extension/benches/peers/peers.py --products products.parquet --queries queries.parquet

`--products` is a Parquet file with a list<float> column `embedding`; `--queries` one with `embedding` and, if it has
several kinds of query, `kind`. Without `--queries` the last 1,000 products are held out as queries. Exact answers are
computed here. Times are CPU seconds (build: of all threads; search: of the one thread, median a query), and searches
take turns, so that a noisy machine slows both sides: read the ratios. hnswlib: M=16, ef_construction=200.
"""

import argparse
import json
import pathlib
import re
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROOT = pathlib.Path(__file__).resolve().parents[3]
LADDER = [16, 24, 32, 48, 64, 96, 128, 192, 256]
TARGETS = [0.90, 0.95, 0.98]
DBSTATUS_CACHE_MISS = 8


def matrix(column: pa.ChunkedArray) -> np.ndarray:
    values = column.combine_chunks()
    return np.asarray(values.flatten(), dtype=np.float32).reshape(len(values), -1)


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def exact(base: np.ndarray, queries: np.ndarray, k: int) -> np.ndarray:
    """Row numbers of the k nearest by cosine, for unit vectors."""
    out = np.empty((len(queries), k), np.int64)
    for start in range(0, len(queries), 100):
        similarity = queries[start : start + 100] @ base.T
        top = np.argpartition(-similarity, k - 1, axis=1)[:, :k]
        order = np.argsort(-np.take_along_axis(similarity, top, 1), axis=1)
        out[start : start + 100] = np.take_along_axis(top, order, 1)
    return out


def children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def build_vecrank(args: argparse.Namespace, products: pathlib.Path, database: pathlib.Path) -> float:
    before = children_cpu()
    command = [str(args.bin / "vecrank"), "import", str(products), str(database), "--table", "products"]
    subprocess.run(command + args.import_args.split(), check=True, stdout=subprocess.DEVNULL)
    return children_cpu() - before


def build_hnswlib(base: np.ndarray, threads: int):
    import hnswlib

    index = hnswlib.Index(space="cosine", dim=base.shape[1])
    index.init_index(len(base), M=16, ef_construction=200)
    before = time.process_time()
    index.add_items(base, num_threads=threads)
    cpu = time.process_time() - before
    index.set_num_threads(1)
    return index, cpu


def connect(args: argparse.Namespace, database: pathlib.Path):
    import apsw

    connection = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
    connection.enable_load_extension(True)
    connection.load_extension(str(args.bin / "libvecrank"))
    for pragma in args.pragma:
        connection.execute(f"PRAGMA {pragma}")
    return connection


def timed(search, queries, truth, k: int = 10):
    """CPU microseconds of every query, and recall@k."""
    times, found = [], 0
    for query, answer in zip(queries, truth):
        before = time.thread_time_ns()
        rows = search(query)
        times.append((time.thread_time_ns() - before) / 1000)
        found += len(set(rows) & set(answer[:k].tolist()))
    return times, found / (k * len(queries))


def at_recall(points: list[tuple[float, float]], target: float) -> float | None:
    """Time at a recall, interpolated between the ladder's steps; None where the ladder does not reach it."""
    points = sorted(points)
    if points[-1][0] < target:
        return None
    recalls, times = zip(*points)
    return float(np.interp(target, recalls, times))


def search_table(args, connection, index, queries, truth, rowid_to_row) -> None:
    columns = ", ".join(args.columns.split(","))
    sql = (
        f"SELECT rowid, {columns} FROM products WHERE embedding MATCH ?1 AND ef_search = ?2"
        " ORDER BY distance LIMIT 10"
    )
    cursor = connection.cursor()
    plan = " ".join(str(row[3]) for row in cursor.execute("EXPLAIN QUERY PLAN " + sql, (bytes(queries[0]), 64)))
    assert "knn" in plan, plan

    def vecrank(ef):
        return lambda q: [rowid_to_row[row[0]] for row in cursor.execute(sql, (q.tobytes(), ef)).fetchall()]

    def hnswlib(ef):
        index.set_ef(ef)
        return lambda q: index.knn_query(q, k=10)[0][0].tolist()

    times = {(name, ef): [] for name in ("vecrank", "hnswlib") for ef in LADDER}
    recalls = {}
    for counted in [False] + [True] * args.rounds:  # the first round warms both up
        for ef in LADDER:
            for name, make in (("vecrank", vecrank), ("hnswlib", hnswlib)):
                spent, recalls[name, ef] = timed(make(ef), queries, truth)
                if counted:
                    times[name, ef].append(float(np.median(spent)))
    print("| ef | vecrank recall@10 | us | hnswlib recall@10 | us |\n|--:|--:|--:|--:|--:|")
    median = {key: float(np.median(values)) for key, values in times.items()}
    for ef in LADDER:
        cells = [f"{recalls[name, ef]:.4f} | {median[name, ef]:.0f}" for name in ("vecrank", "hnswlib")]
        print(f"| {ef} | {cells[0]} | {cells[1]} |")
    print("\n| recall@10 | vecrank us | hnswlib us | hnswlib / vecrank |\n|--:|--:|--:|--:|")
    for target in TARGETS:
        ours, theirs = (
            at_recall([(recalls[name, ef], median[name, ef]) for ef in LADDER], target) for name in ("vecrank", "hnswlib")
        )
        if ours and theirs:
            print(f"| {target:.2f} | {ours:.0f} | {theirs:.0f} | {theirs / ours:.2f} |")
    print()


def defaults(connection, base: np.ndarray, queries: np.ndarray, kinds: np.ndarray, rowid_to_row) -> None:
    """What the default settings give: recall, order, the error of the distances, and whether pages tile."""
    sql = "SELECT rowid, distance FROM products WHERE embedding MATCH ? ORDER BY distance LIMIT ? OFFSET ?"
    cursor = connection.cursor()
    print("| default settings | recall@10 | recall@100 | largest error of a distance |\n|---|--:|--:|--:|")
    for kind in dict.fromkeys(kinds):
        mine = queries[kinds == kind]
        answers = exact(base, mine, 100)
        found, error = np.zeros(2), 0.0
        for query, answer in zip(mine, answers):
            hits = cursor.execute(sql, (query.tobytes(), 100, 0)).fetchall()
            rows = np.array([rowid_to_row[rowid] for rowid, _ in hits])
            distances = np.array([distance for _, distance in hits])
            assert (np.diff(distances) >= 0).all(), "the order decreases"
            true = 1 - base[rows].astype(np.float64) @ query.astype(np.float64)
            error = max(error, np.abs(distances - true).max())
            found += len(set(rows[:10]) & set(answer[:10])), len(set(rows) & set(answer))
        print(f"| {kind} | {found[0] / len(mine) / 10:.4f} | {found[1] / len(mine) / 100:.4f} | {error:.1e} |")
    random = np.random.default_rng(1)
    for query in queries[:100]:
        whole, pages = cursor.execute(sql, (query.tobytes(), 400, 0)).fetchall(), []
        while len(pages) < 400:
            size = min(int(random.integers(1, 90)), 400 - len(pages))
            pages += cursor.execute(sql, (query.tobytes(), size, len(pages))).fetchall()
        assert pages == whole, "pages do not tile"
    print("\n400 rows in pages of random size equal one read of 400, for 100 queries.\n")


COLD = """
import sys, time, apsw, json
database, library, query, columns = sys.argv[1:5]
blob = bytes.fromhex(query)
def resident():
    return int(open('/proc/self/statm').read().split()[1]) * 4096
base = resident(); t = time.perf_counter(); c = time.process_time()
db = apsw.Connection(database, flags=apsw.SQLITE_OPEN_READONLY)
db.enable_load_extension(True); db.load_extension(library)
rows = db.execute(f'SELECT rowid, {columns} FROM products WHERE embedding MATCH ? ORDER BY distance LIMIT 10', (blob,)).fetchall()
t = time.perf_counter() - t; c = time.process_time() - c
print(json.dumps({'ms': t * 1e3, 'cpu_ms': c * 1e3, 'pages': db.status(8)[0], 'rss_mb': (resident() - base) / 1e6, 'rows': len(rows)}))
"""


def cold(args, database: pathlib.Path, queries: np.ndarray) -> None:
    """Fresh processes, file in the OS cache: open to last row of the first page."""
    runs = []
    for query in queries[:100]:
        command = [sys.executable, "-c", COLD, str(database), str(args.bin / "libvecrank"), query.tobytes().hex(), args.columns]
        runs.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    print("| cold first page | median | max |\n|---|--:|--:|")
    for key, name in (("ms", "open to last row, ms"), ("cpu_ms", "CPU ms"), ("pages", "database pages read"), ("rss_mb", "memory grown by, MB")):
        values = [run[key] for run in runs]
        print(f"| {name} | {np.median(values):.2f} | {max(values):.2f} |")
    print()


def sizes(connection, dims: int, count: int) -> None:
    print("| shadow table | MB | x raw f32 |\n|---|--:|--:|")
    raw = dims * 4 * count
    for key, value in connection.execute("SELECT key, value FROM hnsw_info('products')"):
        if re.search(r"bytes", str(key)):
            print(f"| {key} | {float(value) / 1e6:.1f} | {float(value) / raw:.2f} |")
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=pathlib.Path, required=True)
    parser.add_argument("--queries", type=pathlib.Path)
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "target/release", help="where vecrank and libvecrank are")
    parser.add_argument("--import-args", default="", help="more arguments for `vecrank import`")
    parser.add_argument("--columns", default="article_id,main_name,retail_price", help="columns that a page returns")
    parser.add_argument("--pragma", action="append", default=[], help="for the search connection, such as mmap_size=2000000000")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--query-limit", type=int, default=300, help="queries of each kind")
    parser.add_argument("--threads", type=int, default=2, help="hnswlib's, for its build")
    parser.add_argument("--parts", default="build,search,defaults,cold,sizes")
    args = parser.parse_args()
    parts = args.parts.split(",")

    base = unit(matrix(pq.read_table(args.products, columns=["embedding"])["embedding"]))
    if args.queries:
        table = pq.read_table(args.queries)
        queries = unit(matrix(table["embedding"]))
        kinds = table["kind"].to_pylist() if "kind" in table.column_names else ["query"] * len(queries)
    else:
        queries, kinds = base[-1000:], ["held-out"] * 1000
    kinds = np.array(kinds)

    with tempfile.TemporaryDirectory() as folder:
        products, database = args.products, pathlib.Path(folder) / "products.db"
        if not args.queries:
            products = pathlib.Path(folder) / "products.parquet"
            pq.write_table(pq.read_table(args.products).slice(0, len(base) - 1000), products)
            base = base[:-1000]
        ours = build_vecrank(args, products, database)
        connection = connect(args, database)
        total = connection.execute("SELECT count(*) FROM products").fetchall()[0][0]
        assert total == len(base), (total, len(base))
        print(f"{len(base)} vectors of {base.shape[1]} dimensions, {len(queries)} queries\n")
        index = None
        if "build" in parts or "search" in parts:
            index, theirs = build_hnswlib(base, args.threads)
            print("| build | CPU s |\n|---|--:|")
            print(f"| vecrank import, Parquet to finished file | {ours:.1f} |")
            print(f"| hnswlib, graph alone, {args.threads} threads | {theirs:.1f} |")
            print(f"| vecrank / hnswlib | {ours / theirs:.3f} |\n")
        # The importer keeps the file's order in the rowids.
        if "search" in parts or "defaults" in parts:
            rowid_to_row = {rowid: row for row, (rowid,) in enumerate(connection.execute("SELECT rowid FROM products_rows ORDER BY rowid"))}
        if "search" in parts:
            for kind in dict.fromkeys(kinds):
                mine = queries[kinds == kind][: args.query_limit]
                print(f"### {kind} queries\n")
                search_table(args, connection, index, mine, exact(base, mine, 10), rowid_to_row)
        if "defaults" in parts:
            defaults(connection, base, queries, kinds, rowid_to_row)
        if "cold" in parts:
            cold(args, database, queries)
        if "sizes" in parts:
            sizes(connection, base.shape[1], len(base))


if __name__ == "__main__":
    main()
