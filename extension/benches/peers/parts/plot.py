"""Recall against latency as an SVG, one panel a kind of query."""

import pathlib

from adapters import OURS

COLOURS = ["#7f7f7f", "#8c564b", "#e377c2", "#17becf", "#bcbd22", "#9467bd", "#ff7f0e"]
OUR_COLOURS = ["#08519c", "#3182bd", "#6baed6"]


def plot(results: dict, title: str, file: pathlib.Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    # Text stays text, and the same data give the same bytes.
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "vecrank", "font.size": 9})
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(results), figsize=(5.2 * len(results), 4.2), sharey=True, squeeze=False)
    for panel, (kind, ladders) in zip(panels[0], results.items()):
        others = iter(COLOURS)
        ours = iter(OUR_COLOURS)
        for name, ladder in ladders.items():
            points = [(recall, time / 1e3) for recall, time in sorted(ladder.points()) if recall >= 0.8]
            if not points:
                continue
            style = (
                {"color": next(ours), "linewidth": 2.2} if name in OURS else {"color": next(others), "linewidth": 1.2}
            )
            panel.plot(*zip(*points), marker="o", markersize=3, label=name, **style)
        panel.set(xlabel="recall@10", yscale="log", xlim=(0.8, 1.005), title=f"{kind} queries")
        panel.grid(True, which="both", linewidth=0.3, alpha=0.6)
    panels[0][0].set_ylabel("CPU ms a query (lower is better)")
    panels[0][-1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    figure.suptitle(title)
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)
