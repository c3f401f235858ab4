"""The figures of an evaluation."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from lesionseg.evaluation.summary import Curves, Estimate, Group, Summary
from lesionseg.metrics.dice import Dice
from lesionseg.metrics.image_scores import ImageScores
from lesionseg.metrics.jaccard import Jaccard
from lesionseg.report.chart import BLUE, DARK_GREEN, ORANGE, QUIET, SKY_BLUE, keep_apart, style, wrapped
from lesionseg.report.pages import area_in_words

CLASSES = ("skin", "lesion")
LABEL_WIDTH = 34  # characters after which a group's label is wrapped
TITLES = {
    "distributions": "Scores of the single images",
    "size_and_score": "Jaccard index and lesion size",
    "threshold": "Scores at other thresholds",
    "roc": "ROC curve of all pixels",
    "precision_recall": "Precision-recall curve of all pixels",
    "calibration": "Calibration of the probabilities",
    "strata": "Jaccard index by groups of images",
    "confusion_matrix": "Confusion matrix of all pixels",
}
"""Titles of the figures by the stems of their files, in the order of the page."""


def figures(summary: Summary, images: Sequence[ImageScores]) -> dict[str, Figure]:
    """Draws every figure that the evaluation has data for.

    Returns:
        Figures by the stems of TITLES and in their order. `threshold` and `calibration` need probabilities, `roc` and
        `precision_recall` also pixels of both classes, `strata` strata, `size_and_score` the trait `lesion_share`.
    """
    drawers: dict[str, Callable[[], Figure]] = {
        "distributions": lambda: _distributions(summary, images),
        "confusion_matrix": lambda: _confusion_matrix(summary),
    }
    if any(image.traits.get("lesion_share") is not None for image in images):
        drawers["size_and_score"] = lambda: _size_and_score(images, summary.definitions["threshold_jaccard"])
    if summary.strata:
        drawers["strata"] = lambda: _strata(summary)
    if (curves := summary.curves) is not None:
        drawers["threshold"] = lambda: _threshold(curves)
        drawers["calibration"] = lambda: _calibration(curves)
        if curves.roc_area is not None:
            drawers["roc"] = lambda: _roc(curves, summary)
        if curves.average_precision is not None:
            drawers["precision_recall"] = lambda: _precision_recall(curves, summary)
    return {stem: _laid_out(drawers[stem](), title) for stem, title in TITLES.items() if stem in drawers}


def draw_matrix(axes: Axes, title: str, shades: NDArray[np.float64], texts: Sequence[Sequence[str]]) -> None:
    """Draws a confusion matrix as (2, 2) shades from 0 to 1 with a text on each; rows truth, columns prediction."""
    axes.imshow(shades, cmap="Blues", vmin=0, vmax=1)
    for (row, column), shade in np.ndenumerate(shades):
        colour = "white" if shade > 0.5 else "0.15"
        axes.text(column, row, texts[row][column], ha="center", va="center", color=colour)
    axes.set_xticks(range(2), CLASSES)
    axes.set_yticks(range(2), CLASSES, rotation=90, va="center")
    axes.tick_params(length=0)
    axes.set(xlabel="prediction", ylabel="truth")
    axes.set_title(title, fontsize=10)


def _laid_out(figure: Figure, title: str) -> Figure:
    """Lays a figure out once for all formats, because the layout takes longer than writing a file."""
    figure.set_label(title)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return figure


def _one_chart(width: float, height: float, x_label: str, y_label: str) -> tuple[Figure, Axes]:
    """Starts a figure of one chart, in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    style(axes, x_label, y_label)
    return figure, axes


def _roc(curves: Curves, summary: Summary) -> Figure:
    (tn, fp), (fn, tp) = summary.confusion_matrix
    figure, axes = _square("false positive rate (1 - specificity)", "true positive rate (sensitivity)")
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle="--", label="chance")
    area = f"pixels of all images, area {area_in_words(curves.roc_area, curves.roc_area_error)}"
    axes.plot(curves.false_positive_rate, curves.true_positive_rate, color=BLUE, label=area)
    _mark_scored_masks(axes, fp / (fp + tn), tp / (tp + fn))
    axes.legend(frameon=False, loc="lower right")
    return figure


