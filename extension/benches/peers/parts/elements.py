"""FLOAT, FLOAT16 and INT8 columns of the same vectors: size, build, speed, and the recall that they lose."""

import numpy as np

from adapters.vecrank import Vecrank
from data import exact
from measure import at_recall, figure, table
from parts.search import K, measure_kind

SQL = "SELECT rowid, distance FROM products WHERE embedding MATCH ? ORDER BY distance LIMIT 10"


def recall_by_default(peer: Vecrank, vectors: np.ndarray, answers: np.ndarray) -> float:
    found = [peer.rows(peer.cursor.execute(SQL, (vector.tobytes(),)).fetchall()) for vector in vectors]
    return sum(len(set(rows) & set(answer.tolist())) for rows, answer in zip(found, answers)) / (K * len(found))


def elements(peers: dict[str, Vecrank], records: dict[str, dict], base: np.ndarray, queries, args) -> None:
    """Recall is against the exact order of the f32 vectors."""
    rows = []
    for kind, vectors in queries.by_kind(args.query_limit):
        answers = exact(base, vectors, K)
        ladders = measure_kind(peers, vectors, answers, args)
        standard = dict(zip(ladders["FLOAT"].steps, ladders["FLOAT"].points()))
        for name, ladder in ladders.items():
            points = dict(zip(ladder.steps, ladder.points()))
            same_ef = standard[64][1] / points[64][1]
            equal = [at_recall(list(p.values()), 0.95) for p in (standard, points)]
            speed = figure(equal[0] / equal[1]) if None not in equal else "-"
            recall = f"{recall_by_default(peers[name], vectors, answers):.4f}"
            sizes = [figure(records[name][key]) for key in ("file_mb", "cpu_s")]
            best = f"{max(recall for recall, _ in points.values()):.4f}"
            rows.append([f"{name}, {kind}", figure(same_ef), speed, recall, best, figure(points[64][1]), *sizes])
    print("### Elements\n")
    header = [
        "column, queries",
        "speed at ef 64, FLOAT = 1",
        "at recall@10 0.95",
        "recall@10 by default",
        "best recall@10",
    ]
    table([*header, "us at ef 64", "file MB", "import CPU s"], rows)
