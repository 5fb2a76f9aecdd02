"""The sample catalogue in memory, with exact results computed by numpy."""
from functools import cache

import numpy as np
import pyarrow.parquet as pq

from manual import CATALOGUE


class Sample:
    """Articles by row number (rowid - 1), their unit vectors, and exact cosine distances."""

    def __init__(self):
        table = pq.read_table(CATALOGUE)
        self.rows = table.drop_columns("embedding").to_pylist()
        self.raw = table["embedding"].combine_chunks().flatten().to_numpy().reshape(len(self.rows), -1)
        self.unit = unit(self.raw.astype(np.float64))

    def tastes(self, count: int, seed: int) -> list[np.ndarray]:
        """Query vectors (float32): blends of three random articles."""
        random = np.random.default_rng(seed)
        picks = random.integers(0, len(self.rows), (count, 3))
        return [self.raw[p].mean(0).astype(np.float32) for p in picks]

    def distances(self, taste: np.ndarray) -> np.ndarray:
        return 1.0 - self.unit @ unit(taste.astype(np.float64))

    def nearest(self, taste: np.ndarray, keep=lambda row: True) -> list[int]:
        """The rowids that pass the filter, nearest first, ties by rowid."""
        order = np.argsort(self.distances(taste), kind="stable")
        return [int(i) + 1 for i in order if keep(self.rows[i])]


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def blob(vector: np.ndarray) -> bytes:
    return vector.astype("<f4").tobytes()


@cache
def sample() -> Sample:
    return Sample()
