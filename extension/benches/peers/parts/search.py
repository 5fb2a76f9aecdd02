"""Warm searches for ten rows: all peers in turns, step by step of their ladders, round after round."""

import dataclasses
import itertools
import sys
import time

import numpy as np

from adapters import Peer
from data import exact, recall
from measure import TARGETS, at_recall, figure, table

K = 10
# Queries of a step at least, however slow the peer is.
FEWEST = 20


@dataclasses.dataclass
class Step:
    """One peer at one ef: how many queries fit its time, their recall, and the median of every round."""

    count: int = 0
    recall: float = 0.0
    medians: list[float] = dataclasses.field(default_factory=list)


class Ladder:
    """One peer on one kind of queries."""

    def __init__(self, peer: Peer, queries: np.ndarray, answers: np.ndarray):
        self.peer, self.answers = peer, answers
        self.queries = peer.use_queries(queries)
        self.steps = {ef: Step() for ef in peer.ladder}

    def warm_up(self, ef: int, seconds: float) -> None:
        """The first round, which is not counted: measures recall, and how many queries a round may have."""
        step, found, started = self.steps[ef], [], time.perf_counter()
        self.peer.set_ef(ef)
        while step.count < len(self.queries) and (step.count < FEWEST or time.perf_counter() - started < seconds):
            few = self.queries[step.count : step.count + FEWEST]
            found += self.peer.run(few, step.count, K)[1]
            step.count += len(few)
        step.recall = recall(found, self.answers[: step.count], K)

    def measure(self, ef: int) -> None:
        step = self.steps[ef]
        self.peer.set_ef(ef)
        times, _ = self.peer.run(self.queries[: step.count], 0, K)
        step.medians.append(float(np.median(times)))

    def points(self) -> list[tuple[float, float]]:
        return [(step.recall, float(np.median(step.medians))) for step in self.steps.values()]

    def at(self, target: float, round: int) -> float | None:
        return at_recall([(step.recall, step.medians[round]) for step in self.steps.values()], target)


def measure_kind(peers: dict[str, Peer], queries: np.ndarray, answers: np.ndarray, args) -> dict[str, Ladder]:
    ladders = {name: Ladder(peer, queries, answers) for name, peer in peers.items()}
    for round in range(args.rounds + 1):
        print(f"searching, round {round} of {args.rounds}", file=sys.stderr, flush=True)
        for efs in itertools.zip_longest(*(ladder.steps for ladder in ladders.values())):
            for ladder, ef in zip(ladders.values(), efs):
                if ef is not None:
                    ladder.measure(ef) if round else ladder.warm_up(ef, args.step_seconds)
    return ladders


def ratio(ladder: Ladder, reference: Ladder | None, target: float, rounds: int) -> float | None:
    """The median over the rounds of how much faster than the reference of the same round."""
    if reference is None:
        return None
    pairs = [(reference.at(target, round), ladder.at(target, round)) for round in range(rounds)]
    if None in itertools.chain(*pairs):
        return None
    return float(np.median([theirs / ours for theirs, ours in pairs]))


def report(results: dict[str, dict[str, Ladder]], rounds: int) -> None:
    header = ["speed at recall@10, hnswlib = 1"] + [f"{kind} {t:.2f}" for kind in results for t in TARGETS]
    header += [f"{kind} 0.95, us" for kind in results] + [f"{kind}, best recall" for kind in results]
    rows = []
    for name in next(iter(results.values())):
        ratios, times, best = [], [], []
        for ladders in results.values():
            ladder, reference = ladders[name], ladders.get("hnswlib")
            ratios += [figure(ratio(ladder, reference, target, rounds)) for target in TARGETS]
            times.append(figure(at_recall(ladder.points(), 0.95)))
            best.append(f"{max(recall for recall, _ in ladder.points()):.3f}")
        rows.append([name, *ratios, *times, *best])
    print("### Search, warm, ten rows per query\n")
    table(header, rows)


def details(results: dict[str, dict[str, Ladder]]) -> None:
    for kind, ladders in results.items():
        rows = [
            [name, str(ef), str(step.count), f"{step.recall:.4f}", figure(float(np.median(step.medians)), 4)]
            for name, ladder in ladders.items()
            for ef, step in ladder.steps.items()
        ]
        print(f"<details><summary>Every step, {kind} queries</summary>\n")
        table([f"peer, {kind}", "ef", "queries", "recall@10", "us"], rows)
        print("</details>\n")


def search(peers: dict[str, Peer], base: np.ndarray, queries, args) -> dict[str, dict[str, Ladder]]:
    """By kind of query and peer."""
    results = {}
    for kind, vectors in queries.by_kind(args.query_limit):
        results[kind] = measure_kind(peers, vectors, exact(base, vectors, K), args)
    return results
