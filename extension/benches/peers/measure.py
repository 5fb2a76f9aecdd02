"""Times at equal recall, and tables."""

import math

import numpy as np

TARGETS = [0.90, 0.95, 0.98]


def at_recall(points: list[tuple[float, float]], target: float) -> float | None:
    """Time at a recall, interpolated between the ladder's steps; None where the ladder does not reach it."""
    points = sorted(points)
    if points[-1][0] < target:
        return None
    recalls, times = zip(*points)
    return float(np.interp(target, recalls, times))


def figure(value: float | None, digits: int = 3) -> str:
    """`digits` significant ones; a dash for what was not reached."""
    if value is None:
        return "-"
    if value == 0:
        return "0"
    return f"{value:.{max(0, digits - 1 - math.floor(math.log10(abs(value))))}f}"


def table(header: list[str], rows: list[list[str]]) -> None:
    print("| " + " | ".join(header) + " |")
    print("|---|" + "--:|" * (len(header) - 1))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print(flush=True)
