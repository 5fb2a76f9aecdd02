"""Copies that are made while another program writes: each is a state that was committed, sound, and gives its pages."""
import subprocess
import sys

import apsw
import pytest

from examples import EXAMPLES

sys.path.insert(0, str(EXAMPLES))
from environment import COMMAND, LIBRARY, import_sample, wait_for
from workload import begin, commit, connect, content, last_commit, pages

SEED = 1


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    file = tmp_path_factory.mktemp("sample") / "feed.db"
    import_sample(file)
    return file


def backup(source, copy) -> None:
    """A few pages at a time, so that the writer gets in between and the backup begins anew for what it changed."""
    to = apsw.Connection(str(copy))
    with to.backup("main", source, "main") as work:
        for step in range(10**9):
            if work.done:
                break
            work.step(200 if step < 100 else -1)
    to.close()


def vacuum_into(source, copy) -> None:
    source.execute("VACUUM INTO ?", (str(copy),))


@pytest.mark.parametrize("mode", ["wal", "delete"])
@pytest.mark.parametrize("make", [backup, vacuum_into])
def test_a_copy_under_writes_is_a_committed_state(make, mode, sample, tmp_path):
    file, copy = tmp_path / "feed.db", tmp_path / "copy.db"
    file.write_bytes(sample.read_bytes())
    db = connect(LIBRARY, file)
    db.execute(f"PRAGMA journal_mode = {mode}")
    begin(db)
    writer = subprocess.Popen([sys.executable, EXAMPLES / "workload.py", LIBRARY, file, str(SEED)], stdout=subprocess.PIPE, text=True)
    try:
        for _ in range(5):
            writer.stdout.readline()
        make(db, copy)
    finally:
        made = last_commit(db)
        wait_for("one more commit", lambda: last_commit(db) > made)
        writer.kill()
        writer.communicate()
    subprocess.run([COMMAND, "check", copy], check=True, capture_output=True)
    copied = connect(LIBRARY, copy)
    number, reached = last_commit(copied), last_commit(db)
    assert 5 <= number <= made < reached
    # What came after it, done again, gives the file as it is now.
    for later in range(number + 1, reached + 1):
        commit(copied, SEED, later)
    assert content(copied) == content(db)
    assert pages(copied) == pages(db)
    copied.close()
    db.close()
