"""What the command shows on a terminal, and whether its figures are right: on a catalogue made here."""
import fcntl
import importlib
import json
import os
import pty
import re
import shutil
import struct
import subprocess
import termios
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vecrank_command import VECRANK, vecrank

ROWS, DIMS, K = 20_000, 32, 10


def catalogue(rows: int) -> np.ndarray:
    """Embeddings in clusters of unlike spread, unit length."""
    random = np.random.default_rng(20)
    centres = random.normal(size=(rows // 100, DIMS))
    vectors = centres[random.integers(len(centres), size=rows)] + random.normal(size=(rows, DIMS)) * random.uniform(0.2, 1, size=(rows, 1))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with products.parquet and feed.db, whose key is the rowid."""
    folder = tmp_path_factory.mktemp("recall")
    table = pa.table({"id": np.arange(ROWS), "embedding": list(catalogue(ROWS))})
    pq.write_table(table, folder / "products.parquet")
    assert vecrank("import", "products.parquet", "feed.db", "--table", "t", "--key", "id", folder=folder).returncode == 0
    return folder


def test_recall_is_what_numpy_says(place):
    """The rows that a search finds, against all distances by numpy in f64."""
    sample = 100
    arguments = ("recall", "feed.db", "--sample", str(sample), "--k", str(K), "--json")
    measured = {rung["ef_search"]: rung["recall"] for rung in json.loads(vecrank(*arguments, folder=place).stdout)["ladder"]}
    vectors = catalogue(ROWS).astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    queries = [i * ROWS // sample for i in range(sample)]
    truth = []
    for query in queries:
        order = np.argsort(-(vectors @ vectors[query]), kind="stable")
        truth.append(set(order[order != query][:K].tolist()))
    assert len(measured) == 8
    for ef_search, recall in list(measured.items())[:4]:
        found = 0
        for query, true in zip(queries, truth):
            out = vecrank("query", "feed.db", "--like", f"id={query}", "--columns", "id", "--json", "--limit", str(K + 1),
                          "--ef-search", str(ef_search), folder=place).stdout
            ids = [row["id"] for row in json.loads(out) if row["id"] != query]
            found += len(true & set(ids[:K]))
        assert recall == pytest.approx(found / (sample * K), abs=0.0005), ef_search
    assert measured[8] < 0.999, "the ladder's foot finds less than all, or the comparison says nothing"


def test_recall_of_held_out_queries_is_what_numpy_says(place):
    """Queries that are no rows, against SELECTs in the same connection settings and all distances by numpy in f64."""
    random = np.random.default_rng(21)
    queries = catalogue(ROWS)[::200] + random.normal(size=(100, DIMS)).astype(np.float32) * 0.1
    pq.write_table(pa.table({"embedding": list(queries)}), place / "held_out.parquet")
    arguments = ("recall", "feed.db", "--queries", "held_out.parquet", "--k", str(K), "--json")
    measured = {rung["ef_search"]: rung["recall"] for rung in json.loads(vecrank(*arguments, folder=place).stdout)["ladder"]}
    vectors = catalogue(ROWS).astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    truth = [set(np.argsort(-(vectors @ query), kind="stable")[:K].tolist()) for query in queries.astype(np.float64)]
    for ef_search, recall in list(measured.items())[:3]:
        found = 0
        for query, true in zip(queries, truth):
            out = vecrank("query", "feed.db", "--vector", json.dumps(query.tolist()), "--columns", "id", "--json",
                          "--limit", str(K), "--ef-search", str(ef_search), folder=place).stdout
            found += len(true & {row["id"] for row in json.loads(out)})
        assert recall == pytest.approx(found / (len(queries) * K), abs=0.0005), ef_search
    assert measured[8] < 0.999, "the ladder's foot finds less than all, or the comparison says nothing"


@pytest.mark.parametrize("module", ["sqlite3", "apsw"])
def test_an_open_connection_notices_a_copy_over_its_file(tmp_path, module):
    """Two imports, copied over the live file in turn: each page is of one of them, and so is the schema."""
    driver = pytest.importorskip(module) if os.environ.get("CI") != "true" else importlib.import_module(module)
    vectors = list(catalogue(600))
    for night, more in ((1, {}), (2, {"price": np.arange(600) / 2})):
        columns = {"id": np.arange(600) + night * 100_000, "embedding": vectors} | more
        pq.write_table(pa.table(columns), tmp_path / f"{night}.parquet")
        done = vecrank("import", f"{night}.parquet", f"{night}.db", "--table", "t", "--key", "id", folder=tmp_path)
        assert done.returncode == 0, done.stderr
    live = tmp_path / "live.db"
    shutil.copyfile(tmp_path / "1.db", live)
    db = driver.connect(str(live)) if module == "sqlite3" else driver.Connection(str(live))
    for round in range(200):
        night = 2 - round % 2
        shutil.copyfile(tmp_path / f"{night}.db", live)
        for offset in (0, 300):
            page = [row[0] for row in db.execute("SELECT id FROM t_rows ORDER BY rowid LIMIT 300 OFFSET ?", (offset,))]
            assert len(page) == 300 and {id // 100_000 for id in page} == {night}, (round, page)
        columns = [row[1] for row in db.execute("PRAGMA table_info(t_rows)")]
        assert ("price" in columns) == (night == 2), (round, columns)
    db.close()


def test_a_target_that_nothing_reaches_is_a_failure(place):
    done = vecrank("recall", "feed.db", "--sample", "50", "--k", "500", "--target", "1", folder=place)
    assert (done.returncode, done.stderr) == (2, "vecrank: no ef_search tried reaches a recall of 1\n"), done.stdout
    assert len(done.stdout.splitlines()) == 9, "the ladder is printed all the same"


def on_a_terminal(*arguments: str, folder: Path, **variables: str) -> tuple[int, str]:
    """The exit code, and what a terminal of 80 columns was sent."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = os.environ | {"TERM": "xterm"} | variables
    process = subprocess.Popen([VECRANK, *arguments], cwd=folder, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    sent = []

    def read():
        try:
            while data := os.read(ours, 4096):
                sent.append(data)
        except OSError:  # how Linux ends a terminal whose other side is closed
            pass

    reading = threading.Thread(target=read)
    reading.start()
    code = process.wait(timeout=600)
    reading.join(timeout=600)
    os.close(ours)
    return code, b"".join(sent).decode()


def test_a_terminal_gets_a_bar_with_rate_and_time_left(place):
    code, sent = on_a_terminal("import", "products.parquet", "again.db", "--table", "t", folder=place)
    assert code == 0
    for phase, amount in (("Reading rows", r"[\d,]+ of 20,000 rows  [\d,]+/s"), ("Building the index", r"[\d,]+ of 20,000 rows  [\d,]+/s")):
        assert re.search(rf"{phase} +\S+ +\d+%  {amount}  \S+ left", sent), (phase, sent[-2000:])
    # It fits its line, and is gone before the summary.
    lines = [re.sub("\x1b\\[[0-9]*[A-Z]", "", line) for line in re.split("[\r\n]+", sent)]
    assert max(len(line) for line in lines if " left" in line) <= 80, lines
    summary = next(number for number, line in enumerate(lines) if line.startswith("again.db: table t, 20000 rows, "))
    assert not any(" left" in line for line in lines[summary:])


def test_every_phase_has_a_rate_and_the_time_left(place):
    phases = ("Reading rows", "Building the index", "Writing the file", "Putting it in place", "Comparing rows", "Changing rows")
    seen = ""
    for more in ((), ("--mirror",)):
        code, sent = on_a_terminal("import", "products.parquet", "phases.db", "--table", "t", "--key", "id", *more, folder=place)
        assert code == 0
        seen += re.sub("\x1b\\[[0-9]*[A-Z]", "", sent)
    shown = [line for line in re.split("[\r\n]+", seen) if line.startswith(phases)]
    assert {"Reading rows", "Comparing rows"} <= {phase for phase in phases if any(line.startswith(phase) for line in shown)}
    assert all(re.search(r"\d+% .*/s  \S+ left", line) for line in shown), shown


def test_colours_can_be_turned_off(place):
    assert "\x1b[" in on_a_terminal("query", "--help", folder=place)[1]
    assert "\x1b[" not in on_a_terminal("query", "--help", folder=place, NO_COLOR="1")[1]


def test_memory_is_bounded_by_the_vectors_and_not_by_the_file(tmp_path):
    """200 MB of text in one row group: at most 1.5 times the vectors and 200 MB, by the contract; it is far less."""
    rows = 20_000
    random = np.random.default_rng(1)
    texts = [random.bytes(5_000).hex() for _ in range(rows // 20)]
    table = pa.table({"text": [f"{i}{texts[i % len(texts)]}" for i in range(rows)], "embedding": list(catalogue(rows)[:, :8].copy())})
    pq.write_table(table, tmp_path / "products.parquet", row_group_size=rows, use_dictionary=False, compression="zstd")
    del table
    process = subprocess.Popen([VECRANK, "import", "products.parquet", "feed.db"], cwd=tmp_path, stdout=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        # What the kernel says afterwards counts the memory of this very process in.
        status = Path(f"/proc/{process.pid}/status").read_text()
        peak = max([peak, *map(int, re.findall(r"VmHWM:\s+(\d+) kB", status))])
        time.sleep(0.01)
    assert process.returncode == 0
    assert 0 < peak * 1024 < 150_000_000


def test_no_bar_where_there_is_no_terminal(place):
    done = vecrank("import", "products.parquet", "again.db", "--table", "t", folder=place)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