def _precision_recall(curves: Curves, summary: Summary) -> Figure:
    (tn, fp), (fn, tp) = summary.confusion_matrix
    figure, axes = _square("recall (sensitivity)", "precision")
    share = (tp + fn) / (tn + fp + fn + tp)
    chance = f"chance: {100 * share:.1f} % of pixels are lesion"
    axes.axhline(share, color=QUIET, linewidth=1, linestyle="--", label=chance)
    average = area_in_words(curves.average_precision, curves.average_precision_error)
    label = f"pixels of all images, average precision {average}"
    axes.plot(curves.recall, curves.precision, color=BLUE, label=label)
    if tp + fp > 0:
        _mark_scored_masks(axes, tp / (tp + fn), tp / (tp + fp))
    axes.legend(frameon=False, loc="lower left")
    return figure


def _square(x_label: str, y_label: str) -> tuple[Figure, Axes]:
    """Starts a figure whose axes both go from 0 to 1."""
    figure, axes = _one_chart(4.8, 4.6, x_label, y_label)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    return figure, axes


def _mark_scored_masks(axes: Axes, x: float, y: float) -> None:
    axes.plot([x], [y], "o", color=ORANGE, label="the masks scored here", zorder=3)


def _threshold(curves: Curves) -> Figure:
    """Draws the scores at each threshold; it marks no best one, because a test must not choose it."""
    figure, axes = _one_chart(5.4, 3.6, "threshold: lesion where the probability is above it", "mean over images")
    axes.plot(curves.thresholds, curves.dice, color=ORANGE, label=Dice.title)
    axes.plot(curves.thresholds, curves.jaccard, color=BLUE, label=Jaccard.title)
    axes.set(xlim=(0, 1), ylim=(0, 1.01))
    axes.legend(frameon=False, loc="lower center")
    return figure


def _calibration(curves: Curves) -> Figure:
    """Draws the reliability diagram, and below it the share of the pixels in each bin."""
    figure = Figure(figsize=(4.8, 5.4), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3.4, 1])
    style(upper, "", "share of these pixels that are lesion")
    upper.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle="--", label="perfectly calibrated")
    bins = curves.calibration
    label = f"calibration error {curves.calibration_error:.4f}, Brier score {curves.brier:.4f}"
    upper.plot([one.confidence for one in bins], [one.frequency for one in bins], "o-", color=BLUE, label=label)
    upper.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.17), yticks=np.arange(6) / 5)
    upper.legend(frameon=False, loc="upper left")
    style(lower, "probability of lesion", "% of pixels\n(log scale)")
    total = sum(one.pixels for one in bins)
    shares, widths = [100 * one.pixels / total for one in bins], [one.high - one.low for one in bins]
    lower.bar([one.low for one in bins], shares, widths, align="edge", color=SKY_BLUE, edgecolor="white")
    lower.set_yscale("log")
    lower.set_ylim(min(shares) / 2, 130)
    lower.yaxis.set_major_formatter("{x:g}")
    lower.minorticks_off()
    return figure


def _confusion_matrix(summary: Summary) -> Figure:
    """Draws the numbers of pixels, and beside them their shares of each true class."""
    matrix = np.array(summary.confusion_matrix)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(7.2, 3.9), layout="constrained")
    left, right = figure.subplots(1, 2)
    pixels = [[f"{count:,}" for count in row] for row in matrix.tolist()]
    draw_matrix(left, "pixels", matrix / max(int(matrix.sum()), 1), pixels)
    percent = [[f"{100 * share:.2f} %" for share in row] for row in shares.tolist()]
    draw_matrix(right, "share of the true class", shares, percent)
    return figure


