"""What the parts ask of a peer."""

import importlib.metadata
import pathlib
import time
from typing import Any

from setup import Setup

# Steps of ef; k is 10, so lower ones make no sense.
LADDER = [10, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512]


class Peer:
    name = ""
    # Distributions on PyPI, the first of which gives the version.
    packages: list[str] = []
    ladder = LADDER
    # The thread's clock, or the process's where a peer works on threads of its own.
    clock = staticmethod(time.thread_time_ns)
    # Whether `build` reads the Parquet file, or the file of vectors, by itself.
    reads_files = False
    # Whether single rows can be inserted and deleted.
    is_writable = False

    def __init__(self, setup: Setup):
        self.setup = setup
        self.folder = setup.folder(self.name)

    def version(self) -> str:
        return importlib.metadata.version(self.packages[0])

    def check(self) -> None:
        """Fails if the peer is not installed."""
        for package in self.packages:
            importlib.metadata.version(package)
        self.load_libraries()

    def load_libraries(self) -> None:
        """Imports what a search needs, before a clock runs."""

    def build_key(self) -> str:
        """Files that were built with the same key are used again."""
        return self.version()

    def build(self, base) -> None:
        """Writes the files of the index. `base` is None for those that read files."""
        raise NotImplementedError

    def files(self) -> list[pathlib.Path]:
        return sorted(path for path in self.folder.iterdir() if path.suffix != ".json")

    def open(self, is_cold: bool = False) -> None:
        """Ready to search. `is_cold`: as a process would that answers one query and ends."""
        raise NotImplementedError

    def close(self) -> None:
        pass

    def set_ef(self, ef: int) -> None:
        raise NotImplementedError

    def prepare(self, query: bytes) -> Any:
        """A query in the form that the peer takes, made before the clock runs."""
        return query

    def search(self, query: Any, k: int) -> Any:
        """What is timed: until the last row is in the program's hands."""
        raise NotImplementedError

    def rows(self, result: Any) -> list[int]:
        """Row numbers in the Parquet file."""
        return [row[0] for row in result]

    def run(self, queries: list[Any], first: int, k: int) -> tuple[list[float], list[list[int]]]:
        """CPU microseconds and rows of every prepared query; `first` is the number of the first one."""
        times, results, clock = [], [], self.clock
        for query in queries:
            start = clock()
            result = self.search(query, k)
            times.append((clock() - start) / 1e3)
            results.append(result)
        return times, [self.rows(result) for result in results]

    def use_queries(self, queries) -> list[Any]:
        """The prepared queries of all steps to come."""
        return [self.prepare(query.tobytes()) for query in queries]

    # For those that are writable:

    def open_copy(self, folder: pathlib.Path) -> None:
        """Ready to write, into a copy of the files in that folder or in memory alone."""
        raise NotImplementedError

    def begin(self) -> None:
        pass

    def insert(self, number: int, vector: bytes) -> None:
        """In a transaction of its own, unless `begin` was called."""
        raise NotImplementedError

    def commit(self) -> None:
        pass

    def delete(self, number: int) -> None:
        raise NotImplementedError
