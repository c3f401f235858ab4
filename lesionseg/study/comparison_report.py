"""Tables, files and chart of a comparison."""

import csv
from dataclasses import asdict, replace
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lesionseg.metrics.formula import Definition
from lesionseg.report.chart import BLUE, ORANGE, QUIET, keep_apart, save, style, wrapped
from lesionseg.report.table import Table, markdown_text, print_lines, print_tables
from lesionseg.study.comparison import NOTE, Comparison, Pair, Standing
from lesionseg.system.files import whole_folder, write_json, write_whole

SMALLEST_P = 0.0001
FEW = 100
"""Number of images below which rare failures make intervals of differences too narrow."""
RARE = 20
LABEL_WIDTH = 40
"""Characters after which the chart breaks a method's label."""


def report_comparison(comparison: Comparison, folder: Path) -> None:
    """Writes `leaderboard.csv` and `comparison.md`, `.tex`, `.json`, `.png` and `.pdf`, then prints the tables.

    None of the files appears until all are written.
    """
    found = tables(comparison)
    with whole_folder(folder) as draft:
        write_csv(comparison, draft / "leaderboard.csv")
        write_whole(draft / "comparison.md", "\n".join([*(table.markdown() for table in found), _runs(comparison)]))
        write_whole(draft / "comparison.tex", "\n".join(replace(one, notes=found[-1].notes).latex() for one in found))
        write_json(draft / "comparison.json", {"note": NOTE} | asdict(comparison))
        save(draw_comparison(comparison), draft / "comparison.png", draft / "comparison.pdf")
    print_tables(*found)
    print_lines({"tables and pictures": str(folder)})


def write_csv(comparison: Comparison, path: Path) -> None:
    """Writes a row for each method in full precision; unknown values stay empty."""
    headings = ["rank", "method", "runs", "seeds", "folds", "images"]
    for name in comparison.metrics:
        headings += [name, f"{name}_low", f"{name}_high", f"{name}_sd_over_seeds"]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(headings)
        for one in comparison.standings:
            row = [one.rank, one.label, len(one.folders), one.seeds, one.folds, comparison.images]
            numbers = [number for name in comparison.metrics for number in asdict(one.scores[name]).values()]
            writer.writerow([*row, *numbers])


def tables(comparison: Comparison) -> list[Table]:
    """Returns the leaderboard and, for two methods or more, their differences; notes are below the last table."""
    heading = comparison.titles[comparison.metric].heading
    notes = [note for note in (_direction_note(comparison), NOTE, _few_images_note(comparison)) if note]
    has_seeds = any(standing.seeds > 1 for standing in comparison.standings)
    rows = [_standing_row(standing, comparison, has_seeds) for standing in comparison.standings]
    title = f"Leaderboard by {heading}, {comparison.images} images"
    leaderboard = Table(title, _headings(comparison, has_seeds), rows, notes)
    if not comparison.pairs:
        return [leaderboard]
    headings = ["better", "other", "difference", "95 % interval", "Wilcoxon p", "Holm-adjusted p"]
    differences = [_pair_row(pair, comparison.titles[comparison.metric]) for pair in comparison.pairs]
    title = f"Differences in {heading}, paired by image"
    return [replace(leaderboard, notes=[]), Table(title, headings, differences, notes)]