def _distributions(summary: Summary, images: Sequence[ImageScores]) -> Figure:
    figure = Figure(figsize=(9.2, 4.0), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    jaccard = [image.scores["jaccard"] for image in images]
    _draw_histogram(left, Jaccard.title, jaccard, summary.metrics["jaccard"])
    _draw_histogram(right, Dice.title, [image.scores["dice"] for image in images], summary.metrics["dice"])
    left.set_ylabel("images")
    limit = summary.definitions["threshold_jaccard"]
    failures = f"failures below {limit:g}: {sum(value < limit for value in jaccard):,} of {len(jaccard):,}"
    left.axvline(limit, color=QUIET, linestyle="--", label=failures)
    for axes in (left, right):
        _legend_above(axes)  # bars may be anywhere inside
    return figure


def _draw_histogram(axes: Axes, title: str, values: Sequence[float], estimate: Estimate) -> None:
    """Draws 20 bins; 0.65 is one of their edges, so that failures fill whole bars."""
    style(axes, title, "")
    axes.hist(values, bins=np.linspace(0, 1, 21).round(2).tolist(), color=SKY_BLUE, edgecolor="white")
    axes.axvline(estimate.value, color=ORANGE, label=f"mean {estimate.value:.3f}")
    if estimate.median is not None:
        axes.axvline(estimate.median, color=DARK_GREEN, linestyle="-.", label=f"median {estimate.median:.3f}")
    axes.set_xlim(0, 1)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))


def _legend_above(axes: Axes) -> None:
    axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2)


def _strata(summary: Summary) -> Figure:
    """Draws a forest plot: the groups of each stratum below its name, with mean, interval and number of images."""
    rows: list[tuple[str, Group | None]] = []
    for stratum in summary.strata:
        rows += [(stratum.name, None), *((group.label, group) for group in stratum.groups)]
    labels = [wrapped(label, LABEL_WIDTH, lines=2) for label, _ in rows]
    heights = [0.27 + 0.14 * label.count("\n") for label in labels]  # inches
    bottoms = np.cumsum(heights)
    places = bottoms - np.array(heights) / 2
    figure, axes = _one_chart(7.2, 1.1 + sum(heights), "mean Jaccard index with 95 % interval", "")
    _draw_overall(axes, summary.metrics["jaccard"], summary.images)
    for place, (_, group) in zip(places, rows, strict=True):
        if group is not None:
            _draw_group(axes, float(place), group)
    keep_apart(axes, "x", lowest=0.0)
    _label_rows(axes, dict(zip(places.tolist(), labels, strict=True)), [group is None for _, group in rows])
    axes.set_ylim(float(bottoms[-1]) + 0.08, -0.08)
    return figure


def _draw_overall(axes: Axes, overall: Estimate, images: int) -> None:
    """Draws the mean over all images behind the groups, with its interval as a band."""
    if overall.interval:
        axes.axvspan(*overall.interval, color=BLUE, alpha=0.1, linewidth=0)
    axes.axvline(overall.value, color=BLUE, linewidth=1, label=f"all {images:,} images: {overall.value:.3f}")
    _legend_above(axes)


def _draw_group(axes: Axes, place: float, group: Group) -> None:
    """Draws one group at a height; a single image has no interval."""
    estimate = group.metrics["jaccard"]
    if estimate.interval:
        axes.plot(estimate.interval, [place, place], color="0.2", linewidth=1.4)
    axes.plot([estimate.value], [place], "s", color=ORANGE, markersize=5)
    text = f"{estimate.value:.3f}, n = {group.images:,}"
    axes.text(1.02, place, text, transform=axes.get_yaxis_transform(), va="center", fontsize=9)


def _label_rows(axes: Axes, labels: Mapping[float, str], headings: Sequence[bool]) -> None:
    """Writes the labels at their heights beside the axis, headings in bold."""
    axes.set_yticks(list(labels), list(labels.values()), fontsize=9, linespacing=1.0)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    for tick, heading in zip(axes.get_yticklabels(), headings, strict=True):
        if heading:
            tick.set_fontweight("bold")


def _size_and_score(images: Sequence[ImageScores], limit: float) -> Figure:
    """Draws a point for each image whose lesion's share of the image is known."""
    shares = [(image.traits.get("lesion_share"), image.scores["jaccard"]) for image in images]
    x, y = zip(*((100 * share, score) for share, score in shares if share is not None), strict=True)
    figure, axes = _one_chart(5.8, 3.8, "lesion, % of the image", Jaccard.title)
    # As pixels, because a thousand vector points would make the page and the PDF large.
    axes.scatter(x, y, s=14, color=BLUE, alpha=0.5, linewidth=0, rasterized=True)
    axes.axhline(limit, color=QUIET, linestyle="--", label=f"failure: below {limit:g}")
    axes.set(xlim=(0, None), ylim=(-0.02, 1.02))
    axes.legend(frameon=False, loc="lower right")
    return figure
