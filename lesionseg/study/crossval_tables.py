"""A cross-validation in words, the same for the terminal and for Markdown."""

from collections.abc import Iterator, Mapping, Sequence

from lesionseg.evaluation.statistics import HOW
from lesionseg.evaluation.summary import Estimate
from lesionseg.metrics.definitions import own_names
from lesionseg.metrics.formula import Definition
from lesionseg.metrics.jaccard import Jaccard
from lesionseg.study.comparison_tables import WordTable
from lesionseg.study.crossval_results import CrossvalResults, PartResults, Spread

Columns = Mapping[str, Definition]


def shown_columns(results: CrossvalResults, metric: str, columns: Sequence[str]) -> list[str]:
    """Lists the metrics of the tables: the main one, the chosen ones, then those that the configuration adds."""
    first = [] if metric in columns else [metric]
    return list(dict.fromkeys([*first, *columns, *own_names(results.titles)]))


def tables(results: CrossvalResults, columns: Sequence[str]) -> list[WordTable]:
    """Words the out-of-fold scores, those of the test part, and what fitted decisions make of the former."""
    found = [_out_of_fold(results, columns)]
    if results.test is not None:
        found.append(_test(results, results.test, columns))
    if results.fitted:
        found.append(_fitted(results))
    return found


def notes(results: CrossvalResults, monitor: str) -> list[str]:
    """Says how the numbers are to be read, a sentence or a few for each of them."""
    return [
        *_reading(results),
        f"Each training's best epoch was chosen on the images of the first table (by {monitor}), so these scores are a "
        "little better than on images that nobody has looked at. Those of a test part are not affected.",
        *_of_test(results),
        *_of_folds(results),
    ]


def _reading(results: CrossvalResults) -> Iterator[str]:
    if results.is_cross_validation:
        yield (
            "Out of fold: every image is predicted by a training that has not seen it, and decided as configured. "
            "Decisions that were fitted afterwards are left out, for they were chosen on these very images."
        )
    else:
        yield (
            "Validation: no training was trained on these images. They are decided as configured; decisions that were "
            "fitted afterwards are left out, for they were chosen on these very images."
        )
    yield (
        f"{HOW}. Each image's scores are averaged over trainings first. SD is the standard deviation of the means "
        "named, and no part of the intervals."
    )


def _of_test(results: CrossvalResults) -> Iterator[str]:
    if results.test is not None:
        yield (
            "Test: each training decides as was fitted on its own validation part. The ensemble takes the mean "
            "probability of all trainings, and decides by the median of their thresholds."
        )


def _of_folds(results: CrossvalResults) -> Iterator[str]:
    if results.out_of_fold.over_folds is not None:
        yield (
            "Folds share most of their training images, so the SD over folds is no standard error of the method "
            "(Bengio & Grandvalet, JMLR 5, 2004)."
        )


def _out_of_fold(results: CrossvalResults, columns: Sequence[str]) -> WordTable:
    part = results.out_of_fold
    kind = "Out of fold" if results.is_cross_validation else "Validation part"
    title = f"{results.name}: {kind}, {part.images} images, decided as configured"
    chosen = _chosen(results, columns)
    return WordTable(title, _headings(chosen), list(_rows(part, chosen)))


def _test(results: CrossvalResults, part: PartResults, columns: Sequence[str]) -> WordTable:
    chosen = _chosen(results, columns)
    rows = list(_rows(part, chosen))
    if results.ensemble is not None:
        rows += _estimate_rows("ensemble of all", part.images, results.ensemble, chosen)
    return WordTable(f"{results.name}: Test part, {part.images} images", _headings(chosen), rows)


def _fitted(results: CrossvalResults) -> WordTable:
    rows = [_fitted_row(one.name, one.images, one.configured, one.fitted) for one in results.fitted]
    images = sum(one.images for one in results.fitted)
    configured = sum(one.images * one.configured for one in results.fitted) / images
    fitted = sum(one.images * one.fitted for one in results.fitted) / images
    title = "Jaccard index with decisions fitted on the same images: better than it is on others"
    headings = ["training", "images", "as configured", "as fitted"]
    return WordTable(title, headings, [*rows, _fitted_row("all images", images, configured, fitted)])


def _fitted_row(name: str, images: int, configured: float, fitted: float) -> list[str]:
    return [name, str(images), *map(Jaccard().definition.text, (configured, fitted))]


def _chosen(results: CrossvalResults, columns: Sequence[str]) -> Columns:
    return {name: results.titles[name] for name in columns}


def _headings(columns: Columns) -> list[str]:
    return ["training", "images", *(definition.heading for definition in columns.values())]


def _rows(part: PartResults, columns: Columns) -> Iterator[list[str]]:
    for one in part.trainings:
        yield [one.name, str(one.images), *(column.text(one.means[name]) for name, column in columns.items())]
    yield from _estimate_rows("all images", part.images, part.overall, columns)
    yield from _spread_rows("folds", part.over_folds, columns)
    yield from _spread_rows("seeds", part.over_seeds, columns)


def _estimate_rows(title: str, images: int, estimates: Mapping[str, Estimate], columns: Columns) -> Iterator[list[str]]:
    yield [title, str(images), *(column.text(estimates[name].value) for name, column in columns.items())]
    yield ["95 % interval", "", *(_interval(column, estimates[name]) for name, column in columns.items())]


def _spread_rows(noun: str, spreads: Mapping[str, Spread] | None, columns: Columns) -> Iterator[list[str]]:
    if spreads is None:
        return
    chosen = [(column.text, spreads[name]) for name, column in columns.items()]
    yield [f"mean ± SD over {noun}", "", *(f"{text(one.mean)} ± {text(one.deviation)}" for text, one in chosen)]
    yield [f"range over {noun}", "", *(f"{text(one.lowest)} to {text(one.highest)}" for text, one in chosen)]


def _interval(column: Definition, estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return "-"
    return f"{column.text(estimate.low)} to {column.text(estimate.high)}"
