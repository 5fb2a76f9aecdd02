"""One feed read a thousand rows deep: recall, and what a row costs on the way."""

import time

import numpy as np

from adapters import Peer
from adapters.vecrank import Vecrank
from data import exact, recall
from measure import figure, table

DEPTH = 1000
MARKS = list(range(100, DEPTH + 1, 100))
SQL = "SELECT rowid, distance FROM products WHERE embedding MATCH ? ORDER BY distance LIMIT 1000"


def read_deep(peer: Vecrank, query: bytes) -> tuple[list[float], list[int]]:
    """CPU microseconds until each mark, and the rows."""
    clock, times, rows = time.thread_time_ns, [], []
    start = clock()
    for number, row in enumerate(peer.cursor.execute(SQL, (query,)), 1):
        rows.append(row)
        if number in MARKS:
            times.append((clock() - start) / 1e3)
    return times, peer.rows(rows)


def row_costs(totals: np.ndarray) -> np.ndarray:
    """Mean microseconds per row between the marks. A mean, since the slow spots are not at the same row of every feed."""
    return np.diff(totals.mean(axis=0), prepend=0.0) / 100


def deep(ours: dict[str, Vecrank], reference: Peer | None, base: np.ndarray, queries, limit: int) -> None:
    header = ["read 1,000 deep", "recall@100", "recall@1000", "dearest / cheapest 100 rows after the first", "all, ms"]
    header += [f"us a row, {mark - 99}-{mark}" for mark in MARKS]
    rows = []
    for kind, vectors in queries.by_kind(limit):
        answers = exact(base, vectors, DEPTH)
        for name, peer in ours.items():
            for query in vectors[:20]:
                read_deep(peer, query.tobytes())
            runs = [read_deep(peer, query.tobytes()) for query in vectors]
            found = [rows for _, rows in runs]
            totals = np.array([times for times, _ in runs])
            costs = row_costs(totals)
            flatness, whole = max(costs[1:]) / min(costs[1:]), totals[:, -1].mean() / 1e3
            recalls = [f"{recall(found, answers, k):.4f}" for k in (100, DEPTH)]
            cells = [figure(cost) for cost in costs]
            rows.append([f"{name}, {kind}", *recalls, figure(flatness), figure(whole), *cells])
        if reference:
            reference.set_ef(DEPTH)
            times, found = reference.run(reference.use_queries(vectors), 0, DEPTH)
            recalls = [f"{recall(found, answers, k):.4f}" for k in (100, DEPTH)]
            whole = figure(float(np.mean(times)) / 1e3)
            rows.append([f"{reference.name} k=ef=1000, {kind}", *recalls, "-", whole, *["-"] * len(MARKS)])
    print("### Deep\n")
    table(header, rows)