def draw_comparison(comparison: Comparison) -> Figure:
    """Draws each method's mean on the left and its paired difference to the best on the right, the best on top."""
    labels = [wrapped(one.label, LABEL_WIDTH) for one in comparison.standings]
    count, lines = len(labels), max(label.count("\n") for label in labels)
    figure = Figure(figsize=(10.0, 1.9 + (0.45 + 0.13 * lines) * count), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    _draw_means(left, comparison)
    _draw_differences(right, comparison)
    keep_apart(left, "x", lowest=0.0)
    keep_apart(right, "x")
    left.set_yticks(range(count), labels)
    left.set_ylim(count - 0.5, -0.5)
    heading = comparison.titles[comparison.metric].heading
    style(left, heading, grid="x")
    style(right, f"difference to the best: {heading}", grid="x")
    figure.supxlabel(f"{comparison.images} images. {NOTE}", fontsize=7, color="0.3", wrap=True)
    return figure


def _runs(comparison: Comparison) -> str:
    lines = [
        f"- {markdown_text(one.label)}: {', '.join(f'`{folder}`' for folder in one.folders)}"
        for one in comparison.standings
    ]
    return "\n".join(["Runs:", "", *lines, ""])


def _headings(comparison: Comparison, has_seeds: bool) -> list[str]:
    """Heads the leaderboard; the main metric has its interval and, for several seeds, their standard deviation."""
    headings = ["rank", "method", "runs"]
    for name in comparison.metrics:
        headings.append(comparison.titles[name].heading)
        if name == comparison.metric:
            headings += ["95 % interval", *(["SD over seeds"] if has_seeds else [])]
    return headings


def _standing_row(standing: Standing, comparison: Comparison, has_seeds: bool) -> list[str]:
    counts = [(standing.seeds, "seeds"), (standing.folds, "folds")]
    runs = " x ".join(f"{count} {noun}" for count, noun in counts if count > 1) or "1"
    row = [str(standing.rank), standing.label, runs]
    for name in comparison.metrics:
        score, definition = standing.scores[name], comparison.titles[name]
        row.append(definition.text(score.value))
        if name == comparison.metric:
            deviation = score.seed_deviation
            row.append(definition.interval(score.low, score.high))
            row += ["-" if deviation is None else definition.text(deviation)] if has_seeds else []
    return row


def _pair_row(pair: Pair, definition: Definition) -> list[str]:
    difference = pair.difference
    interval = definition.interval(difference.low, difference.high, sign="+")
    probabilities = [f"< {SMALLEST_P}" if p < SMALLEST_P else f"{p:.4f}" for p in (pair.p, pair.adjusted_p)]
    return [pair.first, pair.second, definition.text(difference.mean, sign="+"), interval, *probabilities]


def _direction_note(comparison: Comparison) -> str:
    shown = [comparison.titles[name] for name in comparison.metrics]
    names = [definition.heading for definition in shown if not definition.higher_is_better]
    return f"Lower is better: {', '.join(names)}." if names else ""


def _few_images_note(comparison: Comparison) -> str:
    if comparison.images >= FEW:
        return ""
    return (
        f"{comparison.images} images are few: a method that fails on one image in {RARE} fails on none of them in "
        f"{100 * (1 - 1 / RARE) ** comparison.images:.0f} % of cases, and the interval of a difference does not show "
        "failures that were not seen."
    )


def _draw_means(axes: Axes, comparison: Comparison) -> None:
    label: str | None = "mean ± SD over seeds"
    for row, standing in enumerate(comparison.standings):
        score = standing.scores[comparison.metric]
        _draw_estimate(axes, row, score.value, score.low, score.high, BLUE)
        if score.seed_deviation is not None:
            ends = [score.value - score.seed_deviation, score.value + score.seed_deviation]
            axes.plot(ends, [row + 0.2] * 2, color=QUIET, linewidth=3, solid_capstyle="butt", label=label)
            label = None
    if label is None:
        axes.legend(frameon=False, fontsize=8)


def _draw_differences(axes: Axes, comparison: Comparison) -> None:
    """Draws the other methods minus the best, which is the line at 0."""
    axes.axvline(0, color="0.6", linewidth=1, linestyle="--", zorder=0)
    rows = {standing.label: row for row, standing in enumerate(comparison.standings)}
    for pair in comparison.pairs:
        if rows[pair.first] == 0:
            mean, low, high = pair.difference.mean, pair.difference.low, pair.difference.high
            mirrored = None if high is None else -high, None if low is None else -low
            _draw_estimate(axes, rows[pair.second], -mean, *mirrored, ORANGE)


def _draw_estimate(axes: Axes, row: int, value: float, low: float | None, high: float | None, colour: str) -> None:
    if low is not None and high is not None:
        axes.plot([low, high], [row, row], color=colour, linewidth=1.5, marker="|")
    axes.plot([value], [row], color=colour, marker="o")
