"""Litestream and dqlite beneath a feed whose machines are killed. VECRANK_LONG=1 kills many more."""
import os
from pathlib import Path

from examples import LONG, example, missing, need

SEED = os.environ.get("VECRANK_SEED", "1")


def test_litestream_restores_a_committed_state():
    said = example("litestream.py", "--kills", 50 if LONG else 2, "--seed", SEED)
    assert "no state lost that Litestream had confirmed" in said


def test_a_cluster_loses_no_acknowledged_row_and_its_nodes_agree():
    need("cc", "ip", "nsenter", "unshare")
    if os.geteuid() != 0:
        missing("network namespaces need root")
    if not Path("/usr/include/dqlite.h").exists():
        missing("no dqlite: Debian's libdqlite-dev")
    faults = ("--kills", 20, "--partitions", 10, "--commits", 100_000) if LONG else ("--kills", 2, "--partitions", 1)
    assert "no acknowledged transaction was lost" in example("dqlite.py", *faults, "--seed", SEED)
