"""One adapter a peer. Libraries are imported when an adapter is used, so that a child process loads its own alone."""

import importlib

from adapters.base import Peer
from setup import Setup

# By the name that --peers takes: module and class. The first is what ratios are taken to.
PEERS = {
    "hnswlib": ("libraries", "Hnswlib"),
    "faiss": ("libraries", "Faiss"),
    "usearch": ("libraries", "Usearch"),
    "hnsw_rs": ("hnsw_rs", "HnswRs"),
    "duckdb-vss": ("duckdb_vss", "DuckdbVss"),
    "sqlite-vec": ("sqlite", "SqliteVec"),
    "vectorlite": ("sqlite", "Vectorlite"),
    "symphonyqg": ("fastest", "SymphonyQg"),
    "glass": ("fastest", "Glass"),
    "zvec": ("fastest", "Zvec"),
}
# vecrank on connections of three kinds: they share one import.
OURS = {
    "vecrank, node cache": ("vecrank", "Vecrank"),
    "vecrank, no cache": ("vecrank", "WithoutCache"),
    "vecrank, mmap": ("vecrank", "Mapped"),
}
# Imports of the same data with other elements.
ELEMENTS = {"vecrank-f16": ("vecrank", "Float16"), "vecrank-i8": ("vecrank", "Int8")}


def make(name: str, setup: Setup) -> Peer:
    module, kind = (OURS | PEERS | ELEMENTS)[name]
    return getattr(importlib.import_module("adapters." + module), kind)(setup)
