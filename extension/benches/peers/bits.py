#!/usr/bin/env python3
"""BIT columns beside sqlite-vec's exact scan of bits, on the same vectors and queries, in turns, in one run.

    cargo build --release
    target/peers/bin/python extension/benches/peers/bits.py --products products.parquet

The vectors are the signs of the embeddings of a Parquet file (its list<float> column `embedding`), and four of such one
behind the other, of rows that follow each other (`--apart 1`) or have nothing in common. The last rows are held out as
queries. Recall is by distance: many rows are at one
distance, and equally good. Times are CPU times of one thread, of first pages (ten rows, the node cache filled); the two
take turns. Every page is checked: its distances are exact, its ties are in the order of the rowids, and with ef_search
'exact' it is the page that numpy finds.
"""

import argparse
import pathlib
import tempfile
import time

from setup import one_thread

one_thread()

import apsw  # noqa: E402
import numpy as np  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
import sqlite_vec  # noqa: E402
from data import matrix  # noqa: E402
from measure import figure, table  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[3]
K = 10
LADDER = [16, 32, 64, 128, 256, 512, 1024]
# MiB: room for all nodes.
NODE_CACHE = 1024
OURS = "SELECT rowid, distance FROM products WHERE e MATCH ? AND ef_search = ? ORDER BY distance LIMIT 10"
THEIRS = "SELECT rowid, distance FROM products WHERE e MATCH vec_bit(?) AND k = 10"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=pathlib.Path, required=True)
    parser.add_argument("--queries", type=int, default=300, help="rows held out")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--parts", default="1,4", help="how many embeddings a vector is made of")
    parser.add_argument("--apart", type=int, default=1, help="rows between the parts of a vector")
    parser.add_argument("--options", default="", help="of the table, such as ', m = 32'")
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "target/release", help="where cargo left its work")
    return parser.parse_args()


def packed(signs: np.ndarray, parts: int, apart: int) -> np.ndarray:
    """Row i, and those that follow it at this distance."""
    whole = np.concatenate([np.roll(signs, -part * apart, axis=0) for part in range(parts)], axis=1)
    return np.packbits(whole, axis=1, bitorder="little")


def distances(base: np.ndarray, query: np.ndarray) -> np.ndarray:
    return np.bitwise_count(base.view(np.uint64) ^ query.view(np.uint64)).sum(axis=1, dtype=np.int64)


def ours(folder: pathlib.Path, base: np.ndarray, args: argparse.Namespace) -> apsw.Connection:
    db = apsw.Connection(str(folder / "ours.db"))
    db.enable_load_extension(True)
    db.load_extension(str(args.bin / "libvecrank"))
    fill(db, f"CREATE VIRTUAL TABLE products USING hnsw(e BIT[{8 * base.shape[1]}]{args.options})", "?", base)
    db.execute("INSERT INTO products(products, k) VALUES ('node_cache', ?)", (NODE_CACHE,))
    return db


def theirs(folder: pathlib.Path, base: np.ndarray) -> apsw.Connection:
    db = apsw.Connection(str(folder / "theirs.db"))
    db.enable_load_extension(True)
    db.load_extension(sqlite_vec.loadable_path())
    fill(db, f"CREATE VIRTUAL TABLE products USING vec0(e bit[{8 * base.shape[1]}])", "vec_bit(?)", base)
    return db


def fill(db: apsw.Connection, create: str, value: str, base: np.ndarray) -> None:
    start = time.process_time()
    db.execute(create)
    with db:
        rows = ((number, row.tobytes()) for number, row in enumerate(base, 1))
        db.executemany(f"INSERT INTO products(rowid, e) VALUES (?, {value})", rows)
    size = pathlib.Path(db.filename).stat().st_size / 1e6
    print(f"{create.split('USING ')[1]}: {time.process_time() - start:.1f} CPU s, {size:.0f} MB", flush=True)


def check(page: list, exact: np.ndarray) -> None:
    assert page == sorted(page, key=lambda row: (row[1], row[0])), f"out of order: {page}"
    assert all(exact[rowid - 1] == distance for rowid, distance in page), f"not exact: {page}"


def measure(db: apsw.Connection, sql: str, bindings: list) -> tuple[float, list]:
    """CPU microseconds per query, and the pages."""
    start = time.thread_time()
    pages = [db.execute(sql, binding).fetchall() for binding in bindings]
    return (time.thread_time() - start) * 1e6 / len(bindings), pages


def compare(parts: int, signs: np.ndarray, args: argparse.Namespace, folder: pathlib.Path) -> None:
    whole = packed(signs, parts, args.apart)
    base, queries = whole[: -args.queries], whole[-args.queries :]
    exact = [distances(base, query) for query in queries]
    own, other = ours(folder, base, args), theirs(folder, base)
    blobs = [query.tobytes() for query in queries]
    plan = own.execute("EXPLAIN QUERY PLAN " + OURS, (blobs[0], 64)).fetchall()
    assert "knn e hamming" in str(plan), plan
    for blob, truth in zip(blobs[:20], exact):
        page = own.execute(OURS, (blob, "exact")).fetchall()
        order = np.lexsort((np.arange(len(truth)), truth))[:K]
        assert page == [(int(row) + 1, float(truth[row])) for row in order], page
    few = blobs[:: max(1, len(blobs) // 30)]
    steps: dict = {step: [] for step in ["sqlite-vec", *LADDER]}
    recalls = {}
    for round_number in range(args.rounds + 1):
        for step, times in steps.items():
            if step == "sqlite-vec":
                taken, pages = measure(other, THEIRS, [(blob,) for blob in few])
            else:
                taken, pages = measure(own, OURS, [(blob, step) for blob in blobs])
                for page, truth in zip(pages, exact):
                    check(page, truth)
                last = [np.partition(truth, K - 1)[K - 1] for truth in exact]
                good = sum(distance <= most for page, most in zip(pages, last) for _, distance in page)
                recalls[step] = good / (K * len(blobs))
            if round_number > 0:
                times.append(taken)
    scan = float(np.median(steps["sqlite-vec"]))
    print(f"### {8 * base.shape[1]} bits, {len(base)} rows, {len(queries)} queries\n")
    rows = [["sqlite-vec 0.1.9, exact", "1", figure(scan), "1"]]
    for step in LADDER:
        taken = float(np.median(steps[step]))
        rows.append([f"vecrank, ef_search {step}", f"{recalls[step]:.4f}", figure(taken), f"1/{scan / taken:.1f}"])
    table(["search", "recall@10", "CPU us", "of sqlite-vec's"], rows)


def main() -> None:
    args = arguments()
    signs = matrix(pq.read_table(args.products, columns=["embedding"])["embedding"]) > 0
    for parts in map(int, args.parts.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            compare(parts, signs, args, pathlib.Path(folder))


if __name__ == "__main__":
    main()
