"""A picture of a comparison: means with intervals, and differences to the best."""

import textwrap

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lesionseg.report.chart import keep_apart
from lesionseg.study.comparison import NOTE, Comparison

MEAN, DIFFERENCE = "#0072b2", "#d55e00"
"""Okabe & Ito's palette, which colour-blind readers can tell apart."""
LABEL_WIDTH = 40
"""Characters after which a method's label is broken."""


def draw_comparison(comparison: Comparison) -> Figure:
    """Draws each method's mean on the left and its paired difference to the best on the right, the best on top."""
    count = len(comparison.standings)
    lines = max(_label(one.label).count("\n") for one in comparison.standings)
    figure = Figure(figsize=(10.0, 1.9 + (0.45 + 0.13 * lines) * count), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    _draw_means(left, comparison)
    _draw_differences(right, comparison)
    keep_apart(left, "x", lowest=0.0)
    keep_apart(right, "x")
    left.set_yticks(range(count), [_label(one.label) for one in comparison.standings])
    left.set_ylim(count - 0.5, -0.5)
    for axes in (left, right):
        axes.grid(alpha=0.25, axis="x")
        axes.spines[["top", "right"]].set_visible(False)
    figure.supxlabel(f"{comparison.images} images. {NOTE}", fontsize=7, color="0.3", wrap=True)
    return figure


def _draw_means(axes: Axes, comparison: Comparison) -> None:
    for place, standing in enumerate(comparison.standings):
        score = standing.scores[comparison.metric]
        _draw_estimate(axes, place, score.value, score.low, score.high, MEAN)
        if score.seed_deviation is not None:
            axes.plot(
                [score.value - score.seed_deviation, score.value + score.seed_deviation],
                [place + 0.2] * 2,
                color="0.45",
                linewidth=3,
                solid_capstyle="butt",
                label=None if axes.get_legend_handles_labels()[1] else "mean ± SD over seeds",
            )
    if axes.get_legend_handles_labels()[1]:
        axes.legend(frameon=False, fontsize=8)
    axes.set_xlabel(comparison.titles[comparison.metric].heading)


def _draw_differences(axes: Axes, comparison: Comparison) -> None:
    """Draws the others minus the best; the best itself is the line at 0."""
    axes.axvline(0, color="0.6", linewidth=1, linestyle="--", zorder=0)
    best = comparison.standings[0].label
    places = {standing.label: place for place, standing in enumerate(comparison.standings)}
    for pair in comparison.pairs:
        if pair.first == best:
            mean, low, high = pair.difference.mean, pair.difference.low, pair.difference.high
            mirrored = None if high is None else -high, None if low is None else -low
            _draw_estimate(axes, places[pair.second], -mean, *mirrored, DIFFERENCE)
    axes.set_xlabel(f"difference to the best: {comparison.titles[comparison.metric].heading}")


def _draw_estimate(axes: Axes, place: int, value: float, low: float | None, high: float | None, colour: str) -> None:
    # The interval is a line of its own: error bars want distances from the mean.
    if low is not None and high is not None:
        axes.plot([low, high], [place, place], color=colour, linewidth=1.5, marker="|")
    axes.plot([value], [place], color=colour, marker="o")


def _label(label: str) -> str:
    """Breaks a label into lines, and keeps matplotlib from reading mathematics between dollar signs."""
    return textwrap.fill(label, LABEL_WIDTH).replace("$", r"\$")
