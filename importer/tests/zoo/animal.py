"""What a file of the zoo is, and the columns that all of them have."""
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

DIMS = 4


@dataclass(frozen=True)
class Animal:
    """A Parquet file that must be imported value by value, or refused."""

    name: str
    # Writes the file.
    write: Callable[[Path], object]
    # Reads it with the library that wrote it; None for files that are to be refused.
    read: Callable[[Path], pa.Table] | None
    # More arguments of the import.
    options: tuple[str, ...] = ()
    # What the import says on standard error, as a regular expression; {file} is the file's name.
    says: str = ""


def vectors(rows: int) -> np.ndarray:
    """Any vectors will do, so long as no two columns are alike and f16 and f32 hold them exactly."""
    return (np.arange(rows * DIMS).reshape(rows, DIMS) % 89 - 44).astype(np.float32) / 8 + 0.0625


def embeddings(rows: int) -> pa.Array:
    return pa.array(list(vectors(rows)), pa.list_(pa.float32()))


def with_vectors(columns: dict[str, pa.Array]) -> pa.Table:
    """The columns, behind `id` and in front of `embedding`."""
    rows = len(next(iter(columns.values())))
    return pa.table({"id": pa.array(range(rows), pa.int64()), **columns, "embedding": embeddings(rows)})
