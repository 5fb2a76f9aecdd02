"""Building: every peer in a process of its own, whose files the other parts use."""

import json
import pathlib
import subprocess
import sys

from adapters import Peer
from measure import figure, table

CHILD = str(pathlib.Path(__file__).resolve().parents[1] / "child.py")


def built(name: str, peer: Peer, setup_file: str) -> dict:
    """Builds the peer's files unless they are there from an earlier run; what that took."""
    record = peer.folder / "build.json"
    key = [peer.version(), peer.build_key()]
    if record.exists():
        known = json.loads(record.read_text())
        if known["key"] == key:
            return known
    print(f"building: {peer.name}", file=sys.stderr, flush=True)
    command = [sys.executable, CHILD, "build", name, setup_file]
    child = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if child.returncode:
        raise SystemExit(f"{peer.name} could not be built; its message is above")
    known = json.loads(child.stdout.splitlines()[-1]) | {"key": key}
    known["file_mb"] = sum(file.stat().st_size for file in peer.files()) / 1e6
    record.write_text(json.dumps(known))
    return known


def report(records: dict[str, dict], raw_bytes: int) -> None:
    """vecrank and DuckDB: from Parquet to the finished file. The others: from vectors in memory to theirs."""
    reference = records.get("hnswlib")
    rows = []
    for name, record in records.items():
        ratio = figure(record["cpu_s"] / reference["cpu_s"]) if reference else "-"
        cells = [figure(record[key]) for key in ("cpu_s", "wall_s", "peak_mb", "file_mb")]
        rows.append([name, ratio, *cells, figure(record["file_mb"] * 1e6 / raw_bytes)])
    print("### Build\n")
    table(["peer", "CPU / hnswlib's", "CPU s", "wall s", "peak RSS MB", "files MB", "files / raw vectors"], rows)
