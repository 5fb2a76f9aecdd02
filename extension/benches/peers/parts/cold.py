"""Cold starts: a fresh process opens the files and answers one query. Libraries stay in the system's cache."""

import collections
import json
import re
import shutil
import subprocess
import sys
import tempfile

import numpy as np

from adapters import Peer
from child import MARK
from measure import figure, table
from parts.build import CHILD
from process import drop_from_cache

COLUMNS = {
    "ms": "open to last row, ms",
    "cpu_ms": "CPU ms",
    "pages": "database pages",
    "asked_mb": "MB by read()",
    "disk_mb": "MB from the disk",
    "grown_mb": "RSS grown by, MB",
    "peak_mb": "peak RSS, MB",
}


def command(name: str, setup_file: str, query: np.ndarray) -> list[str]:
    return [sys.executable, CHILD, "cold", name, setup_file, query.tobytes().hex()]


def once(name: str, setup_file: str, query: np.ndarray) -> dict:
    child = subprocess.run(command(name, setup_file, query), check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(child.stdout.splitlines()[-1])


def report(title: str, runs: dict[str, list[dict]]) -> None:
    rows = []
    for name, records in runs.items():
        cells = []
        for key in COLUMNS:
            values = [record[key] for record in records if key in record]
            cells.append(f"{figure(float(np.median(values)))} ({figure(max(values))})" if values else "-")
        rows.append([name, *cells])
    print(f"### First page of a fresh process, {title}: median (most)\n")
    table(["peer", *COLUMNS.values()], rows)


def calls_between_marks(trace: str) -> collections.Counter:
    """System calls by name. `strace -f` puts the process's number in front of a line."""
    parts = trace.split(MARK)
    assert len(parts) == 3, "the trace has not both marks"
    lines = parts[1].splitlines()[1:-1]
    names = (re.match(r"(?:\d+ +)?(\w+)\(", line) for line in lines)
    return collections.Counter(match[1] for match in names if match)


def system_calls(names: list[str], setup_file: str, query: np.ndarray) -> None:
    print("### System calls of such a process, between open and last row\n")
    if not shutil.which("strace"):
        print("Not counted: no strace here.\n")
        return
    rows = []
    for name in names:
        with tempfile.NamedTemporaryFile("r") as trace:
            traced = ["strace", "-f", "-o", trace.name, *command(name, setup_file, query)]
            if subprocess.run(traced, stdout=subprocess.DEVNULL).returncode:
                print("Not counted: strace may not trace here.\n")
                return
            calls = calls_between_marks(trace.read())
        most = ", ".join(f"{call} {count}" for call, count in calls.most_common(6))
        rows.append([name, str(calls.total()), most])
    table(["peer", "calls", "most of them"], rows)


def cold(peers: dict[str, Peer], setup_file: str, queries: np.ndarray, counts: tuple[int, int]) -> None:
    """`counts`: processes a peer with the files in the system's cache, and without."""
    warm, dropped = ({name: [] for name in peers} for _ in range(2))
    for peer in peers.values():
        for file in peer.files():
            file.read_bytes()
    for name in peers:
        once(name, setup_file, queries[0])
    for query in queries[: counts[0]]:
        for name in peers:
            warm[name].append(once(name, setup_file, query))
    system_calls(list(peers), setup_file, queries[0])
    for query in queries[: counts[1]]:
        for name, peer in peers.items():
            drop_from_cache(peer.files())
            dropped[name].append(once(name, setup_file, query))
    report("files in the system's cache", warm)
    report("files dropped from it", dropped)
