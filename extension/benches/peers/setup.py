"""What every part and every child process must know of a run."""

import dataclasses
import json
import os
import pathlib


@dataclasses.dataclass
class Setup:
    """Paths as text, so that the whole goes to a child process as JSON."""

    products: str  # Parquet, the rows that are searched
    base: str  # the same vectors: f32, unit length, row by row
    count: int
    dims: int
    work: str  # a folder for everybody's files
    bin: str  # where vecrank, libvecrank and examples/hnsw_rs_peer are
    columns: list[str]  # what a page of a database returns
    threads: int  # of builds
    import_args: list[str]

    def folder(self, name: str) -> pathlib.Path:
        folder = pathlib.Path(self.work) / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def load_base(self):
        import numpy as np

        return np.fromfile(self.base, np.float32).reshape(self.count, self.dims)

    def write(self) -> str:
        path = pathlib.Path(self.work) / "setup.json"
        path.write_text(json.dumps(dataclasses.asdict(self)))
        return str(path)


def read_setup(path: str) -> Setup:
    return Setup(**json.loads(pathlib.Path(path).read_text()))


def one_thread() -> None:
    """Before numpy and its like are imported: searches are measured on one thread."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
