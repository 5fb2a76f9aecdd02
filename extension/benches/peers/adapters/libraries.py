"""Libraries that hold the index in memory and give ids: hnswlib, faiss, usearch."""

import pathlib

from adapters.base import Peer

# Places left for the rows that the part `writes` adds.
ROOM = 10_000


class Hnswlib(Peer):
    """M=16, ef_construction=200."""

    name = "hnswlib"
    packages = ["hnswlib"]
    is_writable = True

    def load_libraries(self) -> None:
        import hnswlib
        import numpy

        self.library, self.numpy = hnswlib, numpy

    def file(self) -> pathlib.Path:
        return self.folder / "index.bin"

    def build(self, base) -> None:
        self.load_libraries()
        index = self.library.Index(space="cosine", dim=self.setup.dims)
        index.init_index(len(base), M=16, ef_construction=200)
        index.add_items(base, num_threads=self.setup.threads)
        index.save_index(str(self.file()))

    def open(self, is_cold: bool = False) -> None:
        self.load_libraries()
        self.load(self.file())

    def load(self, file: pathlib.Path, room: int = 0) -> None:
        self.index = self.library.Index(space="cosine", dim=self.setup.dims)
        self.index.load_index(str(file), max_elements=self.setup.count + room)
        self.index.set_num_threads(1)

    def set_ef(self, ef: int) -> None:
        self.index.set_ef(ef)

    def prepare(self, query: bytes):
        return self.numpy.frombuffer(query, self.numpy.float32)

    def search(self, query, k: int):
        return self.index.knn_query(query, k=k)[0]

    def rows(self, result) -> list[int]:
        return result[0].tolist()

    def open_copy(self, folder: pathlib.Path) -> None:
        self.load_libraries()
        self.load(self.file(), ROOM)

    def insert(self, number: int, vector: bytes) -> None:
        self.index.add_items(self.prepare(vector), [number])

    def delete(self, number: int) -> None:
        self.index.mark_deleted(number)


class Faiss(Peer):
    """IndexHNSWFlat, M=16, efConstruction=128, inner product of unit vectors."""

    name = "faiss"
    packages = ["faiss-cpu"]

    def load_libraries(self) -> None:
        import faiss
        import numpy

        self.library, self.numpy = faiss, numpy

    def build(self, base) -> None:
        self.load_libraries()
        self.library.omp_set_num_threads(self.setup.threads)
        index = self.library.IndexHNSWFlat(self.setup.dims, 16, self.library.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = 128
        index.add(base)
        self.library.write_index(index, str(self.folder / "index.faiss"))

    def open(self, is_cold: bool = False) -> None:
        self.load_libraries()
        self.library.omp_set_num_threads(1)
        self.index = self.library.read_index(str(self.folder / "index.faiss"))

    def set_ef(self, ef: int) -> None:
        self.index.hnsw.efSearch = ef

    def prepare(self, query: bytes):
        return self.numpy.frombuffer(query, self.numpy.float32)[None, :]

    def search(self, query, k: int):
        return self.index.search(query, k)[1]

    def rows(self, result) -> list[int]:
        return result[0].tolist()


class Usearch(Peer):
    """connectivity=16, expansion_add=128. Cold processes map the file instead of loading it."""

    name = "usearch"
    packages = ["usearch"]
    is_writable = True

    def load_libraries(self) -> None:
        import numpy
        from usearch.index import Index

        self.library, self.numpy = Index, numpy

    def empty(self):
        return self.library(ndim=self.setup.dims, metric="cos", dtype="f32", connectivity=16, expansion_add=128)

    def build(self, base) -> None:
        self.load_libraries()
        index = self.empty()
        index.add(self.numpy.arange(len(base)), base, threads=self.setup.threads)
        index.save(str(self.folder / "index.usearch"))

    def open(self, is_cold: bool = False) -> None:
        self.load_libraries()
        self.index = self.empty()
        path = str(self.folder / "index.usearch")
        self.index.view(path) if is_cold else self.index.load(path)

    def set_ef(self, ef: int) -> None:
        self.index.expansion_search = ef

    def prepare(self, query: bytes):
        return self.numpy.frombuffer(query, self.numpy.float32)

    def search(self, query, k: int):
        return self.index.search(query, k, threads=1).keys

    def rows(self, result) -> list[int]:
        return result.tolist()

    def open_copy(self, folder: pathlib.Path) -> None:
        self.open()

    def insert(self, number: int, vector: bytes) -> None:
        self.index.add(number, self.prepare(vector), threads=1)

    def delete(self, number: int) -> None:
        self.index.remove(number)
