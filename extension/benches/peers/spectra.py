#!/usr/bin/env python3
"""Makes Parquet files of synthetic embeddings with the spectrum of real ones, and queries with exact answers.

    target/peers/bin/python extension/benches/peers/spectra.py --dims 768 --out p768.parquet --queries q768.parquet

The vectors have unit length. Their covariance falls off by a power law in a random basis, as that of text embeddings
does; they lie in clusters of clusters of unequal size around a common mean. The same arguments give the same files.

products: article_id, main_name, category, retail_price, embedding list<float32>
queries:  kind ('item': a vector of the same kind that is not among the products; 'profile': a blend of five products,
          as a taste vector is), embedding, exact_rows list<int32> (row numbers of the 1,000 nearest by cosine),
          exact_distances list<float32> (1 - cosine)
"""

import argparse
import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from data import exact, unit

# These make 20,000 vectors of 768 dimensions as hard for hnswlib as 20,000 text embeddings of 256 are: recall@10 0.69,
# 0.88, 0.94, 0.97 at ef 10, 32, 64, 128. Variance of the i-th direction: i ** -DECAY.
DECAY = 0.5
# How much of a vector's variance the common mean, its group, its cluster and itself have.
SHARES = {"mean": 0.1, "group": 0.05, "cluster": 0.05, "own": 0.8}
# Some vectors lie further out than others: the deviation of the logarithm of how far.
SPREAD = 0.15
GROUPS = 40
DEPTH = 1000


class Maker:
    """Draws vectors of one distribution."""

    def __init__(self, dims: int, count: int, seed: int):
        self.random = np.random.default_rng(seed)
        self.dims = dims
        spectrum = np.arange(1, dims + 1) ** -DECAY
        self.scale = np.sqrt(spectrum / spectrum.sum()).astype(np.float32)
        self.basis = np.linalg.qr(self.random.standard_normal((dims, dims), np.float32))[0]
        clusters = max(GROUPS, int(np.sqrt(count)))
        self.group_of = self.random.integers(0, GROUPS, clusters)
        self.weights = 1.0 / np.arange(1, clusters + 1) ** 0.7
        self.weights /= self.weights.sum()
        groups = self.draw(GROUPS, "group")[self.group_of]
        self.centres = self.draw(1, "mean") + groups + self.draw(clusters, "cluster")

    def draw(self, count: int, share: str) -> np.ndarray:
        return self.random.standard_normal((count, self.dims), np.float32) * self.scale * np.sqrt(SHARES[share])

    def vectors(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Unit vectors, and the group of each."""
        cluster = self.random.choice(len(self.weights), count, p=self.weights)
        distance = np.exp(self.random.normal(0, SPREAD, (count, 1))).astype(np.float32)
        whole = (self.centres[cluster] + self.draw(count, "own") * distance) @ self.basis
        return unit(whole).astype(np.float32), self.group_of[cluster]

    def profiles(self, base: np.ndarray, count: int) -> np.ndarray:
        """Three near each other, and half as much of two from anywhere."""
        near = exact(base, base[self.random.integers(0, len(base), count)], min(50, len(base)))
        liked = [base[rows[self.random.integers(1, near.shape[1], 3)]].sum(0) for rows in near]
        strays = [0.5 * base[self.random.integers(0, len(base), 2)].sum(0) for _ in range(count)]
        return unit(np.array(liked) + np.array(strays)).astype(np.float32)


def lists(values: np.ndarray, kind: pa.DataType) -> pa.ListArray:
    count, width = values.shape
    offsets = pa.array(np.arange(0, (count + 1) * width, width), pa.int32())
    return pa.ListArray.from_arrays(offsets, pa.array(values.reshape(-1), kind))


def products(base: np.ndarray, groups: np.ndarray, random: np.random.Generator) -> pa.Table:
    count = len(base)
    return pa.table(
        {
            "article_id": [f"A{i:07d}" for i in range(count)],
            "main_name": [f"Article {i} of category {group}" for i, group in enumerate(groups)],
            "category": [f"c{group:02d}" for group in groups],
            "retail_price": np.round(np.exp(random.normal(3.2, 0.9, count)), 2),
            "embedding": lists(base, pa.float32()),
        }
    )


def queries(base: np.ndarray, items: np.ndarray, profiles: np.ndarray) -> pa.Table:
    vectors = np.vstack([items, profiles])
    rows = exact(base, vectors, min(DEPTH, len(base)))
    distances = np.array([1 - base[numbers] @ vector for numbers, vector in zip(rows, vectors)], np.float32)
    return pa.table(
        {
            "kind": ["item"] * len(items) + ["profile"] * len(profiles),
            "embedding": lists(vectors, pa.float32()),
            "exact_rows": lists(rows.astype(np.int32), pa.int32()),
            "exact_distances": lists(distances, pa.float32()),
        }
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--dims", type=int, default=768)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--queries", type=pathlib.Path, required=True)
    parser.add_argument("--query-count", type=int, default=300, help="of each kind")
    parser.add_argument("--seed", type=int, default=11)
    args = parser.parse_args()
    maker = Maker(args.dims, args.rows, args.seed)
    base, groups = maker.vectors(args.rows)
    items, _ = maker.vectors(args.query_count)
    pq.write_table(products(base, groups, maker.random), args.out, compression="zstd", row_group_size=50_000)
    found = queries(base, items, maker.profiles(base, args.query_count))
    pq.write_table(found, args.queries, compression="zstd")
    print(f"{args.out}: {len(base)} rows of {args.dims} dimensions; {args.queries}: {len(found)} queries")


if __name__ == "__main__":
    main()
