#!/usr/bin/env python3
"""Three machines that agree on a feed by Raft (dqlite): kills the leader and cuts nodes off while transactions are written.

    examples/beyond/dqlite.py [--kills 2] [--partitions 1] [--commits 200] [--seed 1]

Each node is a process in a network namespace of its own, so it needs root. dqlite comes from Debian: apt-get install
libdqlite-dev. After each fault all nodes are started or connected again, and

- every acknowledged transaction is there,
- the files of the three nodes hold the same rows, table by table, those of the index among them,
- and so does a plain SQLite file on which the same statements were run, which gives the same pages.

At the end all three are stopped and started again.
"""
import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from dqlite_client import Client, Refused
from environment import LIBRARY, TARGET, enter, import_sample, wait_for

PINNED = ["apsw==3.54.1.0"]
SOURCE = Path(__file__).with_name("dqlite_node.c")
PROGRAM = TARGET / "beyond" / "dqlite_node"
LOST = (OSError, Refused)
TABLE = """CREATE VIRTUAL TABLE articles USING hnsw(
  article_id TEXT PRIMARY KEY, main_name TEXT, retail_price REAL, embedding FLOAT[256])"""
ROWS = 1000


def ip(*arguments, process: int | None = None) -> None:
    inside = ["nsenter", "-t", str(process), "-n"] if process else []
    subprocess.run([*inside, "ip", *map(str, arguments)], check=True)


def enter_namespace() -> None:
    """Goes on in a network of its own: what is made in it goes with it."""
    if os.environ.get("VECRANK_NAMESPACE") != "1":
        os.environ["VECRANK_NAMESPACE"] = "1"
        os.execvp("unshare", ["unshare", "--net", sys.executable, *sys.argv])
    ip("link", "set", "lo", "up")
    ip("link", "add", "hub", "type", "bridge")
    ip("address", "add", "10.77.0.254/24", "dev", "hub")
    ip("link", "set", "hub", "up")


class Node:
    def __init__(self, number: int, folder: Path):
        self.number, self.host = number, f"10.77.0.{number}"
        self.address = f"{self.host}:9000"
        self.folder = folder / f"node-{number}"
        self.folder.mkdir()
        self.lives, self.process = 0, None
        self.log = (folder / f"node-{number}.log").open("a")

    def start(self) -> None:
        self.lives += 1
        self.link = f"n{self.number}x{self.lives}"
        program = [PROGRAM, LIBRARY, str(self.number), self.address, self.folder]
        waiting = ["sh", "-c", 'read go; exec "$@"', "node", *program]
        self.process = subprocess.Popen(["unshare", "--net", *waiting], stdin=subprocess.PIPE, stderr=self.log)
        process = self.process.pid
        namespace = lambda of: os.readlink(f"/proc/{of}/ns/net")
        wait_for("a namespace", lambda: namespace(process) != namespace("self"))
        # The address of its hardware stays, as that of a machine that is started again.
        hardware = f"02:00:00:00:00:{self.number:02}"
        ip("link", "add", self.link, "type", "veth", "peer", "name", "eth", "address", hardware, "netns", process)
        ip("link", "set", self.link, "master", "hub", "up")
        ip("link", "set", "lo", "up", process=process)
        ip("address", "add", f"{self.host}/24", "dev", "eth", process=process)
        ip("link", "set", "eth", "up", process=process)
        self.process.stdin.write(b"go\n")
        self.process.stdin.close()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()

    def has_snapshot(self) -> bool:
        return any(self.folder.glob("snapshot-*.meta"))

    def cut(self) -> None:
        ip("link", "set", self.link, "down")

    def heal(self) -> None:
        ip("link", "set", self.link, "up")


class Cluster:
    def __init__(self, folder: Path):
        self.folder = folder
        self.nodes = [Node(number, folder) for number in (1, 2, 3)]
        self.client = None
        for node in self.nodes:
            node.start()
        wait_for("the first node", lambda: self.leader() is not None)
        for node in self.nodes[1:]:
            wait_for("a node", lambda: self.reaches(node))
            self.connected().add(node.number, node.address)

    def reaches(self, node: Node) -> bool:
        try:
            Client(node.address, 1).close()
            return True
        except LOST:
            return False

    def leader(self) -> Node | None:
        """The node that the others, or it itself, take for the leader."""
        for node in self.nodes:
            try:
                client = Client(node.address, 1)
                address = client.leader()
                client.close()
            except LOST:
                continue
            if address:
                return next(node for node in self.nodes if node.address == address)
        return None

    def connected(self) -> Client:
        """A connection to the leader with the database open, waited for."""
        if self.client is None:
            wait_for("a leader", self.connect)
        return self.client

    def connect(self) -> bool:
        try:
            leader = self.leader()
            if leader is None:
                return False
            client = Client(leader.address, 10)
            client.open("feed.db")
            # dqlite 1.11 fails with "disk I/O error" if a transaction outgrows SQLite's cache and a page is written twice.
            client.execute("PRAGMA cache_size = -65536")
            self.client = client
            return True
        except LOST:
            time.sleep(0.1)
            return False

    def disconnect(self) -> None:
        if self.client:
            self.client.close()
        self.client = None

    def do(self, work):
        """Something on the leader, again with the next one if this one is lost meanwhile. It must bear being done twice."""
        end = time.monotonic() + 180
        while True:
            try:
                return work(self.connected())
            except LOST as error:
                assert time.monotonic() < end, error
                self.disconnect()
                time.sleep(0.05)

    def transact(self, statements: list, number: int | None = None) -> None:
        """One transaction; `number` is that of its commit, by which it is known whether it was done."""

        def once(client: Client) -> None:
            if number is not None and client.query("SELECT max(number) FROM commits") == [(number,)]:
                return
            client.execute("BEGIN IMMEDIATE")
            for sql, values in statements:
                client.execute(sql, values)
            client.execute("COMMIT")

        self.do(once)

    def file(self, node: Node) -> Path | None:
        """What a node has of the database, written to a file."""
        try:
            client = Client(node.address, 10)
            files = client.dump("feed.db")
            client.close()
        except LOST:
            return None
        for name, data in files.items():
            (self.folder / f"of-{node.number}-{name}").write_bytes(data)
        return self.folder / f"of-{node.number}-feed.db"

    def close(self) -> None:
        for node in self.nodes:
            node.kill()


