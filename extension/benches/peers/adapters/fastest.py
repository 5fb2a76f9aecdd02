"""Engines that are faster than hnswlib: SymphonyQG, Glass and zvec. They give row numbers, in the process."""

import pathlib
import shutil

from adapters.base import Peer


class SymphonyQg(Peer):
    """rabitqlib's graph of degree 32 with raw vectors, ef 200, begun by PiPNN; inner product of unit vectors."""

    name = "symphonyqg"
    packages = ["rabitqlib"]

    def load_libraries(self) -> None:
        import numpy
        import rabitqlib

        self.library, self.numpy = rabitqlib.SymqgIndex, numpy

    def file(self) -> str:
        return str(self.folder / "index.symqg")

    def build(self, base) -> None:
        self.load_libraries()
        index = self.library(dim=self.setup.dims, max_degree=32, metric="ip", quantization_bits=0)
        index.build(base, ef_construction=200, num_threads=self.setup.threads, init="pipnn")
        index.save(self.file())

    def open(self, is_cold: bool = False) -> None:
        self.load_libraries()
        self.index = self.library.load(self.file())

    def set_ef(self, ef: int) -> None:
        self.ef = ef

    def prepare(self, query: bytes):
        return self.numpy.frombuffer(query, self.numpy.float32)[None, :]

    def search(self, query, k: int):
        return self.index.search(query, k, max(k, self.ef), 1)[0]

    def rows(self, result) -> list[int]:
        return [int(row) for row in result[0]]


class Glass(Peer):
    """HNSW of degree 32, L 200, walked over codes of 8 bits and refined by f32. Its wheel is made for AVX2."""

    name = "glass"
    packages = ["pyglass-portable"]

    def load_libraries(self) -> None:
        import glass
        import numpy

        self.library, self.numpy = glass, numpy

    def file(self) -> str:
        return str(self.folder / "graph.glass")

    def build(self, base) -> None:
        self.load_libraries()
        self.library.set_num_threads(self.setup.threads)
        self.library.Index("HNSW", "IP", "FP32", R=32, L=200).build(base).save(self.file())

    def open(self, is_cold: bool = False) -> None:
        self.load_libraries()
        self.library.set_num_threads(1)
        # The searcher keeps no copy of the vectors and of the graph.
        self.graph, self.base = self.library.Graph(self.file()), self.setup.load_base()
        self.searcher = self.library.Searcher(self.graph, self.base, "IP", "SQ8U", "FP32")
        self.set_ef(64)
        self.searcher.optimize(1)

    def set_ef(self, ef: int) -> None:
        self.searcher.set_ef(ef)

    def prepare(self, query: bytes):
        return self.numpy.frombuffer(query, self.numpy.float32)

    def search(self, query, k: int):
        return self.searcher.search(query, k)

    def rows(self, result) -> list[int]:
        return [int(row) for row in (result[0] if isinstance(result, tuple) else result)]


class Zvec(Peer):
    """An embedded database: a Vamana graph of degree 32 over uniform codes of 8 bits, refined by f32."""

    name = "zvec"
    packages = ["zvec"]

    def load_libraries(self) -> None:
        import numpy
        import zvec

        self.library, self.numpy = zvec, numpy

    def begin_library(self, threads: int) -> None:
        self.load_libraries()
        library = self.library
        logs = str(pathlib.Path(self.setup.work) / "zvec-logs")
        quiet = {"log_type": library.LogType.FILE, "log_level": library.LogLevel.ERROR, "log_dir": logs}
        library.init(query_threads=1, optimize_threads=threads, **quiet)

    def path(self) -> str:
        return str(self.folder / "collection")

    def files(self) -> list[pathlib.Path]:
        return sorted(path for path in self.folder.rglob("*") if path.is_file())

    def build(self, base) -> None:
        self.begin_library(self.setup.threads)
        library = self.library
        shutil.rmtree(self.path(), ignore_errors=True)
        index = library.VamanaIndexParam(
            metric_type=library.MetricType.L2,
            max_degree=32,
            search_list_size=200,
            use_contiguous_memory=True,
            quantize_type=library.QuantizeType.UNIFORM_UINT8,
        )
        vectors = library.VectorSchema("e", library.DataType.VECTOR_FP32, self.setup.dims, index_param=index)
        collection = library.create_and_open(self.path(), library.CollectionSchema(name="c", vectors=vectors))
        for first in range(0, len(base), 500):
            rows = range(first, min(first + 500, len(base)))
            collection.insert([library.Doc(id=str(row), vectors={"e": base[row].tolist()}) for row in rows])
        collection.flush()
        collection.optimize()

    def open(self, is_cold: bool = False) -> None:
        self.begin_library(1)
        self.collection = self.library.open(self.path())

    def set_ef(self, ef: int) -> None:
        self.parameters = self.library.VamanaQueryParam(ef_search=ef, is_using_refiner=True, scale_factor=2.0)

    def prepare(self, query: bytes):
        return self.numpy.frombuffer(query, self.numpy.float32)

    def search(self, query, k: int):
        return self.collection.query(self.library.Query("e", vector=query, param=self.parameters), topk=k)

    def rows(self, result) -> list[int]:
        return [int(document.id) for document in result]
