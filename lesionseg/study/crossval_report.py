"""Tables, files and chart of a cross-validation."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lesionseg.evaluation.statistics import HOW
from lesionseg.evaluation.summary import Estimate
from lesionseg.metrics.definitions import own_names
from lesionseg.metrics.formula import Definition
from lesionseg.metrics.jaccard import Jaccard
from lesionseg.report.chart import BLUE, ORANGE, SKY_BLUE, keep_apart, save, style
from lesionseg.report.table import Table, markdown_text, print_notes, print_tables
from lesionseg.study.crossval_results import CrossvalResults, FittedScore, Scored, Spread, SubsetResults
from lesionseg.study.scored_run import PER_IMAGE, Array, Run
from lesionseg.system.files import whole_folder, write_json, write_whole

OUT_OF_FOLD = "out_of_fold.csv"
LEGEND = "Points: images; boxes: quartiles;\ndiamonds: means; line and band: mean of all, 95 % interval"
JITTER = 0.3
"""Largest distance of a point from the middle of its box, whose neighbours are at a distance of 1."""

Columns = Mapping[str, Definition]


def report_crossval(
    results: CrossvalResults,
    out_of_fold: Sequence[Scored],
    figure: Figure,
    folder: Path,
    *,
    columns: Sequence[str],
    monitor: str,
    facts: Mapping[str, Any],
) -> None:
    """Writes `crossval.json`, `.md`, `.png` and `out_of_fold.csv`, then prints the tables.

    None of the files appears until all are written.

    Args:
        results: Results of the cross-validation.
        out_of_fold: Evaluations whose images `out_of_fold.csv` lists.
        figure: Chart, see `draw_crossval`.
        folder: Folder of the files.
        columns: Metrics of the tables.
        monitor: Value by which each training's best epoch was chosen.
        facts: Plain values that say what was done.
    """
    found, sentences = tables(results, columns), notes(results, monitor)
    with whole_folder(folder) as draft:
        write_json(draft / "crossval.json", {"facts": facts, "notes": sentences, **asdict(results)})
        write_whole(draft / "crossval.md", _markdown(results.name, found, sentences))
        write_images(out_of_fold, draft / OUT_OF_FOLD)
        save(figure, draft / "crossval.png")
    print_tables(*found)
    print_notes(sentences)


def write_images(scored: Sequence[Scored], path: Path) -> None:
    """Writes a row for each image and each training that was scored on it.

    The scores are copied from the evaluations' files in full precision; the column `fold` is empty without folds.
    """
    names = list(scored[0][1].metrics)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "fold", "seed", *names, "target_sha256"])
        for training, run in scored:
            seed = (run.config or {}).get("seed", training.seed)
            with (run.folder / PER_IMAGE).open(encoding="utf-8", newline="") as images:
                for row in csv.DictReader(images):
                    scores = [row[name] for name in names]
                    writer.writerow([row["id"], training.fold, seed, *scores, row["target_sha256"]])


def shown_columns(results: CrossvalResults, metric: str, columns: Sequence[str]) -> list[str]:
    """Lists the metrics of the tables: the main one, the chosen ones, then those that the configuration adds."""
    first = [] if metric in columns else [metric]
    return list(dict.fromkeys([*first, *columns, *own_names(results.titles)]))


def tables(results: CrossvalResults, columns: Sequence[str]) -> list[Table]:
    """Returns a table of each subset and, if postprocessing was fitted, one of what fitting seems to gain."""
    chosen = {name: results.titles[name] for name in columns}
    subset = results.out_of_fold
    kind = "Out of fold" if results.is_cross_validation else "Validation part"
    title = f"{results.name}: {kind}, {subset.images} images, decided as configured"
    found = [_table(title, list(_rows(subset, chosen)), chosen)]
    if results.test is not None:
        rows = list(_rows(results.test, chosen))
        if results.ensemble is not None:
            rows += _estimate_rows("ensemble of all", results.test.images, results.ensemble, chosen)
        found.append(_table(f"{results.name}: Test part, {results.test.images} images", rows, chosen))
    return [*found, _fitted(results)] if results.fitted else found


def notes(results: CrossvalResults, monitor: str) -> list[str]:
    """Explains how to read the tables."""
    return [
        (
            "Out of fold: every image is predicted by a training that has not seen it, and decided as configured. "
            if results.is_cross_validation
            else "Validation: no training was trained on these images. They are decided as configured. "
        )
        + "Decisions that were fitted afterwards are left out, because they were chosen on these very images.",
        f"{HOW}. Each image's scores are averaged over trainings first. SD is the standard deviation of the means "
        "named, and no part of the intervals.",
        f"Each training's best epoch was chosen on the images of the first table (by {monitor}), so these scores are a "
        "little better than on unseen images. Scores of the test part are not affected.",
        *_subset_notes(results),
    ]


def draw_crossval(
    results: CrossvalResults,
    out_of_fold: Sequence[Scored],
    test: Sequence[Scored],
    ensemble: Run | None,
    *,
    metric: str,
) -> Figure:
    """Draws a box with all images for each training: out of fold on the left, on the test subset on the right."""
    panels = 2 if test else 1
    figure = Figure(figsize=(panels * (2.4 + 0.5 * len(out_of_fold)) + 0.6, 4.4), layout="constrained")
    axes = figure.subplots(1, panels, sharey=True, squeeze=False)[0]
    kind = "out of fold" if results.is_cross_validation else "validation part"
    _draw_subset(axes[0], f"{kind}, decided as configured", out_of_fold, results.out_of_fold, metric)
    if results.test is not None:
        _draw_subset(axes[1], "test part", test, results.test, metric)
        if ensemble is not None:
            _draw_box(axes[1], len(test), ensemble.of(metric), ORANGE)
            labels = [text.get_text() for text in axes[1].get_xticklabels()]
            axes[1].set_xticks(range(len(test) + 1), [*labels, "ensemble"])
    keep_apart(axes[0], "y", lowest=0.0)
    axes[0].set_ylabel(results.titles[metric].heading)
    return figure


def _markdown(title: str, found: Sequence[Table], sentences: Sequence[str]) -> str:
    listed = "\n".join(f"- {markdown_text(sentence)}" for sentence in sentences)
    chart = "![Scores of all images](crossval.png)"
    heading = f"# {markdown_text(title)}\n"
    return "\n".join([heading, *(table.markdown() for table in found), listed, "", chart, ""])


def _subset_notes(results: CrossvalResults) -> Iterator[str]:
    if results.test is not None:
        yield (
            "Test: each training decides as was fitted on its own validation part. The ensemble takes the mean "
            "probability of all trainings, and decides by the median of their thresholds."
        )
    if results.out_of_fold.over_folds is not None:
        yield (
            "Folds share most of their training images, so the SD over folds is no standard error of the method "
            "(Bengio & Grandvalet, JMLR 5, 2004)."
        )


def _table(title: str, rows: Sequence[Sequence[str]], columns: Columns) -> Table:
    return Table(title, ["training", "images", *(definition.heading for definition in columns.values())], rows)


def _fitted(results: CrossvalResults) -> Table:
    images = sum(one.images for one in results.fitted)
    configured = sum(one.images * one.configured for one in results.fitted) / images
    fitted = sum(one.images * one.fitted for one in results.fitted) / images
    every = [*results.fitted, FittedScore("all images", images, configured, fitted)]
    text = Jaccard().definition.text
    return Table(
        "Jaccard index with decisions fitted on the same images: better than it is on others",
        ["training", "images", "as configured", "as fitted"],
        [[one.name, str(one.images), text(one.configured), text(one.fitted)] for one in every],
    )


def _rows(subset: SubsetResults, columns: Columns) -> Iterator[list[str]]:
    for one in subset.trainings:
        yield [one.name, str(one.images), *(column.text(one.means[name]) for name, column in columns.items())]
    yield from _estimate_rows("all images", subset.images, subset.overall, columns)
    yield from _spread_rows("folds", subset.over_folds, columns)
    yield from _spread_rows("seeds", subset.over_seeds, columns)


def _estimate_rows(title: str, images: int, estimates: Mapping[str, Estimate], columns: Columns) -> Iterator[list[str]]:
    chosen = [(column, estimates[name]) for name, column in columns.items()]
    yield [title, str(images), *(column.text(one.value) for column, one in chosen)]
    yield ["95 % interval", "", *(column.interval(one.low, one.high) for column, one in chosen)]


def _spread_rows(noun: str, spreads: Mapping[str, Spread] | None, columns: Columns) -> Iterator[list[str]]:
    if spreads is None:
        return
    chosen = [(column.text, spreads[name]) for name, column in columns.items()]
    yield [f"mean ± SD over {noun}", "", *(f"{text(one.mean)} ± {text(one.deviation)}" for text, one in chosen)]
    yield [f"range over {noun}", "", *(f"{text(one.lowest)} to {text(one.highest)}" for text, one in chosen)]


def _draw_subset(axes: Axes, title: str, scored: Sequence[Scored], subset: SubsetResults, metric: str) -> None:
    overall = subset.overall[metric]
    if overall.low is not None and overall.high is not None:
        axes.axhspan(overall.low, overall.high, color=BLUE, alpha=0.15, linewidth=0)
    axes.axhline(overall.value, color=BLUE, linewidth=1)
    for column, (_, run) in enumerate(scored):
        _draw_box(axes, column, run.of(metric), BLUE)
    axes.set_xticks(range(len(scored)), [training.name.replace("_seed", "\nseed") for training, _ in scored])
    axes.tick_params(axis="x", rotation=0 if len(scored) < 6 else 90)
    axes.set_title(title, fontsize=10)
    style(axes, grid="y")
    axes.set_xlabel(f"{subset.images} images. {LEGEND}", fontsize=7, color="0.3")


def _draw_box(axes: Axes, column: int, values: Array, colour: str) -> None:
    """Draws every image as a point, quartiles as a box and the mean as a diamond."""
    jitter = np.random.default_rng(column).uniform(-JITTER, JITTER, len(values))
    axes.scatter(column + jitter, values, s=5, color="0.55", alpha=0.35, linewidths=0)
    axes.boxplot(
        [values],
        positions=[column],
        widths=0.7,
        manage_ticks=False,
        showfliers=False,
        patch_artist=True,
        boxprops={"facecolor": SKY_BLUE, "alpha": 0.35},
        medianprops={"color": "0.2"},
        whiskerprops={"color": "0.45"},
        capprops={"color": "0.45"},
    )
    axes.plot([column], [values.mean()], marker="D", markersize=6, color=colour, zorder=3)
