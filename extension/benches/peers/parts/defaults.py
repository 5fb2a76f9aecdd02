"""What vecrank's default settings give: recall, order, the error of the distances, and whether pages tile."""

import numpy as np

from adapters.vecrank import Vecrank
from data import exact
from measure import table

DEPTHS = [10, 100]
SQL = "SELECT rowid, distance FROM products WHERE embedding MATCH ? ORDER BY distance LIMIT ? OFFSET ?"


def check_tiling(peer: Vecrank, queries: np.ndarray) -> None:
    random = np.random.default_rng(1)
    for query in queries[:100]:
        whole, pages = peer.cursor.execute(SQL, (query.tobytes(), 400, 0)).fetchall(), []
        while len(pages) < 400:
            size = min(int(random.integers(1, 90)), 400 - len(pages))
            pages += peer.cursor.execute(SQL, (query.tobytes(), size, len(pages))).fetchall()
        assert pages == whole, "pages do not tile"


def defaults(peer: Vecrank, base: np.ndarray, queries) -> None:
    print("### Default settings\n")
    rows = []
    for kind, vectors in queries.by_kind():
        answers = exact(base, vectors, max(DEPTHS))
        found, error = np.zeros(len(DEPTHS)), 0.0
        for query, answer in zip(vectors, answers):
            hits = peer.cursor.execute(SQL, (query.tobytes(), max(DEPTHS), 0)).fetchall()
            numbers = np.array(peer.rows(hits))
            distances = np.array([distance for _, distance in hits])
            assert (np.diff(distances) >= 0).all(), "the order decreases"
            true = 1 - base[numbers].astype(np.float64) @ query.astype(np.float64)
            error = max(error, np.abs(distances - true).max())
            found += [len(set(numbers[:k]) & set(answer[:k])) / k for k in DEPTHS]
        rows.append([kind, *(f"{share:.4f}" for share in found / len(vectors)), f"{error:.1e}"])
    table(["queries", *(f"recall@{k}" for k in DEPTHS), "largest error of a distance"], rows)
    check_tiling(peer, queries.vectors)
    print("400 rows in pages of random size equal one read of 400, for 100 queries.\n")