class Faults(threading.Thread):
    """Does a fault once so many transactions were acknowledged, in the middle of a later one."""

    def __init__(self, kind: str, cluster: Cluster, dice: random.Random):
        super().__init__()
        self.kind, self.cluster, self.delay = kind, cluster, dice.uniform(0, 0.05)
        self.victim = None

    def run(self) -> None:
        time.sleep(self.delay)
        while (leader := self.cluster.leader()) is None:
            time.sleep(0.05)
        self.victim = leader
        leader.kill() if self.kind == "kill" else leader.cut()

    def undo(self) -> None:
        self.join()
        self.victim.start() if self.kind == "kill" else self.victim.heal()


def compare(cluster: Cluster, model, number: int) -> None:
    """All nodes have all transactions, and the rows of the model."""
    from workload import connect, content, last_commit, pages

    want = content(model)
    for node in cluster.nodes:

        def has_all() -> bool:
            file = cluster.file(node)
            if file is None:
                return False
            if file.stat().st_size == 0:
                return False
            copy = connect(LIBRARY, file)
            try:
                return last_commit(copy) == number
            finally:
                copy.close()

        wait_for(f"node {node.number} to have all transactions", has_all)
        copy = connect(LIBRARY, cluster.folder / f"of-{node.number}-feed.db")
        has = content(copy)
        assert has.keys() == want.keys()
        assert [name for name in want if has[name] != want[name]] == [], f"node {node.number}"
        assert pages(copy) == pages(model), f"node {node.number}"
        copy.close()


def load(cluster: Cluster, model, folder: Path) -> None:
    """The first rows of the sample, by the same statements on the cluster and on the model."""
    from workload import begin, connect

    sample = folder / "sample.db"
    import_sample(sample)
    columns = "article_id, main_name, retail_price, embedding"
    rows = connect(LIBRARY, sample).execute(f"SELECT {columns} FROM articles ORDER BY article_id LIMIT {ROWS}").fetchall()
    create = [(TABLE, ()), ("CREATE TABLE commits(number INTEGER PRIMARY KEY)", ())]
    insert = f"INSERT INTO articles({columns}) VALUES (?, ?, ?, ?)"
    work = [*create, *((insert, row) for row in rows), ("INSERT INTO commits VALUES (0)", ())]
    cluster.transact(work)
    model.execute("BEGIN IMMEDIATE")
    for sql, values in work:
        model.execute(sql, values)
    model.execute("COMMIT")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--kills", type=int, default=2)
    arguments.add_argument("--partitions", type=int, default=1)
    arguments.add_argument("--commits", type=int, default=300, help="acknowledged transactions in all")
    arguments.add_argument("--seed", type=int, default=1)
    options = arguments.parse_args()
    enter("dqlite", PINNED)
    enter_namespace()
    from workload import commit, connect, statements

    subprocess.run(["cc", "-O1", "-Wall", "-o", PROGRAM, SOURCE, "-ldqlite", "-lsqlite3", "-ldl"], check=True)
    folder = Path(tempfile.mkdtemp(prefix="dqlite-"))
    dice = random.Random(options.seed)
    faults = dice.sample(["kill"] * options.kills + ["partition"] * options.partitions, options.kills + options.partitions)
    cluster = Cluster(folder)
    try:
        model = connect(LIBRARY, folder / "model.db")
        load(cluster, model, folder)
        number, each = 0, options.commits // len(faults)
        for kind in faults:
            fault, at = Faults(kind, cluster, dice), number + dice.randrange(1, each // 2)
            for number in range(number + 1, number + each + 1):
                if number == at:
                    fault.start()
                cluster.transact(statements(options.seed, number), number)
                commit(model, options.seed, number)
            fault.undo()
            compare(cluster, model, number)
            print(f"{kind} of node {fault.victim.number}: {number} transactions acknowledged, on all nodes", flush=True)
        for node in cluster.nodes:
            node.stop()
        cluster.disconnect()
        for node in cluster.nodes:
            node.start()
        compare(cluster, model, number)
        snapshots = sum(node.has_snapshot() for node in cluster.nodes)
        print(f"all nodes were stopped and started again, {snapshots} of them from a snapshot")
        print("no acknowledged transaction was lost, and the nodes hold the same rows")
    finally:
        cluster.close()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
