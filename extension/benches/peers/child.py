#!/usr/bin/env python3
"""One peer in a process of its own, so that memory and files count for it alone. Prints one line of JSON.

child.py build NAME SETUP           builds the peer's files
child.py cold NAME SETUP QUERY      opens them and answers one query (its vector as hexadecimal digits)
"""

import json
import os
import resource
import sys
import time

from setup import one_thread, read_setup

one_thread()

from adapters import make  # noqa: E402
from process import io_counts, peak_bytes, resident_bytes  # noqa: E402

# A system call that does nothing else: a trace of this process is cut there.
MARK = "/vecrank-bench-mark"
DBSTATUS_CACHE_MISS = 8


def children() -> resource.struct_rusage:
    return resource.getrusage(resource.RUSAGE_CHILDREN)


def build(peer) -> dict:
    base = None if peer.reads_files else peer.setup.load_base()
    started, cpu = time.perf_counter(), time.process_time()
    peer.build(base)
    cpu = time.process_time() - cpu + children().ru_utime + children().ru_stime
    peak = max(peak_bytes(), children().ru_maxrss * 1024)
    return {"cpu_s": cpu, "wall_s": time.perf_counter() - started, "peak_mb": peak / 1e6}


def cold(peer, query: bytes) -> dict:
    peer.load_libraries()
    resident, before = resident_bytes(), io_counts()
    os.access(MARK, 0)
    wall, cpu = time.perf_counter(), time.process_time()
    peer.open(is_cold=True)
    rows = peer.search(peer.prepare(query), 10)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    os.access(MARK, 0)
    after = io_counts()
    counts = {
        "ms": wall * 1e3,
        "cpu_ms": cpu * 1e3,
        "asked_mb": (after["rchar"] - before["rchar"]) / 1e6,
        "disk_mb": (after["read_bytes"] - before["read_bytes"]) / 1e6,
        "grown_mb": (resident_bytes() - resident) / 1e6,
        "peak_mb": peak_bytes() / 1e6,
    }
    if hasattr(getattr(peer, "connection", None), "status"):  # apsw
        counts["pages"] = peer.connection.status(DBSTATUS_CACHE_MISS)[0]
    assert len(rows) in (1, 10), rows
    return counts


def main() -> None:
    verb, name, setup = sys.argv[1:4]
    peer = make(name, read_setup(setup))
    result = build(peer) if verb == "build" else cold(peer, bytes.fromhex(sys.argv[4]))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
