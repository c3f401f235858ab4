"""A picture of a cross-validation: how the images' scores are distributed in each training."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lesionseg.report.chart import keep_apart
from lesionseg.study.crossval_results import CrossvalResults, PartResults, Scored
from lesionseg.study.scored_run import Run

BOX, MEAN, ENSEMBLE = "#56b4e9", "#0072b2", "#d55e00"
"""Okabe & Ito's palette, which colour-blind readers can tell apart."""
LEGEND = "Points: images; boxes: quartiles;\ndiamonds: means; line and band: mean of all, 95 % interval"
POINT_SHARE = 0.3
"""Of a box's place, to each side, that its points are spread over."""

Array = NDArray[np.float64]


def draw_crossval(
    results: CrossvalResults,
    out_of_fold: Sequence[Scored],
    test: Sequence[Scored],
    ensemble: Run | None,
    *,
    metric: str,
) -> Figure:
    """Draws a box with all images for each training, out of fold on the left and, where there is one, the test part.

    Args:
        results: The numbers.
        out_of_fold: Whose images are drawn, training by training.
        test: Likewise; empty without a test part.
        ensemble: Its test; None where there is none.
        metric: Name of the metric that is drawn.
    """
    panels = 2 if test else 1
    figure = Figure(figsize=(panels * (2.4 + 0.5 * len(out_of_fold)) + 0.6, 4.4), layout="constrained")
    axes = figure.subplots(1, panels, sharey=True, squeeze=False)[0]
    kind = "out of fold" if results.is_cross_validation else "validation part"
    _draw_part(axes[0], f"{kind}, decided as configured", out_of_fold, results.out_of_fold, metric)
    if results.test is not None:
        _draw_part(axes[1], "test part", test, results.test, metric)
        if ensemble is not None:
            _draw_ensemble(axes[1], len(test), ensemble.of(metric))
    keep_apart(axes[0], "y", lowest=0.0)
    axes[0].set_ylabel(results.titles[metric].heading)
    return figure


def _draw_part(axes: Axes, title: str, scored: Sequence[Scored], part: PartResults, metric: str) -> None:
    overall = part.overall[metric]
    if overall.low is not None and overall.high is not None:
        axes.axhspan(overall.low, overall.high, color=MEAN, alpha=0.15, linewidth=0)
    axes.axhline(overall.value, color=MEAN, linewidth=1)
    for place, (_, run) in enumerate(scored):
        _draw_box(axes, place, run.of(metric), MEAN)
    axes.set_xticks(range(len(scored)), [training.name.replace("_seed", "\nseed") for training, _ in scored])
    axes.tick_params(axis="x", rotation=0 if len(scored) < 6 else 90)
    axes.set_title(title, fontsize=10)
    axes.grid(alpha=0.25, axis="y")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel(f"{part.images} images. {LEGEND}", fontsize=7, color="0.3")


def _draw_ensemble(axes: Axes, place: int, values: Array) -> None:
    _draw_box(axes, place, values, ENSEMBLE)
    labels = [text.get_text() for text in axes.get_xticklabels()]
    axes.set_xticks(range(place + 1), [*labels, "ensemble"])


def _draw_box(axes: Axes, place: int, values: Array, colour: str) -> None:
    """Draws every image as a point, quartiles as a box and the mean as a diamond."""
    jitter = np.random.default_rng(place).uniform(-POINT_SHARE, POINT_SHARE, len(values))
    axes.scatter(place + jitter, values, s=5, color="0.55", alpha=0.35, linewidths=0)
    axes.boxplot(
        [values],
        positions=[place],
        widths=0.7,
        manage_ticks=False,
        showfliers=False,
        patch_artist=True,
        boxprops={"facecolor": BOX, "alpha": 0.35},
        medianprops={"color": "0.2"},
        whiskerprops={"color": "0.45"},
        capprops={"color": "0.45"},
    )
    axes.plot([place], [values.mean()], marker="D", markersize=6, color=colour, zorder=3)
