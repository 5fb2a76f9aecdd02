"""Vectors, queries and their exact answers."""

import dataclasses
import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

HELD_OUT = 1000


@dataclasses.dataclass
class Queries:
    vectors: np.ndarray
    kinds: np.ndarray

    def by_kind(self, limit: int | None = None):
        """(kind, vectors) for every kind, in the order of the file."""
        for kind in dict.fromkeys(self.kinds.tolist()):
            yield kind, self.vectors[self.kinds == kind][:limit]


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


def recall(found: list[list[int]], answers: np.ndarray, k: int) -> float:
    return sum(len(set(rows[:k]) & set(answer[:k].tolist())) for rows, answer in zip(found, answers)) / (k * len(found))


def load(products: pathlib.Path, queries: pathlib.Path | None, work: pathlib.Path):
    """The Parquet file that is imported, its vectors, and the queries; without a file of queries the last products."""
    base = unit(matrix(pq.read_table(products, columns=["embedding"])["embedding"]))
    if queries:
        table = pq.read_table(queries)
        kinds = table["kind"].to_pylist() if "kind" in table.column_names else ["query"] * len(table)
        return products, base, Queries(unit(matrix(table["embedding"])), np.array(kinds))
    kept = work / "products.parquet"
    pq.write_table(pq.read_table(products).slice(0, len(base) - HELD_OUT), kept)
    return kept, base[:-HELD_OUT], Queries(base[-HELD_OUT:], np.array(["held-out"] * HELD_OUT))


def newcomers(queries: Queries, count: int) -> np.ndarray:
    """Vectors to insert: the first kind of query, then the same with noise."""
    _, known = next(queries.by_kind())
    random = np.random.default_rng(5)
    picked = known[np.arange(count) % len(known)]
    noise = unit(random.standard_normal(picked.shape, np.float32)) * 0.3
    noise[: len(known)] = 0
    return unit(picked + noise).astype(np.float32)
