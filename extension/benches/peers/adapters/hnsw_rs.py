"""hnsw_rs, by way of extension/benches/peers/hnsw_rs_peer.rs."""

import json
import os
import pathlib
import subprocess
from typing import Any

from adapters.base import Peer


class HnswRs(Peer):
    """M=16, ef_construction=200, inner product of unit vectors, with its SIMD feature."""

    name = "hnsw_rs"
    reads_files = True

    def version(self) -> str:
        manifest = pathlib.Path(__file__).resolve().parents[4] / "Cargo.lock"
        package = manifest.read_text().split('name = "hnsw_rs"\nversion = "')[1]
        return package.split('"')[0]

    def program(self) -> str:
        return str(pathlib.Path(self.setup.bin) / "examples/hnsw_rs_peer")

    def check(self) -> None:
        if not os.access(self.program(), os.X_OK):
            command = "cargo build --release -p vecrank --example hnsw_rs_peer"
            raise FileNotFoundError(f"no {self.program()}: run {command}")

    def build(self, base) -> None:
        for file in self.folder.glob("index.hnsw.*"):
            file.unlink()
        command = [self.program(), "build", self.setup.base, str(self.setup.dims), str(self.folder)]
        threads = {"RAYON_NUM_THREADS": str(self.setup.threads)}
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | threads)

    def open(self, is_cold: bool = False) -> None:
        self.server = None

    def close(self) -> None:
        if self.server:
            self.server.stdin.close()
            self.server.wait()
            self.server = None

    def use_queries(self, queries) -> list[Any]:
        """Starts the program anew on these queries, which it is then told by number."""
        self.close()
        file = self.folder / "queries.f32"
        queries.tofile(file)
        command = [self.program(), "serve", str(file), str(self.setup.dims), str(self.folder)]
        self.server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return list(range(len(queries)))

    def set_ef(self, ef: int) -> None:
        self.ef = ef

    def run(self, queries: list[Any], first: int, k: int) -> tuple[list[float], list[list[int]]]:
        print(self.ef, k, first, len(queries), file=self.server.stdin, flush=True)
        line = ""
        while not line.startswith("{"):  # the crate has a word of its own to say first
            line = self.server.stdout.readline()
            if not line:
                raise RuntimeError("hnsw_rs_peer ended")
        answer = json.loads(line)
        return answer["us"], answer["rows"]
