"""Writes into copies of the files: single INSERTs with their commit, a thousand in one transaction, DELETEs."""

import pathlib
import tempfile
import time

import numpy as np

from adapters import Peer
from data import newcomers
from measure import figure, table

SINGLES = 200
TOGETHER = 1000


def cpu_us(work) -> float:
    """Of all threads."""
    start = time.process_time_ns()
    work()
    return (time.process_time_ns() - start) / 1e3


def write(peer: Peer, vectors: list[bytes]) -> list[float]:
    """Median of an INSERT, mean of one among a thousand, median of a DELETE, each with its share of the commit."""
    count, new = peer.setup.count, iter(vectors)
    singles = [cpu_us(lambda: peer.insert(count + i, next(new))) for i in range(1, SINGLES + 1)]

    def together() -> None:
        peer.begin()
        for i in range(1, TOGETHER + 1):
            peer.insert(count + SINGLES + i, next(new))
        peer.commit()

    many = cpu_us(together) / TOGETHER
    victims = np.random.default_rng(6).choice(np.arange(1, count), SINGLES, replace=False)
    deletes = [cpu_us(lambda: peer.delete(int(victim))) for victim in victims]
    return [float(np.median(singles)), max(singles), many, float(np.median(deletes))]


def writes(peers: dict[str, Peer], queries) -> None:
    vectors = [vector.tobytes() for vector in newcomers(queries, SINGLES + TOGETHER)]
    rows = []
    for name, peer in peers.items():
        with tempfile.TemporaryDirectory(dir=peer.setup.work) as folder:
            peer.open_copy(pathlib.Path(folder))
            rows.append([name, *(figure(value) for value in write(peer, vectors))])
            peer.close()
    print("### Writes: CPU us a row, synchronous off where there is a file\n")
    table(["peer", "INSERT", "slowest of 200", "INSERT, 1,000 in a transaction", "DELETE"], rows)
